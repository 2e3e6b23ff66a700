/*
 * NAME
 *	connection - one client's socket: input in batches, replies, deadlines, the end
 *
 * DESCRIPTION
 *	A short loop: receive what is there, feed it to the session, deliver the messages that it
 *	completes, send the replies to all of it at once, and only then wait for more.
 *
 *	Waiting is done in recv() and send() themselves, with SO_RCVTIMEO and SO_SNDTIMEO, which
 *	need a system call only when they change. They are at most STOP_CHECK_TIME, so that a
 *	worker sees in time that the server is stopping; whether a client is too slow is judged by
 *	the deadline on the monotonic clock alone.
 *
 *	The deadline moves in two places: ahead by the timeout when the client made progress, and in
 *	the data phase with every batch, up to the end that the whole message has. Both are done
 *	after the replies were sent and immediately before waiting, so time spent on delivering,
 *	backups and sending is never charged to the client.
 *
 *	If replies no longer arrive because the client is gone, its input is still read to the end:
 *	a message that it completed before it went is delivered.
 *
 * DIAGNOSTICS
 *	With -v, a line for each delivery, and for the end of each connection with its reason.
 */

#include "connection.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "counters.h"
#include "log.h"

/* How a connection comes to its end. */
enum ending {
	GOING_ON,
	CLIENT_LEFT,
	CLIENT_TOO_SLOW,
	CLIENT_DOES_NOT_READ,
	SERVER_STOPPING,
};

static const char *const endings[] = {
    [CLIENT_LEFT] = "client left",
    [CLIENT_TOO_SLOW] = "timed out",
    [CLIENT_DOES_NOT_READ] = "client does not read",
    [SERVER_STOPPING] = "shutting down",
};

static bool
is_stopping(const struct connection *connection)
{
	return atomic_load_explicit(connection->rules->stopping, memory_order_relaxed);
}

/* ---- the socket ---- */

/* Let recv() or send(), as `option` says, wait no longer than `duration`. */
static void
set_timeout(const struct connection *connection, int option, nanoseconds duration)
{
	struct timeval timeout = deadline_timeval(duration);

	setsockopt(connection->socket, SOL_SOCKET, option, &timeout, sizeof timeout);
}

static void
limit_receive(struct connection *connection, nanoseconds duration)
{
	if (connection->receive_timeout != duration) {
		set_timeout(connection, SO_RCVTIMEO, duration);
		connection->receive_timeout = duration;
	}
}

static bool
is_wait_over(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Wait for input until the deadline. Returns GOING_ON with its length, or why there will be none.
 */
static enum ending
receive(struct connection *connection, size_t *length)
{
	for (;;) {
		nanoseconds left = deadline_left(connection->deadline);
		ssize_t got;

		if (left <= 0) {
			return CLIENT_TOO_SLOW;
		}
		if (is_stopping(connection)) {
			return SERVER_STOPPING;
		}
		limit_receive(connection, left < STOP_CHECK_TIME ? left : STOP_CHECK_TIME);
		got = recv(connection->socket, connection->input, sizeof connection->input, 0);
		if (got > 0) {
			*length = (size_t)got;
			return GOING_ON;
		}
		if (got == 0 || !is_wait_over(errno)) {
			return CLIENT_LEFT;
		}
	}
}

/*
 * Send the replies, waiting for the client to read for `patience` since it last did. Returns
 * GOING_ON, also when the client is gone and nothing can be sent.
 */
static enum ending
send_replies(struct connection *connection, nanoseconds patience)
{
	const char *bytes = connection->session.output;
	size_t length = connection->client_gone ? 0 : connection->session.output_length;
	nanoseconds deadline = deadline_now() + patience;

	session_sent(&connection->session);
	while (length > 0) {
		ssize_t sent = send(connection->socket, bytes, length, MSG_NOSIGNAL);

		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
			deadline = deadline_now() + patience;
		} else if (!is_wait_over(errno)) {
			connection->client_gone = true;
			break;
		} else if (deadline_left(deadline) <= 0) {
			return CLIENT_DOES_NOT_READ;
		} else if (is_stopping(connection)) {
			return SERVER_STOPPING;
		}
	}
	return GOING_ON;
}

/* ---- the conversation ---- */

/* Say what became of a message of `size` bytes. */
static void
log_delivery(const struct connection *connection, size_t size, int error, uint64_t number)
{
	unsigned recipients = connection->session.message.recipients;

	if (error == 0) {
		log_line("%s: delivered message %" PRIu64 ", %zu bytes, %u recipients",
		    connection->peer, number, size, recipients);
	} else {
		log_error(error, "%s: refused a message, %zu bytes, %u recipients",
		    connection->peer, size, recipients);
	}
}

static void
deliver(struct connection *connection)
{
	struct record record = session_record(&connection->session);
	uint64_t number = 0;
	int error = mailbox_deliver(connection->rules->mailbox, &record, &number);

	size_t size = record.received_length + record.rest_length;

	if (error == 0) {
		connection->delivered++;
		counters_add(COUNTER_DELIVERED, 1);
		counters_add(COUNTER_BYTES, size);
	} else {
		counters_add(COUNTER_REFUSED, 1);
	}
	if (connection->rules->verbose) {
		log_delivery(connection, size, error, number);
	}
	session_delivered(&connection->session, error, number);
}

