/*
 * DESCRIPTION
 *	A short loop: receive the available input, feed it to the session, deliver the completed
 *	messages, send all replies at once, and only then wait for more input.
 *
 *	recv() waits for input, limited by SO_RCVTIMEO, which costs a setsockopt() only when it
 *	changes. poll() waits for a client that does not read its replies, which is rare. Before
 *	socket_lingering_close() neither waits longer than STOP_CHECK_TIME, so that the worker
 *	notices a stop. Deadlines on the monotonic clock alone decide whether a client is too slow.
 *
 *	A reply carries the acknowledgement of the input. Without a reply the kernel would delay the
 *	acknowledgement by 40 ms, and a client under Nagle's algorithm (RFC 896) that has written a
 *	body waits for it before it sends the final dot. So `acknowledge` is set for input until it
 *	has a reply, and before the next wait the input is acknowledged; but not if it fills the
 *	buffer (INPUT_FULL), because then more of a large text follows.
 *
 *	extend_deadlines() alone moves the deadlines for the next command, after the replies were
 *	sent. If the client made progress, the deadline is the timeout from now; in the data phase
 *	all input extends it, up to the time limit of the whole message. So the time for delivery
 *	and backups is not charged to the client. The time in which it does not read its replies is
 *	charged, unless it has made progress: otherwise a client could hold a worker forever by
 *	sending invalid commands and reading the replies slowly.
 *
 *	With ESMTP there are two deadlines. After the first one, the timeout, a client is ended only
 *	if another client waits for a worker. After the last one it is ended in any case.
 *
 *	The process may have been stopped (SIGSTOP, a frozen container) while the input arrived in
 *	time. So after a deadline recv() is called once more, without waiting, and the client times
 *	out only if there is no input, or if the input makes no progress.
 *
 *	If sending fails because the client is gone, its input is still read to the end, so that a
 *	message that it completed is delivered.
 *
 * DIAGNOSTICS
 *	With -v, a line for each delivery, and for the end of each connection with its reason.
 */

#include "connection.h"

#include <errno.h>
#include <sys/socket.h>

#include "counters.h"
#include "maillog.h"
#include "platform.h"
#include "socket_io.h"

/* Why a connection is closed: see finish_connection(). PEER_CLOSED also: recv() failed. */
enum close_reason {
	NOT_CLOSED,
	PEER_CLOSED,
	TIMED_OUT,
	SEND_STALLED,
	SERVER_STOPPING,
	SESSION_DONE,
};

/* The texts in the log: for each reason and, with SESSION_DONE, for each end of a session. */
static const char *const reason_texts[] = {
    [PEER_CLOSED] = "client closed",
    [TIMED_OUT] = "timed out",
    [SEND_STALLED] = "not reading",
    [SERVER_STOPPING] = "shutting down",
};

static const char *const session_end_texts[] = {
    [SESSION_QUIT] = "QUIT",
    [SESSION_TOO_MANY_COMMANDS] = "too many commands",
    [SESSION_NOT_A_MAIL_CLIENT] = "not a mail client",
};

static bool
is_stopping(const struct connection *connection)
{
	return atomic_load_explicit(connection->config->stopping, memory_order_relaxed);
}

/* ---- the socket ---- */

static nanoseconds
min_time(nanoseconds one, nanoseconds other)
{
	return one < other ? one : other;
}

static nanoseconds
max_time(nanoseconds one, nanoseconds other)
{
	return one > other ? one : other;
}

/*
 * Claim the request for a worker, if there is one: another client waits, and this worker must end
 * its own. Returns whether there was one.
 */
static bool
claim_wanted(const struct connection *connection)
{
	const struct connection_config *config = connection->config;

	return config->claim_wanted != NULL && config->claim_wanted(config->context);
}

/* Return whether recv() was called after the deadline. Progress would have extended that. */
static bool
is_overdue(const struct connection *connection, nanoseconds deadline)
{
	return connection->last_receive >= deadline;
}

/*
 * Return how long to wait for input: at most until the time `next`, and at most STOP_CHECK_TIME.
 * After `deadline` the workers wake at different offsets in STOP_CHECK_TIME, so that one of them
 * soon claims the request for a worker.
 */
static nanoseconds
wait_time(const struct connection *connection, nanoseconds now, nanoseconds next)
{
	nanoseconds offset = connection->socket % WORKERS * (STOP_CHECK_TIME / WORKERS);
	nanoseconds check = now < connection->deadline
				? STOP_CHECK_TIME
				: STOP_CHECK_TIME - (now + offset) % STOP_CHECK_TIME;

	return min_time(next - now, check);
}

/*
 * Receive input, and wait for it at most until the next deadline, or STOP_CHECK_TIME. The first
 * call after a deadline does not wait. Returns as recv(), with EAGAIN if there is no input; 0 if
 * SO_RCVTIMEO cannot be set, because recv() could then block this worker forever.
 */
