/*
 * NAME
 *	file - file I/O that retries after EINTR and short transfers
 *
 * DIAGNOSTICS
 *	ENOSPC also if writev() or pwrite() returns 0.
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "platform.h"

/* Bytes copied at once where the kernel does not copy. */
#define COPY_SIZE 65536

int
file_skip(struct iovec **parts, int count, size_t written)
{
	while (count > 0 && written >= (*parts)->iov_len) {
		written -= (*parts)->iov_len;
		(*parts)++;
		count--;
	}
	if (count > 0) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + written;
		(*parts)->iov_len -= written;
	}
	return count;
}

int
file_write(int descriptor, const struct iovec *parts, int count, size_t *written)
{
	ssize_t result;

	*written = 0;
	do {
		result = writev(descriptor, parts, count);
	} while (result == -1 && errno == EINTR);
	if (result <= 0) {
		return result == 0 ? ENOSPC : errno;
	}
	*written = (size_t)result;
	return 0;
}

int
file_write_at(int descriptor, const char *bytes, size_t length, off_t offset)
{
	while (length > 0) {
		ssize_t written = pwrite(descriptor, bytes, length, offset);

		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
			offset += written;
		} else if (written == 0) {
			return ENOSPC;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

int
file_read_at(int descriptor, char *bytes, size_t size, off_t offset, size_t *length)
{
	*length = 0;
	while (*length < size) {
		ssize_t got =
		    pread(descriptor, bytes + *length, size - *length, offset + (off_t)*length);

		if (got > 0) {
			*length += (size_t)got;
		} else if (got == 0) {
			break;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

int
file_missing_line_feeds(int descriptor, off_t length, const char **missing)
{
	char end[2] = "\n\n";
	size_t wanted = length < 2 ? (size_t)length : 2, got;
	int error =
	    file_read_at(descriptor, end + 2 - wanted, wanted, length - (off_t)wanted, &got);

	if (error == 0 && got < wanted) {
		error = ESTALE;
	}
	if (error == 0) {
		*missing = end[1] != '\n' ? "\n\n" : end[0] != '\n' ? "\n" : "";
	}
	return error;
}

/* Copy as file_copy(), with pread() and pwrite(). */
static int
copy_through_memory(int from, off_t *offset, int to, off_t to_offset, off_t end)
{
	/* Not on the stack, which may be small. */
	static char bytes[COPY_SIZE];
	size_t got = 1;
	int error = 0;

	while (error == 0 && got > 0 && *offset < end) {
		off_t left = end - *offset;

		error = file_read_at(
		    from, bytes, left < COPY_SIZE ? (size_t)left : COPY_SIZE, *offset, &got);
		if (error == 0) {
			error = file_write_at(to, bytes, got, to_offset);
		}
		if (error == 0) {
			*offset += (off_t)got;
			to_offset += (off_t)got;
		}
	}
	return error;
}

int
file_copy(int from, off_t *offset, int to, off_t to_offset, off_t end)
{
	while (*offset < end) {
		ssize_t copied =
		    platform_copy_range(from, *offset, to, to_offset, (size_t)(end - *offset));

		if (copied <= 0) {
			/*
			 * The end of `from`; or not supported between these files; or an error. The
			 * other function finds the end, copies, or fails with the error number.
			 */
			return copy_through_memory(from, offset, to, to_offset, end);
		}
		*offset += copied;
		to_offset += copied;
	}
	return 0;
}

int
file_truncate(int descriptor, off_t length)
{
	while (ftruncate(descriptor, length) == -1) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

int
file_sync(int descriptor)
{
	while (fdatasync(descriptor) == -1) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

int
file_sync_directory(void)
{
	int descriptor, error = 0;

	do {
		descriptor = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} while (descriptor == -1 && errno == EINTR);
	if (descriptor == -1) {
		return errno;
	}
	/* fsync(): fdatasync() need not cover the names. */
	while (error == 0 && fsync(descriptor) == -1) {
		if (errno != EINTR) {
			error = errno;
		}
	}
	close(descriptor);
	return error;
}
