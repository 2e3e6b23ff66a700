/*
 * NAME
 *	measure - run a server and a load against it, and print their costs
 *
 * SYNOPSIS
 *	measure DIRECTORY SERVER [ARGUMENT ...] -- LOAD [ARGUMENT ...]
 *
 * DESCRIPTION
 *	Starts the server in DIRECTORY, as the leader of a session, runs the load in the current
 *	directory when the server is ready, and sends SIGTERM to the server when the load has ended and
 *	the server is idle. "%p" in an argument of either is replaced by the port of the server.
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
 *	idle_kib	resident memory of the server in KiB when it is ready,
 *	peak_kib	at most,
 *	after_kib	and when it is idle after the load
 *
 *	The server is all processes of the session; their time includes that of the children that they
 *	have waited for. The memory is the sum of theirs: pages that they share count more than once.
 *
 * DIAGNOSTICS
 *	Exit status 1 with a message after a failed system call, or if server or load failed; 2 for
 *	wrong usage.
 *
 * BUGS
 *	Another process could bind the free port before the server does. The time of processes other
 *	than the leader is in ticks of the system (10 ms).
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monotonic.h"
#include "params.h"

enum {
	EXIT_USAGE = 2
};

/* Time limit of the server to be ready, to become idle, and to end. */
#define SERVER_LIMIT (5 * SECOND)

/* A server is idle when it has used no processor time for this long. */
#define UNUSED_TIME (20 * MILLISECOND)

/* Polling interval. */
#define POLL_INTERVAL (MILLISECOND)

/* Time limit of the load in seconds. */
#define LOAD_LIMIT 200

#define READINESS_LINE "Server coming up on "
#define PORT_MARK      "%p"
#define PORT_SIZE      sizeof "65535"

/* Most processes of a server. */
#define PROCESSES_MAX 256

/* Most bytes searched for the readiness line. */
#define LOG_SIZE 1024

struct server {
	pid_t process; /* the leader of its session and process group */
	int output;    /* its standard error */
	char port[PORT_SIZE];
	nanoseconds started, ready;
};

/* Costs of server and load. */
struct cost {
	nanoseconds ready, wall, server;
	double load;
	unsigned long idle_kib, peak_kib, after_kib;
};

static void
sleep_briefly(void)
{
	const struct timespec time = {.tv_nsec = POLL_INTERVAL};

	nanosleep(&time, NULL);
}

/* ---- arguments ---- */

/* Return whether an argument has a "%p". */
static bool
has_port_mark(char *const arguments[])
{
	for (; *arguments != NULL; arguments++) {
		if (strstr(*arguments, PORT_MARK) != NULL) {
			return true;
		}
	}
	return false;
}

/* Replace "%p" in each argument by the port. Returns false if there is no memory. */
static bool
put_port(char *arguments[], const char *port)
{
	for (; *arguments != NULL; arguments++) {
		char *mark = strstr(*arguments, PORT_MARK);

		if (mark != NULL) {
			size_t size = strlen(*arguments) + PORT_SIZE;
			char *replaced = malloc(size);

			if (replaced == NULL) {
				return false;
			}
			snprintf(replaced, size, "%.*s%s%s", (int)(mark - *arguments), *arguments,
			    port, mark + sizeof PORT_MARK - 1);
			*arguments = replaced;
		}
	}
	return true;
}

/* ---- readiness ---- */

static struct sockaddr_in
loopback(const char *port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* Find a free port. Returns false on failure. */
static bool
find_free_port(char port[static PORT_SIZE])
{
	struct sockaddr_in address = loopback("0");
	socklen_t length = sizeof address;
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);
	bool found = descriptor != -1 &&
		     bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0 &&
		     getsockname(descriptor, (struct sockaddr *)&address, &length) == 0;

	if (descriptor != -1) {
		close(descriptor);
	}
	snprintf(port, PORT_SIZE, "%" PRIu16, ntohs(address.sin_port));
	return found;
}

/* Return whether a connection to this port receives a byte. */
static bool
is_greeted(const char *port)
{
	const struct sockaddr_in address = loopback(port);
	char byte;
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);
	bool greeted =
	    descriptor != -1 &&
	    connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 &&
	    recv(descriptor, &byte, 1, 0) == 1;

	if (descriptor != -1) {
		close(descriptor);
	}
	return greeted;
}

static bool
await_greeting(const struct server *server)
{
	while (monotonic_left(server->started + SERVER_LIMIT) > 0) {
		if (is_greeted(server->port)) {
			return true;
		}
		sleep_briefly();
	}
	return false;
}

/* Parse the port in the readiness line. Returns false if there is no complete line. */
static bool
read_readiness_line(struct server *server, const char *output)
{
	const char *line = strstr(output, READINESS_LINE);
	const char *end = line != NULL ? strchr(line, '\n') : NULL;
	const char *colon = end;

	while (colon != NULL && colon > line && *colon != ':') {
		colon--;
	}
	if (colon == NULL || colon == line || (size_t)(end - colon) > PORT_SIZE) {
		return false;
	}
	snprintf(server->port, PORT_SIZE, "%.*s", (int)(end - colon - 1), colon + 1);
	return true;
}

