/*
 * NAME
 *	client - one simulated client: runs its script against the server
 *
 * DESCRIPTION
 *	Exchanges are sent one after the other, and their replies checked (session.h). After a
 *	mismatch the rest of the session is skipped, and the next session begins.
 */

#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error_text.h"
#include "monotonic.h"
#include "params.h"
#include "timeout_test.h"

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

/* Close the connection as the operation does, without a reply. `sent`: all bytes were sent. */
static void
close_without_reading(struct client *client, const struct operation *operation, bool sent)
{
	if (operation->type == OP_RESET) {
		conn_reset(&client->conn);
	} else {
		conn_close(&client->conn);
	}
	if (operation->type == OP_CLOSE_AFTER_DATA) {
		session_add_unacknowledged(client, operation, sent);
	}
	session_count_matched(client, operation);
}

/*
 * Set the window in which the server began to count T: after the last accepted operation of the
 * exchange. Without one the window of an earlier exchange holds.
 */
static void
set_window(struct client *client)
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
	client->window_max = monotonic_now();
	client->window_min = client->started_at;
	/*
	 * A single reply was sent after the last receive that found nothing; of several, the one to
	 * the last accepted operation may have come before. DATA: see timeout_test.c.
	 */
	if (exchange->count == 1 && exchange->operations[0].type != OP_DATA &&
	    client->conn.last_empty_read > client->window_min) {
		client->window_min = client->conn.last_empty_read;
	}
}

/* Handle the end of an exchange whose replies were all right. */
static void
finish_exchange(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	const struct operation *last = &exchange->operations[exchange->count - 1];
	int64_t now = monotonic_now();

	session_note_reply(client, now);
	if (last->reply.reply_type == REPLY_EOF) {
		conn_close(&client->conn);
		return;
	}
	if (last->type != OP_CONNECT) {
		stats_latency(&client->stats, now - client->started_at);
	}
	set_window(client);
	if (conn_unread(&client->conn).length > 0) {
		session_report(client, exchange->count - 1, "extra bytes after the reply",
		    reply_span(&last->reply));
		client->stats.failures++;
		session_drop(client, exchange->count);
	}
}

static void
run_exchange(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	const struct operation *last = &exchange->operations[exchange->count - 1];
	uint64_t after = 0;
	bool sent;

	for (size_t i = 0; i < exchange->count; i++) {
		if (exchange->operations[i].is_message) {
			after = ledger_highest(&client->context->ledger);
			break;
		}
	}
	session_record_sent(client);
	client->started_at = monotonic_now();
	sent = session_send(client);
	client->sent_at = monotonic_now();
	if (last->reply.reply_type == REPLY_NONE) {
		close_without_reading(client, last, sent);
		return;
	}
	if (last->reply.reply_type == REPLY_EOF) {
		conn_half_close(&client->conn);
	}
	/* Also if `sent` is false: the replies, or their lack, show why. */
	for (size_t i = 0; i < exchange->count; i++) {
		if (!session_check_operation(client, i, after)) {
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
	char reason[ERROR_TEXT_SIZE];

	transcript_init(&client->transcript);
	client->started_at = monotonic_now();
	client->sent_at = client->started_at;
	if (!conn_open(&client->conn, &context->address, context->patience)) {
		snprintf(what, sizeof what, "cannot connect: %s", error_text(errno, reason));
		session_fail(client, 0, what, reply_span(&client->exchange.operations[0].reply));
		client->lost_replies++;
		return;
	}
	transcript_sent(&client->transcript, (struct span){"", 0});
	/* The server counts T from the greeting, which it sends after this. */
	client->sent_at = monotonic_now();
	client->window_min = client->sent_at;
	if (session_check_operation(client, 0, 0)) {
		finish_exchange(client);
	}
}

/* After the last operation, check that the server closes the connection and sends nothing more. */
static void
finish(struct client *client)
{
	static const char what[] =
	    "the server did not close the connection after the last operation";
	enum conn_event event;

	if (client->conn.descriptor == -1 || session_stopping(client)) {
		return;
	}
	conn_half_close(&client->conn);
	client->sent_at = monotonic_now();
	event = conn_receive(&client->conn, client->sent_at + client->context->patience);
	if (event != CONN_EOF && event != CONN_STOPPED && !session_was_delayed(client)) {
		session_report(
		    client, client->exchange.count - 1, what, (struct span){"end of file", 11});
		client->stats.failures++;
	}
}

/* Run the exchange that the script has written. */
static void
run_next(struct client *client)
{
	const struct exchange *exchange = &client->exchange;

	if (exchange->operations[0].type == OP_CONNECT) {
		open_session(client);
	} else if (client->conn.descriptor == -1) {
		return; /* after a mismatch the rest of the session is skipped */
	} else if (operation_table[exchange->operations[0].type].op_class == OP_CLASS_TIMEOUT) {
		timeout_test_run(client);
	} else {
		run_exchange(client);
	}
}

void
context_count_ended(struct context *context, size_t count)
{
	if (atomic_fetch_sub(&context->running, count) == count) {
		kill(getpid(), SIGUSR1);
	}
}

void *
client_main(void *argument)
{
	struct client *client = argument;

	while (!session_stopping(client) && client->lost_replies < LOST_REPLIES_MAX &&
	       script_next(&client->script, &client->exchange)) {
		if (client->exchange.out.failed) {
			mismatch_report_text(&client->context->mismatch_log, "out of memory");
			client->stats.failures++;
			break;
		}
		run_next(client);
	}
	finish(client);
	conn_close(&client->conn);
	context_count_ended(client->context, 1);
	return NULL;
}
