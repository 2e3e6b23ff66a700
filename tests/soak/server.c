/*
 * NAME
 *	server - the server under test: a process in a directory of its own
 *
 * DESCRIPTION
 *	Its standard error is a pipe. The readiness line names the port; after that it is expected
 *	to be silent but for the counters that it is asked for.
 *
 * DIAGNOSTICS
 *	What the server said, when it should not have.
 */

#define _GNU_SOURCE

#include "server.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

#define READY "Server coming up on "

#define LOG_SIZE      65536
#define ARGUMENTS_MAX 32
#define NUMBER_SIZE   32
#define PATH_SIZE     64
#define LINE_SIZE     256
#define DECIMAL       10
#define KIBIBYTE      1024
#define MILLISECONDS  1000

/* Descriptors that removing a directory may use. */
#define WALK_DESCRIPTORS 8

static struct {
	pid_t process;
	int log_source;
	char log[LOG_SIZE]; /* what it has said since it was last looked at */
	size_t log_length;
	char directory[PATH_MAX];
} target;

/* ---- what it says ---- */

/* Read what it says for at most `seconds`. Returns false when there is no more to come. */
static bool
read_log(double seconds)
{
	struct pollfd source = {.fd = target.log_source, .events = POLLIN};
	size_t space = sizeof target.log - target.log_length - 1;
	ssize_t length;

	if (poll(&source, 1, (int)(seconds * MILLISECONDS)) != 1) {
		return true;
	}
	if (space == 0) {
		target.log_length = 0;
		space = sizeof target.log - 1;
	}
	length = read(target.log_source, target.log + target.log_length, space);
	if (length <= 0) {
		return false;
	}
	target.log_length += (size_t)length;
	target.log[target.log_length] = '\0';
	return true;
}

/* Wait until it has said `text` and the rest of that line. Returns where, or NULL. */
static const char *
await(const char *text, double patience)
{
	double deadline = wire_now() + patience;
	const char *found = NULL;
	double left = patience;

	while (found == NULL && left > 0 && read_log(left)) {
		found = target.log_length > 0 ? strstr(target.log, text) : NULL;
		if (found != NULL && strchr(found, '\n') == NULL) {
			found = NULL;
		}
		left = deadline - wire_now();
	}
	return found;
}

static void
forget_log(void)
{
	target.log_length = 0;
	target.log[0] = '\0';
}

/* Forget the line in which this stands: it was asked for. */
static void
forget_line(const char *place)
{
	size_t start = (size_t)(place - target.log);
	size_t end = start;

	while (start > 0 && target.log[start - 1] != '\n') {
		start--;
	}
	while (end < target.log_length && target.log[end++] != '\n') {
	}
	memmove(target.log + start, target.log + end, target.log_length - end + 1);
	target.log_length -= end - start;
}

static void
show_log(const char *why)
{
	fprintf(stderr, "the server %s; it said:\n%.*s\n", why, (int)target.log_length, target.log);
}

/* ---- start ---- */

/* In the child: become the server. */
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

/* Make the directory and enter it. */
static bool
enter_directory(void)
{
	const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): no thread yet */

	snprintf(target.directory, sizeof target.directory, "%s/smtpd-soak.XXXXXX",
	    parent != NULL && *parent ? parent : "/tmp");
	if (mkdtemp(target.directory) == NULL || chdir(target.directory) == -1) {
		perror(target.directory);
		return false;
	}
	return true;
}

unsigned
server_start(char *command[], double timeout, double patience)
{
	int log[2];
	const char *ready;

	if (!enter_directory()) {
		return 0;
	}
	if (pipe2(log, O_CLOEXEC) == -1) {
		perror("pipe");
		return 0;
	}
	target.process = fork();
	if (target.process == 0) {
		become(command, timeout, log[1]);
	}
	close(log[1]);
	target.log_source = log[0];
	ready = target.process == -1 ? NULL : await(READY, patience);
	if (ready == NULL) {
		show_log("does not come up");
		return 0;
	}
	unsigned port = (unsigned)strtoul(strrchr(ready, ':') + 1, NULL, DECIMAL);
	forget_log();
	return port;
}

/* ---- measures ---- */

static unsigned
count_descriptors(void)
{
	char path[PATH_SIZE];
	unsigned count = 0;
	DIR *entries;

	snprintf(path, sizeof path, "/proc/%ld/fd", (long)target.process);
	entries = opendir(path);
	if (entries == NULL) {
		return 0;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while (readdir(entries) != NULL) {
		count++;
	}
	closedir(entries);
	return count;
}

bool
server_measure(struct resource_usage *size)
{
	char path[PATH_SIZE], line[LINE_SIZE];
	FILE *status;

	*size = (struct resource_usage){.descriptors = count_descriptors()};
	snprintf(path, sizeof path, "/proc/%ld/status", (long)target.process);
	status = fopen(path, "re");
	if (status == NULL) {
		return false;
	}
	while (fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, "VmRSS:", strlen("VmRSS:")) == 0) {
			size->memory = strtoul(line + strlen("VmRSS:"), NULL, DECIMAL) * KIBIBYTE;
		} else if (strncmp(line, "Threads:", strlen("Threads:")) == 0) {
			size->threads = (unsigned)strtoul(line + strlen("Threads:"), NULL, DECIMAL);
		}
	}
	fclose(status);
	return size->threads > 0;
}

bool
server_counts(unsigned long delivered, double patience)
{
	char expected[LINE_SIZE];
	const char *answer;
	bool right;

	kill(target.process, SIGUSR1);
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
	double deadline = wire_now() + patience;
	bool open = true;
	int status = 0;

	kill(target.process, SIGTERM);
	while (open && wire_now() < deadline) {
		open = read_log(deadline - wire_now());
	}
	if (open) {
		kill(target.process, SIGKILL);
	}
	if (waitpid(target.process, &status, 0) != target.process || open || status != 0 ||
	    target.log_length > 0) {
		fprintf(stderr, "status as waitpid() has it: %#x\n", (unsigned)status);
		show_log(open ? "does not stop" : "did not end well");
		return false;
	}
	return true;
}

static int
remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

void
server_clean(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is left */
	if (nftw(target.directory, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == -1) {
		perror(target.directory);
	}
}
