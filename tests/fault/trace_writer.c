/*
 * NAME
 *	trace_writer - write the trace of a server, inside the shim
 *
 * DESCRIPTION
 *	Uses syscall(), because the shim interposes open() and write().
 *
 * DIAGNOSTICS
 *	Calls abort() if the trace cannot be written.
 */

#define _GNU_SOURCE

#include "trace_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control.h"
#include "trace.h"

#define TRACE_MODE (S_IRUSR | S_IWUSR)

#define DECIMAL 10

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1; /* its descriptor; -1: there is none */

/* Guarded by the mutex: flushes begun so far. */
static uint64_t tickets;

void
trace_writer_start(const char *path)
{
	if (path[0] == '\0') {
		return;
	}
	trace = (int)syscall(
	    SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, TRACE_MODE);
	if (trace == -1) {
		abort();
	}
}

void
trace_writer_lock(void)
{
	if (trace != -1) {
		pthread_mutex_lock(&mutex);
	}
}

void
trace_writer_unlock(void)
{
	if (trace != -1) {
		pthread_mutex_unlock(&mutex);
	}
}

static void
put(const void *bytes, size_t length)
{
	if (length > 0 && syscall(SYS_write, trace, bytes, length) != (long)length) {
		abort();
	}
}

static void
put_step(const struct step *step)
{
	put(step, sizeof *step);
}

/* Copy a file's name into a step. */
static void
set_name(char field[static TRACE_NAME_SIZE], const char *name)
{
	size_t length = strlen(name);

	if (length >= TRACE_NAME_SIZE) {
		abort();
	}
	memcpy(field, name, length + 1);
}

/*
 * Store the inode of a regular file, or 0 for a directory. Returns false for all others, and if
 * there is no trace.
 */
static bool
identify(int descriptor, uint64_t *inode)
{
	struct stat status;

	if (trace == -1 || fstatat(descriptor, "", &status, AT_EMPTY_PATH) == -1) {
		return false;
	}
	*inode = S_ISDIR(status.st_mode) ? 0 : status.st_ino;
	return S_ISDIR(status.st_mode) || S_ISREG(status.st_mode);
}

void
trace_writer_opened(int descriptor, const char *path, int flags, bool existed)
{
	struct step step = {.kind = STEP_TRUNCATE};

	if (!identify(descriptor, &step.inode) || step.inode == 0) {
		return;
	}
	if (!existed) {
		step.kind = STEP_CREATE;
		set_name(step.name, path);
		put_step(&step);
	} else if ((flags & O_TRUNC) != 0) {
		put_step(&step);
	}
}

void
trace_writer_wrote(int descriptor, const struct iovec *parts, int count, size_t written, off_t end)
{
	static const char padding[TRACE_ALIGNMENT];
	struct step step = {.kind = STEP_WRITE, .data_length = written};

	if (!identify(descriptor, &step.inode)) {
		return;
	}
	step.offset = (uint64_t)end - written;
	put_step(&step);
	for (int i = 0; i < count; i++) {
		size_t length = parts[i].iov_len < written ? parts[i].iov_len : written;

		put(parts[i].iov_base, length);
		written -= length;
	}
	put(padding, (TRACE_ALIGNMENT - step.data_length % TRACE_ALIGNMENT) % TRACE_ALIGNMENT);
}

void
trace_writer_truncated(int descriptor, off_t length)
{
	struct step step = {.kind = STEP_TRUNCATE, .offset = (uint64_t)length};

	if (identify(descriptor, &step.inode)) {
		put_step(&step);
	}
}

void
trace_writer_renamed(const char *name, const char *new_name)
{
	struct step step = {.kind = STEP_RENAME};

	if (trace != -1) {
		set_name(step.name, name);
		set_name(step.new_name, new_name);
		put_step(&step);
	}
}

void
trace_writer_unlinked(const char *name)
{
	struct step step = {.kind = STEP_UNLINK};

	if (trace != -1) {
		set_name(step.name, name);
		put_step(&step);
	}
}

uint64_t
trace_writer_sync_begins(int descriptor)
{
	struct step step = {.kind = STEP_SYNC_BEGIN};

	if (!identify(descriptor, &step.inode)) {
		return 0;
	}
	trace_writer_lock();
	step.number = ++tickets;
	put_step(&step);
	trace_writer_unlock();
	return step.number;
}

void
trace_writer_sync_ended(uint64_t ticket)
{
	const struct step step = {.kind = STEP_SYNC_END, .number = ticket};

	if (ticket != 0) {
		trace_writer_lock();
		put_step(&step);
		trace_writer_unlock();
	}
}

void
trace_writer_ready(void)
{
	const struct step step = {.kind = STEP_READY};

	if (trace != -1) {
		trace_writer_lock();
		put_step(&step);
		trace_writer_unlock();
	}
}

void
trace_writer_sending(const char *bytes, size_t length)
{
	static const char acknowledged[] = CONTROL_ACKNOWLEDGED;
	const size_t text_length = sizeof acknowledged - 1;
	const char *end = bytes + length;

	if (trace == -1) {
		return;
	}
	trace_writer_lock();
	while ((bytes = memmem(bytes, (size_t)(end - bytes), acknowledged, text_length)) != NULL) {
		struct step step = {.kind = STEP_ACKNOWLEDGED};

		/* The CRLF of the reply ends the digits. */
		bytes += text_length;
		step.number = strtoull(bytes, NULL, DECIMAL);
		put_step(&step);
	}
	trace_writer_unlock();
}
