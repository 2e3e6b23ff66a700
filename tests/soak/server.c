/*
 * NAME
 *	server - the server under test, in its own directory
 *
 * DESCRIPTION
 *	Its standard error is a pipe. The readiness line names the port. After it only the requested
 *	counters may be logged, and at the end the shutdown.
 *
 * DIAGNOSTICS
 *	On standard error: the log of the server, if it is not as expected.
 */

#define _GNU_SOURCE

#include "server.h"

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
#include "program.h"

#define READY         "Server coming up on "
#define SHUTTING_DOWN "smtpd: shutting down\n"

#define NUMBER_SIZE 32
#define LINE_SIZE   256
#define DECIMAL     10

static struct {
	pid_t process;
	int log_source;
	struct bytes log; /* of its standard error, what was not yet expected */
} server;

/* ---- log ---- */

/* Wait for a complete line with `text`. Returns the position of the text in the log, or NULL. */
static const char *
await(const char *text, double patience)
{
	double deadline = clock_now() + patience;
	const char *found = NULL;
	double left = patience;

	while (found == NULL && left > 0 && program_read(server.log_source, &server.log, left)) {
		found = strstr(bytes_string(&server.log), text);
		if (found != NULL && strchr(found, '\n') == NULL) {
			found = NULL;
		}
		left = deadline - clock_now();
	}
	return found;
}

/* Remove from the log the line that contains the position `place`. */
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

unsigned
server_start(char *command[], double timeout, double patience)
{
	struct arguments arguments = {.program = command[0]};
	char seconds[NUMBER_SIZE];
	const char *ready;
	unsigned port;

	if (!files_open("smtpd-soak")) {
		return 0;
	}
	REQUIRE_CALL(chdir(files_base()));
	snprintf(seconds, sizeof seconds, "%.3f", timeout);
	arguments_add_list(&arguments, (const char *const *)command);
	arguments_add_list(&arguments, (const char *[]){"-p", "0", "-t", seconds, NULL});
	server.process = program_start_logged(".", &arguments, STDOUT_FILENO, &server.log_source);
	ready = await(READY, patience);
	if (ready == NULL) {
		show_log("does not come up");
		return 0;
	}
	port = (unsigned)strtoul(strrchr(ready, ':') + 1, NULL, DECIMAL);
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
	bool matches;

	kill(server.process, SIGUSR1);
	answer = await("connections served ", patience);
	snprintf(expected, sizeof expected, "messages delivered %lu (", delivered);
	matches = answer != NULL && strstr(answer, "in service 0,") != NULL &&
		  strstr(answer, expected) != NULL;
	if (matches) {
		forget_line(answer);
	} else {
		show_log("has other counters");
	}
	return matches;
}

/* ---- end ---- */

bool
server_stop(double patience)
{
	bool ended;
	int status;

	kill(server.process, SIGTERM);
	ended =
	    program_await_end(server.process, server.log_source, &server.log, patience, &status);
	if (!ended || status != 0 || strcmp(bytes_string(&server.log), SHUTTING_DOWN) != 0) {
		fprintf(stderr, "status of waitpid(): %#x\n", (unsigned)status);
		show_log(ended ? "has another status or log" : "does not stop");
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