static ssize_t
receive(struct connection *connection)
{
	nanoseconds now = monotonic_now();
	bool expired = now >= connection->deadline;
	nanoseconds next = expired ? connection->last_deadline : connection->deadline;
	bool waits = now < next && (!expired || is_overdue(connection, connection->deadline));

	connection->last_receive = now;
	if (waits && !socket_set_receive_timeout(connection, wait_time(connection, now, next))) {
		return 0;
	}
	if (connection->acknowledge) {
		platform_acknowledge(connection->socket);
		connection->acknowledge = false;
	}
	return recv(connection->socket, connection->input, sizeof connection->input,
	    waits ? 0 : MSG_DONTWAIT);
}

/* Wait for input. Returns NOT_CLOSED and its length, or the reason to close. */
static enum close_reason
wait_for_input(struct connection *connection, size_t *length)
{
	for (;;) {
		ssize_t got;

		if (is_overdue(connection, connection->last_deadline) ||
		    (is_overdue(connection, connection->deadline) && claim_wanted(connection))) {
			return TIMED_OUT;
		}
		if (is_stopping(connection)) {
			return SERVER_STOPPING;
		}
		got = receive(connection);
		if (got > 0) {
			*length = (size_t)got;
			connection->acknowledge = *length < INPUT_FULL;
			return NOT_CLOSED;
		}
		if (got == 0 || !socket_should_retry(errno)) {
			return PEER_CLOSED;
		}
	}
}

/*
 * Send the replies that are left, waiting for the client to read. Returns NOT_CLOSED when none is
 * left, or the reason to close; the unsent replies are then still in `output`.
 */
static enum close_reason
send_blocking(struct connection *connection)
{
	nanoseconds timeout = connection->config->timeout;
	nanoseconds now = monotonic_now();
	nanoseconds read_deadline = now + timeout;
	bool progressed = connection->progressed;
	/* A client that has made progress has MESSAGE_TIMEOUTS * T to read all of its replies. */
	nanoseconds limit =
	    progressed ? now + MESSAGE_TIMEOUTS * timeout : connection->last_deadline;
	size_t unsent = connection->session.output.length;

	for (;;) {
		nanoseconds left = monotonic_left(min_time(read_deadline, limit));

		if (is_stopping(connection)) {
			return SERVER_STOPPING;
		}
		if (!progressed && monotonic_left(connection->deadline) <= 0 &&
		    claim_wanted(connection)) {
			return TIMED_OUT;
		}
		if (left > 0) {
			socket_wait_writable(connection, min_time(left, STOP_CHECK_TIME));
		}
		if (!socket_try_send(connection)) {
			return NOT_CLOSED;
		}
		if (connection->session.output.length < unsent) {
			unsent = connection->session.output.length;
			read_deadline = monotonic_now() + timeout;
		} else if (left <= 0) {
			return limit < read_deadline ? TIMED_OUT : SEND_STALLED;
		}
	}
}

/* ---- the session ---- */

static enum counter
refusal_counter(int error)
{
	switch (reply_for_error(error)) {
	case REPLY_MESSAGE_TOO_BIG:
		return COUNTER_REFUSED_TOO_BIG;
	case REPLY_STORAGE_FULL:
		return COUNTER_REFUSED_FULL;
	default:
		return COUNTER_REFUSED_ERROR;
	}
}

static void
count_delivery(struct connection *connection, size_t size, int error)
{
	if (error == 0) {
		connection->delivered_count++;
		counters_add(COUNTER_DELIVERED, 1);
		counters_add(COUNTER_BYTES, size);
	} else {
		connection->refused_count++;
		counters_add(refusal_counter(error), 1);
	}
}

/* Count the result of a delivery and, if verbose, log it. */
static void
count_and_log(struct connection *connection, size_t index, const struct delivery_result *delivery)
{
	struct record record = session_record(&connection->session, index);
	size_t size = record.received_length + record.rest_length;

	count_delivery(connection, size, delivery->error);
	if (connection->config->verbose) {
		struct envelope envelope = session_envelope(&connection->session, index);

		maillog_delivery(
		    connection->peer, &envelope, size, delivery->error, delivery->number);
	}
}

/* Deliver the completed messages that have no error, and pass the results to the session. */
static void
deliver(struct connection *connection)
{
	struct session *session = &connection->session;
	struct record records[COMPLETED_MAX];
	struct delivery_result stored[COMPLETED_MAX] = {{.error = 0}}, deliveries[COMPLETED_MAX];
	size_t count = 0, next = 0;

	for (size_t i = 0; i < session_messages(session); i++) {
		if (session_message_error(session, i) == 0) {
			records[count++] = session_record(session, i);
		}
	}
	if (count > 0) {
		mailbox_deliver(connection->config->mailbox, records, count, stored);
	}
	for (size_t i = 0; i < session_messages(session); i++) {
		int error = session_message_error(session, i);

		deliveries[i] =
		    error == 0 ? stored[next++] : (struct delivery_result){.error = error};
		count_and_log(connection, i, &deliveries[i]);
	}
	session_delivered(session, deliveries);
}

