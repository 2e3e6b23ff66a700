/*
 * NAME
 *	server - the server process, with the shim preloaded: start, stop, log
 *
 * DESCRIPTION
 *	program.h starts the process, which is killed when the test process ends.
 */

#define _GNU_SOURCE

#include "server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "activation.h"
#include "clock.h"
#include "environment.h"
#include "fail.h"
#include "loopback.h"
#include "program.h"

/*
 * Seconds between two reads of `port`. Polling it is needed only if the write() of the
 * readiness line is made to fail.
 */
#define POLL_SECONDS 0.05

/* Bytes of the name of a manager's socket, and a NUL. */
#define NAME_SIZE 32

void
server_require(void)
{
	environment_require("SMTPD");
	environment_require("SHIM");
}

/* In the child: set an environment variable. Returns false on failure. */
static bool
set_variable(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0; /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* Make the socket of a service manager, and store its name for NOTIFY_SOCKET. */
static int
make_manager(char name[static NAME_SIZE])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof address.sun_family;
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Autobind: an abstract name of five hexadecimal digits, see unix(7). */
	REQUIRE_CALL(manager);
	REQUIRE_CALL(bind(manager, (struct sockaddr *)&address, length));
	length = sizeof address;
	REQUIRE_CALL(getsockname(manager, (struct sockaddr *)&address, &length));
	snprintf(name, NAME_SIZE, "@%.5s", address.sun_path + 1);
	return manager;
}

/* In the child: pass a listening socket as a service manager does. Returns false on failure. */
static bool
pass_socket(const char *manager)
{
	unsigned port;
	int listening = loopback_listen(&port);

	return activation_pass(&listening, 1) && activation_set_notify(manager);
}

/* What the child needs. */
struct preparation {
	const struct server *server;
	const char *manager; /* name of the manager's socket */
};

/* In the child: load the shim, and pass a socket if the server is managed. */
static bool
prepare(const void *context)
{
	const struct preparation *preparation = context;
	const struct server *server = preparation->server;

	return set_variable("LD_PRELOAD", environment_require("SHIM")) &&
	       set_variable(CONTROL_VARIABLE, server->control_path) &&
	       (!server->managed || pass_socket(preparation->manager));
}

/* Start the process with its log in a pipe. */
static void
launch(struct server *server, const char *manager)
{
	struct preparation preparation = {server, manager};
	struct arguments arguments;
	struct bytes words = {0};
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	REQUIRE_CALL(nothing);
	bytes_add_format(&words, SERVER_OPTIONS " %s", server->options);
	arguments_set(&arguments, bytes_string(&words));
	bytes_free(&words);
	arguments.prepare = prepare;
	arguments.context = &preparation;
	server->process =
	    program_start_logged(server->directory, &arguments, nothing, &server->log_source);
	close(nothing);
	server->log = (struct bytes){0};
}

enum server_state
server_start(struct server *server)
{
	double deadline = clock_now() + PATIENCE;
	char manager[NAME_SIZE] = "";

	server->manager = server->managed ? make_manager(manager) : -1;
	launch(server, manager);
	while (atomic_load(&server->control_map->port) == 0) {
		if (!program_read(server->log_source, &server->log, POLL_SECONDS)) {
			return SERVER_ENDED;
		}
		if (clock_now() > deadline) {
			return SERVER_STUCK;
		}
	}
	server->port = atomic_load(&server->control_map->port);
	return SERVER_READY;
}

int
server_end(struct server *server)
{
	int status;
	bool ended =
	    program_await_end(server->process, server->log_source, &server->log, PATIENCE, &status);

	close(server->log_source);
	if (server->manager != -1) {
		close(server->manager);
	}
	return ended ? status : -1;
}

int
server_stop(struct server *server)
{
	kill(server->process, SIGTERM);
	return server_end(server);
}

void
server_destroy(struct server *server)
{
	bytes_free(&server->log);
}
