/*
 * NAME
 *	shim - interpose C library functions of a server, and inject faults
 *
 * SYNOPSIS
 *	FAULT_CONTROL=PATH LD_PRELOAD=shim.so smtpd ...
 *
 * DESCRIPTION
 *	Calls of each function of CONTROL_FUNCTIONS are counted. The plan of control.h selects calls
 *	that fail, transfer fewer bytes than requested, or kill the process, or before which the
 *	shim changes the mailbox as another program would. trace_writer.h records the operations on
 *	files.
 *
 *	fdatasync() and fsync() do not reach the disk, because their effect is invisible while the
 *	system runs. They are recorded, and take `sync_nanoseconds`, so that other threads can run
 *	in the meantime.
 *
 * BUGS
 *	Allocations by the C library itself are counted, too. Its internal system calls, such as the
 *	read() in getline(), are not interposed; getline() itself can be made to fail.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "real_symbol.h"
#include "trace_writer.h"

/*
 * Elements of a writev(): any call with more is shortened to this many. With ACT_BEFORE_CALL the
 * limit differs from call to call, from PARTS_MIN to PARTS_MAX, so that changes come between the
 * parts of one record, too.
 */
#define PARTS_MAX 8
#define PARTS_MIN 2

#define DECIMAL 10

#define SECTOR_SIZE 512

/* Bytes of the largest mailbox of a test. */
#define COPY_SIZE (1 << 20)

/* The plan until map_control(): no fault. */
static struct control no_control = {.function = FUNCTION_NONE};

static struct control *control = &no_control;

/* The current call of this thread ends with SIGKILL. */
static _Thread_local bool dying;

/* glibc's own names: malloc() is needed before dlsym() can look up any symbol. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

/* ---- the plan ---- */

static void
kill_self(void)
{
	kill(getpid(), SIGKILL);
	for (;;) {
		pause();
	}
}

/*
 * Count a call. Returns whether the plan selects it; `*injection` is then the number of earlier
 * injections.
 */
static bool
is_injected(enum function function, unsigned *injection)
{
	unsigned call = atomic_fetch_add(&control->calls[function], 1) + 1;

	if (function != control->function || call < control->first ||
	    call - control->first >= control->count || atomic_load(&control->disabled)) {
		return false;
	}
	/* Another program acts only before the server is ready, or only after. */
	if (control->failure_mode == ACT_BEFORE_CALL &&
	    (atomic_load(&control->port) == 0) != control->at_start) {
		return false;
	}
	*injection = atomic_fetch_add(&control->injections, 1);
	return true;
}

static void change_mailbox(enum action action);

/*
 * Count a call that transfers `*length` bytes, and do what the plan has for it: kill the process,
 * change the mailbox, reduce `*length`, or set `dying`. Returns true with errno set if the call is
 * to fail.
 */
static bool
fails_transfer(enum function function, size_t *length)
{
	unsigned injection;

	if (!is_injected(function, &injection)) {
		return false;
	}
	if (control->failure_mode == FAIL_KILL) {
		kill_self();
	}
	if (control->failure_mode == ACT_BEFORE_CALL) {
		change_mailbox(control->action);
		return false;
	}
	if (control->failure_mode == FAIL_ERROR ||
	    (control->failure_mode == FAIL_SHORT_THEN_ERROR && injection > 0)) {
		errno = control->error;
		return true;
	}
	dying = control->failure_mode == FAIL_KILL_WITHIN;
	*length -= *length / 2;
	return false;
}

/* The same for a call that transfers nothing. */
static bool
fails(enum function function)
{
	size_t nothing = 0;

	return fails_transfer(function, &nothing);
}

/* Return the result of a transfer, or kill the process after it. */
static ssize_t
finish_transfer(ssize_t result)
{
	if (dying) {
		kill_self();
	}
	return result;
}

/* ---- functions that succeed or fail as a whole ---- */

/*
 * Define the function `name`, which returns `type`: `failure` if the plan makes the call fail,
 * otherwise the result of the C library's function.
 */