/* Extend the deadlines if the client has made progress since the last call, or sends data. */
static void
extend_deadlines(struct connection *connection)
{
	const struct connection_config *config = connection->config;
	nanoseconds idle_time = max_time(config->timeout, config->idle_time);
	nanoseconds now = monotonic_now();

	if (connection->progressed) {
		connection->progressed = false;
		connection->deadline = now + config->timeout;
		connection->last_deadline = now + idle_time;
		connection->message_deadline =
		    now + max_time(MESSAGE_TIMEOUTS * config->timeout, config->message_time);
	}
	if (session_in_data(&connection->session)) {
		connection->deadline =
		    min_time(now + config->timeout, connection->message_deadline);
		connection->last_deadline = min_time(now + idle_time, connection->message_deadline);
	}
}

/* Send all replies, then extend the deadlines. Returns NOT_CLOSED or the reason to close. */
static enum close_reason
flush_replies(struct connection *connection)
{
	enum close_reason reason =
	    socket_try_send(connection) ? send_blocking(connection) : NOT_CLOSED;

	if (reason == NOT_CLOSED) {
		extend_deadlines(connection);
	}
	return reason;
}

/* Feed the received input to the session, and do what it wants. Returns as flush_replies(). */
static enum close_reason
process_input(struct connection *connection, size_t length)
{
	struct session *session = &connection->session;
	const char *bytes = connection->input;
	enum close_reason reason = NOT_CLOSED;
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
			reason = flush_replies(connection);
		}
		if (reason == NOT_CLOSED && want != SESSION_INPUT && want != SESSION_CLOSE &&
		    is_stopping(connection)) {
			/* The rest of the input is dropped. */
			reason = SERVER_STOPPING;
		}
	} while (want != SESSION_INPUT && want != SESSION_CLOSE && reason == NOT_CLOSED);
	return want == SESSION_CLOSE && reason == NOT_CLOSED ? SESSION_DONE : reason;
}

/* Run the session until either side ends it. Returns the reason. */
static enum close_reason
run_session(struct connection *connection)
{
	enum close_reason reason;
	size_t length;

	/* Connecting counts as progress: it starts the first timeout. */
	connection->progressed = true;
	session_greet(&connection->session);
	reason = flush_replies(connection);
	while (reason == NOT_CLOSED) {
		reason = wait_for_input(connection, &length);
		if (reason == NOT_CLOSED) {
			reason = process_input(connection, length);
		}
	}
	return reason;
}

/* ---- the end ---- */

/* Count a client that was too slow, send the last reply, and log the end if verbose. */
static void
finish_connection(struct connection *connection, enum close_reason reason)
{
	switch (reason) {
	case TIMED_OUT:
		counters_add(COUNTER_TIMED_OUT, 1);
		session_abort(&connection->session, REPLY_TIMEOUT);
		socket_lingering_close(connection);
		break;
	case SERVER_STOPPING:
		session_abort(&connection->session, REPLY_SHUTTING_DOWN);
		socket_lingering_close(connection);
		break;
	case SEND_STALLED:
		counters_add(COUNTER_TIMED_OUT, 1);
		socket_reset_on_close(connection);
		break;
	case SESSION_DONE:
		socket_lingering_close(connection);
		break;
	case PEER_CLOSED:
	case NOT_CLOSED:
		break;
	}
	if (connection->config->verbose) {
		const char *ending = reason == SESSION_DONE
					 ? session_end_texts[connection->session.end]
					 : reason_texts[reason];

		maillog_session(connection->peer, ending, connection->delivered_count,
		    connection->refused_count, monotonic_now() - connection->started);
	}
}

/* ---- public functions ---- */

void
connection_init(struct connection *connection, const struct connection_config *config)
{
	connection->config = config;
	session_init(&connection->session, config->netid, config->max_size, config->protocol);
}

void
connection_destroy(struct connection *connection)
{
	session_destroy(&connection->session);
}

void
connection_serve(void *context, int descriptor)
{
	struct connection *connection = context;

	connection->socket = descriptor;
	connection->peer_gone = false;
	connection->last_receive = monotonic_now();
	connection->acknowledge = false;
	connection->receive_timeout = 0;
	connection->delivered_count = 0;
	connection->refused_count = 0;
	counters_add(COUNTER_ACCEPTED, 1);
	if (connection->config->verbose) {
		connection->started = monotonic_now();
		maillog_format_peer(descriptor, connection->peer);
	}
	session_reset(&connection->session);
	finish_connection(
	    connection, is_stopping(connection) ? SERVER_STOPPING : run_session(connection));
	/* Again, so that a large message buffer is freed before the next client comes. */
	session_reset(&connection->session);
	counters_add(COUNTER_ENDED, 1);
}
