/*
 * NAME
*	client - plays the script of one connection to the server
 *
 * DESCRIPTION
 *	One exchange after the other is sent, and its replies are compared byte by byte. At the first
 *	that is wrong, the session is over, for its state is no longer known: what the script still
 *	has for it is not sent, and the next session begins again.
 *
 *	Time. The server counts T from the moment when its reply to the last accepted command is
 *	sent. We know two moments that surely enclose that one, `low` and `high`: what comes before
 *	low + T is early, what has not come by high + T + TIMEOUT_SLACK is late. A reply cannot have been
 *	sent before the command was, nor while a receive found nothing, and has been sent when it is
 *	here. A busy machine widens the bounds and never makes them wrong.
 *
 *	If it was us who let T pass, for the machine gave us no time, then a 421 is the right answer.
 *	It ends the session, and is counted apart.
 *
 * DIAGNOSTICS
 *	Everything wrong goes to complaint.h, once.
 */

#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monotonic.h"
#include "params.h"

#define WHAT_SIZE 160

/* How long to wait for the rest of a wrong reply, only to show it. */
#define REST_WAIT (50 * MILLISECOND)

/*
 * What is done while waiting for a 421: after `pause` the bytes are sent, whole or one at a time,
 * and again after each `interval`; both are parts of T, and 0 means never again. `extends`: the
 * server must then count T from there.
 */
struct timeout_case {
	double pause;
	double interval;
	bool bytewise;
	bool restarts_timer;
};

static const struct timeout_case timeout_cases[OP_COUNT] = {
    [OP_DORMANT_LATER] = {0.5, 0, false, true},
    [OP_DORMANT_HALF_LINE] = {0.5, 0, false, false},
    [OP_SLOW_LINE] = {0.02, 0.02, true, false},
    [OP_ENDLESS_INVALID] = {0.01, 0.01, false, false},
    [OP_DORMANT_MID_DATA] = {0.5, 0, false, true},
};

struct timeout_test {
	const struct timeout_case *row;
	struct operation *operation;
	struct span bytes;  /* all that may be sent */
	size_t sent_length; /* how much of it was */
	int64_t next;       /* when to send again; INT64_MAX: never */
	int64_t sent;       /* before it was sent last */
	bool reply_pending; /* a reply to it is still to come */
	struct reply timeout;
};

void
client_init(struct client *client, struct context *context, size_t connection)
{
	*client = (struct client){.context = context, .connection = connection};
	script_init(&client->script, &context->config, connection);
	conn_init(&client->conn, &context->stop);
}

void
client_destroy(struct client *client)
{
	script_destroy(&client->script);
	exchange_destroy(&client->exchange);
}

static struct span
reply_span(const struct reply *reply)
{
	return (struct span){reply->bytes, reply->length};
}

static bool
stopping(const struct client *client)
{
	return atomic_load_explicit(&client->context->stop, memory_order_relaxed);
}

static void
count(struct client *client, const struct operation *operation, bool matched)
{
	stats_count(&client->stats, operation, matched);
	atomic_fetch_add_explicit(&client->done, 1, memory_order_relaxed);
	if (!matched) {
		atomic_fetch_add_explicit(&client->wrong, 1, memory_order_relaxed);
	}
}

static void
count_unacknowledged(struct client *client, const struct operation *operation, bool certain)
{
	const struct ledger_entry entry = {.digest = operation->digest,
	    .connection = client->connection,
	    .index = operation->index,
	    .after = client->number,
	    .certain = certain};

	if (!ledger_add_unacknowledged(&client->context->ledger, &entry)) {
		client->stats.failures++;
	}
}

/* Leave the session. Messages from operation `index` on may or may not have been delivered. */
static void
drop_session(struct client *client, size_t index)
{
	const struct exchange *exchange = &client->exchange;

	for (; index < exchange->count; index++) {
		if (exchange->operations[index].message) {
			count_unacknowledged(client, &exchange->operations[index], false);
		}
	}
	conn_close(&client->conn);
}

