/*
 * server.h - a server of one's own: started in a fresh directory on a free port, and stopped
 */

#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "files.h"
#include "program.h"
#include "text.h"

struct server {
	pid_t process;
	unsigned port;
	struct path directory; /* where it runs */
	struct text log;       /* its standard error so far */
	int log_source;
	size_t ready_length; /* bytes of the log up to and with the line that says it is ready */
};

/*
 * Start the server with `-p 0` and these words as further options, in a new directory or in that
 * one, and wait until it says that it is ready. A port among the options is the one that counts.
 */
struct server *server_start(const char *options);
struct server *server_start_in(const char *directory, const char *options);

/* The same with exactly these arguments. */
struct server *server_start_arguments(const char *directory, const struct arguments *arguments);

/*
 * Ask it to stop by SIGTERM. It must end by itself with status 0. What it leaves can then be looked
 * at, and its log is complete.
 */
void server_end(struct server *server);

/* Do that, and release the server. */
void server_stop(struct server *server);

/*
 * Wait until it has ended; it must not need more than PATIENCE. Its log is then complete. Returns
 * the status as waitpid() has it. The caller releases the server.
 */
int server_await_end(struct server *server);

/* It must not end within that many seconds. */
void server_expect_running(struct server *server, double seconds);

/* Fail if a sanitizer complained; release all that belongs to a server that has ended. */
void server_release(struct server *server);

/* The path of a file in its directory; its mailbox. */
struct path server_path(const struct server *server, const char *name);
struct path server_mailbox(const struct server *server);

/* Send it a signal. */
void server_signal(const struct server *server, int number);

/* How many lines it has logged since it was ready, as far as is known by now. */
size_t server_log_lines(struct server *server);

/* Wait until it has logged that many lines since it was ready. */
void server_await_lines(struct server *server, size_t lines);

/* Whether the log has this text somewhere after the readiness line. */
bool server_log_has(struct server *server, const char *text);

#endif
