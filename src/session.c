/*
 * DESCRIPTION
 *	Bytes are split into lines or, in the data phase, scanned into a message. Each line is
 *	parsed into a command, which is checked against the table of rules. The first error in this
 *	order is the reply: unrecognized, too early, syntax, bad address, bad parameter, too late,
 *	too many junk commands.
 */

#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a 64-bit number in decimal, as a string. */
#define NUMBER_SIZE sizeof "18446744073709551615"

/* Carries out a command that has passed all rules. Returns the reply. */
typedef enum reply accept_function(struct session *session, const struct command *command);

static accept_function accept_helo, accept_ehlo, accept_mail, accept_rcpt, accept_data, accept_rset,
    accept_help, accept_auth_plain, accept_auth_login;

/* Which commands are junk: they do not lead towards a message, and are counted with ESMTP. */
enum junk {
	NOT_JUNK,
	JUNK_IF_REPEATED, /* in every state but STATE_HELO */
	JUNK
};

/* The first and the last state in which a command is allowed. */
#define STATES(first, last) .earliest = (first), .latest = (last)
#define ANY_STATE           STATES(STATE_HELO, STATE_RCPT_OR_DATA)

/*
 * The rule for each verb. A reply is left out if it is unreachable: the command has no argument
 * that can be wrong, or no latest state.
 */
static const struct rule {
	enum state earliest; /* before it the reply is too_early[] */
	enum state latest;   /* after it the reply is `too_late` */
	bool repeatable;     /* with ESMTP it is never too late */
	enum junk junk;
	enum session_end end; /* close the connection after the reply */
	enum reply syntax_error;
	enum reply bad_address;
	enum reply too_late;
	enum reply reply;        /* if the command is accepted and `accept` is NULL */
	accept_function *accept; /* or NULL */
} rules[VERBS] = {
    [VERB_HELO] = {STATES(STATE_HELO, STATE_HELO), .repeatable = true, .junk = JUNK_IF_REPEATED,
	.syntax_error = REPLY_SYNTAX_HELO, .too_late = REPLY_DUPLICATE_HELO, .accept = accept_helo},
    [VERB_EHLO] = {ANY_STATE, .junk = JUNK_IF_REPEATED, .accept = accept_ehlo},
    [VERB_MAIL] = {STATES(STATE_MAIL, STATE_MAIL), .syntax_error = REPLY_SYNTAX_MAIL,
	.bad_address = REPLY_SENDER_REJECTED, .too_late = REPLY_NESTED_MAIL, .accept = accept_mail},
    [VERB_RCPT] = {STATES(STATE_RCPT, STATE_RCPT_OR_DATA), .syntax_error = REPLY_SYNTAX_RCPT,
	.bad_address = REPLY_RECIPIENT_INVALID, .accept = accept_rcpt},
    [VERB_DATA] = {STATES(STATE_RCPT_OR_DATA, STATE_RCPT_OR_DATA),
	.syntax_error = REPLY_SYNTAX_DATA, .accept = accept_data},
    [VERB_RSET] = {ANY_STATE, .junk = JUNK, .syntax_error = REPLY_SYNTAX_RSET,
	.accept = accept_rset},
    [VERB_NOOP] = {ANY_STATE, .junk = JUNK, .reply = REPLY_OK},
    [VERB_VRFY] = {ANY_STATE, .junk = JUNK, .syntax_error = REPLY_SYNTAX_VRFY,
	.reply = REPLY_CANNOT_VERIFY},
    [VERB_HELP] = {ANY_STATE, .junk = JUNK, .accept = accept_help},
    [VERB_QUIT] = {ANY_STATE, .end = SESSION_QUIT, .syntax_error = REPLY_SYNTAX_QUIT,
	.reply = REPLY_CLOSING},
    [VERB_AUTH_PLAIN] = {STATES(STATE_MAIL, STATE_MAIL), .junk = JUNK,
	.syntax_error = REPLY_SYNTAX_AUTH, .too_late = REPLY_NESTED_AUTH,
	.accept = accept_auth_plain},
    [VERB_AUTH_LOGIN] = {STATES(STATE_MAIL, STATE_MAIL), .junk = JUNK,
	.syntax_error = REPLY_SYNTAX_AUTH, .too_late = REPLY_NESTED_AUTH,
	.accept = accept_auth_login},
    [VERB_AUTH] = {STATES(STATE_MAIL, STATE_MAIL), .syntax_error = REPLY_SYNTAX_AUTH,
	.too_late = REPLY_NESTED_AUTH, .reply = REPLY_UNKNOWN_MECHANISM},
    [VERB_HTTP_REQUEST] = {ANY_STATE, .end = SESSION_NOT_A_MAIL_CLIENT,
	.reply = REPLY_NOT_A_MAIL_CLIENT},
};