/* Let the session have a batch of input, and do what it wants. */
static enum ending
feed(struct connection *connection, size_t length)
{
	const char *bytes = connection->input;
	enum session_want want;
	enum ending ending = GOING_ON;

	do {
		size_t consumed = session_feed(&connection->session, bytes, length, &want);

		bytes += consumed;
		length -= consumed;
		if (want == SESSION_DELIVERY) {
			deliver(connection);
		} else if (want == SESSION_FLUSH) {
			ending = send_replies(connection, connection->rules->timeout);
		}
	} while (want != SESSION_INPUT && ending == GOING_ON);
	return ending;
}

/* Move the deadline as the last batch of input allows. */
static void
renew_deadline(struct connection *connection)
{
	nanoseconds timeout = connection->rules->timeout;
	nanoseconds now = deadline_now();
	bool progressed = session_progressed(&connection->session);

	if (progressed) {
		connection->deadline = now + timeout;
		connection->message_deadline = now + MESSAGE_TIMEOUTS * timeout;
	}
	if (session_in_data(&connection->session)) {
		connection->deadline = now + timeout;
		if (connection->deadline > connection->message_deadline) {
			connection->deadline = connection->message_deadline;
		}
	}
}

/* Talk with the client until one of the two has had enough. */
static enum ending
converse(struct connection *connection)
{
	nanoseconds timeout = connection->rules->timeout;
	enum ending ending;
	size_t length;

	session_say(&connection->session, REPLY_GREETING);
	ending = send_replies(connection, timeout);
	connection->deadline = deadline_now() + timeout;
	while (ending == GOING_ON) {
		ending = receive(connection, &length);
		if (ending == GOING_ON) {
			ending = feed(connection, length);
		}
		if (ending == GOING_ON) {
			ending = send_replies(connection, timeout);
		}
		if (ending == GOING_ON) {
			renew_deadline(connection);
		}
	}
	return ending;
}

/* ---- the end ---- */

/*
 * Say the last word, and see to it that the client can read it although it may still be sending:
 * closing with input unread would reset the connection, and take the reply back.
 */
static void
part(struct connection *connection, enum reply reply)
{
	nanoseconds deadline, left;

	session_say(&connection->session, reply);
	if (send_replies(connection, LINGER_TIME) == CLIENT_DOES_NOT_READ ||
	    connection->client_gone || shutdown(connection->socket, SHUT_WR) == -1) {
		return;
	}
	deadline = deadline_now() + LINGER_TIME;
	while ((left = deadline_left(deadline)) > 0) {
		ssize_t got;

		limit_receive(connection, left);
		got = recv(connection->socket, connection->input, sizeof connection->input, 0);
		if (got == 0 || (got == -1 && errno != EINTR)) {
			return;
		}
	}
}

/* Make the close that follows a reset: the kernel need not keep what nobody reads. */
static void
make_close_abrupt(const struct connection *connection)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void
end(struct connection *connection, enum ending ending)
{
	switch (ending) {
	case CLIENT_TOO_SLOW:
		counters_add(COUNTER_TIMED_OUT, 1);
		part(connection, REPLY_TIMEOUT);
		break;
	case SERVER_STOPPING:
		part(connection, REPLY_SHUTTING_DOWN);
		break;
	case CLIENT_DOES_NOT_READ:
		counters_add(COUNTER_TIMED_OUT, 1);
		make_close_abrupt(connection);
		break;
	case CLIENT_LEFT:
	case GOING_ON:
		break;
	}
	if (connection->rules->verbose) {
		log_line("%s: %s after %u messages", connection->peer, endings[ending],
		    connection->delivered);
	}
}

/* ---- public ---- */

/* Note in `peer` who the client is. */
static void
note_peer(struct connection *connection)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getpeername(connection->socket, (struct sockaddr *)&address, &length) == 0 &&
	    getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		snprintf(connection->peer, sizeof connection->peer, "%.50s:%.8s", host, port);
	} else {
		snprintf(connection->peer, sizeof connection->peer, "unknown client");
	}
}

void
connection_init(struct connection *connection, const struct connection_rules *rules)
{
	connection->rules = rules;
	session_init(&connection->session, rules->netid, rules->max_size);
}

void
connection_release(struct connection *connection)
{
	session_release(&connection->session);
}

void
connection_serve(void *context, int descriptor)
{
	struct connection *connection = context;

	connection->socket = descriptor;
	connection->client_gone = false;
	connection->receive_timeout = 0;
	connection->delivered = 0;
	counters_add(COUNTER_ACCEPTED, 1);
	if (connection->rules->verbose) {
		note_peer(connection);
	}
	set_timeout(connection, SO_SNDTIMEO, STOP_CHECK_TIME);
	session_begin(&connection->session);
	end(connection, is_stopping(connection) ? SERVER_STOPPING : converse(connection));
	session_begin(&connection->session);
	counters_add(COUNTER_ENDED, 1);
}
