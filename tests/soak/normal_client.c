/*
 * NAME
 *	normal_client - clients that mean well, and note what they are told
 *
 * DESCRIPTION
 *	A connection delivers a number of messages, each either command by command or all in one
 *	send before any reply was read, as the course's own client does. Every reply is compared as
 *	a whole, and now and then a mistake is made on purpose.
 *
 *	On a busy machine an honest client may be too slow for the server's timeout, too. Then it is
 *	told 421 like everybody else, never early, and begins again; the message was not delivered.
 */

#include "normal_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "ledger.h"
#include "message.h"
#include "prng.h"
#include "wire.h"

/* Messages of a connection, at most; how rare a mistake is. */
#define CONNECTION_MESSAGES 60
#define MISTAKE_ONCE_IN     16

#define COMMAND_SIZE (MESSAGE_NAME_SIZE + 32)
#define DECIMAL      10

#define DELIVERED "250 OK:  delivered message "
#define TIMED_OUT "421 4.4.2 netid Error: timeout exceeded"

struct normal_client {
	const struct clients_rules *rules;
	unsigned stream;
	unsigned sequence; /* of the next message */
	struct prng prng;
	struct wire wire;
	double renewed; /* when at the earliest the server may have begun to count the time */
	struct message message;
	struct text batch; /* commands and data to be sent at once */
};

/* Judge the end of the connection, which the client did not ask for. */
static void
judge_end(const struct normal_client *normal_client, enum wire_line got, const char *line)
{
	double waited = wire_now() - normal_client->renewed;

	if (got == WIRE_LINE && strcmp(line, TIMED_OUT) == 0) {
		checks_count(TALLY_HONEST_CUT);
		if (waited < normal_client->rules->timeout) {
			checks_fail(CHECK_TIMEOUTS, "honest client cut after %.3f s", waited);
		}
	} else if (got == WIRE_LINE) {
		checks_fail(CHECK_HONEST_REPLIES, "unexpected: %s", line);
	} else {
		checks_fail(CHECK_HONEST_REPLIES, "connection %s after %.3f s",
		    got == WIRE_NOTHING ? "silent" : "lost", waited);
	}
}

/* Receive a reply that must begin with `expected`, and is that if `whole`. Returns whether it does. */
static bool
expect(struct normal_client *normal_client, const char *expected, bool whole,
    char line[static WIRE_LINE_SIZE])
{
	enum wire_line got = wire_receive(&normal_client->wire, line);
	size_t length = strlen(expected);

	if (got == WIRE_LINE && strncmp(line, expected, length) == 0 &&
	    (!whole || line[length] == '\0')) {
		return true;
	}
	judge_end(normal_client, got, line);
	return false;
}

static bool
expect_line(struct normal_client *normal_client, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	return expect(normal_client, expected, true, line);
}

/* Send what is in the batch. That the server has gone is noticed when its reply is missing. */
static void
send_batch(struct normal_client *normal_client)
{
	normal_client->renewed = wire_now();
	wire_send(&normal_client->wire, normal_client->batch.bytes, normal_client->batch.length);
	text_clear(&normal_client->batch);
}

/* Add a command to the batch and, `step` by step, send it and expect the reply. */
static bool
command(struct normal_client *normal_client, const char *name, const char *argument, bool step,
    const char *expected)
{
	text_add_string(&normal_client->batch, name);
	text_add_string(&normal_client->batch, argument);
	text_add_string(&normal_client->batch, "\r\n");
	if (!step) {
		return true;
	}
	send_batch(normal_client);
	return expect_line(normal_client, expected);
}

/* The envelope, and DATA; the replies are expected if `step`. */
static bool
envelope(struct normal_client *normal_client, bool step)
{
	char name[MESSAGE_NAME_SIZE];

	message_sender(&normal_client->message, name);
	if (!command(normal_client, "MAIL FROM: ", name, step, "250 OK")) {
		return false;
	}
	for (unsigned i = 0; i < normal_client->message.recipients; i++) {
		message_recipient(&normal_client->message, i, name);
		if (!command(normal_client, "RCPT TO:", name, step, "250 OK")) {
			return false;
		}
	}
	return command(normal_client, "DATA", "", step, "354 End data with <CR><LF>.<CR><LF>");
}

