/*
 * control.h - the page of memory by which a test program governs the shim in a server
 *
 * The page is a file of one `struct control`, mapped by both. The program fills in the plan before
 * it starts the server; the shim counts, and says what it did.
 */

#ifndef CONTROL_H
#define CONTROL_H

#include <limits.h>
#include <stdatomic.h>

/* Elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The variable of the environment that holds the path of the page. */
#define CONTROL_VARIABLE "FAULT_CONTROL"

/* What the server says on standard error when it is ready; host, colon and port follow. */
#define CONTROL_READY "Server coming up on "

/* What the server answers to a message that it has delivered; the number follows. */
#define CONTROL_ACKNOWLEDGED "250 OK:  delivered message "

/* Every function that the shim stands in front of: its name in capitals and in C. */
#define CONTROL_FUNCTIONS(ROW)                      \
	ROW(ACCEPT, accept)                         \
	ROW(BIND, bind)                             \
	ROW(CALLOC, calloc)                         \
	ROW(CLOSE, close)                           \
	ROW(DUP, dup)                               \
	ROW(FCHMOD, fchmod)                         \
	ROW(FCNTL, fcntl)                           \
	ROW(FDATASYNC, fdatasync)                   \
	ROW(FDOPEN, fdopen)                         \
	ROW(FLOCK, flock)                           \
	ROW(FSTAT, fstat)                           \
	ROW(FSYNC, fsync)                           \
	ROW(FTRUNCATE, ftruncate)                   \
	ROW(GETADDRINFO, getaddrinfo)               \
	ROW(GETLINE, getline)                       \
	ROW(GETNAMEINFO, getnameinfo)               \
	ROW(GETPEERNAME, getpeername)               \
	ROW(GETSOCKNAME, getsockname)               \
	ROW(GETSOCKOPT, getsockopt)                 \
	ROW(LISTEN, listen)                         \
	ROW(LSTAT, lstat)                           \
	ROW(MALLOC, malloc)                         \
	ROW(OPEN, open)                             \
	ROW(OPENDIR, opendir)                       \
	ROW(PIPE, pipe)                             \
	ROW(POLL, poll)                             \
	ROW(PREAD, pread)                           \
	ROW(PTHREAD_COND_INIT, pthread_cond_init)   \
	ROW(PTHREAD_CREATE, pthread_create)         \
	ROW(PTHREAD_MUTEX_INIT, pthread_mutex_init) \
	ROW(PWRITE, pwrite)                         \
	ROW(READDIR, readdir)                       \
	ROW(REALLOC, realloc)                       \
	ROW(RECV, recv)                             \
	ROW(RENAME, rename)                         \
	ROW(SEND, send)                             \
	ROW(SENDTO, sendto)                         \
	ROW(SETSOCKOPT, setsockopt)                 \
	ROW(SHUTDOWN, shutdown)                     \
	ROW(SOCKET, socket)                         \
	ROW(UNLINK, unlink)                         \
	ROW(WRITE, write)                           \
	ROW(WRITEV, writev)

#define CONTROL_ENUMERATE(capitals, name) FUNCTION_##capitals,

enum function {
	CONTROL_FUNCTIONS(CONTROL_ENUMERATE) FUNCTIONS
};

/* What happens to a call that is struck. */
enum failure_mode {
	FAIL_ERROR,            /* it fails with the error and does nothing */
	FAIL_SHORT,            /* it moves half of the bytes that it was asked for */
	FAIL_SHORT_THEN_ERROR, /* the first one does, the next one fails */
	FAIL_KILL,             /* the process is killed before it */
	FAIL_KILL_WITHIN       /* the process is killed when half of the bytes are moved, or all */
};

struct control {
	/* The plan: calls number `first` (counted from 1) to `first + count - 1` are struck. */
	enum function function; /* FUNCTIONS: none is */
	enum failure_mode failure_mode;
	int error; /* errno; for getaddrinfo() and getnameinfo() what they return */
	unsigned first;
	unsigned count;
	long sync_nanoseconds; /* how long fdatasync() and fsync() take, which do nothing here */
	char trace[PATH_MAX];  /* where file operations are recorded, see trace.h; "": nowhere */

	/* What happened. */
	atomic_uint calls[FUNCTIONS];
	atomic_uint injections;
	atomic_uint port;     /* of the server, once it has tried to say that it is ready; or 0 */
	atomic_bool disabled; /* by the program: nothing more is struck */
};

#endif