/* Something of what came, for showing: the rest of its line too, if that is quick. */
static struct span
received_text(struct client *client)
{
	struct conn *conn = &client->conn;
	struct span came;

	if (conn->descriptor < 0) {
		return (struct span){"", 0};
	}
	came = conn_unread(conn);
	if (came.length > 0 && memchr(came.bytes, '\n', came.length) == NULL &&
	    came.length < REPLY_MAX) {
		conn_wait_short(conn, monotonic_now() + REST_WAIT);
	}
	return conn_unread(conn);
}

static void
report_mismatch(struct client *client, size_t index, const char *what, struct span expected)
{
	const struct exchange *exchange = &client->exchange;
	const struct mismatch mismatch = {
	    .connection = client->connection,
	    .number = exchange->number + index,
	    .operation = &exchange->operations[index],
	    .transcript = &client->transcript,
	    .what = what,
	    .expected = expected,
	    .came = received_text(client),
	};

	mismatch_report(&client->context->mismatch_log, &mismatch);
}

/* Operation `index` of the exchange was not answered as it must be: tell, count, leave. */
static void
mismatch(struct client *client, size_t index, const char *what, struct span expected)
{
	report_mismatch(client, index, what, expected);
	count(client, &client->exchange.operations[index], false);
	drop_session(client, index);
}

/* Whether the server timed us out, and was right to, for we sent the last exchange too late. */
static bool
client_was_late(struct client *client)
{
	struct reply timeout;
	uint64_t number;
	size_t used;

	if (client->sent < client->low + client->context->timeout / 2) {
		return false;
	}
	reply_write(&timeout, REPLY_TIMEOUT, client->context->config.netid, (struct span){NULL, 0});
	return reply_match(&timeout, conn_unread(&client->conn), &used, &number) == MATCH_FULL &&
	       monotonic_now() >= client->low + client->context->timeout;
}

/* A receive brought nothing: put it in words. */
static void
format_failure(enum conn_event event, struct span came, double seconds, char what[WHAT_SIZE])
{
	char reason[80] = "";

	if (event == CONN_ERROR) {
		strerror_r(errno, reason, sizeof reason);
	}
	if (event == CONN_TIMEOUT) {
		snprintf(what, WHAT_SIZE, "%s within %g s",
		    came.length == 0 ? "no reply" : "no whole reply", seconds);
	} else if (event == CONN_EOF) {
		snprintf(what, WHAT_SIZE, "end of file %s a reply",
		    came.length == 0 ? "instead of" : "within");
	} else {
		snprintf(what, WHAT_SIZE, "connection lost: %s", reason);
	}
}

/*
 * How long to wait on. The banner may be late while all of the server's threads serve others of
 * us: as long as anybody gets replies it is no fault, and for T after, as all may be dormant.
 */
static int64_t
reply_deadline(const struct client *client, bool banner)
{
	const struct context *context = client->context;
	int64_t progress;

	if (!banner) {
		return client->sent + context->patience;
	}
	progress = atomic_load_explicit(&context->progress, memory_order_relaxed);
	return (progress > client->sent ? progress : client->sent) + context->timeout +
	       context->patience;
}

/* Wait until there is more to read. False: there will not be, and that is dealt with. */
static bool
wait_for_reply(struct client *client, size_t index, const struct reply *reply)
{
	bool banner = reply->reply_type == REPLY_BANNER;
	char what[WHAT_SIZE];
	enum conn_event event;

	do {
		event = conn_receive(&client->conn, reply_deadline(client, banner));
	} while (event == CONN_TIMEOUT && monotonic_now() < reply_deadline(client, banner));
	if (event == CONN_DATA) {
		return true;
	}
	if (event == CONN_STOPPED) {
		drop_session(client, index);
		return false;
	}
	format_failure(event, conn_unread(&client->conn),
	    (double)(monotonic_now() - client->sent) / (double)SECOND, what);
	mismatch(client, index, what, reply_span(reply));
	client->lost_replies += event == CONN_TIMEOUT;
	return false;
}

