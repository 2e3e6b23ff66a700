/*
 * DESCRIPTION
 *	SO_RCVTIMEO limits the wait of recv(); it costs a setsockopt() only when it changes. send()
 *	never waits: poll() does, and only for a client that does not read.
 */

#include "socket_io.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

bool
socket_set_receive_timeout(struct connection *connection, nanoseconds duration)
{
	if (connection->receive_timeout != duration) {
		struct timeval timeout = monotonic_timeval(duration);

		if (setsockopt(connection->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout,
			sizeof timeout) == -1) {
			return false;
		}
		connection->receive_timeout = duration;
	}
	return true;
}

bool
socket_should_retry(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

bool
socket_try_send(struct connection *connection)
{
	struct session *session = &connection->session;
	ssize_t sent = 0;

	if (!connection->peer_gone && session->output.length > 0) {
		sent = send(connection->socket, session->output.bytes, session->output.length,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	connection->peer_gone |= sent == -1 && !socket_should_retry(errno);
	if (connection->peer_gone) {
		output_sent(&session->output, session->output.length);
	} else if (sent > 0) {
		output_sent(&session->output, (size_t)sent);
		connection->acknowledge = false;
	}
	return session->output.length > 0;
}

void
socket_wait_writable(const struct connection *connection, nanoseconds duration)
{
	struct pollfd event = {.fd = connection->socket, .events = POLLOUT};

	poll(&event, 1, (int)((duration + MILLISECOND - 1) / MILLISECOND));
}

/* Send the replies, for at most LINGER_TIME. Returns whether all were sent. */
static bool
flush_with_deadline(struct connection *connection)
{
	nanoseconds deadline = monotonic_now() + LINGER_TIME;

	while (socket_try_send(connection)) {
		nanoseconds left = monotonic_left(deadline);

		if (left <= 0) {
			return false;
		}
		socket_wait_writable(connection, left);
	}
	return !connection->peer_gone;
}

void
socket_lingering_close(struct connection *connection)
{
	nanoseconds deadline, left;

	if (!flush_with_deadline(connection) || shutdown(connection->socket, SHUT_WR) == -1) {
		return;
	}
	deadline = monotonic_now() + LINGER_TIME;
	while ((left = monotonic_left(deadline)) > 0) {
		ssize_t got;

		if (!socket_set_receive_timeout(connection, left)) {
			return;
		}
		got = recv(connection->socket, connection->input, sizeof connection->input, 0);
		if (got == 0 || (got == -1 && errno != EINTR)) {
			return;
		}
	}
}

void
socket_reset_on_close(const struct connection *connection)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
