/*
 * NAME
 *	server - a server of one's own: started in a fresh directory on a free port, and stopped
 *
 * DESCRIPTION
 *	The server's standard error is a pipe. Its readiness line names the port, and the end of the
 *	pipe is the end of the server; nothing is ever waited for by sleeping.
 */

#include "server.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* What the readiness line begins with; the host and the port follow. */
#define READY "Server coming up on "

#define BLOCK_SIZE   4096
#define MILLISECONDS 1000
#define DECIMAL      10

/*
 * Read into the log for at most `seconds`, which may be 0. Returns false when there is no more to
 * come: the server has ended.
 */
static bool
log_read(struct server *server, double seconds)
{
	struct pollfd source = {.fd = server->log_source, .events = POLLIN};
	char block[BLOCK_SIZE];
	ssize_t length;

	if (poll(&source, 1, (int)(seconds * MILLISECONDS)) != 1) {
		return true;
	}
	length = read(server->log_source, block, sizeof block);
	if (length <= 0) {
		return false;
	}
	text_add(&server->log, block, (size_t)length);
	return true;
}

/* Read into the log until `needle` is in it, behind its first `from` bytes. Returns where. */
static const char *
log_await(struct server *server, size_t from, const char *needle)
{
	double deadline = clock_now() + PATIENCE;
	const char *found;

	while ((found = strstr(text_string(&server->log) + from, needle)) == NULL) {
		double left = deadline - clock_now();

		if (left <= 0 || !log_read(server, left)) {
			ck_abort_msg("the server has not said %s, but %s",
			    text_visible(needle, strlen(needle)),
			    text_visible(text_string(&server->log), server->log.length));
		}
	}
	return found;
}

/* Wait for the readiness line and take the port from it. */
static void
await_ready(struct server *server)
{
	size_t start = (size_t)(log_await(server, 0, READY) - text_string(&server->log));
	const char *end = log_await(server, start, "\n");
	const char *port = end;

	while (*port != ':') {
		port--;
	}
	server->port = (unsigned)strtoul(port + 1, NULL, DECIMAL);
	ck_assert_uint_gt(server->port, 0);
	server->ready_length = (size_t)(end - text_string(&server->log)) + 1;
}

struct server *
server_start_arguments(const char *directory, const struct arguments *arguments)
{
	struct server *server = calloc(1, sizeof *server);
	int log_pipe[2];

	ck_assert_ptr_nonnull(server);
	program_pipe(log_pipe);
	server->directory = files_path(directory, ".");
	server->process = program_start(directory, arguments, STDOUT_FILENO, log_pipe[1]);
	close(log_pipe[1]);
	server->log_source = log_pipe[0];
	await_ready(server);
	return server;
}

struct server *
server_start_in(const char *directory, const char *options)
{
	struct arguments arguments;
	struct text words = {0};

	text_add_format(&words, "-p 0 %s", options);
	arguments_set(&arguments, text_string(&words));
	text_free(&words);
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
	double deadline = clock_now() + PATIENCE;
	int status;

	while (log_read(server, 1)) {
		if (clock_now() > deadline) {
			ck_abort_msg("the server does not end; it said %s",
			    text_visible(text_string(&server->log), server->log.length));
		}
	}
	ck_assert_int_eq(waitpid(server->process, &status, 0), server->process);
	return status;
}

void
server_expect_running(struct server *server, double seconds)
{
	double end = clock_now() + seconds;
	double left;

	while ((left = end - clock_now()) > 0) {
		ck_assert_msg(log_read(server, left), "the server has ended");
	}
}

void
server_release(struct server *server)
{
	static const char *const complaints[] = {"Sanitizer", "runtime error:"};

	for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++) {
		if (strstr(text_string(&server->log), complaints[i]) != NULL) {
			ck_abort_msg("%s", text_string(&server->log));
		}
	}
	close(server->log_source);
	text_free(&server->log);
	free(server);
}

void
server_end(struct server *server)
{
	int status;

	server_signal(server, SIGTERM);
	status = server_await_end(server);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		ck_abort_msg("the server ended with wait status %#x; it said %s", (unsigned)status,
		    text_string(&server->log));
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
	ck_assert_int_eq(kill(server->process, number), 0);
}

/* The log after the readiness line, as far as it is known. */
static struct text
log_since_ready(const struct server *server)
{
	struct text log = server->log;

	log.bytes += server->ready_length;
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
	struct text log;

	log_read_all(server);
	log = log_since_ready(server);
	return text_count(&log, '\n');
}

void
server_await_lines(struct server *server, size_t lines)
{
	double deadline = clock_now() + PATIENCE;
	struct text log = log_since_ready(server);

	while (text_count(&log, '\n') < lines) {
		double left = deadline - clock_now();

		if (left <= 0 || !log_read(server, left)) {
			ck_abort_msg("the server has not logged %zu lines, but %s", lines,
			    text_visible(log.bytes, log.length));
		}
		log = log_since_ready(server);
	}
}

bool
server_log_has(struct server *server, const char *text)
{
	log_read_all(server);
	return strstr(log_since_ready(server).bytes, text) != NULL;
}
