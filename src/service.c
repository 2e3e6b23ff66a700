/*
 * NAME
 *	service - systemd socket activation and readiness notification
 *
 * DIAGNOSTICS
 *	LISTEN_FDS: must be a number from 1 to 8
 *	NOTIFY_SOCKET: cannot notify the service manager: why
 */

#include "service.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "monotonic.h"
#include "params.h"

/* The first descriptor that a service manager passes. */
#define FIRST_DESCRIPTOR 3

/* Parse the number in the environment variable `name`. Returns -1 if it holds no number. */
static long
number_in(const char *name)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment. */
	const char *value = getenv(name);
	char *end;
	long number;

	if (value == NULL || *value < '0' || *value > '9') {
		return -1;
	}
	number = strtol(value, &end, 10);
	return *end == '\0' ? number : -1;
}

bool
service_sockets(int *first, unsigned *count)
{
	long number = number_in("LISTEN_FDS");

	*first = FIRST_DESCRIPTOR;
	*count = 0;
	if (number_in("LISTEN_PID") != (long)getpid()) {
		return true;
	}
	if (number < 1 || number > SOCKETS_MAX) {
		log_line(LOG_ERR, "LISTEN_FDS: must be a number from 1 to %d", SOCKETS_MAX);
		return false;
	}
	*count = (unsigned)number;
	return true;
}

/*
 * Send a datagram to the UNIX socket of this name, in the abstract namespace if that begins with
 * '@'. Returns 0 or the error number.
 */
static int
send_datagram(const char *name, const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* Otherwise a full queue that nothing reads would hold up the start and the stop. */
	const struct timeval timeout = monotonic_timeval(NOTIFY_TIMEOUT);
	size_t length = strlen(name);
	int descriptor, error = 0;

	if (length >= sizeof address.sun_path) {
		return ENAMETOOLONG;
	}
	memcpy(address.sun_path, name, length);
	if (name[0] == '@') {
		address.sun_path[0] = '\0';
	}
	descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (descriptor == -1) {
		return errno;
	}
	setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (sendto(descriptor, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == -1) {
		error = errno;
	}
	close(descriptor);
	return error;
}

void
service_notify(const char *state)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment. */
	const char *name = getenv("NOTIFY_SOCKET");
	int error;

	if (name == NULL || (name[0] != '/' && name[0] != '@')) {
		return;
	}
	error = send_datagram(name, state);
	if (error != 0) {
		log_error(error, "NOTIFY_SOCKET: cannot notify the service manager");
	}
}
