/*
 * NAME
 *	server - the server process, with the shim preloaded: start, stop, log
 *
 * DESCRIPTION
 *	PR_SET_PDEATHSIG kills the server when the test dies.
 */

#define _GNU_SOURCE

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Exit status of a child whose execv() failed. */
#define CANNOT_EXECUTE 127

/* Limits of the command line: words and bytes. */
#define ARGUMENTS_MAX 24
#define WORDS_MAX     256

#define BLOCK_SIZE 4096

/*
 * Milliseconds between two reads of `port`. Polling it is needed only if the write() of the
 * readiness line is made to fail.
 */
#define LOOK_MILLISECONDS 50

/* The descriptor that a service manager passes (sd_listen_fds(3)). */
#define PASSED_DESCRIPTOR 3

/* Space for a process's number, and for the name of a manager's socket. */
#define NAME_SIZE 32

static _Noreturn void
give_up(void)
{
	perror("server");
	exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* Seconds on the monotonic clock. */
static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static const char *
setting(const char *name)
{
	return getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static bool
change(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0; /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

void
server_require(void)
{
	if (setting("SMTPD") == NULL || setting("SHIM") == NULL) {
		fprintf(stderr, "SMTPD and SHIM must be the paths of the two\n");
		exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
}

/* Make the socket of a service manager, and store its name for NOTIFY_SOCKET. */
static int
make_manager(char name[static NAME_SIZE])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof address.sun_family;
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Autobind: an abstract name of five hexadecimal digits, see unix(7). */
	if (manager == -1 || bind(manager, (struct sockaddr *)&address, length) == -1) {
		give_up();
	}
	length = sizeof address;
	if (getsockname(manager, (struct sockaddr *)&address, &length) == -1) {
		give_up();
	}
	snprintf(name, NAME_SIZE, "@%.5s", address.sun_path + 1);
	return manager;
}

/* In the child: pass a listening socket as a service manager does. Returns false on failure. */
static bool
pass_socket(const char *manager)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	char process[NAME_SIZE];
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	snprintf(process, sizeof process, "%ld", (long)getpid());
	return listening != -1 &&
	       bind(listening, (struct sockaddr *)&address, sizeof address) == 0 &&
	       listen(listening, SOMAXCONN) == 0 && dup2(listening, PASSED_DESCRIPTOR) != -1 &&
	       change("LISTEN_PID", process) && change("LISTEN_FDS", "1") &&
	       change("NOTIFY_SOCKET", manager);
}

/* In the child: execute the server. */
static _Noreturn void
execute(const struct server *server, int errors, const char *manager)
{
	char words[WORDS_MAX];
	char *arguments[ARGUMENTS_MAX];
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *rest;
	int count = 0;

	snprintf(words, sizeof words, "smtpd " SERVER_OPTIONS " %s", server->options);
	for (char *word = strtok_r(words, " ", &rest); word != NULL && count < ARGUMENTS_MAX - 1;
	     word = strtok_r(NULL, " ", &rest)) {
		arguments[count++] = word;
	}
	arguments[count] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(server->directory) == 0 && dup2(nothing, STDIN_FILENO) != -1 &&
	    dup2(nothing, STDOUT_FILENO) != -1 && dup2(errors, STDERR_FILENO) != -1 &&
	    change("LD_PRELOAD", setting("SHIM")) &&
	    change(CONTROL_VARIABLE, server->control_path) &&
	    (!server->managed || pass_socket(manager))) {
		execv(setting("SMTPD"), arguments);
	}
	_exit(CANNOT_EXECUTE);
}

/* Append to the log, waiting at most `milliseconds`. Returns false at the end of file. */
static bool
read_log(struct server *server, int milliseconds)
{
	struct pollfd source = {.fd = server->log_source, .events = POLLIN};
	char block[BLOCK_SIZE];
	ssize_t length;

	if (poll(&source, 1, milliseconds) != 1) {
		return true;
	}
	length = read(server->log_source, block, sizeof block);
	if (length > 0) {
		text_add(&server->log, block, (size_t)length);
	}
	return length > 0;
}

enum server_state
server_start(struct server *server)
{
	double deadline = now() + PATIENCE;
	char manager[NAME_SIZE] = "";
	int ends[2];

	server->manager = server->managed ? make_manager(manager) : -1;
	if (pipe2(ends, O_CLOEXEC) == -1 || (server->process = fork()) == -1) {
		give_up();
	}
	if (server->process == 0) {
		execute(server, ends[1], manager);
	}
	close(ends[1]);
	server->log_source = ends[0];
	server->log = (struct text){0};
	while (atomic_load(&server->control_map->port) == 0) {
		if (!read_log(server, LOOK_MILLISECONDS)) {
			return SERVER_ENDED;
		}
		if (now() > deadline) {
			return SERVER_STUCK;
		}
	}
	server->port = atomic_load(&server->control_map->port);
	return SERVER_READY;
}

bool
server_is_alive(const struct server *server)
{
	siginfo_t information = {0};

	return waitid(P_PID, (id_t)server->process, &information, WEXITED | WNOHANG | WNOWAIT) ==
		   0 &&
	       information.si_pid == 0;
}

int
server_end(struct server *server)
{
	double deadline = now() + PATIENCE;
	bool stuck = false;
	int status;

	while (!stuck && read_log(server, MILLISECONDS)) {
		stuck = now() > deadline;
	}
	if (stuck) {
		kill(server->process, SIGKILL);
	}
	while (waitpid(server->process, &status, 0) == -1 && errno == EINTR) {
	}
	close(server->log_source);
	if (server->manager != -1) {
		close(server->manager);
	}
	return stuck ? -1 : status;
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
	text_free(&server->log);
}
