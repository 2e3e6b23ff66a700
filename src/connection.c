/*
 * NAME
 *	connection - one client's socket: input in batches, replies, deadlines, the end
 *
 * DESCRIPTION
 *	A short loop: receive what is there, feed it to the session, deliver the messages that it
 *	completes, send the replies to all of it at once, and only then wait for more.
 *
 *	Waiting for input is done in recv() itself, with SO_RCVTIMEO, which needs a system call only
 *	when it changes; waiting for the client to read, which is rare, in poll(). Neither waits for
 *	more than STOP_CHECK_TIME at a time, so that a worker sees soon that the server is stopping;
 *	whether a client is too slow is judged by deadlines on the monotonic clock alone.
 *
 *	The deadline for the next command moves in one place, after replies were sent: ahead by the
 *	timeout if the client made progress, and in the data phase with every batch, up to the end
 *	that the whole message has. So time spent on delivering and on backups is never charged to
 *	the client. Time in which it does not read is, unless it has made progress since: or it
 *	could hold a worker for ever by sending rubbish and reading the answers slowly.
 *
 *	If replies no longer arrive because the client is gone, its input is still read to the end:
 *	a message that it completed before it went is delivered.
 *
 * DIAGNOSTICS
 *	With -v, a line for each delivery, and for the end of each connection with its reason.
 */

#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "counters.h"
#include "maillog.h"

/* How a connection comes to its end. */
enum ending {
	GOING_ON,
	CLIENT_LEFT,
	CLIENT_TOO_SLOW,
	CLIENT_DOES_NOT_READ,
	SERVER_STOPPING,
	SESSION_OVER,
};

static const char *const endings[] = {
    [CLIENT_LEFT] = "client left",
    [CLIENT_TOO_SLOW] = "timed out",
    [CLIENT_DOES_NOT_READ] = "client does not read",
    [SERVER_STOPPING] = "shutting down",
    [SESSION_OVER] = "sent away",
};

static bool
is_stopping(const struct connection *connection)
{
	return atomic_load_explicit(connection->rules->stopping, memory_order_relaxed);
}

/* ---- the socket ---- */

/* Let recv() wait no longer than `duration`. Returns whether that worked: if not, do not wait. */
static bool
limit_receive(struct connection *connection, nanoseconds duration)
{
	struct timeval timeout = monotonic_timeval(duration);

	if (connection->receive_timeout != duration) {
		if (setsockopt(connection->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout,
			sizeof timeout) == -1) {
			return false;
		}
		connection->receive_timeout = duration;
	}
	return true;
}

