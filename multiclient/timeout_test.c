/*
 * NAME
 *	timeout_test - wait for the server's 421, and check that it comes in time
 *
 * DESCRIPTION
 *	The server counts T from the time at which its reply to the last accepted command was sent.
 *	The client does not know that time, but two that enclose it, `window_min` and `window_max`:
 *	a 421 before window_min + T is early, and one that has not come by window_max + T +
 *	TIMEOUT_SLACK is late. The reply was sent after the client began to send the command, after
 *	the last receive that found nothing, and before the client received it. In the data phase
 *	the server counts T from the last byte that it received, which may be earlier than a receive
 *	that found nothing: only the begin of the send is certainly before that byte.
 *
 *	If the machine is busy, the window is wider and the check less exact, but no correct 421 is
 *	a mismatch.
 */

#include "timeout_test.h"

#include <stdio.h>

#include "monotonic.h"
#include "params.h"

/*
 * How the client sends the bytes of its exchange while it waits for a 421: the first time after
 * `pause`, then after each `interval`. Both are fractions of T; an interval of 0 means once.
 * `bytewise`: one byte each time, instead of all of them. `restarts_timer`: the server must count T
 * again from what is sent. A type without a row sends nothing.
 */
struct timeout_case {
	double pause;
	double interval;
	bool bytewise;
	bool restarts_timer;
};

static const struct timeout_case timeout_cases[OP_COUNT] = {
    [OP_DORMANT_LATER] = {.pause = 0.5, .restarts_timer = true},
    [OP_DORMANT_HALF_LINE] = {.pause = 0.5},
    [OP_SLOW_LINE] = {.pause = 0.02, .interval = 0.02, .bytewise = true},
    [OP_ENDLESS_INVALID] = {.pause = 0.01, .interval = 0.01},
    [OP_DORMANT_MID_DATA] = {.pause = 0.5, .restarts_timer = true},
};

struct timeout_test {
	const struct timeout_case *timeout_case;
	struct operation *operation;
	struct span bytes;          /* all that may be sent */
	size_t sent_length;         /* how many of them have been sent, if bytewise */
	int64_t next;               /* when to send again; INT64_MAX: never */
	int64_t send_began;         /* time just before the last send */
	bool reply_pending;         /* the reply to the last send has not arrived */
	struct reply timeout_reply; /* the 421 */
};

/* Send the bytes that are due, and set the time of the next send. */
static void
timeout_test_send(struct client *client, struct timeout_test *timeout_test)
{
	struct span bytes = timeout_test->bytes;
	int64_t interval =
	    (int64_t)(timeout_test->timeout_case->interval * (double)client->context->timeout);

	if (timeout_test->timeout_case->bytewise) {
		bytes = (struct span){timeout_test->bytes.bytes + timeout_test->sent_length++, 1};
	}
	timeout_test->send_began = monotonic_now();
	/* If this fails, the next receive returns the reason. */
	conn_send(&client->conn, bytes);
	timeout_test->reply_pending = timeout_test->operation->reply.reply_type != REPLY_NONE;
	if (timeout_test->timeout_case->restarts_timer && !timeout_test->reply_pending) {
		client->window_min = timeout_test->send_began;
		client->window_max = monotonic_now();
	}
	timeout_test->next = INT64_MAX;
	if (interval > 0 && (!timeout_test->timeout_case->bytewise ||
				timeout_test->sent_length < timeout_test->bytes.length)) {
		timeout_test->next = monotonic_now() + interval;
	}
}

/* Check the 421, of `used` bytes: it must not be early, and end of file must follow. */
static void
timeout_test_end(
    struct client *client, struct timeout_test *timeout_test, int64_t arrived, size_t used)
{
	int64_t early = client->window_min + client->context->timeout - arrived;
	struct span expected = reply_span(&timeout_test->timeout_reply);
	char what[WHAT_SIZE];

	if (early > 0) {
		snprintf(what, sizeof what, "the 421 is too early, by %.3f ms at least",
		    (double)early / (double)MILLISECOND);
		session_fail(client, 0, what, expected);
		return;
	}
	conn_consume(&client->conn, used);
	transcript_received(&client->transcript, 0, expected);
	if (!session_expect_end(
		client, 0, arrived + TIMEOUT_SLACK, (struct span){"end of file", 11})) {
		return;
	}
	session_note_reply(client, monotonic_now());
	session_count_matched(client, timeout_test->operation);
	conn_close(&client->conn);
}

