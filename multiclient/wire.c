/*
 * NAME
 *	wire - one TCP connection to the server
 *
 * DESCRIPTION
 *	A receive blocks for one slice of time at most, by SO_RCVTIMEO, and then looks at the deadline
 *	and whether to stop: so an exchange costs one send and one receive, and no poll.
 *
 *	`silent` serves those who must know that a reply was not sent before some moment: a receive
 *	that finds nothing proves that nothing had arrived when it was called.
 *
 * DIAGNOSTICS
 *	Failures are returned with errno set; nothing is printed.
 */

#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "constants.h"
#include "moment.h"

/* How often and how long a connect waits for a local port to become free again. */
#define PORT_TRIES 100
#define PORT_WAIT  (20 * MILLISECOND)

void
wire_begin(struct wire *wire, const atomic_bool *stop)
{
	wire->descriptor = -1;
	wire->stop = stop;
	wire->begin = 0;
	wire->end = 0;
	wire->silent = 0;
}

static struct timeval
interval(int64_t nanoseconds)
{
	return (struct timeval){
	    .tv_sec = nanoseconds / SECOND, .tv_usec = nanoseconds % SECOND / 1000};
}

static bool
set_options(int descriptor, int64_t patience)
{
	const struct timeval slice = interval(SLICE * MILLISECOND), send = interval(patience);
	const int on = 1;

	return setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) == 0 &&
	       setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof send) == 0 &&
	       setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

/* A connect that a signal cut short goes on by itself: wait for it. */
static bool
finish_connect(int descriptor, int64_t patience)
{
	struct pollfd ready = {.fd = descriptor, .events = POLLOUT};
	int64_t deadline = moment_now() + patience;
	int error = 0;
	socklen_t size = sizeof error;
	int64_t left;

	while ((left = deadline - moment_now()) > 0) {
		if (poll(&ready, 1, (int)(left / MILLISECOND) + 1) <= 0) {
			continue;
		}
		if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
			return false;
		}
		errno = error;
		return error == 0;
	}
	errno = ETIMEDOUT;
	return false;
}

static int
connect_once(const struct address *address, int64_t patience)
{
	int descriptor = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (descriptor < 0) {
		return -1;
	}
	if (set_options(descriptor, patience) &&
	    (connect(descriptor, (const struct sockaddr *)&address->socket, address->length) == 0 ||
		(errno == EINTR && finish_connect(descriptor, patience)))) {
		return descriptor;
	}
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(descriptor);
	errno = error;
	return -1;
}

bool
wire_open(struct wire *wire, const struct address *address, int64_t patience)
{
	int tries;

	wire->begin = 0;
	wire->end = 0;
	wire->silent = moment_now();
	wire->descriptor = connect_once(address, patience);
	/* Many short sessions can use up the local ports for a while: that is not the server's fault. */
	for (tries = 0; tries < PORT_TRIES && wire->descriptor < 0 && errno == EADDRNOTAVAIL &&
			!atomic_load_explicit(wire->stop, memory_order_relaxed);
	     tries++) {
		moment_wait_until(moment_now() + PORT_WAIT);
		wire->descriptor = connect_once(address, patience);
	}
	return wire->descriptor >= 0;
}

bool
wire_send(struct wire *wire, struct span bytes)
{
	while (bytes.length > 0) {
		ssize_t sent = send(wire->descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0) {
			return false;
		}
		bytes.bytes += sent;
		bytes.length -= (size_t)sent;
	}
	return true;
}

static void
make_room(struct wire *wire)
{
	if (wire->begin == 0) {
		return;
	}
	memmove(wire->in, wire->in + wire->begin, wire->end - wire->begin);
	wire->end -= wire->begin;
	wire->begin = 0;
}

/* One receive. WIRE_LATE: there is nothing yet. */
static enum wire_event
receive_once(struct wire *wire, int flags)
{
	int64_t asked = moment_now();
	ssize_t received;

	if (wire->begin == wire->end || wire->end == WIRE_ROOM) {
		make_room(wire);
	}
	received = recv(wire->descriptor, wire->in + wire->end, WIRE_ROOM - wire->end, flags);
	if (received > 0) {
		wire->end += (size_t)received;
		return WIRE_ARRIVED;
	}
	if (received == 0) {
		return WIRE_END;
	}
	if (errno == EINTR) {
		return WIRE_LATE;
	}
	if (errno != EAGAIN && errno != EWOULDBLOCK) {
		return WIRE_ERROR;
	}
	wire->silent = asked;
	return WIRE_LATE;
}

enum wire_event
wire_receive(struct wire *wire, int64_t deadline)
{
	for (;;) {
		enum wire_event event = receive_once(wire, 0);

		if (event != WIRE_LATE) {
			return event;
		}
		if (atomic_load_explicit(wire->stop, memory_order_relaxed)) {
			return WIRE_STOPPED;
		}
		if (moment_now() >= deadline) {
			return WIRE_LATE;
		}
	}
}

enum wire_event
wire_wait(struct wire *wire, int64_t deadline)
{
	struct pollfd ready = {.fd = wire->descriptor, .events = POLLIN};

	for (;;) {
		int64_t left = deadline - moment_now();
		int64_t slice = left < SLICE * MILLISECOND ? left : SLICE * MILLISECOND;
		enum wire_event event = receive_once(wire, MSG_DONTWAIT);

		if (event != WIRE_LATE) {
			return event;
		}
		if (atomic_load_explicit(wire->stop, memory_order_relaxed)) {
			return WIRE_STOPPED;
		}
		if (left <= 0) {
			return WIRE_LATE;
		}
		/* Whatever poll() says, the next receive sees. */
		poll(&ready, 1, (int)((slice + MILLISECOND - 1) / MILLISECOND));
	}
}

struct span
wire_unread(const struct wire *wire)
{
	return (struct span){wire->in + wire->begin, wire->end - wire->begin};
}

void
wire_consume(struct wire *wire, size_t length)
{
	wire->begin += length;
}

void
wire_half_close(struct wire *wire)
{
	shutdown(wire->descriptor, SHUT_WR);
}

void
wire_close(struct wire *wire)
{
	if (wire->descriptor >= 0) {
		close(wire->descriptor);
	}
	wire->descriptor = -1;
}

void
wire_reset(struct wire *wire)
{
	const struct linger none = {.l_onoff = 1, .l_linger = 0};

	if (wire->descriptor >= 0) {
		setsockopt(wire->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	}
	wire_close(wire);
}