/* Read one reply of operation `index`. False: it is not as it must be, and that is dealt with. */
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
			if (client_was_late(client)) {
				client->stats.slow++;
				drop_session(client, index);
			} else {
				mismatch(client, index, "wrong reply", reply_span(reply));
			}
			return false;
		}
		if (!wait_for_reply(client, index, reply)) {
			return false;
		}
	}
}

/* Read the end of file of operation `index`, which `expected` stands for, by `deadline`. */
static bool
expect_end(struct client *client, size_t index, int64_t deadline, struct span expected)
{
	enum conn_event event = CONN_DATA;
	char what[WHAT_SIZE] = "extra bytes before the end of file";

	if (conn_unread(&client->conn).length == 0) {
		event = conn_receive(&client->conn, deadline);
	}
	if (event == CONN_EOF) {
		return true;
	}
	if (event == CONN_STOPPED) {
		drop_session(client, index);
		return false;
	}
	if (event == CONN_TIMEOUT) {
		snprintf(what, sizeof what, "no end of file");
	} else if (event == CONN_ERROR) {
		format_failure(event, expected, 0, what);
	} else if (client_was_late(client)) {
		client->stats.slow++;
		drop_session(client, index);
		return false;
	}
	mismatch(client, index, what, expected);
	client->lost_replies += event == CONN_TIMEOUT;
	return false;
}

/* Whether the number of a delivered message is right. If not, that is dealt with. */
static bool
check_number(struct client *client, size_t index, uint64_t number, uint64_t after)
{
	static const char *const verdicts[] = {
	    [LEDGER_DUPLICATE] = "another message has this number",
	    [LEDGER_OUT_OF_ORDER] = "the number is not above one given before this was sent",
	    [LEDGER_NO_MEMORY] = "out of memory for numbers",
	};
	const struct operation *operation = &client->exchange.operations[index];
	const struct ledger_entry entry = {.number = number,
	    .digest = operation->digest,
	    .connection = client->connection,
	    .index = operation->index,
	    .after = client->number > after ? client->number : after};
	enum ledger_result verdict = ledger_add(&client->context->ledger, &entry);

	client->stats.delivered++;
	if (verdict == LEDGER_OK) {
		client->number = number;
		return true;
	}
	mismatch(client, index, verdicts[verdict], reply_span(&operation->reply));
	return false;
}

/* Put the piece of the input that answered an operation into the journal. */
static void
note_reply(struct client *client, size_t index, const struct reply *reply, uint64_t number)
{
	size_t back = client->exchange.count - 1 - index;
	char text[REPLY_MAX];
	int length;

	if (reply->reply_type != REPLY_DELIVERED) {
		transcript_received(&client->transcript, back, reply_span(reply));
		return;
	}
	length = snprintf(
	    text, sizeof text, "250 OK:  delivered message %llu\r\n", (unsigned long long)number);
	transcript_received(&client->transcript, back, (struct span){text, (size_t)length});
}

/* All replies of operation `index`. False: something is wrong, and dealt with. */
static bool
check_operation(struct client *client, size_t index, uint64_t after)
{
	const struct operation *operation = &client->exchange.operations[index];
	uint64_t number = 0;
	struct reply ok;
	size_t i;

	if (operation->reply.reply_type == REPLY_EOF) {
		if (!expect_end(client, index, client->sent + client->context->patience,
			(struct span){"end of file", 11})) {
			return false;
		}
		count(client, operation, true);
		return true;
	}
	if (operation->ok_before > 0) {
		reply_write(&ok, REPLY_OK, client->context->config.netid, (struct span){NULL, 0});
	}
	for (i = 0; i < operation->ok_before; i++) {
		if (!expect(client, index, &ok, &number)) {
			return false;
		}
	}
	if (!expect(client, index, &operation->reply, &number)) {
		return false;
	}
	note_reply(client, index, &operation->reply, number);
	if (operation->message && !check_number(client, index, number, after)) {
		return false;
	}
	count(client, operation, true);
	return true;
}

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

