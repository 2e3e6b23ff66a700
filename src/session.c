/*
 * NAME
 *	session - the SMTP conversation with one client
 *
 * DESCRIPTION
 *	Bytes become lines or, in the data phase, a message; a line becomes a command; and a command
 *	is judged by the table of rules, in the order in which faults take precedence: recognized,
 *	in order, in syntax, an address in its argument, not too late, not too many.
 *
 * DIAGNOSTICS
 *	Whatever goes wrong is a reply to the client. Memory that cannot be had is 451.
 */

#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Room for a number of 64 bits in decimal digits, as a string. */
#define NUMBER_SIZE sizeof "18446744073709551615"

/* Carries out a command that has passed all rules, and says how that went. */
typedef enum reply accept_function(struct session *session, const struct command *command);

static accept_function accept_helo, accept_helo_anew, accept_ehlo, accept_mail, accept_rcpt,
    accept_data, accept_rset, accept_noop, accept_vrfy, accept_help, accept_quit;

/* For what cannot happen: a command without an address, or one that is never too late. */
#define NEVER REPLY_LOCAL_ERROR

/*
 * What holds for each verb: from which state to which it may come, and what it is told otherwise.
 */
static const struct rule {
	enum state earliest;
	enum state latest;
	enum reply syntax;
	enum reply bad_address;
	enum reply too_late;
	accept_function *accept;
} rules[VERBS] = {
    [VERB_HELO] = {STATE_HELO, STATE_HELO, REPLY_SYNTAX_HELO, NEVER, REPLY_DUPLICATE_HELO,
	accept_helo},
    [VERB_HELO_ANEW] = {STATE_HELO, STATE_RCPT_OR_DATA, REPLY_SYNTAX_HELO, NEVER, NEVER,
	accept_helo_anew},
    [VERB_EHLO] = {STATE_HELO, STATE_RCPT_OR_DATA, REPLY_SYNTAX_EHLO, NEVER, NEVER, accept_ehlo},
    [VERB_MAIL] = {STATE_MAIL, STATE_MAIL, REPLY_SYNTAX_MAIL, REPLY_SENDER_REJECTED,
	REPLY_NESTED_MAIL, accept_mail},
    [VERB_RCPT] = {STATE_RCPT, STATE_RCPT_OR_DATA, REPLY_SYNTAX_RCPT, REPLY_RECIPIENT_INVALID,
	NEVER, accept_rcpt},
    [VERB_DATA] = {STATE_RCPT_OR_DATA, STATE_RCPT_OR_DATA, REPLY_SYNTAX_DATA, NEVER, NEVER,
	accept_data},
    [VERB_RSET] = {STATE_HELO, STATE_RCPT_OR_DATA, REPLY_SYNTAX_RSET, NEVER, NEVER, accept_rset},
    [VERB_NOOP] = {STATE_HELO, STATE_RCPT_OR_DATA, NEVER, NEVER, NEVER, accept_noop},
    [VERB_VRFY] = {STATE_HELO, STATE_RCPT_OR_DATA, REPLY_SYNTAX_VRFY, NEVER, NEVER, accept_vrfy},
    [VERB_HELP] = {STATE_HELO, STATE_RCPT_OR_DATA, NEVER, NEVER, NEVER, accept_help},
    [VERB_QUIT] = {STATE_HELO, STATE_RCPT_OR_DATA, REPLY_SYNTAX_QUIT, NEVER, NEVER, accept_quit},
};

/* What each state says to a command for which it is too early. */
static const enum reply too_early[] = {
    [STATE_HELO] = REPLY_NEED_HELO,
    [STATE_MAIL] = REPLY_NEED_MAIL,
    [STATE_RCPT] = REPLY_NEED_RCPT,
};

/* What the client is told of a message that could not be kept. */
static const enum reply message_faults[] = {
    [MESSAGE_FINE] = REPLY_OK,
    [MESSAGE_TOO_BIG] = REPLY_MESSAGE_TOO_BIG,
    [MESSAGE_NO_MEMORY] = REPLY_LOCAL_ERROR,
};

/* ---- replies ---- */

static void
add_reply(struct session *session, enum reply reply, const char *insert, size_t length)
{
	session->output_length +=
	    reply_format(reply, insert, length, session->output + session->output_length);
}

/* Say something in a place where it should have been said before. */
static void
insert_reply(struct session *session, size_t place, enum reply reply, const char *insert, size_t length)
{
	char line[REPLY_SIZE];
	size_t line_length = reply_format(reply, insert, length, line);
	char *output = session->output + place;

	memmove(output + line_length, output, session->output_length - place);
	memcpy(output, line, line_length);
	session->output_length += line_length;
}

/* Whether there is no room for one more reply, and those that will be put before it. */
static bool
output_is_full(const struct session *session)
{
	size_t missing = session_messages(session) * DELIVERY_REPLY_SIZE;

	return session->output_length + missing > OUTPUT_SIZE - REPLY_SIZE;
}

void
session_reply(struct session *session, enum reply reply)
{
	add_reply(session, reply, session->netid, strlen(session->netid));
}