/* The 503 reply to a command that comes too early, by state. */
static const enum reply too_early[] = {
    [STATE_HELO] = REPLY_NEED_HELO,
    [STATE_MAIL] = REPLY_NEED_MAIL,
    [STATE_RCPT] = REPLY_NEED_RCPT,
};

/* The challenge that asks for each response of AUTH, and what comes after it. */
static const struct login_step {
	enum reply challenge;
	enum login next;
} login_steps[] = {
    [LOGIN_CREDENTIALS] = {REPLY_ASK_CREDENTIALS, LOGIN_DONE},
    [LOGIN_USERNAME] = {REPLY_ASK_USERNAME, LOGIN_PASSWORD},
    [LOGIN_PASSWORD] = {REPLY_ASK_PASSWORD, LOGIN_DONE},
    [LOGIN_DONE] = {REPLY_LOGGED_IN, LOGIN_DONE},
};

static bool
is_extended(const struct session *session)
{
	return session->protocol != PROTOCOL_SMTP;
}

/* ---- replies ---- */

/* Add a reply to `output`; `insert` is used as reply_format() says. */
static void
add_reply(struct session *session, enum reply reply, const char *insert, size_t length)
{
	session->output_length +=
	    reply_format(reply, insert, length, session->output + session->output_length);
}

/* Insert the reply to a message before the replies to the commands that followed it. */
static void
insert_reply(
    struct session *session, size_t offset, enum reply reply, const char *insert, size_t length)
{
	char line[REPLY_SIZE];
	size_t line_length = reply_format(reply, insert, length, line);
	char *output = session->output + offset;

	memmove(output + line_length, output, session->output_length - offset);
	memcpy(output, line, line_length);
	session->output_length += line_length;
}

/* Return whether one more reply might not fit, with those still to be inserted. */
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
session_greet(struct session *session)
{
	session_reply(session, is_extended(session) ? REPLY_ESMTP_GREETING : REPLY_GREETING);
}

void
session_sent(struct session *session, size_t length)
{
	session->output_length -= length;
	memmove(session->output, session->output + length, session->output_length);
}

/* Format a number in decimal. Returns the count of digits. */
static size_t
format_number(uint64_t number, char digits[static NUMBER_SIZE])
{
	return (size_t)snprintf(digits, NUMBER_SIZE, "%" PRIu64, number);
}

/* ---- commands ---- */

/*
 * Copy the name of a client, of which ESMTP accepts any: '?' for each byte outside 0x21-0x7E, and
 * "unknown" for none at all. Returns its length.
 */
static size_t
copy_host(const struct command *command, char host[static COMMAND_LINE_MAX])
{
	static const char unknown[] = "unknown";

	if (command->length == 0) {
		memcpy(host, unknown, sizeof unknown - 1);
		return sizeof unknown - 1;
	}
	for (size_t i = 0; i < command->length; i++) {
		char byte = command->argument[i];

		host[i] = '?';
		if (byte >= 0x21 && byte <= 0x7e) {
			host[i] = byte;
		}
	}
	return command->length;
}

static enum reply
accept_helo(struct session *session, const struct command *command)
{
	char host[COMMAND_LINE_MAX];
	int error = message_set_host(&session->message, host, copy_host(command, host));

	/* On failure the earlier host name is gone as well: HELO is needed again. */
	session->state = error == 0 ? STATE_MAIL : STATE_HELO;
	return error == 0 ? REPLY_HELO : reply_for_error(error);
}

/* Add the lines of the reply but the last. Returns the last line, or the reply to an error. */
static enum reply
accept_ehlo(struct session *session, const struct command *command)
{
	enum reply reply = accept_helo(session, command);
	char limit[NUMBER_SIZE];

	if (reply != REPLY_HELO) {
		return reply;
	}
	session_reply(session, REPLY_EHLO);
	session_reply(session, REPLY_EHLO_PIPELINING);
	add_reply(session, REPLY_EHLO_SIZE, limit, format_number(session->message.max_size, limit));
	session_reply(session, REPLY_EHLO_8BITMIME);
	if (session->protocol == PROTOCOL_ESMTP_LOGIN) {
		session_reply(session, REPLY_EHLO_AUTH);
	}
	return REPLY_EHLO_SMTPUTF8;
}

static enum reply
accept_mail(struct session *session, const struct command *command)
{
	int error;

	if (command->size > session->message.max_size) {
		return REPLY_MESSAGE_TOO_BIG;
	}
	error = message_set_sender(&session->message, command->argument, command->length);
	if (error != 0) {
		return reply_for_error(error);
	}
	session->smtputf8 = command->smtputf8;
	session->state = STATE_RCPT;
	return REPLY_OK;
}

