/*
 * server.h - the server process, with the shim preloaded: start, stop, log
 *
 * The environment variables SMTPD and SHIM are the absolute paths of the two.
 */

#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bytes.h"
#include "clock.h"
#include "control.h"

/* Options of every server, before those of the test. */
#define SERVER_OPTIONS "-p 0 -t 10"

struct server {
	/* Set by the caller. */
	const char *directory; /* working directory */
	const char *options;   /* words with single spaces between them */
	const char *control_path;
	const struct control *control_map;
	bool managed; /* with LISTEN_FDS and NOTIFY_SOCKET, as under a service manager */

	pid_t process;
	unsigned port;
	int manager; /* the socket of NOTIFY_SOCKET, or -1 */
	int log_source;
	struct bytes log; /* its standard error, complete once it has ended */
};

enum server_state {
	SERVER_READY,
	SERVER_ENDED, /* ended or killed by the shim; call server_end() for the status */
	SERVER_STUCK  /* neither ready nor ended after PATIENCE */
};

/* Start the server, and wait until it is ready or has ended. */
enum server_state server_start(struct server *server);

/*
 * Wait for its end, and release everything except the log. Returns the status of waitpid(); -1 if
 * it had to be killed after PATIENCE. server_stop() sends SIGTERM first.
 */
int server_end(struct server *server);
int server_stop(struct server *server);

/* Free the log. */
void server_destroy(struct server *server);

/* Check that SMTPD and SHIM are set. Prints a message and calls abort() otherwise. */
void server_require(void);

#endif
