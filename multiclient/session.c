/*
 * NAME
 *	session - one session with the server: send exchanges, check replies, report mismatches
 *
 * DESCRIPTION
 *	Each reply is compared byte by byte. After the first one that is wrong the session is
 *	dropped, because its state is no longer known.
 *
 *	If this client was delayed because the machine was busy, a 421 is correct. It ends the
 *	session, and is counted apart.
 *
 * DIAGNOSTICS
 *	Every mismatch is reported once, through mismatch.h.
 */

#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error_text.h"
#include "monotonic.h"
#include "params.h"

/* How long to wait for the rest of a wrong reply, only to show it. */
#define REST_WAIT (50 * MILLISECOND)

/* ---- counts ---- */

bool
session_stopping(const struct client *client)
{
	return atomic_load_explicit(&client->context->stop, memory_order_relaxed);
}

void
session_count_matched(struct client *client, const struct operation *operation)
{
	stats_count(&client->stats, operation, true);
	atomic_fetch_add_explicit(&client->operation_count, 1, memory_order_relaxed);
}

void
session_count_mismatched(struct client *client, const struct operation *operation)
{
	stats_count(&client->stats, operation, false);
	atomic_fetch_add_explicit(&client->operation_count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&client->mismatch_count, 1, memory_order_relaxed);
}

void
session_add_unacknowledged(struct client *client, const struct operation *operation, bool certain)
{
	const struct ledger_entry entry = {.digest = operation->digest,
	    .connection = client->connection,
	    .message_index = operation->message_index,
	    .after = client->last_number,
	    .certain = certain};

	if (!ledger_add_unacknowledged(&client->context->ledger, &entry)) {
		client->stats.failures++;
	}
}

void
session_drop(struct client *client, size_t index)
{
	const struct exchange *exchange = &client->exchange;

	for (; index < exchange->count; index++) {
		if (exchange->operations[index].is_message) {
			session_add_unacknowledged(client, &exchange->operations[index], false);
		}
	}
	conn_close(&client->conn);
}

/* ---- mismatches ---- */

/* Return the unread input, for a report; wait shortly for the rest of its line. */
static struct span
received_text(struct client *client)
{
	struct conn *conn = &client->conn;
	struct span received;

	if (conn->descriptor == -1) {
		return (struct span){"", 0};
	}
	received = conn_unread(conn);
	if (received.length > 0 && memchr(received.bytes, '\n', received.length) == NULL &&
	    received.length < REPLY_MAX) {
		conn_receive_precise(conn, monotonic_now() + REST_WAIT);
	}
	return conn_unread(conn);
}

void
session_report(struct client *client, size_t index, const char *what, struct span expected)
{
	const struct exchange *exchange = &client->exchange;
	const struct mismatch mismatch = {
	    .connection = client->connection,
	    .number = exchange->number + index,
	    .operation = &exchange->operations[index],
	    .transcript = &client->transcript,
	    .what = what,
	    .expected = expected,
	    .received = received_text(client),
	};

	mismatch_report(&client->context->mismatch_log, &mismatch);
}

void
session_fail(struct client *client, size_t index, const char *what, struct span expected)
{
	session_report(client, index, what, expected);
	session_count_mismatched(client, &client->exchange.operations[index]);
	session_drop(client, index);
}

bool
session_was_delayed(struct client *client)
{
	struct reply timeout_reply;
	uint64_t number;
	size_t used;

	/* Bytes that were sent within T/2 arrive within T, unless the server is at fault. */
	if (client->sent_at < client->window_min + client->context->timeout / 2) {
		return false;
	}
	reply_write(
	    &timeout_reply, REPLY_TIMEOUT, client->context->config.netid, (struct span){NULL, 0});
	/* The 421 arrived before now: if T has not passed now, it came too early. */
	return reply_match(&timeout_reply, conn_unread(&client->conn), &used, &number) ==
		   MATCH_FULL &&
	       monotonic_now() >= client->window_min + client->context->timeout;
}

