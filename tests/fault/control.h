/*
 * control.h - the shared memory through which a test program controls the shim in a server
 *
 * A file of one `struct control`, mapped by both processes. The test program sets the plan before
 * it starts the server; the shim counts calls and injections.
 */

#ifndef CONTROL_H
#define CONTROL_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fail.h"

/* Environment variable with the path of that file. */
#define CONTROL_VARIABLE "FAULT_CONTROL"

/* The readiness line on standard error; host, colon and port follow. */
#define CONTROL_READY "Server coming up on "

/* The reply to a delivered message; its number follows. */
#define CONTROL_ACKNOWLEDGED "250 OK:  delivered message "

/* Every function that the shim interposes: its name in capitals and in C. */
#define CONTROL_FUNCTIONS(ROW)                      \
	ROW(ACCEPT, accept)                         \
	ROW(BIND, bind)                             \
	ROW(CALLOC, calloc)                         \
	ROW(CLOSE, close)                           \
	ROW(COPY_FILE_RANGE, copy_file_range)       \
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
	CONTROL_FUNCTIONS(CONTROL_ENUMERATE) FUNCTIONS,
	FUNCTION_NONE = FUNCTIONS /* inject nothing */
};

/* What is injected into a call: a fault, or the action of another program. */
enum failure_mode {
	FAIL_ERROR,            /* fail with `error`, do nothing */
	FAIL_SHORT,            /* transfer half of the bytes */
	FAIL_SHORT_THEN_ERROR, /* transfer half, then fail at the next `count - 1` calls */
	FAIL_KILL,             /* SIGKILL before the call */
	FAIL_KILL_WITHIN, /* SIGKILL after half of the bytes; all, for pwrite() in one sector */
	ACT_BEFORE_CALL   /* another program does `action`, then the call is made */
};

/* What another program does to `mailbox`. */
enum action {
	ACTION_APPEND,
	ACTION_TRUNCATE,
	ACTION_REMOVE,
	ACTION_MOVE,
	ACTION_REPLACE,
	ACTIONS
};

/*
 * The bytes that it writes; the file to which it copies what it removes, replaces or truncates; and
 * the name to which it moves the mailbox.
 */
#define CONTROL_OTHER_BYTES "another program"
#define CONTROL_COPY        "copy"
#define CONTROL_MOVED       "moved"

struct control {
	/* The plan: inject into calls `first` (from 1) to `first + count - 1` of `function`. */
	enum function function; /* FUNCTION_NONE: inject nothing */
	enum failure_mode failure_mode;
	enum action action; /* with ACT_BEFORE_CALL */
	bool at_start; /* with ACT_BEFORE_CALL: before the server is ready; otherwise after that */
	int error;     /* errno; the result of getaddrinfo(), getnameinfo() and pthread_*() */
	unsigned first;
	unsigned count;
	long sync_nanoseconds; /* duration of fdatasync() and fsync(), which flush nothing */
	char trace[PATH_MAX];  /* path of the trace of file operations, see trace.h; "": none */

	/* Set by the test program while the server runs: inject nothing more. */
	atomic_bool disabled;

	/* Results. */
	atomic_uint calls[FUNCTIONS];
	atomic_uint injections;
	atomic_uint port; /* of the server, set when it writes the readiness line; 0 before */
};

#endif