static enum reply
accept_rcpt(struct session *session, const struct command *command)
{
	int error = message_add_recipient(&session->message, command->argument, command->length);

	if (error != 0) {
		return error == EMSGSIZE ? REPLY_TOO_MANY_RECIPIENTS : reply_for_error(error);
	}
	session->state = STATE_RCPT_OR_DATA;
	return REPLY_OK;
}

static enum reply
accept_data(struct session *session, const struct command *command)
{
	(void)command;
	message_start_body(&session->message);
	session->state = STATE_DATA;
	return REPLY_START_DATA;
}

/* Roll back to the state after HELO. */
static enum reply
accept_rset(struct session *session, const struct command *command)
{
	(void)command;
	if (session->state > STATE_MAIL) {
		message_reset(&session->message);
		session->state = STATE_MAIL;
	}
	return REPLY_OK;
}

static enum reply
accept_help(struct session *session, const struct command *command)
{
	(void)command;
	return session->protocol == PROTOCOL_ESMTP_LOGIN ? REPLY_HELP_LOGIN : REPLY_HELP;
}

/* Return whether the next line is a response to a challenge of AUTH, and no command. */
static bool
expects_response(const struct session *session)
{
	return session->login != LOGIN_NONE && session->login != LOGIN_DONE;
}

/* Proceed to the next step of AUTH. The response is not looked at. Returns the reply. */
static enum reply
accept_response(struct session *session)
{
	session->login = login_steps[session->login].next;
	return login_steps[session->login].challenge;
}

/* Start the exchange of AUTH with a challenge, or with the response that came with the command. */
static enum reply
start_login(struct session *session, const struct command *command, enum login first)
{
	if (session->login == LOGIN_DONE) {
		return REPLY_DUPLICATE_AUTH;
	}
	session->login = first;
	return command->length > 0 ? accept_response(session) : login_steps[first].challenge;
}

static enum reply
accept_auth_plain(struct session *session, const struct command *command)
{
	return start_login(session, command, LOGIN_CREDENTIALS);
}

static enum reply
accept_auth_login(struct session *session, const struct command *command)
{
	return start_login(session, command, LOGIN_USERNAME);
}

/* Count a command if it is junk. Returns false if there have been JUNK_COMMANDS_MAX before it. */
static bool
count_junk(struct session *session, const struct rule *rule)
{
	if (rule->junk == NOT_JUNK ||
	    (rule->junk == JUNK_IF_REPEATED && session->state == STATE_HELO)) {
		return true;
	}
	return session->junk_commands++ < JUNK_COMMANDS_MAX;
}

/* Check a command against its rule, and carry it out if it passes. Returns the reply. */
static enum reply
dispatch(struct session *session, const struct command *command)
{
	const struct rule *rule = &rules[command->verb];

	if (command->verb == VERB_UNRECOGNIZED ||
	    (command->verb == VERB_HTTP_REQUEST && !session->first_line)) {
		return REPLY_UNRECOGNIZED;
	}
	if (session->state < rule->earliest) {
		return too_early[session->state];
	}
	if (command->error == COMMAND_SYNTAX) {
		return rule->syntax_error;
	}
	if (command->error == COMMAND_BAD_ADDRESS) {
		return rule->bad_address;
	}
	if (command->error == COMMAND_BAD_PARAMETER) {
		return REPLY_UNSUPPORTED_PARAMETER;
	}
	if (session->state > rule->latest && !(rule->repeatable && is_extended(session))) {
		return rule->too_late;
	}
	if (!count_junk(session, rule)) {
		session->end = SESSION_TOO_MANY_COMMANDS;
		return REPLY_TOO_MANY_COMMANDS;
	}
	session->end = rule->end;
	return rule->accept != NULL ? rule->accept(session, command) : rule->reply;
}

/* Carry out the command in a line and add the reply to it. */
static void
handle_command(struct session *session, const char *line, size_t length)
{
	struct command command = command_parse(line, length, session->protocol, session->smtputf8);
	enum reply reply = dispatch(session, &command);

	session->progressed |= reply_is_positive(reply);
	if (reply_takes_netid(reply)) {
		session_reply(session, reply);
	} else {
		add_reply(session, reply, command.argument, command.length);
	}
}

/* ---- lines ---- */

/* Handle the response to a challenge of AUTH. "*" cancels the exchange, and is no base64 either. */
static void
handle_response(struct session *session, const char *line, size_t length)
{
	enum reply reply = REPLY_SYNTAX_AUTH;

	if (command_is_response(line, length)) {
		reply = accept_response(session);
	} else {
		session->login = LOGIN_NONE;
	}
	session->progressed |= reply_is_positive(reply);
	add_reply(session, reply, "", 0);
}

/*
 * Handle a line that is too long, of which `line` has at least the last COMMAND_LINE_TAIL bytes.
 * No more of it counts, so that the result does not depend on how the input was split.
 */