void
session_sent(struct session *session, size_t length)
{
	session->output_length -= length;
	memmove(session->output, session->output + length, session->output_length);
}

/* Write a number in decimal digits; return how many. */
static size_t
format_number(uint64_t number, char digits[static NUMBER_SIZE])
{
	return (size_t)snprintf(digits, NUMBER_SIZE, "%" PRIu64, number);
}

/* ---- commands ---- */

static enum reply
accept_helo(struct session *session, const struct command *command)
{
	enum message_fault fault =
	    message_set_host(&session->message, command->argument, command->length);

	/* Without room for the new host there is none, not even an earlier one. */
	session->state = fault == MESSAGE_FINE ? STATE_MAIL : STATE_HELO;
	return fault == MESSAGE_FINE ? REPLY_HELO : message_faults[fault];
}

/* Let a command pass that moves nothing forward, unless there have been too many of them. */
static enum reply
count_junk(struct session *session, enum reply reply)
{
	if (session->junk_commands == JUNK_COMMANDS_MAX) {
		session->closing = true;
		return REPLY_TOO_MANY_COMMANDS;
	}
	session->junk_commands++;
	return reply;
}

static enum reply
accept_helo_anew(struct session *session, const struct command *command)
{
	enum reply reply =
	    session->state == STATE_HELO ? REPLY_HELO : count_junk(session, REPLY_HELO);

	return reply == REPLY_HELO ? accept_helo(session, command) : reply;
}

static enum reply
accept_ehlo(struct session *session, const struct command *command)
{
	enum reply reply = accept_helo_anew(session, command);
	char limit[NUMBER_SIZE];

	if (reply != REPLY_HELO) {
		return reply;
	}
	session_reply(session, REPLY_EHLO);
	session_reply(session, REPLY_EHLO_PIPELINING);
	add_reply(session, REPLY_EHLO_SIZE, limit, format_number(session->message.max_size, limit));
	return REPLY_EHLO_8BITMIME;
}

static enum reply
accept_mail(struct session *session, const struct command *command)
{
	enum message_fault fault;

	if (command->size > session->message.max_size) {
		return REPLY_MESSAGE_TOO_BIG;
	}
	fault = message_set_sender(&session->message, command->argument, command->length);
	if (fault == MESSAGE_FINE) {
		session->state = STATE_RCPT;
	}
	return message_faults[fault];
}

static enum reply
accept_rcpt(struct session *session, const struct command *command)
{
	enum message_fault fault =
	    message_add_recipient(&session->message, command->argument, command->length);

	if (fault == MESSAGE_TOO_BIG) {
		return REPLY_TOO_MANY_RECIPIENTS;
	}
	if (fault == MESSAGE_FINE) {
		session->state = STATE_RCPT_OR_DATA;
	}
	return message_faults[fault];
}

static enum reply
accept_data(struct session *session, const struct command *command)
{
	(void)command;
	message_start_body(&session->message);
	session->state = STATE_DATA;
	return REPLY_START_DATA;
}

static enum reply
accept_rset(struct session *session, const struct command *command)
{
	(void)command;
	if (session->state > STATE_MAIL) {
		message_reset(&session->message);
		session->state = STATE_MAIL;
	}
	return count_junk(session, REPLY_OK);
}

static enum reply
accept_noop(struct session *session, const struct command *command)
{
	(void)command;
	return count_junk(session, REPLY_OK);
}

static enum reply
accept_vrfy(struct session *session, const struct command *command)
{
	(void)command;
	return count_junk(session, REPLY_CANNOT_VERIFY);
}

static enum reply
accept_help(struct session *session, const struct command *command)
{
	(void)command;
	return count_junk(session, REPLY_HELP);
}

static enum reply
accept_quit(struct session *session, const struct command *command)
{
	(void)command;
	session->closing = true;
	return REPLY_CLOSING;
}

/* Judge a command by the rules, and carry it out if it passes. */
static enum reply
dispatch(struct session *session, const struct command *command)
{
	const struct rule *rule = &rules[command->verb];

	if (command->verb == VERB_UNRECOGNIZED) {
		return REPLY_UNRECOGNIZED;
	}
	if (session->state < rule->earliest) {
		return too_early[session->state];
	}
	if (command->fault == COMMAND_SYNTAX) {
		return rule->syntax;
	}
	if (command->fault == COMMAND_BAD_ADDRESS) {
		return rule->bad_address;
	}
	if (command->fault == COMMAND_BAD_PARAMETER) {
		return REPLY_UNSUPPORTED_OPTION;
	}
	if (session->state > rule->latest) {
		return rule->too_late;
	}
	return rule->accept(session, command);
}

static void
handle_command(struct session *session, const char *line, size_t length)
{
	struct command command = command_parse(line, length, session->protocol);
	enum reply reply = dispatch(session, &command);

	session->progressed |= reply_is_positive(reply);
	if (reply_takes_netid(reply)) {
		session_reply(session, reply);
	} else {
		add_reply(session, reply, command.argument, command.length);
	}
}

/* ---- lines ---- */

