/*
 * server.h - a real server with the shim before it, started, stopped and watched
 *
 * The environment says where they are: SMTPD and SHIM, as absolute paths.
 */

#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "control.h"
#include "text.h"

/* Seconds for which the server is waited for. Reaching it is a failure. */
#define PATIENCE 20

#define MILLISECONDS 1000

/* Options that are given to every server besides those of the test. */
#define SERVER_OPTIONS "-p 0 -t 10"

struct server {
	/* Set by the caller. */
	const char *directory; /* where it runs */
	const char *options;   /* words with single spaces between them */
	const char *control_path;
	const struct control *control_map;
	bool managed; /* it is passed a listening socket, and says to another that it is ready */

	pid_t process;
	unsigned port;
	int manager; /* the other's socket, or -1 */
	int log_source;
	struct text log; /* its standard error, complete once it has ended */
};

enum server_state {
	SERVER_READY,
	SERVER_ENDED, /* by itself; server_end() says how */
	SERVER_STUCK  /* it is neither ready nor at its end, and PATIENCE is */
};

/* Start the server and wait until it is ready, or has ended. */
enum server_state server_start(struct server *server);

/* Whether it is still running. */
bool server_is_alive(const struct server *server);

/*
 * Wait for its end, and release all but the log. Returns the status as waitpid() has it, or -1 if
 * it did not end and had to be killed. server_stop() sends SIGTERM first.
 */
int server_end(struct server *server);
int server_stop(struct server *server);

/* Release the log. */
void server_destroy(struct server *server);

/* Check that the environment has what is needed; says so and ends the program if not. */
void server_require(void);

#endif
