/*
 * NAME
 *	manager - a minimal service manager for one program
 *
 * SYNOPSIS
 *	manager [-a] [-s] PROGRAM [ARGUMENT ...]
 *
 * DESCRIPTION
 *	Starts PROGRAM with NOTIFY_SOCKET in its environment: the file `notify` in the current
 *	directory or, with -a, an abstract address. With -s it also passes a listening socket on a free
 *	port of 127.0.0.1, see sd_listen_fds(3).
 *
 *	Writes a line to standard output for each of these events:
 *
 *	port N		the port of the passed socket
 *	process N	the process ID of the program, for kill(1)
 *	notified TEXT	a datagram of the program to NOTIFY_SOCKET
 *	exited N	its exit status, or
 *	killed N	the signal that has ended it; then the manager ends, too
 *
 *	PR_SET_PDEATHSIG kills the program when the manager dies.
 *
 * DIAGNOSTICS
 *	Exit status 1 with a message after a failed system call; 2 for wrong usage. SIGALRM after
 *	LIFE_LIMIT.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_USAGE = 2
};

/* Seconds after which SIGALRM ends the manager, and with it the program. */
#define LIFE_LIMIT 60

/* The descriptor of the first passed socket, see sd_listen_fds(3). */
#define PASSED_DESCRIPTOR 3

#define NOTIFY_FILE   "notify"
#define ABSTRACT_MARK '@'

/* Most bytes of a notification. */
#define NOTIFICATION_SIZE 1024

/* Space for a process number in decimal digits, as a string. */
#define NUMBER_SIZE 24

struct service {
	char notify_name[sizeof((struct sockaddr_un *)0)->sun_path + 1];
	int notify;
	int passed;  /* the listening socket, or -1 */
	int life[2]; /* a pipe whose write end only the program has open */
	pid_t process;
};

/* ---- sockets ---- */

/* Set the name of the notification socket. */
static void
name_notify(struct service *service, bool abstract)
{
	char directory[sizeof service->notify_name - sizeof "/" NOTIFY_FILE];

	if (abstract) {
		snprintf(service->notify_name, sizeof service->notify_name, "%cmanager-%ld",
		    ABSTRACT_MARK, (long)getpid());
	} else if (getcwd(directory, sizeof directory) != NULL) {
		snprintf(service->notify_name, sizeof service->notify_name, "%s/" NOTIFY_FILE,
		    directory);
	} else {
		err(EXIT_FAILURE, "the current directory");
	}
}

static void
open_notify(struct service *service, bool abstract)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length;

	name_notify(service, abstract);
	length = strlen(service->notify_name);
	memcpy(address.sun_path, service->notify_name, length);
	if (abstract) {
		address.sun_path[0] = '\0';
	} else {
		unlink(service->notify_name);
	}
	service->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (service->notify == -1 ||
	    bind(service->notify, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == -1) {
		err(EXIT_FAILURE, "%s", service->notify_name);
	}
}

/* Listen on a free port, and print it. */
static void
open_passed(struct service *service)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof address;

	service->passed = socket(AF_INET, SOCK_STREAM, 0);
	if (service->passed == -1 ||
	    bind(service->passed, (struct sockaddr *)&address, length) == -1 ||
	    listen(service->passed, SOMAXCONN) == -1 ||
	    getsockname(service->passed, (struct sockaddr *)&address, &length) == -1) {
		err(EXIT_FAILURE, "127.0.0.1");
	}
	printf("port %u\n", (unsigned)ntohs(address.sin_port));
}

/* ---- the program ---- */

/* In the child, which has one thread: set the environment of the program. */
static void
set_environment(const struct service *service)
{
	char process[NUMBER_SIZE];

	snprintf(process, sizeof process, "%ld", (long)getpid());
	/* NOLINTBEGIN(concurrency-mt-unsafe) */
	if (setenv("NOTIFY_SOCKET", service->notify_name, 1) == -1 ||
	    (service->passed != -1 &&
		(setenv("LISTEN_PID", process, 1) == -1 || setenv("LISTEN_FDS", "1", 1) == -1))) {
		err(EXIT_FAILURE, "the environment");
	}
	/* NOLINTEND(concurrency-mt-unsafe) */
}

/* In the child: execute the program. */
static _Noreturn void
become(const struct service *service, char *const arguments[])
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1) {
		err(EXIT_FAILURE, "prctl");
	}
	set_environment(service);
	/*
	 * dup2() cannot close another descriptor of the manager: the socket was opened first, and
	 * so has the lowest free number.
	 */
	if (service->passed != -1 && service->passed != PASSED_DESCRIPTOR &&
	    (dup2(service->passed, PASSED_DESCRIPTOR) == -1 || close(service->passed) == -1)) {
		err(EXIT_FAILURE, "descriptor %d", PASSED_DESCRIPTOR);
	}
	execvp(arguments[0], arguments);
	err(EXIT_FAILURE, "%s", arguments[0]);
}

static void
start(struct service *service, char *const arguments[])
{
	if (pipe(service->life) == -1 || fcntl(service->life[0], F_SETFD, FD_CLOEXEC) == -1) {
		err(EXIT_FAILURE, "pipe");
	}
	fflush(stdout);
	service->process = fork();
	if (service->process == -1) {
		err(EXIT_FAILURE, "fork");
	}
	if (service->process == 0) {
		become(service, arguments);
	}
	close(service->life[1]);
	if (service->passed != -1) {
		close(service->passed);
	}
	printf("process %ld\n", (long)service->process);
	fflush(stdout);
}

/* Print the notifications received since the last call. */
static void
print_notifications(const struct service *service)
{
	char notification[NOTIFICATION_SIZE];
	ssize_t got;

	while ((got = recv(service->notify, notification, sizeof notification, 0)) >= 0) {
		printf("notified %.*s\n", (int)got, notification);
	}
	fflush(stdout);
}

/* Receive notifications until the program has ended. */
static void
wait_for_end(const struct service *service)
{
	struct pollfd events[] = {
	    {.fd = service->notify, .events = POLLIN},
	    {.fd = service->life[0], .events = POLLIN},
	};

	while (events[1].revents == 0) {
		if (poll(events, 2, -1) == -1 && errno != EINTR) {
			err(EXIT_FAILURE, "poll");
		}
		print_notifications(service);
	}
}

static void
print_end(const struct service *service)
{
	int status;

	while (waitpid(service->process, &status, 0) == -1) {
		if (errno != EINTR) {
			err(EXIT_FAILURE, "waitpid");
		}
	}
	if (WIFSIGNALED(status)) {
		printf("killed %d\n", WTERMSIG(status));
	} else {
		printf("exited %d\n", WEXITSTATUS(status));
	}
}

int
main(int argc, char *argv[])
{
	struct service service = {.passed = -1};
	bool abstract = false, passes = false;
	int letter;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	while ((letter = getopt(argc, argv, "+as")) != -1) {
		if (letter == '?') {
			return EXIT_USAGE;
		}
		abstract |= letter == 'a';
		passes |= letter == 's';
	}
	if (optind == argc) {
		warnx("usage: manager [-a] [-s] PROGRAM [ARGUMENT ...]");
		return EXIT_USAGE;
	}
	alarm(LIFE_LIMIT);
	if (passes) {
		open_passed(&service);
	}
	open_notify(&service, abstract);
	start(&service, argv + optind);
	wait_for_end(&service);
	print_end(&service);
	return EXIT_SUCCESS;
}