static bool
send_exchange(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	struct span rest = {exchange->out.bytes, exchange->out.length};
	size_t i;

	if (exchange->send_mode == VARIANT_BYTES) {
		return send_bytewise(&client->conn, rest);
	}
	for (i = 0; exchange->send_mode == VARIANT_PIECES &&
		    i < sizeof exchange->cuts / sizeof exchange->cuts[0];
	     i++) {
		size_t length = exchange->cuts[i] - (exchange->out.length - rest.length);

		if (!conn_send(&client->conn, (struct span){rest.bytes, length})) {
			return false;
		}
		rest.bytes += length;
		rest.length -= length;
	}
	return conn_send(&client->conn, rest);
}

static void
note_exchange(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	size_t begin = 0;
	size_t i;

	for (i = 0; i < exchange->count; i++) {
		size_t end = exchange->operations[i].end;

		transcript_sent(&client->transcript,
		    (struct span){end > begin ? exchange->out.bytes + begin : "", end - begin});
		begin = end;
	}
}

/* Leave without listening. */
static void
close_without_reading(struct client *client, const struct operation *operation, bool sent)
{
	if (operation->type == OP_RESET) {
		conn_reset(&client->conn);
	} else {
		conn_close(&client->conn);
	}
	if (operation->type == OP_CLOSE_AFTER_DATA) {
		count_unacknowledged(client, operation, sent);
	}
	count(client, operation, true);
}

/* The server counts T again from the last accepted operation: when that was, at the closest. */
static void
note_accepted(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	size_t i;

	for (i = exchange->count; i > 0; i--) {
		if (exchange->operations[i - 1].accepted) {
			break;
		}
	}
	if (i == 0) {
		return;
	}
	client->high = monotonic_now();
	client->low = client->started_at;
	/* In the data phase it counts from the last byte, not from the reply. */
	if (exchange->count == 1 && exchange->operations[0].type != OP_DATA &&
	    client->conn.silent > client->low) {
		client->low = client->conn.silent;
	}
}

static void
note_progress(struct client *client, int64_t moment)
{
	atomic_store_explicit(&client->context->progress, moment, memory_order_relaxed);
}

static void
finish_exchange(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	const struct operation *last = &exchange->operations[exchange->count - 1];
	int64_t now = monotonic_now();

	note_progress(client, now);
	if (last->reply.reply_type == REPLY_EOF) {
		conn_close(&client->conn);
		return;
	}
	if (last->type != OP_CONNECT) {
		stats_latency(&client->stats, now - client->started_at);
	}
	note_accepted(client);
	if (conn_unread(&client->conn).length > 0) {
		report_mismatch(client, exchange->count - 1, "extra bytes after the reply",
		    reply_span(&last->reply));
		client->stats.failures++;
		drop_session(client, exchange->count);
	}
}

static void
run_exchange(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	const struct operation *last = &exchange->operations[exchange->count - 1];
	uint64_t after = 0;
	bool sent;
	size_t i;

	for (i = 0; i < exchange->count && after == 0; i++) {
		if (exchange->operations[i].message) {
			after = ledger_highest(&client->context->ledger);
		}
	}
	note_exchange(client);
	client->started_at = monotonic_now();
	sent = send_exchange(client);
	client->sent = monotonic_now();
	if (last->reply.reply_type == REPLY_NONE) {
		close_without_reading(client, last, sent);
		return;
	}
	/* Should sending have failed, what there is to read says why. */
	if (last->reply.reply_type == REPLY_EOF) {
		conn_half_close(&client->conn);
	}
	for (i = 0; i < exchange->count; i++) {
		if (!check_operation(client, i, after)) {
			return;
		}
	}
	finish_exchange(client);
}

