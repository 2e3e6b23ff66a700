/*
 * NAME
 *	normal_client - clients that deliver messages and check every reply
 *
 * DESCRIPTION
 *	Each connection delivers several messages, either command by command or pipelined in one
 *	send(), as the client of the course does. Every reply is compared completely, but for the
 *	number of the message. Now and then the client sends an invalid command.
 *
 *	On a busy machine a normal client may exceed the timeout of the server. It then gets a 421,
 *	which must not be early, and connects again; its message was not delivered.
 */

#include "normal_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "clock.h"
#include "fail.h"
#include "ledger.h"
#include "message.h"
#include "prng.h"
#include "wire.h"

/* Most messages of a connection; one invalid command in this many messages. */
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
	double timeout_start; /* earliest possible start of the current timeout */
	struct message message;
	struct bytes unsent; /* commands and data to be sent at once */
};

/* Check an end of the connection that the client did not request. */
static void
check_end(const struct normal_client *client, enum wire_line got, const char *line)
{
	double waited = clock_now() - client->timeout_start;

	if (got == WIRE_LINE && strcmp(line, TIMED_OUT) == 0) {
		checks_count(COUNTER_NORMAL_TIMED_OUT);
		if (waited < client->rules->timeout) {
			checks_fail(CHECK_TIMEOUTS, "normal client timed out after %.3f s", waited);
		}
	} else if (got == WIRE_LINE) {
		checks_fail(CHECK_NORMAL_REPLIES, "unexpected: %s", line);
	} else {
		checks_fail(CHECK_NORMAL_REPLIES, "connection %s after %.3f s",
		    got == WIRE_TIMEOUT ? "silent" : "lost", waited);
	}
}

/* What must be equal to the expected text. */
enum match {
	WHOLE_LINE,
	BEGINNING
};

/* Receive a reply into `line`. Returns whether it is as expected. */
static bool
expect(struct normal_client *client, const char *expected, enum match match,
    char line[static WIRE_LINE_SIZE])
{
	enum wire_line got = wire_receive(&client->wire, line);
	size_t length = strlen(expected);

	if (got == WIRE_LINE && strncmp(line, expected, length) == 0 &&
	    (match == BEGINNING || line[length] == '\0')) {
		return true;
	}
	check_end(client, got, line);
	return false;
}

static bool
expect_line(struct normal_client *client, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	return expect(client, expected, WHOLE_LINE, line);
}

/* Send the unsent commands. A failed send() shows as a missing reply. */
static void
send_unsent(struct normal_client *client)
{
	client->timeout_start = clock_now();
	wire_send(&client->wire, client->unsent.at, client->unsent.length);
	bytes_clear(&client->unsent);
}

/* Add a command to the unsent ones. */
static void
add_command(struct normal_client *client, const char *name, const char *argument)
{
	bytes_add_string(&client->unsent, name);
	bytes_add_string(&client->unsent, argument);
	bytes_add_string(&client->unsent, "\r\n");
}

/* Send a command and check the reply. */
static bool
send_command(
    struct normal_client *client, const char *name, const char *argument, const char *expected)
{
	add_command(client, name, argument);
	send_unsent(client);
	return expect_line(client, expected);
}

/* Add a command to the unsent ones; if `step`, send it and check the reply. */
static bool
command(struct normal_client *client, const char *name, const char *argument, bool step,
    const char *expected)
{
	if (step) {
		return send_command(client, name, argument, expected);
	}
	add_command(client, name, argument);
	return true;
}

/* Add the envelope and DATA; if `step`, send them one by one and check the replies. */
static bool
envelope(struct normal_client *client, bool step)
{
	char name[MESSAGE_NAME_SIZE];

	message_sender(&client->message, name);
	if (!command(client, "MAIL FROM: ", name, step, "250 OK")) {
		return false;
	}
	for (unsigned i = 0; i < client->message.recipients; i++) {
		message_recipient(&client->message, i, name);
		if (!command(client, "RCPT TO:", name, step, "250 OK")) {
			return false;
		}
	}
	return command(client, "DATA", "", step, "354 End data with <CR><LF>.<CR><LF>");
}

/* Check the replies to a pipelined envelope. */
static bool
expect_envelope(struct normal_client *client)
{
	for (unsigned i = 0; i <= client->message.recipients; i++) {
		if (!expect_line(client, "250 OK")) {
			return false;
		}
	}
	return expect_line(client, "354 End data with <CR><LF>.<CR><LF>");
}

/* Deliver the next message. Returns whether the connection can be used further. */
static bool
deliver(struct normal_client *client)
{
	bool step = prng_one_in(&client->prng, 2);
	char line[WIRE_LINE_SIZE];

	message_make(&client->message, client->stream, client->sequence);
	if (!envelope(client, step)) {
		return false;
	}
	bytes_add(&client->unsent, client->message.sent.at, client->message.sent.length);
	send_unsent(client);
	if ((!step && !expect_envelope(client)) || !expect(client, DELIVERED, BEGINNING, line)) {
		return false;
	}
	ledger_record(
	    strtoul(line + strlen(DELIVERED), NULL, DECIMAL), client->stream, client->sequence);
	client->sequence++;
	return true;
}

/* Send an invalid command, which must not change any state. */
static bool
send_mistake(struct normal_client *client)
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
	size_t which = (size_t)prng_below(&client->prng, ARRAY_LENGTH(mistakes));
	double timeout_start = client->timeout_start;
	bool expected = send_command(client, mistakes[which].command, "", mistakes[which].reply);

	/* An invalid command does not extend the timeout. */
	client->timeout_start = timeout_start;
	return expected;
}

/* Run one connection from the greeting to its end. */
static void
run_connection(struct normal_client *client, const atomic_bool *stopping)
{
	unsigned messages = 1 + (unsigned)prng_below(&client->prng, CONNECTION_MESSAGES);
	char host[MESSAGE_NAME_SIZE];
	bool usable;

	checks_count(COUNTER_NORMAL_CONNECTION);
	message_host(client->stream, host);
	usable = expect_line(client, "220 netid SMTP CS4410MP3") &&
		 send_command(client, "helo ", host, "250 netid");
	while (usable && messages > 0 && !atomic_load(stopping)) {
		if (prng_one_in(&client->prng, MISTAKE_ONCE_IN)) {
			usable = send_mistake(client);
		}
		usable = usable && deliver(client);
		messages--;
	}
}

void
normal_client_run(const struct clients_rules *rules, unsigned stream, const atomic_bool *stopping)
{
	struct normal_client client = {
	    .rules = rules, .stream = stream, .prng = prng_init(stream, stream)};

	while (!atomic_load(stopping)) {
		client.timeout_start = clock_now();
		if (wire_open(&client.wire)) {
			bytes_clear(&client.unsent);
			run_connection(&client, stopping);
			wire_close(&client.wire);
		}
	}
	message_free(&client.message);
	bytes_free(&client.unsent);
}
