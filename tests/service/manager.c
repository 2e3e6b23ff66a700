/*
 * NAME
 *	manager - a minimal service manager for one program
 *
 * SYNOPSIS
 *	manager [-a] [-s] PROGRAM [ARGUMENT ...]
 *
 * DESCRIPTION
 *	Starts PROGRAM with NOTIFY_SOCKET in its environment: the file `notify` in the current
 *	directory or, with -a, an abstract address. With -s it also passes a listening socket on a
 *	free port of 127.0.0.1, see sd_listen_fds(3).
 *
 *	Writes a line to standard output for each of these events:
 *
 *	port N		the port of the passed socket
 *	process N	the process ID of the program, for kill(1)
 *	notified TEXT	a datagram of the program to NOTIFY_SOCKET
 *	exited N	the program has ended with this exit status,
 *	killed N	or by this signal; then the manager ends, too
 *
 *	The kernel kills the program when the manager ends first, see program.c.
 *
 * DIAGNOSTICS
 *	Exit status 0 when the program has ended, in whatever way; 2 for wrong usage. abort(3) with
 *	a message after a failed system call. SIGALRM after LIFE_LIMIT.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "activation.h"
#include "fail.h"
#include "loopback.h"
#include "program.h"

enum {
	EXIT_USAGE = 2
};

/* Seconds after which SIGALRM ends the manager, and with it the program. */
#define LIFE_LIMIT 60

#define NOTIFY_FILE   "notify"
#define ABSTRACT_MARK '@'

/* Most bytes of a notification. */
#define NOTIFICATION_SIZE 1024

struct service {
	char notify_name[sizeof((struct sockaddr_un *)0)->sun_path + 1];
	int notify;  /* the socket */
	int passed;  /* the listening socket, or -1 */
	int life[2]; /* a pipe; only the program has its write end, so that poll() sees its end */
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
	} else {
		REQUIRE(getcwd(directory, sizeof directory) != NULL, "the current directory");
		snprintf(service->notify_name, sizeof service->notify_name, "%s/" NOTIFY_FILE,
		    directory);
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
	REQUIRE_CALL(service->notify);
	REQUIRE_CALL(bind(service->notify, (struct sockaddr *)&address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)));
}

/* Listen on a free port, and print it. */
static void
open_passed(struct service *service)
{
	unsigned port;

	service->passed = loopback_listen(&port);
	printf("port %u\n", port);
}

/* ---- the program ---- */

/*
 * In the child: pass the sockets. The listening socket was opened first, and so already has the
 * number to which activation_pass() copies it: that replaces neither end of `life`.
 */
static bool
prepare(const void *context)
{
	const struct service *service = context;

	return activation_set_notify(service->notify_name) &&
	       (service->passed == -1 || activation_pass(&service->passed, 1));
}

/* Start the program, and print its process ID. */
static void
start(struct service *service, char *const words[])
{
	struct arguments arguments = {.program = words[0], .prepare = prepare, .context = service};

	arguments_add_list(&arguments, (const char *const *)words);
	REQUIRE_CALL(pipe(service->life));
	REQUIRE_CALL(fcntl(service->life[0], F_SETFD, FD_CLOEXEC));
	fflush(stdout);
	service->process = program_start(".", &arguments, STDOUT_FILENO, STDERR_FILENO);
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
			test_fail_errno("poll");
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
			test_fail_errno("waitpid");
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
