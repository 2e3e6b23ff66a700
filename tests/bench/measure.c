/*
 * NAME
 *	measure - run a server and a load against it, and print their costs
 *
 * SYNOPSIS
 *	measure DIRECTORY SERVER [ARGUMENT ...] -- LOAD [ARGUMENT ...]
 *
 * DESCRIPTION
 *	Starts the server in DIRECTORY, as the leader of a session, runs the load in the current
 *	directory when the server is ready, and sends SIGTERM to the server when the load has ended
 *	and the server is idle. The first "%p" in an argument of either is replaced by the port of
 *	the server.
 *
 *	A server is ready when it writes the line "Server coming up on HOST:PORT" to standard error.
 *	A server with "%p" in its own arguments gets a free port of 127.0.0.1, and is ready when it
 *	greets a client.
 *
 *	Standard output has, after the output of the load, a line for each of these:
 *
 *	ready_ms	milliseconds from the start of the server until it is ready
 *	wall_s		seconds from the start of the load to its end
 *	server_s	user and system time of the server since it was ready, in seconds
 *	load_s		user and system time of the load in seconds
 *	idle_kib	resident memory of the server in KiB when it is ready
 *	peak_kib	its maximum until the end of the load
 *	after_kib	its value when the server is idle after the load
 *
 *	The server is all processes of the session; their time includes that of the children that
 *	they have waited for. The memory is a sum over the processes, and the maximum a sum of their
 *	maxima: pages that they share count more than once.
 *
 * DIAGNOSTICS
 *	Exit status 1 with a message if server or load failed; 2 for wrong usage. abort(3) with a
 *	message after a failed system call, or if the server is not ready in time.
 *
 * BUGS
 *	Another process could bind the free port before the server does. The time of processes other
 *	than the leader is in ticks of the system (10 ms).
 */

#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "loopback.h"
#include "program.h"
#include "server.h"
#include "usage.h"

enum {
	EXIT_USAGE = 2
};

/* A server is idle when it has used no processor time for this many seconds. */
#define UNUSED_TIME 0.02

/* Seconds between two polls. */
#define POLL_INTERVAL 0.001

/* Seconds for the server to greet a client at %p, to become idle, and to end. */
#define SERVER_LIMIT 5

/* Time limit of the load in seconds. */
#define LOAD_LIMIT 200

#define PORT_MARK "%p"

/* Costs of server and load: times in seconds, memory in KiB. */
struct cost {
	double ready, wall, server, load;
	unsigned long idle_kib, peak_kib, after_kib;
};

/* ---- arguments ---- */

/* Return whether one of the arguments has a "%p". */
static bool
has_port_mark(char *const words[])
{
	for (; *words != NULL; words++) {
		if (strstr(*words, PORT_MARK) != NULL) {
			return true;
		}
	}
	return false;
}

/* Make the arguments of a program from a list in which "%p" is replaced by the port. */
static void
set_arguments(struct arguments *arguments, char *const words[], unsigned port)
{
	arguments->program = words[0];
	arguments->prepare = NULL;
	arguments->count = 0;
	for (; *words != NULL; words++) {
		const char *mark = strstr(*words, PORT_MARK);
		struct bytes word = {0};

		if (mark != NULL) {
			bytes_add_format(&word, "%.*s%u%s", (int)(mark - *words), *words, port,
			    mark + sizeof PORT_MARK - 1);
		}
		/* Not freed: the arguments are used until the end of this program. */
		arguments_add(arguments, mark != NULL ? word.at : *words);
	}
}

/* ---- the server ---- */

/* Find a free port. */
static unsigned
find_free_port(void)
{
	unsigned port;

	close(loopback_bind(&port));
	return port;
}

/* Return whether a connection to this port receives a byte. */
static bool
is_greeted(unsigned port)
{
	const struct sockaddr_in address = loopback_address(port);
	char byte;
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool greeted;

	REQUIRE_CALL(descriptor);
	greeted = connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 &&
		  recv(descriptor, &byte, 1, 0) == 1;
	close(descriptor);
	return greeted;
}

/* Start a server whose arguments name the port, and wait until it greets a client. */
static struct server *
start_on_port(const char *directory, const struct arguments *arguments, unsigned port)
{
	struct server *server = calloc(1, sizeof *server);
	double deadline = clock_now() + SERVER_LIMIT;

	REQUIRE(server != NULL, "out of memory");
	server->port = port;
	server->process =
	    program_start_logged(directory, arguments, STDOUT_FILENO, &server->log_source);
	while (!is_greeted(port)) {
		REQUIRE(clock_now() < deadline, "%s is not ready", arguments->program);
		clock_sleep(POLL_INTERVAL);
	}
	return server;
}

/* In the child: make it the leader of a session. */
static bool
begin_session(const void *context)
{
	(void)context;
	return setsid() != -1;
}

/* Start a server, and wait until it is ready. */
static struct server *
start_server(const char *directory, char *const words[])
{
	unsigned port = has_port_mark(words) ? find_free_port() : 0;
	struct arguments arguments;

	set_arguments(&arguments, words, port);
	arguments.prepare = begin_session;
	return port != 0 ? start_on_port(directory, &arguments, port)
			 : server_start_arguments(directory, &arguments);
}

