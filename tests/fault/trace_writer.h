/*
 * trace_writer.h - write the trace of a server, inside the shim
 *
 * Call trace_writer_lock() before each operation on a file, and trace_writer_unlock() after it is
 * recorded, so that the trace has the order of the operations. Without a trace all functions do
 * nothing.
 */

#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Start to append the trace to the file `path`. "" is none. */
void trace_writer_start(const char *path);

void trace_writer_lock(void);
void trace_writer_unlock(void);

/*
 * Record a successful operation; the lock is held. `existed`: `path` existed before the open().
 * `end`: the offset in the file after the last of the `written` bytes.
 */
void trace_writer_opened(int descriptor, const char *path, int flags, bool existed);
void trace_writer_wrote(
    int descriptor, const struct iovec *parts, int count, size_t written, off_t end);
void trace_writer_truncated(int descriptor, off_t length);
void trace_writer_renamed(const char *name, const char *new_name);
void trace_writer_unlinked(const char *name);

/*
 * Record the beginning of a flush, and return its ticket, which is 0 if it is not traced; record
 * its end. The lock is not held.
 */
uint64_t trace_writer_sync_begins(int descriptor);
void trace_writer_sync_ended(uint64_t ticket);

/*
 * Record the readiness line, and each acknowledgement in `bytes`, before they are sent. The lock is
 * not held.
 */
void trace_writer_ready(void);
void trace_writer_sending(const char *bytes, size_t length);

#endif