void
session_format_failure(
    enum conn_event event, struct span received, double seconds, char what[WHAT_SIZE])
{
	char reason[ERROR_TEXT_SIZE];

	if (event == CONN_TIMEOUT) {
		snprintf(what, WHAT_SIZE, "%s within %g s",
		    received.length == 0 ? "no reply" : "no whole reply", seconds);
	} else if (event == CONN_EOF) {
		snprintf(what, WHAT_SIZE, "connection closed %s a reply",
		    received.length == 0 ? "instead of" : "within");
	} else {
		snprintf(what, WHAT_SIZE, "connection lost: %s",
		    event == CONN_ERROR ? error_text(errno, reason) : "");
	}
}

/* ---- replies ---- */

/*
 * Return the deadline for the next reply. A greeting may be delayed while other clients hold all
 * server threads: allow T and the patience after the last reply that any client received.
 */
static int64_t
reply_deadline(const struct client *client, bool is_greeting)
{
	const struct context *context = client->context;
	int64_t latest;

	if (!is_greeting) {
		return client->sent_at + context->patience;
	}
	latest = atomic_load_explicit(&context->last_reply_at, memory_order_relaxed);
	return (latest > client->sent_at ? latest : client->sent_at) + context->timeout +
	       context->patience;
}

/* Wait for more input. Returns false if there is none, as session_check_operation() does. */
static bool
wait_for_reply(struct client *client, size_t index, const struct reply *reply)
{
	bool is_greeting = reply->reply_type == REPLY_GREETING;
	char what[WHAT_SIZE];
	enum conn_event event;

	do {
		event = conn_receive(&client->conn, reply_deadline(client, is_greeting));
	} while (event == CONN_TIMEOUT && monotonic_now() < reply_deadline(client, is_greeting));
	if (event == CONN_DATA) {
		return true;
	}
	if (event == CONN_STOPPED) {
		session_drop(client, index);
		return false;
	}
	session_format_failure(event, conn_unread(&client->conn),
	    (double)(monotonic_now() - client->sent_at) / (double)SECOND, what);
	session_fail(client, index, what, reply_span(reply));
	client->lost_replies += event == CONN_TIMEOUT;
	return false;
}

/* Read one reply of operation `index`. Returns false as session_check_operation() does. */
static bool
expect(struct client *client, size_t index, const struct reply *reply, uint64_t *number)
{
	for (;;) {
		size_t used;
		enum match match = reply_match(reply, conn_unread(&client->conn), &used, number);

		if (match == MATCH_FULL) {
			conn_consume(&client->conn, used);
			return true;
		}
		if (match == MATCH_NONE) {
			if (session_was_delayed(client)) {
				client->stats.delayed_sessions++;
				session_drop(client, index);
			} else {
				session_fail(client, index, "wrong reply", reply_span(reply));
			}
			return false;
		}
		if (!wait_for_reply(client, index, reply)) {
			return false;
		}
	}
}

bool
session_expect_end(struct client *client, size_t index, int64_t deadline, struct span expected)
{
	enum conn_event event = CONN_DATA;
	char what[WHAT_SIZE] = "extra bytes before the end of the connection";

	if (conn_unread(&client->conn).length == 0) {
		event = conn_receive(&client->conn, deadline);
	}
	if (event == CONN_EOF) {
		return true;
	}
	if (event == CONN_STOPPED) {
		session_drop(client, index);
		return false;
	}
	if (event == CONN_TIMEOUT) {
		snprintf(what, sizeof what, "the connection was not closed");
	} else if (event == CONN_ERROR) {
		session_format_failure(event, (struct span){0}, 0, what);
	} else if (session_was_delayed(client)) {
		client->stats.delayed_sessions++;
		session_drop(client, index);
		return false;
	}
	session_fail(client, index, what, expected);
	client->lost_replies += event == CONN_TIMEOUT;
	return false;
}

