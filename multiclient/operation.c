/*
 * NAME
 *	operation - the types of operation
 *
 * DESCRIPTION
 *	The table has each type of command (smtpd(8), PROTOCOL), with its reply and every state in
 *	which it can occur; then the types of message, the ways to end a connection, and the ways to
 *	be too slow. A new type is a value of enum operation_type, a row here, and:
 *		a command	a row of `forms`, or a branch of command_write(), in command.c
 *		a message	a row of `writers` in body.c, and of `bodies` in walk.c
 *		an ending	a branch of write_ending() in script.c, and a choice in walk.c
 *		a timeout	a branch of write_timeout() in script.c, and a row in timeout_test.c
 *	A new reply is a value and a row in reply.h and reply.c, and a rule in oracle.c.
 */

#include "operation.h"

/* Sets of states, for the third column. */
#define START      (1U << STATE_START)
#define GREETED    (1U << STATE_GREETED)
#define SENDER     (1U << STATE_SENDER)
#define RECIPIENT  (1U << STATE_RECIPIENT)
#define DATA       (1U << STATE_DATA)
#define OPEN       (SENDER | RECIPIENT)
#define GREETED_ON (GREETED | OPEN)
#define ANY        (START | GREETED_ON)

const struct operation_info operation_table[OP_COUNT] = {
    [OP_CONNECT] = {"connect", OP_CLASS_CONNECT, START, REPLY_GREETING},

    [OP_HELO] = {"HELO", OP_CLASS_COMMAND, START, REPLY_HELO},
    [OP_HELO_AGAIN] = {"HELO again", OP_CLASS_COMMAND, GREETED_ON, REPLY_DUPLICATE_HELO},
    [OP_HELO_MISSING] = {"HELO without host", OP_CLASS_COMMAND, ANY, REPLY_SYNTAX_HELO},
    [OP_HELO_SPACE] = {"HELO with two hosts", OP_CLASS_COMMAND, ANY, REPLY_SYNTAX_HELO},
    [OP_HELO_BYTE] = {"HELO with a bad byte", OP_CLASS_COMMAND, ANY, REPLY_SYNTAX_HELO},

    [OP_MAIL] = {"MAIL FROM", OP_CLASS_COMMAND, GREETED, REPLY_OK},
    [OP_MAIL_EARLY] = {"MAIL FROM before HELO", OP_CLASS_COMMAND, START, REPLY_NEED_HELO},
    [OP_MAIL_NESTED] = {"MAIL FROM nested", OP_CLASS_COMMAND, OPEN, REPLY_NESTED_MAIL},
    [OP_MAIL_SYNTAX] = {"MAIL FROM, bad syntax", OP_CLASS_COMMAND, GREETED_ON, REPLY_SYNTAX_MAIL},
    [OP_MAIL_SPACE] = {"MAIL FROM, white space", OP_CLASS_COMMAND, GREETED_ON, REPLY_BAD_SENDER},
    [OP_MAIL_BYTE] = {"MAIL FROM, bad byte", OP_CLASS_COMMAND, GREETED_ON, REPLY_BAD_SENDER},
    [OP_MAIL_LONG] = {"MAIL FROM, long and bad", OP_CLASS_COMMAND, GREETED_ON, REPLY_BAD_SENDER},

    [OP_RCPT] = {"RCPT TO", OP_CLASS_COMMAND, OPEN, REPLY_OK},
    [OP_RCPT_BEFORE_HELO] = {"RCPT TO before HELO", OP_CLASS_COMMAND, START, REPLY_NEED_HELO},
    [OP_RCPT_BEFORE_MAIL] = {"RCPT TO before MAIL FROM", OP_CLASS_COMMAND, GREETED,
	REPLY_NEED_MAIL},
    [OP_RCPT_SYNTAX] = {"RCPT TO, bad syntax", OP_CLASS_COMMAND, OPEN, REPLY_SYNTAX_RCPT},
    [OP_RCPT_SPACE] = {"RCPT TO, white space", OP_CLASS_COMMAND, OPEN, REPLY_BAD_RECIPIENT},
    [OP_RCPT_BYTE] = {"RCPT TO, bad byte", OP_CLASS_COMMAND, OPEN, REPLY_BAD_RECIPIENT},
    [OP_RCPT_LONG] = {"RCPT TO, long and bad", OP_CLASS_COMMAND, OPEN, REPLY_BAD_RECIPIENT},
    [OP_RCPT_TOO_MANY] = {"RCPT TO, the 1001st", OP_CLASS_FLOOD, RECIPIENT, REPLY_TOO_MANY},

    [OP_DATA] = {"DATA", OP_CLASS_COMMAND, RECIPIENT, REPLY_START_DATA},
    [OP_DATA_BEFORE_HELO] = {"DATA before HELO", OP_CLASS_COMMAND, START, REPLY_NEED_HELO},
    [OP_DATA_BEFORE_MAIL] = {"DATA before MAIL FROM", OP_CLASS_COMMAND, GREETED, REPLY_NEED_MAIL},
    [OP_DATA_BEFORE_RCPT] = {"DATA before RCPT TO", OP_CLASS_COMMAND, SENDER, REPLY_NEED_RCPT},
    [OP_DATA_SYNTAX] = {"DATA, bad syntax", OP_CLASS_COMMAND, RECIPIENT, REPLY_SYNTAX_DATA},

    [OP_UNKNOWN] = {"unknown command", OP_CLASS_COMMAND, ANY, REPLY_UNRECOGNIZED},
    [OP_EMPTY] = {"empty line", OP_CLASS_COMMAND, ANY, REPLY_UNRECOGNIZED},
    [OP_NEAR_MISS] = {"nearly a command", OP_CLASS_COMMAND, ANY, REPLY_UNRECOGNIZED},
    [OP_TOO_LONG] = {"line too long", OP_CLASS_COMMAND, ANY, REPLY_LINE_TOO_LONG},

    [OP_BODY_EMPTY] = {"message, empty", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_TEXT] = {"message, text", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_DOTS] = {"message, dots", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_BYTES] = {"message, NUL and 8-bit", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_LONG_LINES] = {"message, long lines", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_LINE_ENDS] = {"message, odd line ends", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_FORGED] = {"message, forged records", OP_CLASS_BODY, DATA, REPLY_DELIVERED},
    [OP_BODY_LARGE] = {"message, large", OP_CLASS_BODY, DATA, REPLY_DELIVERED},

    [OP_HALF_CLOSE] = {"half-close", OP_CLASS_ENDING, ANY, REPLY_EOF},
    [OP_HALF_LINE] = {"half-close in a line", OP_CLASS_ENDING, ANY, REPLY_EOF},
    [OP_HALF_DATA] = {"half-close in a message", OP_CLASS_ENDING, DATA, REPLY_EOF},
    [OP_CLOSE] = {"close", OP_CLASS_ENDING, ANY, REPLY_NONE},
    [OP_RESET] = {"reset", OP_CLASS_ENDING, ANY, REPLY_NONE},
    [OP_CLOSE_IN_DATA] = {"close in a message", OP_CLASS_ENDING, DATA, REPLY_NONE},
    [OP_CLOSE_AFTER_DATA] = {"close after a message", OP_CLASS_ENDING, DATA, REPLY_NONE},

    [OP_DORMANT] = {"dormant", OP_CLASS_TIMEOUT, START | RECIPIENT, REPLY_TIMEOUT},
    [OP_DORMANT_LATER] = {"dormant after a command", OP_CLASS_TIMEOUT, SENDER, REPLY_TIMEOUT},
    [OP_DORMANT_HALF_LINE] = {"dormant in a line", OP_CLASS_TIMEOUT, GREETED, REPLY_TIMEOUT},
    [OP_SLOW_LINE] = {"a line byte by byte", OP_CLASS_TIMEOUT, SENDER, REPLY_TIMEOUT},
    [OP_ENDLESS_INVALID] = {"invalid without end", OP_CLASS_TIMEOUT, GREETED, REPLY_TIMEOUT},
    [OP_DORMANT_DATA] = {"dormant after DATA", OP_CLASS_TIMEOUT, DATA, REPLY_TIMEOUT},
    [OP_DORMANT_MID_DATA] = {"dormant in a message", OP_CLASS_TIMEOUT, DATA, REPLY_TIMEOUT},
};

const char *const variant_names[VARIANTS] = {
    "odd white space",
    "odd letter case",
    "LF without CR",
    "a line of 2048 bytes",
    "one byte a send",
    "cut into pieces",
    "several in one send",
    "DATA with its message",
    "all, then half-close",
};

static const struct {
	const char *name;
	char letter;
} state_names[STATES] = {
    [STATE_START] = {"connected", 'C'},
    [STATE_GREETED] = {"HELO", 'H'},
    [STATE_SENDER] = {"MAIL", 'M'},
    [STATE_RECIPIENT] = {"RCPT", 'R'},
    [STATE_DATA] = {"DATA", 'D'},
};

bool
operation_allowed(enum operation_type type, enum state state)
{
	return (operation_table[type].states >> state & 1U) != 0;
}

const char *
state_name(enum state state)
{
	return state_names[state].name;
}

char
state_letter(enum state state)
{
	return state_names[state].letter;
}