/* Thread: copy the log of the server to standard error, so that its pipe never fills. */
static void *
copy_output(void *argument)
{
	const struct server *server = argument;
	struct bytes log = {0};

	while (program_read(server->log_source, &log, PATIENCE)) {
		if (write(STDERR_FILENO, bytes_string(&log), log.length) == -1) {
			break;
		}
		bytes_clear(&log);
	}
	bytes_free(&log);
	return NULL;
}

/* Send SIGTERM to the server, and SIGKILL if it does not end in time. */
static void
end_server(const struct server *server)
{
	double deadline = clock_now() + SERVER_LIMIT;

	server_signal(server, SIGTERM);
	while (waitpid(server->process, NULL, WNOHANG) == 0) {
		if (clock_now() > deadline) {
			warnx("the server does not end");
			kill(-server->process, SIGKILL);
			waitpid(server->process, NULL, 0);
			return;
		}
		clock_sleep(POLL_INTERVAL);
	}
}

/* ---- the load ---- */

/* In the child: let SIGALRM end the load after LOAD_LIMIT. */
static bool
limit_time(const void *context)
{
	(void)context;
	alarm(LOAD_LIMIT);
	return true;
}

/* Run the load to its end. Returns whether its exit status was 0. */
static bool
run_load(char *const words[], unsigned port, struct cost *cost)
{
	struct arguments arguments;
	struct rusage usage;
	double started = clock_now();
	int status;
	pid_t process;

	set_arguments(&arguments, words, port);
	arguments.prepare = limit_time;
	process = program_start(".", &arguments, STDOUT_FILENO, STDERR_FILENO);
	REQUIRE_CALL(wait4(process, &status, 0, &usage));
	cost->wall = clock_now() - started;
	cost->load = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	if (status != 0) {
		warnx("%s: ended with status %#x", words[0], (unsigned)status);
	}
	return status == 0;
}

/* ---- costs ---- */

/* Wait until the server is idle, at most for SERVER_LIMIT. */
static void
await_idle(const struct server *server)
{
	double since = clock_now(), deadline = since + SERVER_LIMIT;
	double used = usage_time(server->process);

	while (clock_now() < since + UNUSED_TIME && clock_now() < deadline) {
		double used_now = usage_time(server->process);

		if (used_now > used) {
			used = used_now;
			since = clock_now();
		}
		clock_sleep(POLL_INTERVAL);
	}
}

/* Run the load against the server, which is ready. Returns false if either failed. */
static bool
measure(const struct server *server, char *const load[], struct cost *cost)
{
	double used = usage_time(server->process);
	bool succeeded;

	cost->idle_kib = usage_kib(server->process, "smaps_rollup", "Rss:");
	succeeded = run_load(load, server->port, cost);
	await_idle(server);
	cost->server = usage_time(server->process) - used;
	cost->after_kib = usage_kib(server->process, "smaps_rollup", "Rss:");
	cost->peak_kib = usage_kib(server->process, "status", "VmHWM:");
	if (cost->after_kib == 0) {
		warnx("the server has ended");
	}
	return succeeded && cost->after_kib > 0;
}

static void
report(const struct cost *cost)
{
	printf("ready_ms %.3f\n", cost->ready * MILLISECONDS);
	printf("wall_s %.6f\n", cost->wall);
	printf("server_s %.6f\n", cost->server);
	printf("load_s %.6f\n", cost->load);
	printf("idle_kib %lu\npeak_kib %lu\nafter_kib %lu\n", cost->idle_kib, cost->peak_kib,
	    cost->after_kib);
}

/*
 * Replace the "--" by NULL, which ends the arguments of the server. Returns those of the load, or
 * NULL if there are none, or none of the server. `arguments` begins with the directory.
 */
static char **
split(char *arguments[])
{
	if (arguments[0] == NULL || arguments[1] == NULL || strcmp(arguments[1], "--") == 0) {
		return NULL;
	}
	for (char **at = arguments + 1; *at != NULL; at++) {
		if (strcmp(*at, "--") == 0) {
			*at = NULL;
			return at[1] != NULL ? at + 1 : NULL;
		}
	}
	return NULL;
}

int
main(int argc, char *argv[])
{
	char **load = argc > 0 ? split(argv + 1) : NULL;
	struct cost cost = {0};
	struct server *server;
	pthread_t thread;
	double started;
	bool succeeded;

	if (load == NULL) {
		warnx("usage: measure DIRECTORY SERVER [ARGUMENT ...] -- LOAD [ARGUMENT ...]");
		return EXIT_USAGE;
	}
	started = clock_now();
	server = start_server(argv[1], argv + 2);
	cost.ready = clock_now() - started;
	REQUIRE(pthread_create(&thread, NULL, copy_output, server) == 0, "no thread");
	succeeded = measure(server, load, &cost);
	end_server(server);
	/* Not joined: another process that inherited the pipe may keep it open. */
	pthread_detach(thread);
	if (succeeded) {
		report(&cost);
	}
	return succeeded ? EXIT_SUCCESS : EXIT_FAILURE;
}