static bool
is_wait_over(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static nanoseconds
earlier(nanoseconds one, nanoseconds other)
{
	return one < other ? one : other;
}

/*
 * Wait for input until the deadline. Returns GOING_ON with its length, or why there will be none.
 */
static enum ending
receive(struct connection *connection, size_t *length)
{
	for (;;) {
		nanoseconds left = monotonic_left(connection->deadline);
		ssize_t got;

		if (left <= 0) {
			return CLIENT_TOO_SLOW;
		}
		if (is_stopping(connection)) {
			return SERVER_STOPPING;
		}
		/* Who cannot be waited for with a limit is let go, or could hold a worker for ever. */
		if (!limit_receive(connection, earlier(left, STOP_CHECK_TIME))) {
			return CLIENT_LEFT;
		}
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

/* Send what the client has room for. Returns whether anything is left that may still be sent. */
static bool
send_some(struct connection *connection)
{
	struct session *session = &connection->session;
	ssize_t sent = 0;

	if (!connection->client_gone && session->output_length > 0) {
		sent = send(connection->socket, session->output, session->output_length,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (sent == -1 && !is_wait_over(errno)) {
		connection->client_gone = true;
	}
	if (connection->client_gone) {
		session_sent(session, session->output_length);
	} else if (sent > 0) {
		session_sent(session, (size_t)sent);
	}
	return session->output_length > 0;
}

/* Wait for room at the client, for `duration` at most. */
static void
wait_for_room(const struct connection *connection, nanoseconds duration)
{
	struct pollfd event = {.fd = connection->socket, .events = POLLOUT};

	poll(&event, 1, (int)((duration + MILLISECOND - 1) / MILLISECOND));
}

/*
 * Wait for a client that has not read all replies, and go on sending. Returns GOING_ON when all are
 * sent; or why it was given up, and then what could not be sent is still there.
 */
static enum ending
send_slowly(struct connection *connection)
{
	nanoseconds timeout = connection->rules->timeout;
	nanoseconds now = monotonic_now();
	nanoseconds read_deadline = now + timeout;
	/* Who has brought something valid has earned as much time as for a message. */
	nanoseconds limit =
	    connection->progressed ? now + MESSAGE_TIMEOUTS * timeout : connection->deadline;
	size_t unsent = connection->session.output_length;

	for (;;) {
		nanoseconds left = monotonic_left(earlier(read_deadline, limit));

		if (is_stopping(connection)) {
			return SERVER_STOPPING;
		}
		if (left <= 0) {
			return limit < read_deadline ? CLIENT_TOO_SLOW : CLIENT_DOES_NOT_READ;
		}
		wait_for_room(connection, earlier(left, STOP_CHECK_TIME));
		if (!send_some(connection)) {
			return GOING_ON;
		}
		if (connection->session.output_length < unsent) {
			unsent = connection->session.output_length;
			read_deadline = monotonic_now() + timeout;
		}
	}
}

/* Send all replies; the results are those of send_slowly(). */
static enum ending
send_replies(struct connection *connection)
{
	return send_some(connection) ? send_slowly(connection) : GOING_ON;
}

/* ---- the conversation ---- */

static enum counter
refusal_counter(int error)
{
	switch (error) {
	case EMSGSIZE:
		return COUNTER_REFUSED_TOO_BIG;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return COUNTER_REFUSED_FULL;
	default:
		return COUNTER_REFUSED_ERROR;
	}
}

static void
count_delivery(struct connection *connection, size_t size, int error)
{
	if (error == 0) {
		connection->delivered++;
		counters_add(COUNTER_DELIVERED, 1);
		counters_add(COUNTER_BYTES, size);
	} else {
		connection->refused++;
		counters_add(refusal_counter(error), 1);
	}
}

/* Take note of what became of a message. */
static void
note_delivery(struct connection *connection, size_t index, const struct delivery *delivery)
{
	struct record record = session_record(&connection->session, index);
	size_t size = record.received_length + record.rest_length;

	count_delivery(connection, size, delivery->error);
	if (connection->rules->verbose) {
		struct envelope envelope = session_envelope(&connection->session, index);

		maillog_delivery(
		    connection->peer, &envelope, size, delivery->error, delivery->number);
	}
}

/* Store the messages that have ended, those that can be, and let the session know. */
static void
deliver(struct connection *connection)
{
	struct session *session = &connection->session;
	struct record records[MESSAGES_AT_ONCE];
	struct delivery stored[MESSAGES_AT_ONCE] = {{.error = 0}}, deliveries[MESSAGES_AT_ONCE];
	size_t count = 0;

	for (size_t i = 0; i < session_messages(session); i++) {
		if (session_message_error(session, i) == 0) {
			records[count++] = session_record(session, i);
		}
	}
	if (count > 0) {
		mailbox_deliver(connection->rules->mailbox, records, count, stored);
	}
	count = 0;
	for (size_t i = 0; i < session_messages(session); i++) {
		int error = session_message_error(session, i);

		deliveries[i] = error == 0 ? stored[count++] : (struct delivery){.error = error};
		note_delivery(connection, i, &deliveries[i]);
	}
	session_delivered(session, deliveries);
}

/* Move the deadline as what the client has done since the last time allows. */
static void
renew_deadline(struct connection *connection)
{
	nanoseconds timeout = connection->rules->timeout;
	nanoseconds now = monotonic_now();

	if (connection->progressed) {
		connection->progressed = false;
		connection->deadline = now + timeout;
		connection->message_deadline = now + MESSAGE_TIMEOUTS * timeout;
	}
	if (session_in_data(&connection->session)) {
		connection->deadline = earlier(now + timeout, connection->message_deadline);
	}
}

/* Send the replies to what was fed, and give the client the time that it has earned. */
static enum ending
answer(struct connection *connection)
{
	enum ending ending = send_replies(connection);

	if (ending == GOING_ON) {
		renew_deadline(connection);
	}
	return ending;
}

/*
 * Feed a batch of input to the session, and do what it wants. Replies are sent when there is no
 * room for more of them, and at the end.
 */
static enum ending
feed(struct connection *connection, size_t length)
{
	struct session *session = &connection->session;
	const char *bytes = connection->input;
	enum ending ending = GOING_ON;
	enum session_want want;

	do {
		size_t consumed = session_feed(session, bytes, length, &want);

		bytes += consumed;
		length -= consumed;
		if (want == SESSION_DELIVERY) {
			deliver(connection);
		}
		connection->progressed |= session_progressed(session);
		if (want != SESSION_DELIVERY) {
			ending = answer(connection);
		}
		if (want == SESSION_FLUSH && ending == GOING_ON && is_stopping(connection)) {
			ending = SERVER_STOPPING;
		}
	} while (want != SESSION_INPUT && want != SESSION_END && ending == GOING_ON);
	if (want == SESSION_END && ending == GOING_ON) {
		ending = SESSION_OVER;
	}
	return ending;
}

/* Talk with the client until one of the two has had enough. */
static enum ending
converse(struct connection *connection)
{
	enum ending ending;
	size_t length;

	/* Coming here is the first progress. */
	connection->progressed = true;
	session_say(&connection->session, REPLY_GREETING);
	ending = answer(connection);
	while (ending == GOING_ON) {
		ending = receive(connection, &length);
		if (ending == GOING_ON) {
			ending = feed(connection, length);
		}
	}
	return ending;
}

/* ---- the end ---- */

/* Send the replies for LINGER_TIME at most. Returns whether all were sent. */
static bool
send_last_replies(struct connection *connection)
{
	nanoseconds deadline = monotonic_now() + LINGER_TIME;
	nanoseconds left;

	while (send_some(connection)) {
		left = monotonic_left(deadline);
		if (left <= 0) {
			return false;
		}
		wait_for_room(connection, left);
	}
	return !connection->client_gone;
}

/*
 * End our side of the connection, and see to it that the client can read the last replies although
 * it may still be sending: closing with input unread would reset the connection, and take them
 * back.
 */
static void
hang_up(struct connection *connection)
{
	nanoseconds deadline, left;

	if (!send_last_replies(connection) || shutdown(connection->socket, SHUT_WR) == -1) {
		return;
	}
	deadline = monotonic_now() + LINGER_TIME;
	while ((left = monotonic_left(deadline)) > 0) {
		ssize_t got;

		if (!limit_receive(connection, left)) {
			return;
		}
		got = recv(connection->socket, connection->input, sizeof connection->input, 0);
		if (got == 0 || (got == -1 && errno != EINTR)) {
			return;
		}
	}
}

/* Say the last word. */
static void
part(struct connection *connection, enum reply reply)
{
	session_say(&connection->session, reply);
	hang_up(connection);
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
	case SESSION_OVER:
		hang_up(connection);
		break;
	case CLIENT_LEFT:
	case GOING_ON:
		break;
	}
	if (connection->rules->verbose) {
		maillog_session(connection->peer, endings[ending], connection->delivered,
		    connection->refused, monotonic_now() - connection->began);
	}
}

/* ---- the whole ---- */

void
connection_init(struct connection *connection, const struct connection_rules *rules)
{
	connection->rules = rules;
	session_init(&connection->session, rules->netid, rules->max_size, rules->dialect);
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
	connection->refused = 0;
	counters_add(COUNTER_ACCEPTED, 1);
	if (connection->rules->verbose) {
		connection->began = monotonic_now();
		maillog_format_peer(descriptor, connection->peer);
	}
	session_begin(&connection->session);
	end(connection, is_stopping(connection) ? SERVER_STOPPING : converse(connection));
	session_begin(&connection->session);
	counters_add(COUNTER_ENDED, 1);
}
