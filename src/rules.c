/*
 * DESCRIPTION
 *	A command is checked against the rule for its verb. The first error in this order is the
 *	reply: unrecognized, too early, syntax, bad address, bad parameter, too late, too many junk
 *	commands; and last what the accept function of the rule finds.
 */

#include "rules.h"

#include <errno.h>
#include <string.h>

/* Carries out a command that has passed the checks of rules_apply(). Returns the reply. */
typedef enum reply accept_function(struct session *session, const struct command *command);

static accept_function accept_helo, accept_ehlo, accept_mail, accept_rcpt, accept_data, accept_rset,
    accept_help, accept_auth_plain, accept_auth_login;

/* Which commands are junk, those that do not lead towards a message: they are counted. */
enum junk {
	NOT_JUNK,
	JUNK_IF_REPEATED, /* in every state but STATE_HELO */
	JUNK
};

/* The first and the last state in which a command is allowed. */
#define STATES(first, last) .earliest = (first), .latest = (last)
#define ANY_STATE           STATES(STATE_HELO, STATE_RCPT_OR_DATA)

/*
 * The rule for each verb. A reply that is left out is REPLY_NONE. It is unreachable: no argument of
 * the command can be wrong, none is an address, or the command is never too late.
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

/*
 * For each response of AUTH: the challenge that asks for it, and the response after it. The reply
 * with LOGIN_DONE ends the exchange.
 */
static const struct login_step {
	enum reply reply;
	enum login next;
} login_steps[] = {
    [LOGIN_CREDENTIALS] = {REPLY_ASK_CREDENTIALS, LOGIN_DONE},
    [LOGIN_USERNAME] = {REPLY_ASK_USERNAME, LOGIN_PASSWORD},
    [LOGIN_PASSWORD] = {REPLY_ASK_PASSWORD, LOGIN_DONE},
    [LOGIN_DONE] = {REPLY_LOGGED_IN, LOGIN_DONE},
};

/* ---- commands ---- */

/*
 * Copy the name of a client, with '?' for each byte outside 0x21-0x7E, or "unknown" if it is empty:
 * ESMTP accepts any name. Returns the length of the copy.
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

/* Accept EHLO as HELO, and add all lines of its reply but the last. Returns as rules_apply(). */
static enum reply
accept_ehlo(struct session *session, const struct command *command)
{
	enum reply reply = accept_helo(session, command);
	char limit[REPLY_NUMBER_SIZE];

	if (reply != REPLY_HELO) {
		return reply;
	}
	output_add(&session->output, REPLY_EHLO);
	output_add(&session->output, REPLY_EHLO_PIPELINING);
	output_add_with(&session->output, REPLY_EHLO_SIZE, limit,
	    reply_format_number(session->message.max_size, limit));
	output_add(&session->output, REPLY_EHLO_8BITMIME);
	if (session->protocol == PROTOCOL_ESMTP_LOGIN) {
		output_add(&session->output, REPLY_EHLO_AUTH);
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

/* Discard the transaction, if one is open. */
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

/* Go on to the next response of AUTH, whatever this one contains. Returns the reply to it. */
static enum reply
accept_response(struct session *session)
{
	session->login = login_steps[session->login].next;
	return login_steps[session->login].reply;
}

/* Start the exchange of AUTH with a challenge, or with the response that came with the command. */
static enum reply
start_login(struct session *session, const struct command *command, enum login first)
{
	if (session->login == LOGIN_DONE) {
		return REPLY_DUPLICATE_AUTH;
	}
	session->login = first;
	return command->length > 0 ? accept_response(session) : login_steps[first].reply;
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

enum reply
rules_apply(struct session *session, const struct command *command)
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
	if (session->state > rule->latest &&
	    !(rule->repeatable && session->protocol != PROTOCOL_SMTP)) {
		return rule->too_late;
	}
	if (!count_junk(session, rule)) {
		session->end = SESSION_TOO_MANY_COMMANDS;
		return REPLY_TOO_MANY_COMMANDS;
	}
	session->end = rule->end;
	return rule->accept != NULL ? rule->accept(session, command) : rule->reply;
}

bool
rules_expect_response(const struct session *session)
{
	return session->login != LOGIN_NONE && session->login != LOGIN_DONE;
}

enum reply
rules_take_response(struct session *session, const char *line, size_t length)
{
	if (command_is_response(line, length)) {
		return accept_response(session);
	}
	/* "*" cancels the exchange, and is no base64 either. */
	session->login = LOGIN_NONE;
	return REPLY_SYNTAX_AUTH;
}