static bool
await_readiness_line(struct server *server)
{
	char output[LOG_SIZE] = "";
	size_t length = 0;
	struct pollfd event = {.fd = server->output, .events = POLLIN};
	nanoseconds left;

	while (length < sizeof output - 1 &&
	       (left = monotonic_left(server->started + SERVER_LIMIT)) > 0 &&
	       poll(&event, 1, (int)(left / MILLISECOND) + 1) == 1) {
		ssize_t got = read(server->output, output + length, sizeof output - 1 - length);

		if (got <= 0) {
			break;
		}
		length += (size_t)got;
		output[length] = '\0';
		if (read_readiness_line(server, output)) {
			return true;
		}
	}
	warnx("no readiness line; the server logged: %s", output);
	return false;
}

/* ---- processes ---- */

/* In the child: execute the program. PR_SET_PDEATHSIG kills it when the parent dies. */
static _Noreturn void
execute(const char *directory, char *const arguments[])
{
	if (arguments[0] != NULL && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    chdir(directory) == 0) {
		execvp(arguments[0], arguments);
	}
	warn("%s", arguments[0] != NULL ? arguments[0] : "no program");
	_exit(EXIT_FAILURE);
}

/* Copy the output of the server to standard error, so that its pipe never fills. */
static void *
copy_output(void *argument)
{
	const struct server *server = argument;
	char output[LOG_SIZE];
	ssize_t got;

	while ((got = read(server->output, output, sizeof output)) > 0) {
		if (write(STDERR_FILENO, output, (size_t)got) == -1) {
			break;
		}
	}
	return NULL;
}

/* Start the server and wait until it is ready. Returns whether it is. */
static bool
start_server(struct server *server, const char *directory, char *arguments[])
{
	bool reports_port = !has_port_mark(arguments);
	int ends[2];

	if ((!reports_port && !find_free_port(server->port)) || pipe(ends) == -1 ||
	    !put_port(arguments, server->port)) {
		warn("the server's port");
		return false;
	}
	server->output = ends[0];
	server->started = monotonic_now();
	server->process = fork();
	if (server->process == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		setsid();
		execute(directory, arguments);
	}
	close(ends[1]);
	if (server->process == -1 ||
	    !(reports_port ? await_readiness_line(server) : await_greeting(server))) {
		warnx("%s: is not ready", arguments[0]);
		return false;
	}
	server->ready = monotonic_now();
	return true;
}

/* Run the load to its end. Returns whether its exit status was 0. */
static bool
run_load(char *const arguments[], struct cost *cost)
{
	nanoseconds began = monotonic_now();
	struct rusage usage;
	pid_t process = fork();
	int status;

	if (process == 0) {
		alarm(LOAD_LIMIT);
		execute(".", arguments);
	}
	if (process == -1 || wait4(process, &status, 0, &usage) == -1) {
		warn("%s", arguments[0]);
		return false;
	}
	cost->wall = monotonic_now() - began;
	cost->load = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	if (status != 0) {
		warnx("%s: ended with status %#x", arguments[0], (unsigned)status);
	}
	return status == 0;
}

/* Send SIGTERM to the server, and SIGKILL if it does not end in time. */
static void
end_server(const struct server *server)
{
	nanoseconds deadline = monotonic_now() + SERVER_LIMIT;

	kill(server->process, SIGTERM);
	while (waitpid(server->process, NULL, WNOHANG) == 0) {
		if (monotonic_left(deadline) <= 0) {
			warnx("the server does not end");
			kill(-server->process, SIGKILL);
			waitpid(server->process, NULL, 0);
			return;
		}
		sleep_briefly();
	}
}

/* ---- costs ---- */

/* A process of the server, and the processor time in ticks of it and of its ended children. */
struct process {
	pid_t process;
	long own, children;
};

/* Fields of /proc/PID/stat after the name of the program; field 0 is a letter. */
enum {
	FIELD_SESSION = 3,
	FIELD_USER = 11,
	FIELD_SYSTEM,
	FIELD_CHILDREN_USER,
	FIELD_CHILDREN_SYSTEM
};

/* Where field 1 begins, after the ')' of the name. */
#define FIELD_1 (sizeof ") S" - 1)

/* Read /proc/PID/stat. Returns false if there is no such process in the session. */
static bool
read_process(struct process *process, const char *name, pid_t session)
{
	char path[64], line[1024] = "", *at;
	long fields[FIELD_CHILDREN_SYSTEM + 1] = {0};
	FILE *status;

	snprintf(path, sizeof path, "/proc/%.20s/stat", name);
	status = fopen(path, "re");
	if (status == NULL) {
		return false;
	}
	/* The name of the program, in parentheses, may have any character. */
	at = fgets(line, sizeof line, status) != NULL ? strrchr(line, ')') : NULL;
	fclose(status);
	if (at == NULL || strlen(at) < FIELD_1) {
		return false;
	}
	at += FIELD_1;
	for (size_t i = 1; i < sizeof fields / sizeof fields[0]; i++) {
		fields[i] = strtol(at, &at, 10);
	}
	process->process = (pid_t)strtol(name, NULL, 10);
	process->own = fields[FIELD_USER] + fields[FIELD_SYSTEM];
	process->children = fields[FIELD_CHILDREN_USER] + fields[FIELD_CHILDREN_SYSTEM];
	return fields[FIELD_SESSION] == session;
}

