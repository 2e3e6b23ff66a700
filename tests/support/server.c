/*
 * NAME
 *	server - start a server and wait until it is ready, read its log, and end it
 *
 * DESCRIPTION
 *	The server's standard error is a pipe. The readiness line in it contains the port, and the
 *	end of file of the pipe is the end of the server. No function sleeps.
 */

#include "server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"

/* The readiness line begins so; host and port follow. */
#define READY "Server coming up on "

#define DECIMAL 10

/* Append to the log, waiting at most `seconds`. Returns false at the end of file. */
static bool
log_read(struct server *server, double seconds)
{
	return program_read(server->log_source, &server->log, seconds);
}

/* Read the log until it contains `needle` after its first `from` bytes. Returns where. */
static const char *
log_await(struct server *server, size_t from, const char *needle)
{
	double deadline = clock_now() + PATIENCE;
	const char *found;

	while ((found = strstr(bytes_string(&server->log) + from, needle)) == NULL) {
		double left = deadline - clock_now();

		if (left <= 0 || !log_read(server, left)) {
			test_fail("the server has not logged %s, but %s",
			    bytes_visible(needle, strlen(needle)),
			    bytes_visible(bytes_string(&server->log), server->log.length));
		}
	}
	return found;
}

/* Wait for the readiness line and parse its port. */
static void
await_ready(struct server *server)
{
	size_t start = (size_t)(log_await(server, 0, READY) - bytes_string(&server->log));
	const char *end = log_await(server, start, "\n");
	const char *port = end;

	while (*port != ':') {
		port--;
	}
	server->port = (unsigned)strtoul(port + 1, NULL, DECIMAL);
	REQUIRE(server->port > 0 && server->port <= UINT16_MAX, "no port in the readiness line");
	snprintf(server->port_text, sizeof server->port_text, "%" PRIu16, (uint16_t)server->port);
	server->ready_length = (size_t)(end - bytes_string(&server->log)) + 1;
}

struct server *
server_start_arguments(const char *directory, const struct arguments *arguments)
{
	struct server *server = calloc(1, sizeof *server);

	REQUIRE(server != NULL, "out of memory");
	server->directory = files_path(directory, ".");
	server->process =
	    program_start_logged(directory, arguments, STDOUT_FILENO, &server->log_source);
	await_ready(server);
	return server;
}

struct server *
server_start_in(const char *directory, const char *options)
{
	struct arguments arguments;
	struct bytes words = {0};

	bytes_add_format(&words, "-p 0 %s", options);
	arguments_set(&arguments, bytes_string(&words));
	bytes_free(&words);
	return server_start_arguments(directory, &arguments);
}

struct server *
server_start(const char *options)
{
	struct path directory = files_directory();

	return server_start_in(directory.name, options);
}

int
server_await_end(struct server *server)
{
	int status;

	if (!program_await_end(
		server->process, server->log_source, &server->log, PATIENCE, &status)) {
		test_fail("the server does not end; it logged %s",
		    bytes_visible(bytes_string(&server->log), server->log.length));
	}
	return status;
}

void
server_expect_running(struct server *server, double seconds)
{
	double end = clock_now() + seconds;
	double left;

	while ((left = end - clock_now()) > 0) {
		REQUIRE(log_read(server, left), "the server has ended");
	}
}

void
server_release(struct server *server)
{
	static const char *const sanitizer_texts[] = {"Sanitizer", "runtime error:"};

	for (size_t i = 0; i < ARRAY_LENGTH(sanitizer_texts); i++) {
		if (strstr(bytes_string(&server->log), sanitizer_texts[i]) != NULL) {
			test_fail("%s", bytes_string(&server->log));
		}
	}
	close(server->log_source);
	bytes_free(&server->log);
	free(server);
}

void
server_end(struct server *server)
{
	int status;

	server_signal(server, SIGTERM);
	status = server_await_end(server);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		test_fail("the server ended with wait status %#x; it logged %s", (unsigned)status,
		    bytes_string(&server->log));
	}
}

void
server_stop(struct server *server)
{
	server_end(server);
	server_release(server);
}

struct path
server_path(const struct server *server, const char *name)
{
	return files_path(server->directory.name, name);
}

struct path
server_mailbox(const struct server *server)
{
	return server_path(server, "mailbox");
}

void
server_signal(const struct server *server, int number)
{
	REQUIRE_CALL(kill(server->process, number));
}

/* Return what was read of the log after the readiness line. */
static struct bytes
log_since_ready(const struct server *server)
{
	struct bytes log = server->log;

	log.at += server->ready_length;
	log.length -= server->ready_length;
	return log;
}

/* Read all that the server has logged by now. */
static void
log_read_all(struct server *server)
{
	size_t before;

	do {
		before = server->log.length;
		log_read(server, 0);
	} while (server->log.length > before);
}

size_t
server_log_lines(struct server *server)
{
	struct bytes log;

	log_read_all(server);
	log = log_since_ready(server);
	return bytes_count(&log, '\n');
}

void
server_await_lines(struct server *server, size_t lines)
{
	double deadline = clock_now() + PATIENCE;
	struct bytes log = log_since_ready(server);

	while (bytes_count(&log, '\n') < lines) {
		double left = deadline - clock_now();

		if (left <= 0 || !log_read(server, left)) {
			test_fail("the server has not logged %zu lines, but %s", lines,
			    bytes_visible(log.at, log.length));
		}
		log = log_since_ready(server);
	}
}

const char *
server_root_warning(void)
{
	return geteuid() == 0 ? "smtpd: running as root: --user switches to another user\n" : "";
}

bool
server_log_has(struct server *server, const char *text)
{
	log_read_all(server);
	return strstr(log_since_ready(server).at, text) != NULL;
}
