/*
 * NAME
 *	activation - what a service manager gives to a program
 */

#include "activation.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fail.h"

/*
 * The lowest descriptor of the copies, which are made first so that no dup2() closes a socket that
 * is still to be passed.
 */
#define COPY_DESCRIPTOR 20

/* Bytes of a process ID, or of a count, in decimal and a NUL. */
#define NUMBER_SIZE 24

/* Set a variable of the child, which has one thread. */
static bool
set(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0; /* NOLINT(concurrency-mt-unsafe) */
}

bool
activation_pass(const int sockets[], unsigned count)
{
	int copies[ACTIVATION_SOCKETS_MAX];
	char number[NUMBER_SIZE], process[NUMBER_SIZE];

	REQUIRE(count <= ARRAY_LENGTH(copies), "too many sockets: %u", count);
	for (unsigned i = 0; i < count; i++) {
		copies[i] = fcntl(sockets[i], F_DUPFD_CLOEXEC, COPY_DESCRIPTOR);
		if (copies[i] == -1) {
			return false;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		if (dup2(copies[i], ACTIVATION_DESCRIPTOR + (int)i) == -1) {
			return false;
		}
	}
	snprintf(number, sizeof number, "%u", count);
	snprintf(process, sizeof process, "%jd", (intmax_t)getpid());
	return set("LISTEN_FDS", number) && set("LISTEN_PID", process);
}

bool
activation_set_notify(const char *address)
{
	return set("NOTIFY_SOCKET", address);
}