/* Find the processes of a session. Returns how many there are. */
static size_t
find_processes(pid_t session, struct process processes[static PROCESSES_MAX])
{
	DIR *entries = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while (entries != NULL && count < PROCESSES_MAX && (entry = readdir(entries)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    read_process(&processes[count], entry->d_name, session)) {
			count++;
		}
	}
	if (entries != NULL) {
		closedir(entries);
	}
	return count;
}

/* Return the processor time of a process, not rounded to ticks, or 0 if it has ended. */
static nanoseconds
exact_time(pid_t process)
{
	clockid_t clock;
	struct timespec time;

	if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) == -1) {
		return 0;
	}
	return (nanoseconds)time.tv_sec * SECOND + time.tv_nsec;
}

/* Return the processor time of a session. */
static nanoseconds
processor_time(pid_t session)
{
	struct process processes[PROCESSES_MAX];
	size_t count = find_processes(session, processes);
	long ticks = 0;

	for (size_t i = 0; i < count; i++) {
		ticks += processes[i].children;
		ticks += processes[i].process != session ? processes[i].own : 0;
	}
	return exact_time(session) + (nanoseconds)ticks * (SECOND / sysconf(_SC_CLK_TCK));
}

/* Wait until the server is idle. */
static void
await_idle(const struct server *server)
{
	nanoseconds deadline = monotonic_now() + SERVER_LIMIT;
	nanoseconds used = processor_time(server->process), since = monotonic_now();

	while (monotonic_left(since + UNUSED_TIME) > 0 && monotonic_left(deadline) > 0) {
		nanoseconds now_used = processor_time(server->process);

		if (now_used != used) {
			used = now_used;
			since = monotonic_now();
		}
		sleep_briefly();
	}
}

/* Read a number of KiB from a file of /proc/PID. Returns 0 if it is not there. */
static unsigned long
memory_kib(pid_t process, const char *file, const char *name)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)process, file);
	status = fopen(path, "re");
	while (status != NULL && fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0) {
			kib = strtoul(line + strlen(name), NULL, 10);
		}
	}
	if (status != NULL) {
		fclose(status);
	}
	return kib;
}

/* Return the sum of such numbers of a session. */
static unsigned long
session_kib(pid_t session, const char *file, const char *name)
{
	struct process processes[PROCESSES_MAX];
	size_t count = find_processes(session, processes);
	unsigned long kib = 0;

	for (size_t i = 0; i < count; i++) {
		kib += memory_kib(processes[i].process, file, name);
	}
	return kib;
}

/* Run the load against the server, which is ready. Returns false if either failed. */
static bool
measure(struct server *server, char *load[], struct cost *cost)
{
	nanoseconds used = processor_time(server->process);
	bool succeeded;

	cost->ready = server->ready - server->started;
	cost->idle_kib = session_kib(server->process, "smaps_rollup", "Rss:");
	succeeded = put_port(load, server->port) && run_load(load, cost);
	await_idle(server);
	cost->server = processor_time(server->process) - used;
	cost->after_kib = session_kib(server->process, "smaps_rollup", "Rss:");
	cost->peak_kib = session_kib(server->process, "status", "VmHWM:");
	if (cost->after_kib == 0) {
		warnx("the server has ended");
	}
	return succeeded && cost->after_kib > 0;
}

static void
report(const struct cost *cost)
{
	printf("ready_ms %.3f\n", (double)cost->ready / (double)MILLISECOND);
	printf("wall_s %.6f\n", (double)cost->wall / (double)SECOND);
	printf("server_s %.6f\n", (double)cost->server / (double)SECOND);
	printf("load_s %.6f\n", cost->load);
	printf("idle_kib %lu\npeak_kib %lu\nafter_kib %lu\n", cost->idle_kib, cost->peak_kib,
	    cost->after_kib);
}

/* Find the program of the load after "--". Returns NULL if there is none, or no server. */
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
	struct server server = {.process = -1};
	struct cost cost = {.wall = 0};
	char **load = argc > 0 ? split(argv + 1) : NULL;
	pthread_t reader;
	bool succeeded;

	if (load == NULL) {
		warnx("usage: measure DIRECTORY SERVER [ARGUMENT ...] -- LOAD [ARGUMENT ...]");
		return EXIT_USAGE;
	}
	succeeded = start_server(&server, argv[1], argv + 2);
	if (succeeded && pthread_create(&reader, NULL, copy_output, &server) == 0) {
		succeeded = measure(&server, load, &cost);
		end_server(&server);
		/* Not joined: another process that inherited the pipe may keep it open. */
		pthread_detach(reader);
	} else if (server.process != -1) {
		end_server(&server);
		succeeded = false;
	}
	if (succeeded) {
		report(&cost);
	}
	return succeeded ? EXIT_SUCCESS : EXIT_FAILURE;
}
