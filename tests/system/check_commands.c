/*
 * NAME
 *	check_commands - every form of every command, in every state
 *
 * DESCRIPTION
 *	There are two tables: the forms, each with its kind and what it adds to the record if
 *	accepted; and the reply to each kind in each state, here called a stage. Each pair of a form
 *	and a stage is a session: to the stage, the form, and on to a delivery, which shows that the
 *	form has led to the right stage. The mailbox is compared to the byte.
 */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "ledger.h"
#include "stream.h"
#include "suite.h"

/* The states of a session in which each form is sent. */
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

/* Not a text: the reply is 555, with `result` of the form. */
#define REJECTED NULL

/* The reply to each kind in each stage, in the order of enum stage. */
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
	const char *result; /* what is stored if it is accepted, or what a 555 shows; or NULL */
};

static const struct form forms[] = {
    {LITERAL(""), UNRECOGNIZED, NULL},
    {LITERAL(" "), UNRECOGNIZED, NULL},
    {LITERAL(" \t "), UNRECOGNIZED, NULL},
    {LITERAL("."), UNRECOGNIZED, NULL},
    {LITERAL(":"), UNRECOGNIZED, NULL},
    {LITERAL("\0"), UNRECOGNIZED, NULL},
    {LITERAL("\377\376\375"), UNRECOGNIZED, NULL},
    {LITERAL("%s%n%s%n"), UNRECOGNIZED, NULL},
    {LITERAL("mkdir"), UNRECOGNIZED, NULL},
    {LITERAL("EHLO client"), UNRECOGNIZED, NULL},
    {LITERAL("QUIT"), UNRECOGNIZED, NULL},
    {LITERAL("RSET"), UNRECOGNIZED, NULL},
    {LITERAL("NOOP"), UNRECOGNIZED, NULL},
    {LITERAL("VRFY a"), UNRECOGNIZED, NULL},
    {LITERAL("HELP"), UNRECOGNIZED, NULL},
    {LITERAL("STARTTLS"), UNRECOGNIZED, NULL},
    {LITERAL("GET / HTTP/1.1"), UNRECOGNIZED, NULL},
    {LITERAL("250 OK"), UNRECOGNIZED, NULL},

    {LITERAL("HEL"), UNRECOGNIZED, NULL},
    {LITERAL("HELOX y"), UNRECOGNIZED, NULL},
    {LITERAL("HELO:x"), UNRECOGNIZED, NULL},
    {LITERAL("HELO\0x"), UNRECOGNIZED, NULL},
    {LITERAL("HELO\vx"), UNRECOGNIZED, NULL},
    {LITERAL("\vHELO x"), UNRECOGNIZED, NULL},
    {LITERAL("X HELO x"), UNRECOGNIZED, NULL},
    {LITERAL("HELO x"), HELO, "x"},
    {LITERAL("helo x"), HELO, "x"},
    {LITERAL("HeLo X"), HELO, "X"},
    {LITERAL("HELO\tx"), HELO, "x"},
    {LITERAL(" \t HELO \t x \t "), HELO, "x"},
    {LITERAL("HELO :"), HELO, ":"},
    {LITERAL("HELO <x>,\"y\"!~"), HELO, "<x>,\"y\"!~"},
    {LITERAL("HELO %n"), HELO, "%n"},
    {LITERAL("HELO HELO"), HELO, "HELO"},
    {LITERAL("HELO"), HELO_BAD, NULL},
    {LITERAL("hElO"), HELO_BAD, NULL},
    {LITERAL("HELO "), HELO_BAD, NULL},
    {LITERAL(" HELO\t"), HELO_BAD, NULL},
    {LITERAL("HELO a b"), HELO_BAD, NULL},
    {LITERAL("HELO a\tb"), HELO_BAD, NULL},
    {LITERAL("HELO \0"), HELO_BAD, NULL},
    {LITERAL("HELO a\0"), HELO_BAD, NULL},
    {LITERAL("HELO a\0b"), HELO_BAD, NULL},
    {LITERAL("HELO a\rb"), HELO_BAD, NULL},
    {LITERAL("HELO \fa"), HELO_BAD, NULL},
    {LITERAL("HELO a\177"), HELO_BAD, NULL},
    {LITERAL("HELO h\303\266st"), HELO_BAD, NULL},

    {LITERAL("MAIL"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL "), UNRECOGNIZED, NULL},
    {LITERAL("FROM:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL:FROM a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL :a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL TO:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAILFROM:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL FROMX:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL FRO:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL\0FROM:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL\rFROM:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL FROM\r:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL FROM\0:a"), UNRECOGNIZED, NULL},
    {LITERAL("MAIL FROM:a"), MAIL, "a"},
    {LITERAL("mail from:a"), MAIL, "a"},
    {LITERAL("mAiL FrOm: A"), MAIL, "A"},
    {LITERAL("MAIL FROM :a"), MAIL, "a"},
    {LITERAL("MAIL\tFROM\t:\ta\t"), MAIL, "a"},
    {LITERAL(" \t MAIL \t FROM \t : \t a \t "), MAIL, "a"},
    {LITERAL("MAIL FROM:<a@b>"), MAIL, "<a@b>"},
    {LITERAL("MAIL FROM:<>"), MAIL, "<>"},
    {LITERAL("MAIL FROM::"), MAIL, ":"},
    {LITERAL("MAIL FROM::a:"), MAIL, ":a:"},
    {LITERAL("MAIL FROM:!~"), MAIL, "!~"},
    {LITERAL("MAIL FROM:%s%n"), MAIL, "%s%n"},
    {LITERAL("MAIL FROM"), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM "), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM:"), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM: \t "), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM a"), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM a:"), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM a:b"), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM \0:a"), MAIL_BAD, NULL},
    {LITERAL("MAIL FROM:a b"), MAIL_ADDRESS, "a b"},
    {LITERAL("MAIL FROM: a  b "), MAIL_ADDRESS, "a  b"},
    {LITERAL("MAIL FROM: a\tb "), MAIL_ADDRESS, "a?b"},
    {LITERAL("MAIL FROM: : a"), MAIL_ADDRESS, ": a"},
    {LITERAL("MAIL FROM:<a@b> SIZE=1"), MAIL_ADDRESS, "<a@b> SIZE=1"},
    {LITERAL("MAIL FROM:\0"), MAIL_ADDRESS, "?"},
    {LITERAL("MAIL FROM:a\0b"), MAIL_ADDRESS, "a?b"},
    {LITERAL("MAIL FROM:a\rb"), MAIL_ADDRESS, "a?b"},
    {LITERAL("MAIL FROM:\va\f"), MAIL_ADDRESS, "?a?"},
    {LITERAL("MAIL FROM:\033[2J\a"), MAIL_ADDRESS, "?[2J?"},
    {LITERAL("MAIL FROM:\303\266@b"), MAIL_ADDRESS, "??@b"},
    {LITERAL("MAIL FROM:%s %n"), MAIL_ADDRESS, "%s %n"},

    {LITERAL("RCPT"), UNRECOGNIZED, NULL},
    {LITERAL("TO:a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT:TO a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT FROM:a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPTTO:a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT TOX:a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT T:a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT\0TO:a"), UNRECOGNIZED, NULL},
    {LITERAL("RCPT TO:a"), RCPT, "a"},
    {LITERAL("rcpt to:a"), RCPT, "a"},
    {LITERAL("RcPt tO : A"), RCPT, "A"},
    {LITERAL(" \t RCPT \t TO \t : \t a \t "), RCPT, "a"},
    {LITERAL("RCPT TO:<c@d>"), RCPT, "<c@d>"},
    {LITERAL("RCPT TO::"), RCPT, ":"},
    {LITERAL("RCPT TO"), RCPT_BAD, NULL},
    {LITERAL("RCPT TO:"), RCPT_BAD, NULL},
    {LITERAL("RCPT TO:\t"), RCPT_BAD, NULL},
    {LITERAL("RCPT TO a"), RCPT_BAD, NULL},
    {LITERAL("RCPT TO a:b"), RCPT_BAD, NULL},
    {LITERAL("RCPT TO:a b"), RCPT_ADDRESS, "a b"},
    {LITERAL("RCPT TO: \t a\tb"), RCPT_ADDRESS, "a?b"},
    {LITERAL("RCPT TO:a\0"), RCPT_ADDRESS, "a?"},
    {LITERAL("RCPT TO:a\r.b"), RCPT_ADDRESS, "a?.b"},
    {LITERAL("RCPT TO:\377"), RCPT_ADDRESS, "?"},

    {LITERAL("DAT"), UNRECOGNIZED, NULL},
    {LITERAL("DATA:"), UNRECOGNIZED, NULL},
    {LITERAL("DATAX"), UNRECOGNIZED, NULL},
    {LITERAL("DATA\0"), UNRECOGNIZED, NULL},
    {LITERAL("DATA."), UNRECOGNIZED, NULL},
    {LITERAL("DATA"), DATA, NULL},
    {LITERAL("data"), DATA, NULL},
    {LITERAL("dAtA"), DATA, NULL},
    {LITERAL(" \t DATA \t "), DATA, NULL},
    {LITERAL("DATA x"), DATA_BAD, NULL},
    {LITERAL("DATA \t :"), DATA_BAD, NULL},
    {LITERAL("DATA \0"), DATA_BAD, NULL},
    {LITERAL("DATA ."), DATA_BAD, NULL},
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

/* The session of a form and a stage. */
struct pair {
	struct bytes sent;
	struct bytes expected; /* replies */
	const char *host;      /* of the expected record, as `from` and `to` */
	const char *from;
	char to[RECIPIENTS_SIZE];
};

/* Ending of a command line, and whether the session is sent byte by byte. */
static const struct {
	const char *ending;
	bool bytewise;
} ways[] = {{"\r\n", false}, {"\n", false}, {"\r\n", true}};

/* Add the commands from one stage to another; STAGE_DELIVERED: up to DATA. */
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

/* Add the form and its reply. Returns whether it is accepted in this stage. */
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

/* Commands whose argument has any byte between two letters. */
static const struct {
	const char *command;
	const char *good;       /* the reply if the byte is valid */
	const char *error_text; /* of a 555, otherwise; NULL: the reply is HELO_SYNTAX */
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
