/*
 * NAME
 *	manager - what a service manager does for one service, and nothing else
 *
 * SYNOPSIS
 *	manager [-a] [-s] PROGRAM [ARGUMENT ...]
 *
 * DESCRIPTION
 *	PROGRAM is started here with NOTIFY_SOCKET in its environment, which is the file `notify` in
 *	the current directory or, with -a, an address that is in no file system. With -s it is also
 *	given a listening socket on a free port of 127.0.0.1, in the manner of sd_listen_fds(3).
 *
 *	On standard output, as it happens, a line for each of these:
 *
 *	port N		the port of the socket that is passed
 *	process N	the program's, which is there for others to send signals to
 *	notified TEXT	a datagram of the program to NOTIFY_SOCKET
 *	exited N	its exit status, or
 *	killed N	the signal that has ended it; then manager ends too
 *
 *	Should the manager be ended, so is the program.
 *
 * DIAGNOSTICS
 *	What cannot be done; exit status 1. Wrong usage: 2. By SIGALRM after LIFE_LIMIT.
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

/* Seconds after which program and manager are ended, whatever they do. */
#define LIFE_LIMIT 60

/* The descriptor as which sd_listen_fds(3) has the first socket passed. */
#define PASSED_DESCRIPTOR 3

#define NOTIFY_FILE   "notify"
#define ABSTRACT_MARK '@'

/* Bytes of what a program says at once. */
#define NOTIFICATION_SIZE 1024

/* Space for a process number in decimal digits, as a string. */
#define NUMBER_SIZE 24

struct service {
	char notify_name[sizeof((struct sockaddr_un *)0)->sun_path + 1];
	int notify;
	int passed;  /* the listening socket, or -1 */
	int life[2]; /* a pipe whose writing end only the program holds */
	pid_t process;
};

/* ---- sockets ---- */

/* Note the name of the socket that the program shall talk to. */
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

/* Listen on a free port, and say which it is. */
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

/* In the new process, where no other thread is: tell the program what there is for it. */
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

/* In the new process: become the program. */
static _Noreturn void
become(const struct service *service, char *const arguments[])
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1) {
		err(EXIT_FAILURE, "prctl");
	}
	set_environment(service);
	/*
	 * Nothing of ours is PASSED_DESCRIPTOR but the socket itself: it was the first to be
	 * opened, and so has the lowest number that was free.
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

/* Print what the program has said since the last time. */
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

/* Listen to the program until it has ended. */
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