/* Check the unread input. Returns false when the test is over. */
static bool
timeout_test_read(struct client *client, struct timeout_test *timeout_test)
{
	int64_t arrived = monotonic_now();
	struct span unread = conn_unread(&client->conn);
	enum match match = MATCH_NONE;
	uint64_t number;
	size_t used;

	if (timeout_test->reply_pending && unread.length > 0) {
		match = reply_match(&timeout_test->operation->reply, unread, &used, &number);
	}
	if (match == MATCH_FULL) {
		conn_consume(&client->conn, used);
		unread = conn_unread(&client->conn);
		timeout_test->reply_pending = false;
		if (timeout_test->timeout_case->restarts_timer) {
			client->window_min = timeout_test->send_began;
			client->window_max = arrived;
		}
	}
	if (unread.length == 0 || match == MATCH_PART) {
		return true;
	}
	match = reply_match(&timeout_test->timeout_reply, unread, &used, &number);
	if (match == MATCH_PART) {
		return true;
	}
	if (match == MATCH_FULL) {
		timeout_test_end(client, timeout_test, arrived, used);
	} else {
		session_fail(client, 0, "wrong reply",
		    reply_span(timeout_test->reply_pending ? &timeout_test->operation->reply
							   : &timeout_test->timeout_reply));
	}
	return false;
}

/* Report that no 421 came, but `event`: nothing in time, end of file or an error. */
static void
timeout_test_fail(struct client *client, struct timeout_test *timeout_test, enum conn_event event)
{
	char what[WHAT_SIZE];

	if (event == CONN_TIMEOUT) {
		snprintf(what, sizeof what, "no 421 within %g s",
		    (double)(client->context->timeout + TIMEOUT_SLACK) / (double)SECOND);
	} else {
		session_format_failure(event, conn_unread(&client->conn), 0, what);
	}
	session_fail(client, 0, what, reply_span(&timeout_test->timeout_reply));
}

static void
timeout_test_begin(struct client *client, struct timeout_test *timeout_test)
{
	struct exchange *exchange = &client->exchange;
	const struct context *context = client->context;
	struct operation *operation = &exchange->operations[0];

	*timeout_test = (struct timeout_test){
	    .timeout_case = &timeout_cases[operation->type],
	    .operation = operation,
	    .bytes = {exchange->out.bytes, exchange->out.length},
	    .next = INT64_MAX,
	};
	if (timeout_test->bytes.length > 0) {
		timeout_test->next =
		    client->window_max +
		    (int64_t)(timeout_test->timeout_case->pause * (double)context->timeout);
	}
	reply_write(&timeout_test->timeout_reply, REPLY_TIMEOUT, context->config.netid,
	    (struct span){NULL, 0});
	session_record_sent(client);
	atomic_store_explicit(&client->busy_until,
	    client->window_max +
		(timeout_test->timeout_case->restarts_timer ? 2 : 1) * context->timeout,
	    memory_order_relaxed);
}

void
timeout_test_run(struct client *client)
{
	struct timeout_test timeout_test;
	enum conn_event event;

	timeout_test_begin(client, &timeout_test);
	for (;;) {
		int64_t deadline = client->window_max + client->context->timeout + TIMEOUT_SLACK;
		bool sends = !timeout_test.reply_pending && timeout_test.next < deadline;

		event = conn_receive_precise(&client->conn, sends ? timeout_test.next : deadline);
		if (event == CONN_DATA && timeout_test_read(client, &timeout_test)) {
			continue;
		}
		if (event != CONN_TIMEOUT || !sends) {
			break;
		}
		timeout_test_send(client, &timeout_test);
	}
	if (event == CONN_STOPPED) {
		session_drop(client, 0);
	} else if (event != CONN_DATA) {
		timeout_test_fail(client, &timeout_test, event);
	}
	atomic_store_explicit(&client->busy_until, 0, memory_order_relaxed);
}