/* Take a whole line, without its line feed. */
static void
handle_line(struct session *session, const char *line, size_t length)
{
	if (length > 0 && line[length - 1] == '\r') {
		length--;
	}
	if (length > COMMAND_LINE_MAX) {
		add_reply(session, REPLY_LINE_TOO_LONG, "", 0);
	} else {
		handle_command(session, line, length);
	}
}

/* Keep a piece of a line whose end has not come yet, or note that it has become too long. */
static void
buffer_line(struct session *session, const char *bytes, size_t length)
{
	if (length > sizeof session->line - session->line_length) {
		session->line_too_long = true;
		session->line_length = 0;
	}
	if (!session->line_too_long) {
		memcpy(session->line + session->line_length, bytes, length);
		session->line_length += length;
	}
}

/* Take bytes of the command phase up to and with the next line feed. Returns how many. */
static size_t
feed_line(struct session *session, const char *bytes, size_t length)
{
	const char *line_feed = memchr(bytes, '\n', length);
	size_t piece = line_feed != NULL ? (size_t)(line_feed - bytes) : length;

	if (line_feed != NULL && session->line_length == 0 && !session->line_too_long) {
		handle_line(session, bytes, piece);
		return piece + 1;
	}
	buffer_line(session, bytes, piece);
	if (line_feed == NULL) {
		return piece;
	}
	if (session->line_too_long) {
		add_reply(session, REPLY_LINE_TOO_LONG, "", 0);
	} else {
		handle_line(session, session->line, session->line_length);
	}
	session->line_too_long = false;
	session->line_length = 0;
	return piece + 1;
}

/* ---- data ---- */

/* Take bytes of the data phase up to and with its end. Returns how many. */
static size_t
feed_data(struct session *session, const char *bytes, size_t length)
{
	size_t taken = message_scan(&session->message, bytes, length);

	if (message_complete(&session->message)) {
		size_t index = session_messages(session) - 1;

		session->reply_offsets[index] = session->output_length;
		session->state = STATE_MAIL;
		session->progressed = true;
		if (session_message_error(session, index) == 0) {
			session->junk_commands = 0;
		}
	}
	return taken;
}

size_t
session_messages(const struct session *session)
{
	return session->message.completed_count;
}

int
session_message_error(const struct session *session, size_t index)
{
	static const int errors[] = {
	    [MESSAGE_FINE] = 0,
	    [MESSAGE_TOO_BIG] = EMSGSIZE,
	    [MESSAGE_NO_MEMORY] = ENOMEM,
	};

	return errors[session->message.ended[index].fault];
}

struct record
session_record(const struct session *session, size_t index)
{
	return message_record(&session->message, index);
}

struct envelope
session_envelope(const struct session *session, size_t index)
{
	return message_envelope(&session->message, index);
}

/* What the client is told of a message that was not stored for this reason. */
static enum reply
reply_for_error(int error)
{
	switch (error) {
	case EMSGSIZE:
		return REPLY_MESSAGE_TOO_BIG;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return REPLY_STORAGE_FULL;
	default:
		return REPLY_LOCAL_ERROR;
	}
}

void
session_delivered(struct session *session, const struct delivery *deliveries)
{
	/* From the last: so the reply_offsets of those that are missing stay where they are. */
	for (size_t i = session_messages(session); i-- > 0;) {
		const struct delivery *delivery = &deliveries[i];
		enum reply reply =
		    delivery->error == 0 ? REPLY_DELIVERED : reply_for_error(delivery->error);
		char digits[NUMBER_SIZE];
		size_t length = format_number(delivery->number, digits);

		insert_reply(session, session->reply_offsets[i], reply, digits, length);
	}
	message_discard_completed(&session->message);
}

/* ---- the whole ---- */

void
session_init(struct session *session, const char *netid, size_t max_size, enum protocol protocol)
{
	session->netid = netid;
	session->protocol = protocol;
	message_init(&session->message, netid, max_size);
	session_reset(session);
}

void
session_destroy(struct session *session)
{
	message_destroy(&session->message);
}

void
session_reset(struct session *session)
{
	session->state = STATE_HELO;
	session->progressed = false;
	session->closing = false;
	session->junk_commands = 0;
	session->line_too_long = false;
	session->line_length = 0;
	session->output_length = 0;
	message_clear(&session->message);
}

size_t
session_feed(struct session *session, const char *bytes, size_t length, enum session_want *want)
{
	size_t consumed = 0;

	/* Room for one reply is room enough for whatever comes next. */
	while (consumed < length && !session->closing && !output_is_full(session) &&
	       !message_batch_full(&session->message)) {
		if (session->state == STATE_DATA) {
			consumed += feed_data(session, bytes + consumed, length - consumed);
		} else {
			consumed += feed_line(session, bytes + consumed, length - consumed);
		}
	}
	if (session_messages(session) > 0) {
		*want = SESSION_DELIVERY;
	} else if (session->closing) {
		*want = SESSION_END;
	} else {
		*want = consumed < length ? SESSION_FLUSH : SESSION_INPUT;
	}
	return consumed;
}

bool
session_in_data(const struct session *session)
{
	return session->state == STATE_DATA;
}

bool
session_progressed(struct session *session)
{
	bool progressed = session->progressed;

	session->progressed = false;
	return progressed;
}
