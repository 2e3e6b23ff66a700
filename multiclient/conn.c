/*
 * NAME
 *	conn - one TCP connection to the server
 *
 * DESCRIPTION
 *	A receive blocks for one slice of time at most, by SO_RCVTIMEO, and then looks at the
 *	deadline and whether to stop: so an exchange costs one send and one receive, and no poll.
 *
 *	`last_empty_read` is when a recv() began that found nothing for a slice. A reply that comes
 *	later was sent after that time: it is assumed that the network needs less than a slice.
 *
 * DIAGNOSTICS
 *	Failures are returned with errno set; nothing is printed.
 */

#include "conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "monotonic.h"
#include "params.h"

/* How often and how long a connect waits for a local port to become free again. */
#define PORT_TRIES 100
#define PORT_WAIT  (20 * MILLISECOND)

/* ---- open ---- */

void
conn_init(struct conn *conn, const atomic_bool *stop)
{
	conn->descriptor = -1;
	conn->stop = stop;
	conn->begin = 0;
	conn->end = 0;
	conn->last_empty_read = 0;
}

static struct timeval
to_timeval(int64_t nanoseconds)
{
	return (struct timeval){
	    .tv_sec = (time_t)(nanoseconds / SECOND),
	    .tv_usec = (suseconds_t)(nanoseconds % SECOND / 1000),
	};
}

static bool
set_options(int descriptor, int64_t patience)
{
	const struct timeval slice = to_timeval(POLL_INTERVAL_MS * MILLISECOND),
			     send = to_timeval(patience);
	const int on = 1;

	return setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) == 0 &&
	       setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof send) == 0 &&
	       setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

/* Wait for a connect that a signal has interrupted: it continues in the background. */
static bool
finish_connect(int descriptor, int64_t patience)
{
	struct pollfd ready = {.fd = descriptor, .events = POLLOUT};
	int64_t deadline = monotonic_now() + patience;
	int error = 0;
	socklen_t size = sizeof error;
	int64_t left;

	while ((left = deadline - monotonic_now()) > 0) {
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

	if (descriptor == -1) {
		return -1;
	}
	if (set_options(descriptor, patience) &&
	    (connect(descriptor, (const struct sockaddr *)&address->socket, address->length) == 0 ||
		(errno == EINTR && finish_connect(descriptor, patience)))) {
		return descriptor;
	}
	/* SO_SNDTIMEO ends a connect() with EINPROGRESS. */
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(descriptor);
	errno = error;
	return -1;
}

bool
conn_open(struct conn *conn, const struct address *address, int64_t patience)
{
	conn->begin = 0;
	conn->end = 0;
	conn->last_empty_read = monotonic_now();
	conn->descriptor = connect_once(address, patience);
	/*
	 * Many short sessions can use up the local ports for some time; the server is not the
	 * cause.
	 */
	for (int tries = 0;
	     tries < PORT_TRIES && conn->descriptor == -1 && errno == EADDRNOTAVAIL &&
	     !atomic_load_explicit(conn->stop, memory_order_relaxed);
	     tries++) {
		sleep_until(monotonic_now() + PORT_WAIT);
		conn->descriptor = connect_once(address, patience);
	}
	return conn->descriptor != -1;
}

/* ---- send ---- */

bool
conn_send(struct conn *conn, struct span bytes)
{
	while (bytes.length > 0) {
		ssize_t sent = send(conn->descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL);

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

/* ---- receive ---- */

static void
move_to_front(struct conn *conn)
{
	if (conn->begin == 0) {
		return;
	}
	memmove(conn->in, conn->in + conn->begin, conn->end - conn->begin);
	conn->end -= conn->begin;
	conn->begin = 0;
}

/* Call recv() once. Returns CONN_TIMEOUT if there is nothing yet. */
static enum conn_event
receive_once(struct conn *conn, int flags)
{
	int64_t began = monotonic_now();
	ssize_t received;

	if (conn->begin == conn->end || conn->end == CONN_BUFFER_SIZE) {
		move_to_front(conn);
	}
	received =
	    recv(conn->descriptor, conn->in + conn->end, CONN_BUFFER_SIZE - conn->end, flags);
	if (received > 0) {
		conn->end += (size_t)received;
		return CONN_DATA;
	}
	if (received == 0) {
		return CONN_EOF;
	}
	if (errno == EINTR) {
		return CONN_TIMEOUT;
	}
	if (errno != EAGAIN && errno != EWOULDBLOCK) {
		return CONN_ERROR;
	}
	conn->last_empty_read = began;
	return CONN_TIMEOUT;
}

enum conn_event
conn_receive(struct conn *conn, int64_t deadline)
{
	for (;;) {
		enum conn_event event = receive_once(conn, 0);

		if (event != CONN_TIMEOUT) {
			return event;
		}
		if (atomic_load_explicit(conn->stop, memory_order_relaxed)) {
			return CONN_STOPPED;
		}
		if (monotonic_now() >= deadline) {
			return CONN_TIMEOUT;
		}
	}
}

enum conn_event
conn_receive_precise(struct conn *conn, int64_t deadline)
{
	struct pollfd ready = {.fd = conn->descriptor, .events = POLLIN};

	for (;;) {
		int64_t left = deadline - monotonic_now();
		int64_t slice =
		    left < POLL_INTERVAL_MS * MILLISECOND ? left : POLL_INTERVAL_MS * MILLISECOND;
		enum conn_event event = receive_once(conn, MSG_DONTWAIT);

		if (event != CONN_TIMEOUT) {
			return event;
		}
		if (atomic_load_explicit(conn->stop, memory_order_relaxed)) {
			return CONN_STOPPED;
		}
		if (left <= 0) {
			return CONN_TIMEOUT;
		}
		/* The result of poll() does not matter: the next receive shows it. */
		poll(&ready, 1, (int)((slice + MILLISECOND - 1) / MILLISECOND));
	}
}

struct span
conn_unread(const struct conn *conn)
{
	return (struct span){conn->in + conn->begin, conn->end - conn->begin};
}

void
conn_consume(struct conn *conn, size_t length)
{
	conn->begin += length;
}

/* ---- close ---- */

void
conn_half_close(struct conn *conn)
{
	shutdown(conn->descriptor, SHUT_WR);
}

void
conn_close(struct conn *conn)
{
	if (conn->descriptor != -1) {
		close(conn->descriptor);
	}
	conn->descriptor = -1;
}

void
conn_reset(struct conn *conn)
{
	const struct linger none = {.l_onoff = 1, .l_linger = 0};

	if (conn->descriptor != -1) {
		setsockopt(conn->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	}
	conn_close(conn);
}