/* Check the number of a delivered message. Returns false if it is wrong, having reported it. */
static bool
check_number(struct client *client, size_t index, uint64_t number, uint64_t after)
{
	static const char *const verdicts[] = {
	    [LEDGER_DUPLICATE] = "another message has this number",
	    [LEDGER_OUT_OF_ORDER] = "message number is not greater than one acknowledged earlier",
	    [LEDGER_NO_MEMORY] = "out of memory for numbers",
	};
	const struct operation *operation = &client->exchange.operations[index];
	const struct ledger_entry entry = {.number = number,
	    .digest = operation->digest,
	    .connection = client->connection,
	    .message_index = operation->message_index,
	    .after = client->last_number > after ? client->last_number : after};
	enum ledger_result verdict = ledger_add(&client->context->ledger, &entry);

	client->stats.messages_delivered++;
	if (verdict == LEDGER_OK) {
		client->last_number = number;
		return true;
	}
	session_fail(client, index, verdicts[verdict], reply_span(&operation->reply));
	return false;
}

/* Record the reply to operation `index`, which was right, in the transcript. */
static void
record_reply(struct client *client, size_t index, const struct reply *reply, uint64_t number)
{
	size_t back = client->exchange.count - 1 - index;
	char text[REPLY_MAX];
	int length;

	if (reply->reply_type != REPLY_DELIVERED) {
		transcript_received(&client->transcript, back, reply_span(reply));
		return;
	}
	length = snprintf(text, sizeof text, "250 OK:  delivered message %" PRIu64 "\r\n", number);
	transcript_received(&client->transcript, back, (struct span){text, (size_t)length});
}

bool
session_check_operation(struct client *client, size_t index, uint64_t after)
{
	const struct operation *operation = &client->exchange.operations[index];
	uint64_t number = 0;
	struct reply ok;

	if (operation->reply.reply_type == REPLY_EOF) {
		if (!session_expect_end(client, index, client->sent_at + client->context->patience,
			(struct span){"end of file", 11})) {
			return false;
		}
		session_count_matched(client, operation);
		return true;
	}
	if (operation->ok_before > 0) {
		reply_write(&ok, REPLY_OK, client->context->config.netid, (struct span){NULL, 0});
	}
	for (size_t i = 0; i < operation->ok_before; i++) {
		if (!expect(client, index, &ok, &number)) {
			return false;
		}
	}
	if (!expect(client, index, &operation->reply, &number)) {
		return false;
	}
	record_reply(client, index, &operation->reply, number);
	if (operation->is_message && !check_number(client, index, number, after)) {
		return false;
	}
	session_count_matched(client, operation);
	return true;
}

/* ---- sending ---- */

/* Send each byte with a send() of its own. Returns false if the connection is lost. */
static bool
send_bytewise(struct conn *conn, struct span bytes)
{
	for (; bytes.length > 0; bytes.bytes++, bytes.length--) {
		if (!conn_send(conn, (struct span){bytes.bytes, 1})) {
			return false;
		}
	}
	return true;
}

bool
session_send(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	struct span rest = {exchange->out.bytes, exchange->out.length};

	if (exchange->send_mode == VARIANT_BYTES) {
		return send_bytewise(&client->conn, rest);
	}
	for (size_t i = 0;
	     exchange->send_mode == VARIANT_PIECES && i < ARRAY_LENGTH(exchange->cuts); i++) {
		size_t length = exchange->cuts[i] - (exchange->out.length - rest.length);

		if (!conn_send(&client->conn, (struct span){rest.bytes, length})) {
			return false;
		}
		rest.bytes += length;
		rest.length -= length;
	}
	return conn_send(&client->conn, rest);
}

void
session_record_sent(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	size_t begin = 0;

	for (size_t i = 0; i < exchange->count; i++) {
		size_t end = exchange->operations[i].end;

		transcript_sent(&client->transcript,
		    (struct span){end > begin ? exchange->out.bytes + begin : "", end - begin});
		begin = end;
	}
}

void
session_note_reply(struct client *client, int64_t now)
{
	atomic_store_explicit(&client->context->last_reply_at, now, memory_order_relaxed);
}
