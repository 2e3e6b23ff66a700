/*
 * file.h - file I/O that retries after EINTR and short transfers
 *
 * Each function but file_skip() repeats a system call after EINTR, and returns 0 or the error
 * number of what failed. Each but file_write() goes on after a short transfer. Any thread may call
 * them, but file_copy() only one thread at a time.
 */

#ifndef FILE_H
#define FILE_H

#include <sys/types.h>
#include <sys/uio.h>

/*
 * Write `count` parts, not all of them empty, with one writev(), and set `written` to the bytes
 * that the system took: at least one, or 0 after an error.
 */
int file_write(int descriptor, const struct iovec *parts, int count, size_t *written);

/*
 * Skip `written` bytes of the parts: `*parts` is moved to the first part with bytes left, and that
 * part is reduced to them. Returns how many parts are left.
 */
int file_skip(struct iovec **parts, int count, size_t written);

/* Write `length` bytes at `offset`. After an error some of it may have been written. */
int file_write_at(int descriptor, const char *bytes, size_t length, off_t offset);

/*
 * Read up to `size` bytes from `offset` into `bytes`, and set `length` to how many there were:
 * fewer than `size` only at the end of the file.
 */
int file_read_at(int descriptor, char *bytes, size_t size, off_t offset, size_t *length);

/*
 * Set `missing` to the line feeds that must follow the first `length` bytes so that these end in an
 * empty line: "", "\n" or "\n\n". No bytes need none. Returns 0; ESTALE if the file is shorter than
 * `length`; or the error number.
 */
int file_missing_line_feeds(int descriptor, off_t length, const char **missing);

/*
 * Copy the bytes of the file `from` from `*offset` up to `end`, to the file `to` from `to_offset`
 * on. `*offset` is moved past the bytes that were copied, also after an error. Without an error it
 * is below `end` only if `from` is shorter than that. Only one thread at a time may call this.
 */
int file_copy(int from, off_t *offset, int to, off_t to_offset, off_t end);

/* Make the file `length` bytes long. */
int file_truncate(int descriptor, off_t length);

/* Flush the content of the file to the disk, with what is needed to find it (fdatasync()). */
int file_sync(int descriptor);

/* Flush the names in the current directory to the disk (fsync()). */
int file_sync_directory(void);

#endif
