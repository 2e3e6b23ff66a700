/*
 * NAME
 *	server - the server under test, in its own directory
 *
 * DESCRIPTION
 *	Its standard error is a pipe. The readiness line names the port. After it only the requested
 *	counters may be logged.
 *
 * DIAGNOSTICS
 *	The unexpected log of the server.
 */

#define _GNU_SOURCE

#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"
#include "fail.h"
#include "files.h"
#include "proc.h"

#define READY "Server coming up on "

#define BLOCK_SIZE    4096
#define ARGUMENTS_MAX 32
#define NUMBER_SIZE   32
#define LINE_SIZE     256
#define DECIMAL       10

static struct {
	pid_t process;
	int log_source;
	struct bytes log; /* output not handled yet */
} server;

/* ---- log ---- */

/* Append to the log, waiting at most `seconds`. Returns false at the end of file. */
static bool
read_log(double seconds)
{
	struct pollfd source = {.fd = server.log_source, .events = POLLIN};
	char block[BLOCK_SIZE];
	ssize_t length;

	if (poll(&source, 1, (int)(seconds * MILLISECONDS)) != 1) {
		return true;
	}
	length = read(server.log_source, block, sizeof block);
	if (length <= 0) {
		return false;
	}
	bytes_add(&server.log, block, (size_t)length);
	return true;
}

/* Wait for a complete line with `text`. Returns its position in the log, or NULL. */
static const char *
await(const char *text, double patience)
{
	double deadline = clock_now() + patience;
	const char *found = NULL;
	double left = patience;

	while (found == NULL && left > 0 && read_log(left)) {
		found = strstr(bytes_string(&server.log), text);
		if (found != NULL && strchr(found, '\n') == NULL) {
			found = NULL;
		}
		left = deadline - clock_now();
	}
	return found;
}

/* Remove an expected line, in which `place` is, from the log. */
static void
forget_line(const char *place)
{
	size_t start = (size_t)(place - server.log.at);
	size_t end = start;

	while (start > 0 && server.log.at[start - 1] != '\n') {
		start--;
	}
	while (end < server.log.length && server.log.at[end++] != '\n') {
	}
	memmove(server.log.at + start, server.log.at + end, server.log.length - end + 1);
	server.log.length -= end - start;
}

static void
show_log(const char *why)
{
	fprintf(stderr, "the server %s; its log:\n%s\n", why, bytes_string(&server.log));
}

/* ---- start ---- */

/* In the child: execute the server. */
static void
become(char *command[], double timeout, int log)
{
	char *arguments[ARGUMENTS_MAX];
	char seconds[NUMBER_SIZE], port[] = "0", port_option[] = "-p", timeout_option[] = "-t";
	int count = 0;

	for (; count < ARGUMENTS_MAX - 5 && command[count] != NULL; count++) {
		arguments[count] = command[count];
	}
	snprintf(seconds, sizeof seconds, "%.3f", timeout);
	arguments[count++] = port_option;
	arguments[count++] = port;
	arguments[count++] = timeout_option;
	arguments[count++] = seconds;
	arguments[count] = NULL;
	if (dup2(log, STDERR_FILENO) != -1) {
		execvp(arguments[0], arguments);
	}
	perror(arguments[0]);
	_exit(EXIT_FAILURE);
}

unsigned
server_start(char *command[], double timeout, double patience)
{
	int log[2];
	const char *ready;

	if (!files_open("smtpd-soak")) {
		return 0;
	}
	REQUIRE_CALL(chdir(files_base()));
	REQUIRE_CALL(pipe2(log, O_CLOEXEC));
	server.process = fork();
	if (server.process == 0) {
		become(command, timeout, log[1]);
	}
	close(log[1]);
	server.log_source = log[0];
	ready = server.process == -1 ? NULL : await(READY, patience);
	if (ready == NULL) {
		show_log("does not come up");
		return 0;
	}
	unsigned port = (unsigned)strtoul(strrchr(ready, ':') + 1, NULL, DECIMAL);
	bytes_clear(&server.log);
	return port;
}

/* ---- measures ---- */

bool
server_measure(struct resource_usage *usage)
{
	if (!proc_is_running(server.process)) {
		return false;
	}
	usage->memory = proc_memory(server.process);
	usage->threads = proc_threads(server.process);
	usage->descriptors = proc_descriptors(server.process);
	return true;
}

bool
server_counts(unsigned long delivered, double patience)
{
	char expected[LINE_SIZE];
	const char *answer;
	bool right;

	kill(server.process, SIGUSR1);
	answer = await("connections served ", patience);
	snprintf(expected, sizeof expected, "messages delivered %lu (", delivered);
	right = answer != NULL && strstr(answer, "in service 0,") != NULL &&
		strstr(answer, expected) != NULL;
	if (right) {
		forget_line(answer);
	} else {
		show_log("counts otherwise");
	}
	return right;
}

/* ---- end ---- */

bool
server_stop(double patience)
{
	double deadline = clock_now() + patience;
	bool open = true;
	int status = 0;

	kill(server.process, SIGTERM);
	while (open && clock_now() < deadline) {
		open = read_log(deadline - clock_now());
	}
	if (open) {
		kill(server.process, SIGKILL);
	}
	if (waitpid(server.process, &status, 0) != server.process || open || status != 0 ||
	    server.log.length > 0) {
		fprintf(stderr, "status as waitpid() has it: %#x\n", (unsigned)status);
		show_log(open ? "does not stop" : "did not end well");
		return false;
	}
	return true;
}

void
server_clean(void)
{
	bytes_free(&server.log);
	files_close();
}