static void
open_session(struct client *client)
{
	struct context *context = client->context;
	char what[WHAT_SIZE];
	char reason[80];

	transcript_init(&client->transcript);
	client->started_at = monotonic_now();
	client->sent = client->started_at;
	if (!conn_open(&client->conn, &context->address, context->patience)) {
		strerror_r(errno, reason, sizeof reason);
		snprintf(what, sizeof what, "cannot connect: %s", reason);
		mismatch(client, 0, what, reply_span(&client->exchange.operations[0].reply));
		client->lost_replies++;
		return;
	}
	transcript_sent(&client->transcript, (struct span){"", 0});
	/* Nobody has waited for us yet: no 421 can be right. */
	client->sent = monotonic_now();
	client->low = client->sent;
	if (check_operation(client, 0, 0)) {
		finish_exchange(client);
	}
}

/* Send what is due, and work out when to do so again. */
static void
timeout_test_send(struct client *client, struct timeout_test *timeout_test)
{
	struct span bytes = timeout_test->bytes;
	int64_t interval =
	    (int64_t)(timeout_test->row->interval * (double)client->context->timeout);

	if (timeout_test->row->bytewise) {
		bytes = (struct span){timeout_test->bytes.bytes + timeout_test->sent_length++, 1};
	}
	timeout_test->sent = monotonic_now();
	/* If the server is gone, the next receive tells. */
	conn_send(&client->conn, bytes);
	timeout_test->reply_pending = timeout_test->operation->reply.reply_type != REPLY_NONE;
	if (timeout_test->row->restarts_timer && !timeout_test->reply_pending) {
		client->low = timeout_test->sent;
		client->high = monotonic_now();
	}
	timeout_test->next = INT64_MAX;
	if (interval > 0 && (!timeout_test->row->bytewise ||
				timeout_test->sent_length < timeout_test->bytes.length)) {
		timeout_test->next = monotonic_now() + interval;
	}
}

/* The 421 is here: not before its time, and followed by the end. */
static void
timeout_test_end(
    struct client *client, struct timeout_test *timeout_test, int64_t arrived, size_t used)
{
	int64_t early = client->low + client->context->timeout - arrived;
	struct span expected = reply_span(&timeout_test->timeout);
	char what[WHAT_SIZE];

	if (early > 0) {
		snprintf(what, sizeof what, "the 421 is too early, by %.3f ms at least",
		    (double)early / (double)MILLISECOND);
		mismatch(client, 0, what, expected);
		return;
	}
	conn_consume(&client->conn, used);
	transcript_received(&client->transcript, 0, expected);
	if (!expect_end(client, 0, arrived + TIMEOUT_SLACK, (struct span){"end of file", 11})) {
		return;
	}
	note_progress(client, monotonic_now());
	count(client, timeout_test->operation, true);
	conn_close(&client->conn);
}

/* Something arrived. False: the vigil is over. */
static bool
timeout_test_read(struct client *client, struct timeout_test *timeout_test)
{
	int64_t arrived = monotonic_now();
	struct span unread = conn_unread(&client->conn);
	enum match match = MATCH_NONE;
	uint64_t number;
	size_t used;

	while (timeout_test->reply_pending && unread.length > 0 &&
	       (match = reply_match(&timeout_test->operation->reply, unread, &used, &number)) ==
		   MATCH_FULL) {
		conn_consume(&client->conn, used);
		unread = conn_unread(&client->conn);
		timeout_test->reply_pending = false;
		if (timeout_test->row->restarts_timer) {
			client->low = timeout_test->sent;
			client->high = arrived;
		}
	}
	if (unread.length == 0 || match == MATCH_PART) {
		return true;
	}
	match = reply_match(&timeout_test->timeout, unread, &used, &number);
	if (match == MATCH_PART) {
		return true;
	}
	if (match == MATCH_FULL) {
		timeout_test_end(client, timeout_test, arrived, used);
	} else {
		mismatch(client, 0, "wrong reply",
		    reply_span(timeout_test->reply_pending ? &timeout_test->operation->reply
							   : &timeout_test->timeout));
	}
	return false;
}