/* NOLINTBEGIN(bugprone-macro-parentheses): `parameters` has its own parentheses. */
#define INTERPOSE(type, failure, capitals, name, parameters, arguments)                \
	static type(*next_##name) parameters;                                          \
                                                                                       \
	type name parameters                                                           \
	{                                                                              \
		return fails(FUNCTION_##capitals) ? (failure) : next_##name arguments; \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

INTERPOSE(int, -1, ACCEPT, accept,
    (int socket, struct sockaddr *restrict address, socklen_t *restrict length),
    (socket, address, length))
INTERPOSE(int, -1, BIND, bind, (int socket, const struct sockaddr *address, socklen_t length),
    (socket, address, length))
INTERPOSE(int, -1, DUP, dup, (int descriptor), (descriptor))
INTERPOSE(int, -1, FCHMOD, fchmod, (int descriptor, mode_t mode), (descriptor, mode))
INTERPOSE(FILE *, NULL, FDOPEN, fdopen, (int descriptor, const char *mode), (descriptor, mode))
INTERPOSE(int, -1, FLOCK, flock, (int descriptor, int operation), (descriptor, operation))
INTERPOSE(int, -1, FSTAT, fstat, (int descriptor, struct stat *status), (descriptor, status))
INTERPOSE(int, control->error, GETADDRINFO, getaddrinfo,
    (const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
	struct addrinfo **restrict result),
    (host, service, hints, result))
INTERPOSE(ssize_t, -1, GETLINE, getline,
    (char **restrict line, size_t *restrict size, FILE *restrict file), (line, size, file))
INTERPOSE(int, control->error, GETNAMEINFO, getnameinfo,
    (const struct sockaddr *restrict address, socklen_t length, char *restrict host,
	socklen_t host_size, char *restrict service, socklen_t service_size, int flags),
    (address, length, host, host_size, service, service_size, flags))
INTERPOSE(int, -1, GETPEERNAME, getpeername,
    (int socket, struct sockaddr *restrict address, socklen_t *restrict length),
    (socket, address, length))
INTERPOSE(int, -1, GETSOCKNAME, getsockname,
    (int socket, struct sockaddr *restrict address, socklen_t *restrict length),
    (socket, address, length))
INTERPOSE(int, -1, GETSOCKOPT, getsockopt,
    (int socket, int level, int option, void *restrict value, socklen_t *restrict length),
    (socket, level, option, value, length))
INTERPOSE(int, -1, LISTEN, listen, (int socket, int backlog), (socket, backlog))
INTERPOSE(int, -1, LSTAT, lstat, (const char *restrict path, struct stat *restrict status),
    (path, status))
INTERPOSE(DIR *, NULL, OPENDIR, opendir, (const char *path), (path))
INTERPOSE(int, -1, PIPE, pipe, (int ends[2]), (ends))
INTERPOSE(int, -1, POLL, poll, (struct pollfd * events, nfds_t count, int milliseconds),
    (events, count, milliseconds))
INTERPOSE(int, control->error, PTHREAD_COND_INIT, pthread_cond_init,
    (pthread_cond_t *restrict condition, const pthread_condattr_t *restrict attributes),
    (condition, attributes))
INTERPOSE(int, control->error, PTHREAD_CREATE, pthread_create,
    (pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*start)(void *),
	void *restrict argument),
    (thread, attributes, start, argument))
INTERPOSE(int, control->error, PTHREAD_MUTEX_INIT, pthread_mutex_init,
    (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes))
INTERPOSE(struct dirent *, NULL, READDIR, readdir, (DIR * directory), (directory))
INTERPOSE(ssize_t, -1, SENDTO, sendto,
    (int socket, const void *buffer, size_t length, int flags, const struct sockaddr *address,
	socklen_t address_length),
    (socket, buffer, length, flags, address, address_length))
INTERPOSE(int, -1, SETSOCKOPT, setsockopt,
    (int socket, int level, int option, const void *value, socklen_t length),
    (socket, level, option, value, length))
INTERPOSE(int, -1, SHUTDOWN, shutdown, (int socket, int how), (socket, how))
INTERPOSE(int, -1, SOCKET, socket, (int domain, int type, int protocol), (domain, type, protocol))

static int (*next_close)(int descriptor);

/* Close the descriptor even if the call is to fail, as Linux does. */
int
close(int descriptor)
{
	if (fails(FUNCTION_CLOSE)) {
		int error = errno;

		next_close(descriptor);
		errno = error;
		return -1;
	}
	return next_close(descriptor);
}

static int (*next_fcntl)(int descriptor, int command, ...);

int
fcntl(int descriptor, int command, ...)
{
	va_list rest;
	long argument;

	va_start(rest, command);
	argument = va_arg(rest, long);
	va_end(rest);
	return fails(FUNCTION_FCNTL) ? -1 : next_fcntl(descriptor, command, argument);
}

/* ---- memory ---- */

void *
malloc(size_t size)
{
	return fails(FUNCTION_MALLOC) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails(FUNCTION_CALLOC) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *memory, size_t size)
{
	return fails(FUNCTION_REALLOC) ? NULL : __libc_realloc(memory, size);
}

/* ---- bytes through a socket ---- */

static ssize_t (*next_recv)(int socket, void *buffer, size_t length, int flags);
static ssize_t (*next_send)(int socket, const void *buffer, size_t length, int flags);

ssize_t
recv(int socket, void *buffer, size_t length, int flags)
{
	if (fails_transfer(FUNCTION_RECV, &length)) {
		return -1;
	}
	return finish_transfer(next_recv(socket, buffer, length, flags));
}

ssize_t
send(int socket, const void *buffer, size_t length, int flags)
{
	if (fails_transfer(FUNCTION_SEND, &length)) {
		return -1;
	}
	trace_writer_sending(buffer, length);
	return finish_transfer(next_send(socket, buffer, length, flags));
}

/* ---- files ---- */

static int (*next_open)(const char *path, int flags, ...);
static ssize_t (*next_write)(int descriptor, const void *buffer, size_t length);
static ssize_t (*next_writev)(int descriptor, const struct iovec *parts, int count);
static ssize_t (*next_pwrite)(int descriptor, const void *buffer, size_t length, off_t offset);
static ssize_t (*next_pread)(int descriptor, void *buffer, size_t length, off_t offset);
static ssize_t (*next_copy_file_range)(
    int from, off_t *from_offset, int to, off_t *to_offset, size_t length, unsigned flags);
static int (*next_ftruncate)(int descriptor, off_t length);
static int (*next_rename)(const char *name, const char *new_name);
static int (*next_unlink)(const char *name);

/* Where the server writes its log: standard error, or the same opened again. */
static int log_descriptor = STDERR_FILENO;

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;
	bool existed;
	int descriptor;

	if ((flags & O_CREAT) != 0) {
		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	if (fails(FUNCTION_OPEN)) {
		return -1;
	}
	trace_writer_lock();
	existed = access(path, F_OK) == 0;
	descriptor = next_open(path, flags, mode);
	if (descriptor != -1) {
		trace_writer_opened(descriptor, path, flags, existed);
	}
	trace_writer_unlock();
	if (descriptor != -1 && strcmp(path, "/proc/self/fd/2") == 0) {
		log_descriptor = descriptor;
	}
	return descriptor;
}

/* Test whether the bytes contain a text. memmem() needs _GNU_SOURCE: see real_symbol.c. */
static bool
contains(const char *bytes, size_t length, const char *text)
{
	size_t text_length = strlen(text);

	for (size_t start = 0; start + text_length <= length; start++) {
		if (memcmp(bytes + start, text, text_length) == 0) {
			return true;
		}
	}
	return false;
}

/* Record the port when the server writes the readiness line. */
static void
record_ready(const char *bytes, size_t length)
{
	static const char ready[] = CONTROL_READY;
	const char *port = bytes + length;

	/* A notice of dropped lines may precede it. */
	if (!contains(bytes, length, ready)) {
		return;
	}
	while (port > bytes && *(port - 1) != ':') {
		port--;
	}
	trace_writer_ready();
	atomic_store(&control->port, (unsigned)strtoul(port, NULL, DECIMAL));
}

/* Descriptors other than that of the log are pipes: a call counts only if EINTR is planned. */
ssize_t
write(int descriptor, const void *buffer, size_t length)
{
	if (descriptor == log_descriptor) {
		record_ready(buffer, length);
	} else if (control->error != EINTR) {
		return next_write(descriptor, buffer, length);
	}
	if (fails_transfer(FUNCTION_WRITE, &length)) {
		return -1;
	}
	return finish_transfer(next_write(descriptor, buffer, length));
}

/* Shorten `parts` to `length` bytes in all. Returns the number of elements left. */
static int
shorten(struct iovec *parts, int count, size_t length)
{
	for (int i = 0; i < count; i++) {
		if (parts[i].iov_len >= length) {
			parts[i].iov_len = length;
			return i + 1;
		}
		length -= parts[i].iov_len;
	}
	return count;
}

ssize_t
writev(int descriptor, const struct iovec *given, int count)
{
	struct iovec parts[PARTS_MAX];
	size_t length = 0;
	ssize_t written;
	unsigned max = PARTS_MAX;

	if (control->failure_mode == ACT_BEFORE_CALL) {
		max -= atomic_load(&control->calls[FUNCTION_WRITEV]) % (PARTS_MAX - PARTS_MIN + 1);
	}
	if (count > (int)max) {
		count = (int)max;
	}
	memcpy(parts, given, (size_t)count * sizeof *parts);
	for (int i = 0; i < count; i++) {
		length += parts[i].iov_len;
	}
	if (fails_transfer(FUNCTION_WRITEV, &length)) {
		return -1;
	}
	count = shorten(parts, count, length);
	trace_writer_lock();
	written = next_writev(descriptor, parts, count);
	if (written > 0) {
		trace_writer_wrote(
		    descriptor, parts, count, (size_t)written, lseek(descriptor, 0, SEEK_CUR));
	}
	trace_writer_unlock();
	return finish_transfer(written);
}

ssize_t
pwrite(int descriptor, const void *buffer, size_t length, off_t offset)
{
	size_t whole = length;
	ssize_t written;

	if (fails_transfer(FUNCTION_PWRITE, &length)) {
		return -1;
	}
	/* SIGKILL cannot tear a write within one sector: write all of it. */
	if (dying && offset / SECTOR_SIZE == (offset + (off_t)whole - 1) / SECTOR_SIZE) {
		length = whole;
	}
	trace_writer_lock();
	written = next_pwrite(descriptor, buffer, length, offset);
	if (written > 0) {
		const struct iovec part = {.iov_base = (void *)buffer, .iov_len = length};

		trace_writer_wrote(descriptor, &part, 1, (size_t)written, offset + written);
	}
	trace_writer_unlock();
	return finish_transfer(written);
}

ssize_t
pread(int descriptor, void *buffer, size_t length, off_t offset)
{
	if (fails_transfer(FUNCTION_PREAD, &length)) {
		return -1;
	}
	return finish_transfer(next_pread(descriptor, buffer, length, offset));
}

/* Declared by <unistd.h> only with _GNU_SOURCE. */
ssize_t copy_file_range(
    int from, off_t *from_offset, int to, off_t *to_offset, size_t length, unsigned flags);

/*
 * Fail with ENOSYS if the plan is for another function: the server then calls pread() and pwrite()
 * instead, which can fail, too, and are traced.
 */
ssize_t
copy_file_range(
    int from, off_t *from_offset, int to, off_t *to_offset, size_t length, unsigned flags)
{
	if (fails_transfer(FUNCTION_COPY_FILE_RANGE, &length)) {
		return -1;
	}
	if (control->function != FUNCTION_COPY_FILE_RANGE) {
		errno = ENOSYS;
		return -1;
	}
	return finish_transfer(
	    next_copy_file_range(from, from_offset, to, to_offset, length, flags));
}

int
ftruncate(int descriptor, off_t length)
{
	int result;

	if (fails(FUNCTION_FTRUNCATE)) {
		return -1;
	}
	trace_writer_lock();
	result = next_ftruncate(descriptor, length);
	if (result == 0) {
		trace_writer_truncated(descriptor, length);
	}
	trace_writer_unlock();
	return result;
}

int
rename(const char *name, const char *new_name)
{
	int result;

	if (fails(FUNCTION_RENAME)) {
		return -1;
	}
	trace_writer_lock();
	result = next_rename(name, new_name);
	if (result == 0) {
		trace_writer_renamed(name, new_name);
	}
	trace_writer_unlock();
	return result;
}

int
unlink(const char *name)
{
	int result;

	if (fails(FUNCTION_UNLINK)) {
		return -1;
	}
	trace_writer_lock();
	result = next_unlink(name);
	if (result == 0) {
		trace_writer_unlinked(name);
	}
	trace_writer_unlock();
	return result;
}

/* Record a flush, and wait for its duration. Returns as fsync(). */
static int
flush(enum function function, int descriptor)
{
	const struct timespec duration = {.tv_nsec = control->sync_nanoseconds};
	uint64_t ticket;

	if (fails(function)) {
		return -1;
	}
	ticket = trace_writer_sync_begins(descriptor);
	if (duration.tv_nsec > 0) {
		nanosleep(&duration, NULL);
	}
	trace_writer_sync_ended(ticket);
	return 0;
}

int
fdatasync(int descriptor)
{
	return flush(FUNCTION_FDATASYNC, descriptor);
}

int
fsync(int descriptor)
{
	return flush(FUNCTION_FSYNC, descriptor);
}

/* ---- another program ---- */

/* Write bytes to a file as another program. Does nothing if the file cannot be opened. */
static void
write_other(const char *name, int flags, const char *bytes, size_t length)
{
	int descriptor = next_open(name, O_WRONLY | O_CLOEXEC | flags, S_IRUSR | S_IWUSR);

	if (descriptor != -1) {
		if (next_write(descriptor, bytes, length) != (ssize_t)length) {
			kill_self(); /* the test then fails */
		}
		next_close(descriptor);
	}
}

/*
 * Copy the open file, which another program has removed or is about to truncate, to CONTROL_COPY,
 * and close it. -1 is no file.
 */
static void
copy_file(int descriptor)
{
	static char block[COPY_SIZE];
	ssize_t length;

	if (descriptor != -1) {
		length = next_pread(descriptor, block, sizeof block, 0);
		next_close(descriptor);
		if (length > 0) {
			write_other(CONTROL_COPY, O_CREAT, block, (size_t)length);
		}
	}
}

/* Change the mailbox, as another program would. errno is as before. */
static void
change_mailbox(enum action action)
{
	static const char other[] = CONTROL_OTHER_BYTES;
	int saved_errno = errno, descriptor = next_open("mailbox", O_RDONLY | O_CLOEXEC);

	switch (action) {
	case ACTION_APPEND:
		write_other("mailbox", O_APPEND, other, sizeof other - 1);
		break;
	case ACTION_TRUNCATE:
		copy_file(descriptor);
		descriptor = -1;
		write_other("mailbox", O_TRUNC, "", 0);
		break;
	case ACTION_REMOVE:
		next_unlink("mailbox");
		break;
	case ACTION_MOVE:
		next_rename("mailbox", CONTROL_MOVED);
		break;
	default: /* ACTION_REPLACE */
		write_other("new", O_CREAT, other, sizeof other - 1);
		next_rename("new", "mailbox");
		break;
	}
	/* Copy after the removal, because other threads may have written until then. */
	if (action == ACTION_REMOVE || action == ACTION_REPLACE) {
		copy_file(descriptor);
	} else if (descriptor != -1) {
		next_close(descriptor);
	}
	errno = saved_errno;
}

/* ---- start ---- */

/* The symbol of a function whose off_t has 64 bits because of _FILE_OFFSET_BITS. */
#if _FILE_OFFSET_BITS == 64
#define LARGE(name) name "64"
#else
#define LARGE(name) name
#endif

/* Look up every function of the C library that the shim calls. */
static void
find_all(void)
{
	const struct {
		const char *name;
		void *next;
	} functions[] = {
	    {"accept", &next_accept},
	    {"bind", &next_bind},
	    {"close", &next_close},
	    {"copy_file_range", &next_copy_file_range},
	    {"dup", &next_dup},
	    {"fchmod", &next_fchmod},
	    {LARGE("fcntl"), &next_fcntl},
	    {"fdopen", &next_fdopen},
	    {"flock", &next_flock},
	    {LARGE("fstat"), &next_fstat},
	    {LARGE("ftruncate"), &next_ftruncate},
	    {"getaddrinfo", &next_getaddrinfo},
	    {"getline", &next_getline},
	    {"getnameinfo", &next_getnameinfo},
	    {"getpeername", &next_getpeername},
	    {"getsockname", &next_getsockname},
	    {"getsockopt", &next_getsockopt},
	    {"listen", &next_listen},
	    {LARGE("lstat"), &next_lstat},
	    {LARGE("open"), &next_open},
	    {"opendir", &next_opendir},
	    {"pipe", &next_pipe},
	    {"poll", &next_poll},
	    {LARGE("pread"), &next_pread},
	    {"pthread_cond_init", &next_pthread_cond_init},
	    {"pthread_create", &next_pthread_create},
	    {"pthread_mutex_init", &next_pthread_mutex_init},
	    {LARGE("pwrite"), &next_pwrite},
	    {LARGE("readdir"), &next_readdir},
	    {"recv", &next_recv},
	    {"rename", &next_rename},
	    {"send", &next_send},
	    {"sendto", &next_sendto},
	    {"setsockopt", &next_setsockopt},
	    {"shutdown", &next_shutdown},
	    {"socket", &next_socket},
	    {"unlink", &next_unlink},
	    {"write", &next_write},
	    {"writev", &next_writev},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(functions); i++) {
		real_symbol_find(functions[i].name, functions[i].next);
	}
}

/* Map the file of control.h. Calls abort() on failure. */
static void
map_control(const char *path)
{
	int descriptor = next_open(path, O_RDWR | O_CLOEXEC);
	void *control_map = MAP_FAILED;

	if (descriptor != -1) {
		control_map =
		    mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
		next_close(descriptor);
	}
	if (control_map == MAP_FAILED) {
		abort();
	}
	control = control_map;
}

/* Initialize, before main(). */
static void __attribute__((constructor)) start(void)
{
	const char *path = getenv(CONTROL_VARIABLE); /* NOLINT(concurrency-mt-unsafe) */

	find_all();
	if (path != NULL) {
		map_control(path);
		trace_writer_start(control->trace);
	}
}