static void
handle_long_line(struct session *session, const char *line, size_t length)
{
	size_t tail = length < COMMAND_LINE_TAIL ? length : COMMAND_LINE_TAIL;

	if (expects_response(session)) {
		session->login = LOGIN_NONE;
	}
	if (session->first_line && is_extended(session) &&
	    command_ends_http_request(line + length - tail, tail)) {
		session->end = SESSION_NOT_A_MAIL_CLIENT;
		add_reply(session, REPLY_NOT_A_MAIL_CLIENT, "", 0);
	} else {
		add_reply(session, REPLY_LINE_TOO_LONG, "", 0);
	}
}

/* Handle a whole line, without its line feed. */
static void
handle_line(struct session *session, const char *line, size_t length)
{
	size_t text_length = length > 0 && line[length - 1] == '\r' ? length - 1 : length;

	if (session->line_too_long || text_length > COMMAND_LINE_MAX) {
		handle_long_line(session, line, length);
	} else if (expects_response(session)) {
		handle_response(session, line, text_length);
	} else {
		handle_command(session, line, text_length);
	}
	session->first_line = false;
}

/* Append to the tail of a line that is too long. Its bytes before COMMAND_LINE_TAIL are discarded. */
static void
buffer_tail(struct session *session, const char *bytes, size_t length)
{
	size_t added = length < COMMAND_LINE_TAIL ? length : COMMAND_LINE_TAIL;
	size_t space = COMMAND_LINE_TAIL - added;
	size_t kept = session->line_length < space ? session->line_length : space;

	memmove(session->line, session->line + session->line_length - kept, kept);
	memcpy(session->line + kept, bytes + length - added, added);
	session->line_length = kept + added;
}

/* Buffer a partial line or, if it is too long, its end. */
static void
buffer_line(struct session *session, const char *bytes, size_t length)
{
	session->line_too_long |= length > sizeof session->line - session->line_length;
	if (session->line_too_long) {
		buffer_tail(session, bytes, length);
	} else {
		memcpy(session->line + session->line_length, bytes, length);
		session->line_length += length;
	}
}

/* Consume bytes of the command phase up to and including the next LF. Returns the count. */
static size_t
feed_line(struct session *session, const char *bytes, size_t length)
{
	const char *line_feed = memchr(bytes, '\n', length);
	size_t chunk = line_feed != NULL ? (size_t)(line_feed - bytes) : length;

	if (line_feed != NULL && session->line_length == 0 && !session->line_too_long) {
		handle_line(session, bytes, chunk);
		return chunk + 1;
	}
	buffer_line(session, bytes, chunk);
	if (line_feed == NULL) {
		return chunk;
	}
	handle_line(session, session->line, session->line_length);
	session->line_too_long = false;
	session->line_length = 0;
	return chunk + 1;
}

/* ---- data ---- */

/* Consume bytes of the data phase up to and including its end. Returns the count. */
static size_t
feed_data(struct session *session, const char *bytes, size_t length)
{
	size_t scanned = message_scan(&session->message, bytes, length);

	if (message_complete(&session->message)) {
		size_t index = session_messages(session) - 1;

		session->reply_offsets[index] = session->output_length;
		session->state = STATE_MAIL;
		session->progressed = true;
		if (session_message_error(session, index) == 0) {
			session->junk_commands = 0;
		}
	}
	return scanned;
}

size_t
session_messages(const struct session *session)
{
	return session->message.completed_count;
}

int
session_message_error(const struct session *session, size_t index)
{
	return session->message.completed[index].error;
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

void
session_delivered(struct session *session, const struct delivery_result *deliveries)
{
	/* Insert from last to first, so that earlier offsets stay valid. */
	for (size_t i = session_messages(session); i-- > 0;) {
		const struct delivery_result *delivery = &deliveries[i];
		enum reply reply =
		    delivery->error == 0 ? REPLY_DELIVERED : reply_for_error(delivery->error);
		char digits[NUMBER_SIZE];
		size_t length = format_number(delivery->number, digits);

		insert_reply(session, session->reply_offsets[i], reply, digits, length);
	}
	message_discard_completed(&session->message);
}

/* ---- public functions ---- */

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
	session->login = LOGIN_NONE;
	session->smtputf8 = false;
	session->first_line = true;
	session->progressed = false;
	session->end = SESSION_OPEN;
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

	/* The replies to one command, also the lines of EHLO, fit into REPLY_SIZE. */
	while (consumed < length && session->end == SESSION_OPEN && !output_is_full(session) &&
	       !message_batch_full(&session->message)) {
		if (session->state == STATE_DATA) {
			consumed += feed_data(session, bytes + consumed, length - consumed);
		} else {
			consumed += feed_line(session, bytes + consumed, length - consumed);
		}
	}
	if (session_messages(session) > 0) {
		*want = SESSION_DELIVERY;
	} else if (session->end != SESSION_OPEN) {
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