/* Nothing, or the end, or an error, where a 421 was due. */
static void
timeout_test_fail(struct client *client, struct timeout_test *timeout_test, enum conn_event event)
{
	char what[WHAT_SIZE];

	if (event == CONN_TIMEOUT) {
		snprintf(what, sizeof what, "no 421 within T + 1 s, T being %g s",
		    (double)client->context->timeout / (double)SECOND);
	} else {
		format_failure(event, conn_unread(&client->conn), 0, what);
	}
	mismatch(client, 0, what, reply_span(&timeout_test->timeout));
}

static void
timeout_test_begin(struct client *client, struct timeout_test *timeout_test)
{
	struct exchange *exchange = &client->exchange;
	const struct context *context = client->context;
	struct operation *operation = &exchange->operations[0];

	*timeout_test = (struct timeout_test){
	    .row = &timeout_cases[operation->type],
	    .operation = operation,
	    .bytes = {exchange->out.bytes, exchange->out.length},
	    .next = INT64_MAX,
	};
	if (timeout_test->bytes.length > 0) {
		timeout_test->next =
		    client->high + (int64_t)(timeout_test->row->pause * (double)context->timeout);
	}
	reply_write(
	    &timeout_test->timeout, REPLY_TIMEOUT, context->config.netid, (struct span){NULL, 0});
	note_exchange(client);
	atomic_store_explicit(&client->busy_until,
	    client->high + (timeout_test->row->restarts_timer ? 2 : 1) * context->timeout,
	    memory_order_relaxed);
}

/* Wait for the server to lose its patience. */
static void
run_timeout_test(struct client *client)
{
	struct timeout_test timeout_test;
	enum conn_event event;

	timeout_test_begin(client, &timeout_test);
	for (;;) {
		int64_t deadline = client->high + client->context->timeout + TIMEOUT_SLACK;
		bool sends = !timeout_test.reply_pending && timeout_test.next < deadline;

		event = conn_wait_short(&client->conn, sends ? timeout_test.next : deadline);
		if (event == CONN_DATA && timeout_test_read(client, &timeout_test)) {
			continue;
		}
		if (event != CONN_TIMEOUT || !sends) {
			break;
		}
		timeout_test_send(client, &timeout_test);
	}
	if (event == CONN_STOPPED) {
		drop_session(client, 0);
	} else if (event != CONN_DATA) {
		timeout_test_fail(client, &timeout_test, event);
	}
	atomic_store_explicit(&client->busy_until, 0, memory_order_relaxed);
}

/* The operations are used up: see that nothing more comes. */
static void
finish(struct client *client)
{
	static const char what[] = "after the last operation the server must say nothing and close";
	enum conn_event event;

	if (client->conn.descriptor < 0 || stopping(client)) {
		return;
	}
	conn_half_close(&client->conn);
	client->sent = monotonic_now();
	event = conn_receive(&client->conn, client->sent + client->context->patience);
	if (event != CONN_EOF && event != CONN_STOPPED && !client_was_late(client)) {
		report_mismatch(
		    client, client->exchange.count - 1, what, (struct span){"end of file", 11});
		client->stats.failures++;
	}
}

static void
play(struct client *client)
{
	const struct exchange *exchange = &client->exchange;

	if (exchange->operations[0].type == OP_CONNECT) {
		open_session(client);
	} else if (client->conn.descriptor < 0) {
		return; /* this session went wrong before */
	} else if (operation_table[exchange->operations[0].type].op_class == OP_CLASS_TIMEOUT) {
		run_timeout_test(client);
	} else {
		run_exchange(client);
	}
}

void *
client_main(void *argument)
{
	struct client *client = argument;

	while (!stopping(client) && client->lost_replies < LOST_REPLIES_MAX &&
	       script_next(&client->script, &client->exchange)) {
		if (client->exchange.out.failed) {
			mismatch_report_text(&client->context->mismatch_log, "out of memory");
			client->stats.failures++;
			break;
		}
		play(client);
	}
	finish(client);
	conn_close(&client->conn);
	return NULL;
}
