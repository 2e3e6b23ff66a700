/*
 * trace_writer.h - the part of the shim that writes the trace of a server
 *
 * trace_writer_lock() is held around each operation on a file together with its record, so that the
 * order in the trace is the order of the operations. All functions do nothing, at little cost, while
 * no trace is being written.
 */

#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Write the trace to the end of the file `path` from now on. "" is none. */
void trace_writer_start(const char *path);

void trace_writer_lock(void);
void trace_writer_unlock(void);

/*
 * Record an operation that has worked, with the lock held: `path` was opened with these flags, and
 * had `existed` before or not; `written` bytes of `parts` now end at `end` of the file; and so on.
 */
void trace_writer_opened(int descriptor, const char *path, int flags, bool existed);
void trace_writer_wrote(
    int descriptor, const struct iovec *parts, int count, size_t written, off_t end);
void trace_writer_truncated(int descriptor, off_t length);
void trace_writer_renamed(const char *name, const char *new_name);
void trace_writer_unlinked(const char *name);

/* Record that a flush has begun, and that the one with this ticket has ended. Without the lock. */
uint64_t trace_writer_sync_begins(int descriptor);
void trace_writer_sync_ended(uint64_t ticket);

/* Record that the server is ready; which messages it acknowledges in what it is about to send. */
void trace_writer_ready(void);
void trace_writer_sending(const char *bytes, size_t length);

#endif