/* The replies to an envelope that was sent at once. */
static bool
expect_envelope(struct normal_client *normal_client)
{
	for (unsigned i = 0; i <= normal_client->message.recipients; i++) {
		if (!expect_line(normal_client, "250 OK")) {
			return false;
		}
	}
	return expect_line(normal_client, "354 End data with <CR><LF>.<CR><LF>");
}

/* Deliver the next message. Returns whether the connection can go on. */
static bool
deliver(struct normal_client *normal_client)
{
	bool step = prng_one_in(&normal_client->prng, 2);
	char line[WIRE_LINE_SIZE];

	message_make(&normal_client->message, normal_client->stream, normal_client->sequence);
	if (!envelope(normal_client, step)) {
		return false;
	}
	text_add(&normal_client->batch, normal_client->message.sent.bytes,
	    normal_client->message.sent.length);
	send_batch(normal_client);
	if ((!step && !expect_envelope(normal_client)) ||
	    !expect(normal_client, DELIVERED, false, line)) {
		return false;
	}
	ledger_note(strtoul(line + strlen(DELIVERED), NULL, DECIMAL), normal_client->stream,
	    normal_client->sequence);
	normal_client->sequence++;
	return true;
}

/* Make a mistake, which must change nothing. */
static bool
err(struct normal_client *normal_client)
{
	static const struct {
		const char *command;
		const char *reply;
	} mistakes[] = {
	    {"mkdir", "500 Error: command not recognized"},
	    {"HELO again", "503 Error: duplicate HELO"},
	    {"MAIL FROM: a b", "555 <a b>: Sender address rejected"},
	    {"MAIL FROM", "501 Syntax:  MAIL FROM: address"},
	    {"RCPT TO: a", "503 Error: need MAIL FROM command"},
	    {"DATA", "503 Error: need MAIL FROM command"},
	};
	unsigned which = prng_below(&normal_client->prng, sizeof mistakes / sizeof mistakes[0]);
	double renewed = normal_client->renewed;
	bool expected =
	    command(normal_client, mistakes[which].command, "", true, mistakes[which].reply);

	/* A mistake buys no time. */
	normal_client->renewed = renewed;
	return expected;
}

/* One connection from the greeting to the client's leave. */
static void
converse(struct normal_client *normal_client, const atomic_bool *stopping)
{
	unsigned messages = 1 + prng_below(&normal_client->prng, CONNECTION_MESSAGES);
	char host[MESSAGE_NAME_SIZE];
	bool going_on;

	checks_count(TALLY_HONEST_CONNECTION);
	message_host(normal_client->stream, host);
	going_on = expect_line(normal_client, "220 netid SMTP CS4410MP3") &&
		   command(normal_client, "helo ", host, true, "250 netid");
	while (going_on && messages > 0 && !atomic_load(stopping)) {
		if (prng_one_in(&normal_client->prng, MISTAKE_ONCE_IN)) {
			going_on = err(normal_client);
		}
		going_on = going_on && deliver(normal_client);
		messages--;
	}
}

void
normal_client_run(const struct clients_rules *rules, unsigned stream, const atomic_bool *stopping)
{
	struct normal_client normal_client = {
	    .rules = rules, .stream = stream, .prng = prng_init(stream, stream)};

	while (!atomic_load(stopping)) {
		normal_client.renewed = wire_now();
		if (wire_open(&normal_client.wire)) {
			text_clear(&normal_client.batch);
			converse(&normal_client, stopping);
			wire_close(&normal_client.wire, false);
		}
	}
	message_free(&normal_client.message);
	text_free(&normal_client.batch);
}
