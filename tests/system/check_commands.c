/*
 * NAME
 *	check_commands - every form of every command, in every state
 *
 * DESCRIPTION
 *	There are two tables: the forms, each with its kind and what it adds to the record if
 *	accepted; and the reply to each kind in each state. Each pair is a session: to the state,
 *	the form, and on to a delivery, which shows that the form has led to the right state. The
 *	mailbox is compared to the byte.
 */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "ledger.h"
#include "stream.h"
#include "suite.h"

/* The states of a session between messages, and those before a message. */
enum stage {
	STAGE_CONNECTED,
	STAGE_GREETED,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DELIVERED, /* one message was delivered */
	STAGE_REFUSED,   /* one message was too big */
	STAGES
};

/* Kinds of command lines with different replies. */
enum kind {
	UNRECOGNIZED,
	HELO,
	HELO_BAD,
	MAIL,
	MAIL_BAD,
	MAIL_ADDRESS, /* recognized, but the address is not one */
	RCPT,
	RCPT_BAD,
	RCPT_ADDRESS,
	DATA,
	DATA_BAD,
	KINDS
};

/* The 555 reply of the form. */
#define REJECTED NULL

static const char *const replies[KINDS][STAGES] = {
    [UNRECOGNIZED] = {UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    [HELO] = {HELO_OK, DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE},
    [HELO_BAD] = {HELO_SYNTAX, HELO_SYNTAX, HELO_SYNTAX, HELO_SYNTAX, HELO_SYNTAX, HELO_SYNTAX},
    [MAIL] = {NEED_HELO, OK, NESTED, NESTED, OK, OK},
    [MAIL_BAD] = {NEED_HELO, MAIL_SYNTAX, MAIL_SYNTAX, MAIL_SYNTAX, MAIL_SYNTAX, MAIL_SYNTAX},
    [MAIL_ADDRESS] = {NEED_HELO, REJECTED, REJECTED, REJECTED, REJECTED, REJECTED},
    [RCPT] = {NEED_HELO, NEED_MAIL, OK, OK, NEED_MAIL, NEED_MAIL},
    [RCPT_BAD] = {NEED_HELO, NEED_MAIL, RCPT_SYNTAX, RCPT_SYNTAX, NEED_MAIL, NEED_MAIL},
    [RCPT_ADDRESS] = {NEED_HELO, NEED_MAIL, REJECTED, REJECTED, NEED_MAIL, NEED_MAIL},
    [DATA] = {NEED_HELO, NEED_MAIL, NEED_RCPT, START_DATA, NEED_MAIL, NEED_MAIL},
    [DATA_BAD] = {NEED_HELO, NEED_MAIL, NEED_RCPT, DATA_SYNTAX, NEED_MAIL, NEED_MAIL},
};

/* A command line without its ending. */
struct form {
	const char *line;
	size_t length;
	enum kind kind;
	const char *result; /* accepted: what is stored; REJECTED: what the reply shows */
};

#define LINE(text) (text), sizeof(text) - 1

static const struct form forms[] = {
    {LINE(""), UNRECOGNIZED, NULL},
    {LINE(" "), UNRECOGNIZED, NULL},
    {LINE(" \t "), UNRECOGNIZED, NULL},
    {LINE("."), UNRECOGNIZED, NULL},
    {LINE(":"), UNRECOGNIZED, NULL},
    {LINE("\0"), UNRECOGNIZED, NULL},
    {LINE("\377\376\375"), UNRECOGNIZED, NULL},
    {LINE("%s%n%s%n"), UNRECOGNIZED, NULL},
    {LINE("mkdir"), UNRECOGNIZED, NULL},
    {LINE("EHLO client"), UNRECOGNIZED, NULL},
    {LINE("QUIT"), UNRECOGNIZED, NULL},
    {LINE("RSET"), UNRECOGNIZED, NULL},
    {LINE("NOOP"), UNRECOGNIZED, NULL},
    {LINE("VRFY a"), UNRECOGNIZED, NULL},
    {LINE("HELP"), UNRECOGNIZED, NULL},
    {LINE("STARTTLS"), UNRECOGNIZED, NULL},
    {LINE("GET / HTTP/1.1"), UNRECOGNIZED, NULL},
    {LINE("250 OK"), UNRECOGNIZED, NULL},

    {LINE("HEL"), UNRECOGNIZED, NULL},
    {LINE("HELOX y"), UNRECOGNIZED, NULL},
    {LINE("HELO:x"), UNRECOGNIZED, NULL},
    {LINE("HELO\0x"), UNRECOGNIZED, NULL},
    {LINE("HELO\vx"), UNRECOGNIZED, NULL},
    {LINE("\vHELO x"), UNRECOGNIZED, NULL},
    {LINE("X HELO x"), UNRECOGNIZED, NULL},
    {LINE("HELO x"), HELO, "x"},
    {LINE("helo x"), HELO, "x"},
    {LINE("HeLo X"), HELO, "X"},
    {LINE("HELO\tx"), HELO, "x"},
    {LINE(" \t HELO \t x \t "), HELO, "x"},
    {LINE("HELO :"), HELO, ":"},
    {LINE("HELO <x>,\"y\"!~"), HELO, "<x>,\"y\"!~"},
    {LINE("HELO %n"), HELO, "%n"},
    {LINE("HELO HELO"), HELO, "HELO"},
    {LINE("HELO"), HELO_BAD, NULL},
    {LINE("hElO"), HELO_BAD, NULL},
    {LINE("HELO "), HELO_BAD, NULL},
    {LINE(" HELO\t"), HELO_BAD, NULL},
    {LINE("HELO a b"), HELO_BAD, NULL},
    {LINE("HELO a\tb"), HELO_BAD, NULL},
    {LINE("HELO \0"), HELO_BAD, NULL},
    {LINE("HELO a\0"), HELO_BAD, NULL},
    {LINE("HELO a\0b"), HELO_BAD, NULL},
    {LINE("HELO a\rb"), HELO_BAD, NULL},
    {LINE("HELO \fa"), HELO_BAD, NULL},
    {LINE("HELO a\177"), HELO_BAD, NULL},
    {LINE("HELO h\303\266st"), HELO_BAD, NULL},

    {LINE("MAIL"), UNRECOGNIZED, NULL},
    {LINE("MAIL "), UNRECOGNIZED, NULL},
    {LINE("FROM:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL a"), UNRECOGNIZED, NULL},
    {LINE("MAIL:FROM a"), UNRECOGNIZED, NULL},
    {LINE("MAIL :a"), UNRECOGNIZED, NULL},
    {LINE("MAIL TO:a"), UNRECOGNIZED, NULL},
    {LINE("MAILFROM:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL FROMX:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL FRO:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL\0FROM:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL\rFROM:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL FROM\r:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL FROM\0:a"), UNRECOGNIZED, NULL},
    {LINE("MAIL FROM:a"), MAIL, "a"},
    {LINE("mail from:a"), MAIL, "a"},
    {LINE("mAiL FrOm: A"), MAIL, "A"},
    {LINE("MAIL FROM :a"), MAIL, "a"},
    {LINE("MAIL\tFROM\t:\ta\t"), MAIL, "a"},
    {LINE(" \t MAIL \t FROM \t : \t a \t "), MAIL, "a"},
    {LINE("MAIL FROM:<a@b>"), MAIL, "<a@b>"},
    {LINE("MAIL FROM:<>"), MAIL, "<>"},
    {LINE("MAIL FROM::"), MAIL, ":"},
    {LINE("MAIL FROM::a:"), MAIL, ":a:"},
    {LINE("MAIL FROM:!~"), MAIL, "!~"},
    {LINE("MAIL FROM:%s%n"), MAIL, "%s%n"},
    {LINE("MAIL FROM"), MAIL_BAD, NULL},
    {LINE("MAIL FROM "), MAIL_BAD, NULL},
    {LINE("MAIL FROM:"), MAIL_BAD, NULL},
    {LINE("MAIL FROM: \t "), MAIL_BAD, NULL},
    {LINE("MAIL FROM a"), MAIL_BAD, NULL},
    {LINE("MAIL FROM a:"), MAIL_BAD, NULL},
    {LINE("MAIL FROM a:b"), MAIL_BAD, NULL},
    {LINE("MAIL FROM \0:a"), MAIL_BAD, NULL},
    {LINE("MAIL FROM:a b"), MAIL_ADDRESS, "a b"},
    {LINE("MAIL FROM: a  b "), MAIL_ADDRESS, "a  b"},
    {LINE("MAIL FROM: a\tb "), MAIL_ADDRESS, "a?b"},
    {LINE("MAIL FROM: : a"), MAIL_ADDRESS, ": a"},
    {LINE("MAIL FROM:<a@b> SIZE=1"), MAIL_ADDRESS, "<a@b> SIZE=1"},
    {LINE("MAIL FROM:\0"), MAIL_ADDRESS, "?"},
    {LINE("MAIL FROM:a\0b"), MAIL_ADDRESS, "a?b"},
    {LINE("MAIL FROM:a\rb"), MAIL_ADDRESS, "a?b"},
    {LINE("MAIL FROM:\va\f"), MAIL_ADDRESS, "?a?"},
    {LINE("MAIL FROM:\033[2J\a"), MAIL_ADDRESS, "?[2J?"},
    {LINE("MAIL FROM:\303\266@b"), MAIL_ADDRESS, "??@b"},
    {LINE("MAIL FROM:%s %n"), MAIL_ADDRESS, "%s %n"},

    {LINE("RCPT"), UNRECOGNIZED, NULL},
    {LINE("TO:a"), UNRECOGNIZED, NULL},
    {LINE("RCPT a"), UNRECOGNIZED, NULL},
    {LINE("RCPT:TO a"), UNRECOGNIZED, NULL},
    {LINE("RCPT FROM:a"), UNRECOGNIZED, NULL},
    {LINE("RCPTTO:a"), UNRECOGNIZED, NULL},
    {LINE("RCPT TOX:a"), UNRECOGNIZED, NULL},
    {LINE("RCPT T:a"), UNRECOGNIZED, NULL},
    {LINE("RCPT\0TO:a"), UNRECOGNIZED, NULL},
    {LINE("RCPT TO:a"), RCPT, "a"},
    {LINE("rcpt to:a"), RCPT, "a"},
    {LINE("RcPt tO : A"), RCPT, "A"},
    {LINE(" \t RCPT \t TO \t : \t a \t "), RCPT, "a"},
    {LINE("RCPT TO:<c@d>"), RCPT, "<c@d>"},
    {LINE("RCPT TO::"), RCPT, ":"},
    {LINE("RCPT TO"), RCPT_BAD, NULL},
    {LINE("RCPT TO:"), RCPT_BAD, NULL},
    {LINE("RCPT TO:\t"), RCPT_BAD, NULL},
    {LINE("RCPT TO a"), RCPT_BAD, NULL},
    {LINE("RCPT TO a:b"), RCPT_BAD, NULL},
    {LINE("RCPT TO:a b"), RCPT_ADDRESS, "a b"},
    {LINE("RCPT TO: \t a\tb"), RCPT_ADDRESS, "a?b"},
    {LINE("RCPT TO:a\0"), RCPT_ADDRESS, "a?"},
    {LINE("RCPT TO:a\r.b"), RCPT_ADDRESS, "a?.b"},
    {LINE("RCPT TO:\377"), RCPT_ADDRESS, "?"},

    {LINE("DAT"), UNRECOGNIZED, NULL},
    {LINE("DATA:"), UNRECOGNIZED, NULL},
    {LINE("DATAX"), UNRECOGNIZED, NULL},
    {LINE("DATA\0"), UNRECOGNIZED, NULL},
    {LINE("DATA."), UNRECOGNIZED, NULL},
    {LINE("DATA"), DATA, NULL},
    {LINE("data"), DATA, NULL},
    {LINE("dAtA"), DATA, NULL},
    {LINE(" \t DATA \t "), DATA, NULL},
    {LINE("DATA x"), DATA_BAD, NULL},
    {LINE("DATA \t :"), DATA_BAD, NULL},
    {LINE("DATA \0"), DATA_BAD, NULL},
    {LINE("DATA ."), DATA_BAD, NULL},
};

/* The commands from each stage to the next one, up to a delivery. */
static const struct {
	const char *line;
	const char *reply;
} steps[] = {
    [STAGE_CONNECTED] = {"HELO client\r\n", HELO_OK},
    [STAGE_GREETED] = {"MAIL FROM:a@b\r\n", OK},
    [STAGE_MAIL] = {"RCPT TO:c@d\r\n", OK},
    [STAGE_RCPT] = {"DATA\r\n", START_DATA},
};

/* Size limit of a message, and a longer body. */
#define MAX_SIZE "--max-size 20"
#define BIG_BODY "123456789 123456789 1\r\n"

/* Bytes of two addresses, each on its own line. */
#define RECIPIENTS_SIZE 64

/* One session and its expected record. */
struct pair {
	struct bytes sent;
	struct bytes expected;
	const char *host;
	const char *from;
	char to[RECIPIENTS_SIZE];
};

/* Ending of a command line, and whether the session is sent byte by byte. */
static const struct {
	const char *ending;
	bool bytewise;
} ways[] = {{"\r\n", false}, {"\n", false}, {"\r\n", true}};

/* Add the commands from one stage to another. */
static void
add_steps(struct pair *pair, enum stage from, enum stage to)
{
	for (enum stage stage = from; stage < to; stage++) {
		bytes_add_string(&pair->sent, steps[stage].line);
		bytes_add_string(&pair->expected, steps[stage].reply);
	}
}

/* Add the commands from the connection to a stage, with a delivery if the stage requires it. */
static void
add_approach(struct pair *pair, enum stage stage, struct ledger *ledger)
{
	bytes_add_string(&pair->expected, GREETING);
	if (stage <= STAGE_RCPT) {
		add_steps(pair, STAGE_CONNECTED, stage);
		return;
	}
	add_steps(pair, STAGE_CONNECTED, STAGE_DELIVERED);
	if (stage == STAGE_REFUSED) {
		bytes_add_string(&pair->sent, BIG_BODY ".\r\n");
		bytes_add_string(&pair->expected, TOO_BIG);
	} else {
		bytes_add_string(&pair->sent, ".\r\n");
		bytes_add_format(&pair->expected, DELIVERED, ledger_add_delivered(ledger, ""));
	}
}

/* Add the form and its reply. Returns whether it is accepted there. */
static bool
add_form(struct pair *pair, const struct form *form, enum stage stage, const char *ending)
{
	const char *reply = replies[form->kind][stage];

	bytes_add(&pair->sent, form->line, form->length);
	bytes_add_string(&pair->sent, ending);
	if (reply == REJECTED) {
		bytes_add_format(&pair->expected, "555 <%s>: %s\r\n", form->result,
		    form->kind == MAIL_ADDRESS ? "Sender address rejected"
					       : "Recipient address invalid");
		return false;
	}
	bytes_add_string(&pair->expected, reply);
	return reply[0] < '4';
}

/* Add an accepted form to the record. Returns the next stage. */
static enum stage
note_accepted(struct pair *pair, const struct form *form, enum stage stage)
{
	switch (form->kind) {
	case HELO:
		pair->host = form->result;
		return STAGE_GREETED;
	case MAIL:
		pair->from = form->result;
		return STAGE_MAIL;
	case RCPT:
		snprintf(pair->to, sizeof pair->to, stage == STAGE_MAIL ? "%s" : "c@d\nTo: %s",
		    form->result);
		return STAGE_RCPT;
	default:
		return STAGE_DELIVERED; /* DATA: only the end of the data is missing */
	}
}

/* Send one form in one stage, and the commands from there to a delivery. */
static void
try_pair(const struct server *server, struct ledger *ledger, const struct form *form,
    enum stage stage, unsigned way)
{
	struct pair pair = {.host = "client", .from = "a@b", .to = "c@d"};
	enum stage next = stage > STAGE_RCPT ? STAGE_GREETED : stage;

	add_approach(&pair, stage, ledger);
	if (add_form(&pair, form, stage, ways[way].ending)) {
		next = note_accepted(&pair, form, stage);
	}
	add_steps(&pair, next, STAGE_DELIVERED);
	bytes_add_string(&pair.sent, "\r\n.\r\n");
	bytes_add_format(
	    &pair.expected, DELIVERED, ledger_add(ledger, pair.host, pair.from, pair.to, "\n", 1));
	if (ways[way].bytewise) {
		converse_compare_bytewise(server, &pair.sent, &pair.expected);
	} else {
		converse_compare(server, &pair.sent, &pair.expected);
	}
	ledger_check(ledger, server);
}

START_TEST(every_form_is_answered_in_every_state)
{
	struct server *server = server_start(MAX_SIZE);
	struct ledger ledger = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
		for (enum stage stage = 0; stage < STAGES; stage++) {
			try_pair(server, &ledger, &forms[i], stage, (unsigned)_i);
		}
	}
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* A CR before the CRLF belongs to the line, and is as invalid as any other byte. */
START_TEST(a_carriage_return_before_the_ending_is_not_ignored)
{
	struct server *server = server_start("");

	converse_expect(server,
	    "HELO x\r\r\n"
	    "HELO\r\r\n"
	    "HELO x\r\n"
	    "MAIL FROM:\r\r\n"
	    "MAIL FROM:a\r\r\n"
	    "MAIL FROM\r\r\n"
	    "MAIL FROM:a\r\n"
	    "RCPT TO:c\r \r\n"
	    "RCPT TO:c\r\n"
	    "DATA\r\r\n"
	    "DATA \r\r\n"
	    "\r\r\n",
	    GREETING HELO_SYNTAX UNKNOWN HELO_OK
	    "555 <?>: Sender address rejected\r\n"
	    "555 <a?>: Sender address rejected\r\n" UNKNOWN OK
	    "555 <c?>: Recipient address invalid\r\n" OK UNKNOWN DATA_SYNTAX UNKNOWN);
	server_stop(server);
}
END_TEST

/* The reply to a byte between two letters: in a valid place, and elsewhere. */
static const struct {
	const char *command;
	const char *good;
	const char *error_text; /* after the address; NULL for a host, which is not shown */
} byte_cases[] = {
    {"HELO", DUPLICATE, NULL},
    {"MAIL FROM:", NESTED, "Sender address rejected"},
    {"RCPT TO:", OK, "Recipient address invalid"},
};

/* Add one such line and its reply. */
static void
add_byte(struct bytes *sent, struct bytes *expected, size_t which, unsigned char byte)
{
	char argument[] = {' ', 'a', (char)byte, 'c', '\r', '\n'};

	bytes_add_string(sent, byte_cases[which].command);
	bytes_add(sent, argument, sizeof argument);
	if (byte > ' ' && byte <= '~') {
		bytes_add_string(expected, byte_cases[which].good);
	} else if (byte_cases[which].error_text == NULL) {
		bytes_add_string(expected, HELO_SYNTAX);
	} else {
		bytes_add_format(expected, "555 <a%cc>: %s\r\n", byte == ' ' ? ' ' : '?',
		    byte_cases[which].error_text);
	}
}

START_TEST(every_byte_in_host_and_address_is_answered)
{
	struct server *server = server_start("");
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO a\r\nMAIL FROM:a\r\n");
	bytes_add_string(&expected, GREETING HELO_OK OK);
	for (size_t which = 0; which < ARRAY_LENGTH(byte_cases); which++) {
		for (unsigned byte = 0; byte <= UCHAR_MAX; byte++) {
			if (byte != '\n') {
				add_byte(&sent, &expected, which, (unsigned char)byte);
			}
		}
	}
	converse_compare(server, &sent, &expected);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, every_form_is_answered_in_every_state, 0, ARRAY_LENGTH(ways));
	tcase_add_test(tests, a_carriage_return_before_the_ending_is_not_ignored);
	tcase_add_test(tests, every_byte_in_host_and_address_is_answered);
	return suite_run("commands", tests);
}
