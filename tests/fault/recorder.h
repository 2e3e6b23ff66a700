/*
 * recorder.h - the part of the shim that writes the trace of a server
 *
 * recorder_lock() is held around each operation on a file together with its record, so that the
 * order in the trace is the order of the operations. All functions do nothing, at little cost, while
 * no trace is being written.
 */

#ifndef RECORDER_H
#define RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Write the trace to the end of the file `path` from now on. "" is none. */
void recorder_start(const char *path);

void recorder_lock(void);
void recorder_unlock(void);

/*
 * Record an operation that has worked, with the lock held: `path` was opened with these flags, and
 * had `existed` before or not; `written` bytes of `parts` now end at `end` of the file; and so on.
 */
void recorder_opened(int descriptor, const char *path, int flags, bool existed);
void recorder_wrote(
    int descriptor, const struct iovec *parts, int count, size_t written, off_t end);
void recorder_truncated(int descriptor, off_t length);
void recorder_renamed(const char *name, const char *new_name);
void recorder_unlinked(const char *name);

/* Record that a flush has begun, and that the one with this ticket has ended. Without the lock. */
uint64_t recorder_sync_begins(int descriptor);
void recorder_sync_ended(uint64_t ticket);

/* Record that the server is ready; which messages it acknowledges in what it is about to send. */
void recorder_ready(void);
void recorder_sending(const char *bytes, size_t length);

#endif
