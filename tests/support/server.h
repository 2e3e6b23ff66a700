/*
 * server.h - start a server and wait until it is ready, read its log, and end it
 */

#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bytes.h"
#include "files.h"
#include "program.h"

/* Bytes of a port in decimal and a NUL. */
#define PORT_SIZE 6

struct server {
	pid_t process;
	unsigned port;
	char port_text[PORT_SIZE]; /* in decimal */
	struct path directory;     /* its current directory */
	struct bytes log;          /* its standard error so far */
	int log_source;            /* the pipe from its standard error */
	size_t ready_length;       /* bytes of the log up to the end of the readiness line */
};

/*
 * Start the server with `-p 0` and these words as further options, in a new directory or in this
 * one, and wait until it is ready. A port in `options` has precedence.
 */
struct server *server_start(const char *options);
struct server *server_start_in(const char *directory, const char *options);

/* The same with exactly these arguments. */
struct server *server_start_arguments(const char *directory, const struct arguments *arguments);

/*
 * Send SIGTERM. The server must end with status 0. Its files and its complete log can then be
 * compared.
 */
void server_end(struct server *server);

/* Do that, and release the server. */
void server_stop(struct server *server);

/*
 * Wait until it has ended, at most for PATIENCE; its log is then complete. Returns the status of
 * waitpid(). The caller releases the server.
 */
int server_await_end(struct server *server);

/* It must not end within that many seconds. */
void server_expect_running(struct server *server, double seconds);

/* Fail if a sanitizer has logged an error; free a server that has ended. */
void server_release(struct server *server);

/* Return the path of a file in its directory; of its mailbox. */
struct path server_path(const struct server *server, const char *name);
struct path server_mailbox(const struct server *server);

/* Send it a signal. */
void server_signal(const struct server *server, int number);

/* Return the line that a server without --user logs at its start if root runs the test, or "". */
const char *server_root_warning(void);

/* Return how many lines it has logged since it was ready. */
size_t server_log_lines(struct server *server);

/* Wait until it has logged that many lines since it was ready. */
void server_await_lines(struct server *server, size_t lines);

/* Return whether the log contains this text after the readiness line. */
bool server_log_has(struct server *server, const char *text);

#endif
