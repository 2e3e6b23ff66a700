/*
 * NAME
 *	honest - clients that mean well, and note what they are told
 *
 * DESCRIPTION
 *	A connection delivers a number of messages, each either command by command or all in one
 *	send before any reply was read, as the course's own client does. Every reply is compared as
 *	a whole, and now and then a mistake is made on purpose.
 *
 *	On a busy machine an honest client may be too slow for the server's timeout, too. Then it is
 *	told 421 like everybody else, never early, and begins anew; the message was not delivered.
 */

#include "honest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "ledger.h"
#include "message.h"
#include "verdict.h"
#include "wire.h"

/* Messages of a connection, at most; how rare a mistake is. */
#define CONNECTION_MESSAGES 60
#define MISTAKE_ONCE_IN     16

#define COMMAND_SIZE (MESSAGE_NAME_SIZE + 32)
#define DECIMAL      10

#define DELIVERED "250 OK:  delivered message "
#define TIMED_OUT "421 4.4.2 netid Error: timeout exceeded"

struct honest {
	const struct clients_rules *rules;
	unsigned stream;
	unsigned sequence; /* of the next message */
	struct chance chance;
	struct wire wire;
	double renewed; /* when at the earliest the server may have begun to count the time */
	struct message message;
	struct text batch; /* commands and data to be sent at once */
};

/* Judge the end of the connection, which the client did not ask for. */
static void
judge_end(const struct honest *honest, enum wire_line got, const char *line)
{
	double waited = wire_now() - honest->renewed;

	if (got == WIRE_LINE && strcmp(line, TIMED_OUT) == 0) {
		verdict_count(TALLY_HONEST_CUT);
		if (waited < honest->rules->timeout) {
			verdict_fail(CHECK_TIMEOUTS, "honest client cut after %.3f s", waited);
		}
	} else if (got == WIRE_LINE) {
		verdict_fail(CHECK_HONEST_REPLIES, "unexpected: %s", line);
	} else {
		verdict_fail(CHECK_HONEST_REPLIES, "connection %s after %.3f s",
		    got == WIRE_NOTHING ? "silent" : "lost", waited);
	}
}

/* Receive a reply that must begin with `expected`, and is that if `whole`. Returns whether it does. */
static bool
expect(struct honest *honest, const char *expected, bool whole, char line[static WIRE_LINE_SIZE])
{
	enum wire_line got = wire_receive(&honest->wire, line);
	size_t length = strlen(expected);

	if (got == WIRE_LINE && strncmp(line, expected, length) == 0 &&
	    (!whole || line[length] == '\0')) {
		return true;
	}
	judge_end(honest, got, line);
	return false;
}

static bool
expect_line(struct honest *honest, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	return expect(honest, expected, true, line);
}

/* Send what is in the batch. That the server has gone is noticed when its reply is missing. */
static void
send_batch(struct honest *honest)
{
	honest->renewed = wire_now();
	wire_send(&honest->wire, honest->batch.bytes, honest->batch.length);
	text_clear(&honest->batch);
}

/* Add a command to the batch and, `step` by step, send it and expect the reply. */
static bool
command(
    struct honest *honest, const char *name, const char *argument, bool step, const char *expected)
{
	text_add_string(&honest->batch, name);
	text_add_string(&honest->batch, argument);
	text_add_string(&honest->batch, "\r\n");
	if (!step) {
		return true;
	}
	send_batch(honest);
	return expect_line(honest, expected);
}

/* The envelope, and DATA; the replies are expected if `step`. */
static bool
envelope(struct honest *honest, bool step)
{
	char name[MESSAGE_NAME_SIZE];

	message_sender(&honest->message, name);
	if (!command(honest, "MAIL FROM: ", name, step, "250 OK")) {
		return false;
	}
	for (unsigned i = 0; i < honest->message.recipients; i++) {
		message_recipient(&honest->message, i, name);
		if (!command(honest, "RCPT TO:", name, step, "250 OK")) {
			return false;
		}
	}
	return command(honest, "DATA", "", step, "354 End data with <CR><LF>.<CR><LF>");
}

/* The replies to an envelope that was sent at once. */
static bool
expect_envelope(struct honest *honest)
{
	for (unsigned i = 0; i <= honest->message.recipients; i++) {
		if (!expect_line(honest, "250 OK")) {
			return false;
		}
	}
	return expect_line(honest, "354 End data with <CR><LF>.<CR><LF>");
}

/* Deliver the next message. Returns whether the connection can go on. */
static bool
deliver(struct honest *honest)
{
	bool step = chance_once_in(&honest->chance, 2);
	char line[WIRE_LINE_SIZE];

	message_make(&honest->message, honest->stream, honest->sequence);
	if (!envelope(honest, step)) {
		return false;
	}
	text_add(&honest->batch, honest->message.sent.bytes, honest->message.sent.length);
	send_batch(honest);
	if ((!step && !expect_envelope(honest)) || !expect(honest, DELIVERED, false, line)) {
		return false;
	}
	ledger_note(
	    strtoul(line + strlen(DELIVERED), NULL, DECIMAL), honest->stream, honest->sequence);
	honest->sequence++;
	return true;
}

/* Make a mistake, which must change nothing. */
static bool
err(struct honest *honest)
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
	unsigned which = chance_below(&honest->chance, sizeof mistakes / sizeof mistakes[0]);
	double renewed = honest->renewed;
	bool expected = command(honest, mistakes[which].command, "", true, mistakes[which].reply);

	/* A mistake buys no time. */
	honest->renewed = renewed;
	return expected;
}

/* One connection from the greeting to the client's leave. */
static void
converse(struct honest *honest, const atomic_bool *stopping)
{
	unsigned messages = 1 + chance_below(&honest->chance, CONNECTION_MESSAGES);
	char host[MESSAGE_NAME_SIZE];
	bool going_on;

	verdict_count(TALLY_HONEST_CONNECTION);
	message_host(honest->stream, host);
	going_on = expect_line(honest, "220 netid SMTP CS4410MP3") &&
		   command(honest, "helo ", host, true, "250 netid");
	while (going_on && messages > 0 && !atomic_load(stopping)) {
		if (chance_once_in(&honest->chance, MISTAKE_ONCE_IN)) {
			going_on = err(honest);
		}
		going_on = going_on && deliver(honest);
		messages--;
	}
}

void
honest_run(const struct clients_rules *rules, unsigned stream, const atomic_bool *stopping)
{
	struct honest honest = {
	    .rules = rules, .stream = stream, .chance = chance_seed(stream, stream)};

	while (!atomic_load(stopping)) {
		honest.renewed = wire_now();
		if (wire_open(&honest.wire)) {
			text_clear(&honest.batch);
			converse(&honest, stopping);
			wire_close(&honest.wire, false);
		}
	}
	message_free(&honest.message);
	text_free(&honest.batch);
}
