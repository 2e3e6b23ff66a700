/*
 * NAME
 *	kind - the kinds of operation there are
 *
 * DESCRIPTION
 *	Each row of the protocol's table of replies is here, with every state in which it can occur;
 *	then what a client may do to a connection, then the ways to be too slow. A new kind is a row
 *	here, a line in spell.c or body.c, and a place in script.c only if it needs one of its own.
 */

#include "kind.h"

/* Sets of states. */
#define START      (1U << STATE_START)
#define GREETED    (1U << STATE_GREETED)
#define SENDER     (1U << STATE_SENDER)
#define RECIPIENT  (1U << STATE_RECIPIENT)
#define DATA       (1U << STATE_DATA)
#define OPEN       (SENDER | RECIPIENT)
#define GREETED_ON (GREETED | OPEN)
#define ANY        (START | GREETED_ON)

const struct kind_row kind_rows[KINDS] = {
    [KIND_CONNECT] = {"connect", FAMILY_CONNECT, START, ANSWER_BANNER},

    [KIND_HELO] = {"HELO", FAMILY_COMMAND, START, ANSWER_WELCOME},
    [KIND_HELO_AGAIN] = {"HELO again", FAMILY_COMMAND, GREETED_ON, ANSWER_DUPLICATE_HELO},
    [KIND_HELO_MISSING] = {"HELO without host", FAMILY_COMMAND, ANY, ANSWER_SYNTAX_HELO},
    [KIND_HELO_SPACE] = {"HELO with two hosts", FAMILY_COMMAND, ANY, ANSWER_SYNTAX_HELO},
    [KIND_HELO_BYTE] = {"HELO with a bad byte", FAMILY_COMMAND, ANY, ANSWER_SYNTAX_HELO},

    [KIND_MAIL] = {"MAIL FROM", FAMILY_COMMAND, GREETED, ANSWER_OK},
    [KIND_MAIL_EARLY] = {"MAIL FROM before HELO", FAMILY_COMMAND, START, ANSWER_NEED_HELO},
    [KIND_MAIL_NESTED] = {"MAIL FROM nested", FAMILY_COMMAND, OPEN, ANSWER_NESTED_MAIL},
    [KIND_MAIL_SYNTAX] = {"MAIL FROM, bad syntax", FAMILY_COMMAND, GREETED_ON, ANSWER_SYNTAX_MAIL},
    [KIND_MAIL_SPACE] = {"MAIL FROM, white space", FAMILY_COMMAND, GREETED_ON, ANSWER_BAD_SENDER},
    [KIND_MAIL_BYTE] = {"MAIL FROM, bad byte", FAMILY_COMMAND, GREETED_ON, ANSWER_BAD_SENDER},
    [KIND_MAIL_LONG] = {"MAIL FROM, long and bad", FAMILY_COMMAND, GREETED_ON, ANSWER_BAD_SENDER},

    [KIND_RCPT] = {"RCPT TO", FAMILY_COMMAND, OPEN, ANSWER_OK},
    [KIND_RCPT_BEFORE_HELO] = {"RCPT TO before HELO", FAMILY_COMMAND, START, ANSWER_NEED_HELO},
    [KIND_RCPT_BEFORE_MAIL] = {"RCPT TO before MAIL FROM", FAMILY_COMMAND, GREETED,
	ANSWER_NEED_MAIL},
    [KIND_RCPT_SYNTAX] = {"RCPT TO, bad syntax", FAMILY_COMMAND, OPEN, ANSWER_SYNTAX_RCPT},
    [KIND_RCPT_SPACE] = {"RCPT TO, white space", FAMILY_COMMAND, OPEN, ANSWER_BAD_RECIPIENT},
    [KIND_RCPT_BYTE] = {"RCPT TO, bad byte", FAMILY_COMMAND, OPEN, ANSWER_BAD_RECIPIENT},
    [KIND_RCPT_LONG] = {"RCPT TO, long and bad", FAMILY_COMMAND, OPEN, ANSWER_BAD_RECIPIENT},
    [KIND_RCPT_TOO_MANY] = {"RCPT TO, the 1001st", FAMILY_FLOOD, RECIPIENT, ANSWER_TOO_MANY},

    [KIND_DATA] = {"DATA", FAMILY_COMMAND, RECIPIENT, ANSWER_START_DATA},
    [KIND_DATA_BEFORE_HELO] = {"DATA before HELO", FAMILY_COMMAND, START, ANSWER_NEED_HELO},
    [KIND_DATA_BEFORE_MAIL] = {"DATA before MAIL FROM", FAMILY_COMMAND, GREETED, ANSWER_NEED_MAIL},
    [KIND_DATA_BEFORE_RCPT] = {"DATA before RCPT TO", FAMILY_COMMAND, SENDER, ANSWER_NEED_RCPT},
    [KIND_DATA_SYNTAX] = {"DATA, bad syntax", FAMILY_COMMAND, RECIPIENT, ANSWER_SYNTAX_DATA},

    [KIND_UNKNOWN] = {"unknown command", FAMILY_COMMAND, ANY, ANSWER_UNRECOGNIZED},
    [KIND_EMPTY] = {"empty line", FAMILY_COMMAND, ANY, ANSWER_UNRECOGNIZED},
    [KIND_NEAR_MISS] = {"nearly a command", FAMILY_COMMAND, ANY, ANSWER_UNRECOGNIZED},
    [KIND_TOO_LONG] = {"line too long", FAMILY_COMMAND, ANY, ANSWER_LINE_TOO_LONG},

    [KIND_BODY_EMPTY] = {"message, empty", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_TEXT] = {"message, text", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_DOTS] = {"message, dots", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_BYTES] = {"message, NUL and 8-bit", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_LONG_LINES] = {"message, long lines", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_LINE_ENDS] = {"message, odd line ends", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_FORGED] = {"message, forged records", FAMILY_BODY, DATA, ANSWER_DELIVERED},
    [KIND_BODY_LARGE] = {"message, large", FAMILY_BODY, DATA, ANSWER_DELIVERED},

    [KIND_HALF_CLOSE] = {"half-close", FAMILY_ENDING, ANY, ANSWER_END},
    [KIND_HALF_LINE] = {"half-close in a line", FAMILY_ENDING, ANY, ANSWER_END},
    [KIND_HALF_DATA] = {"half-close in a message", FAMILY_ENDING, DATA, ANSWER_END},
    [KIND_CLOSE] = {"close", FAMILY_ENDING, ANY, ANSWER_NONE},
    [KIND_RESET] = {"reset", FAMILY_ENDING, ANY, ANSWER_NONE},
    [KIND_CLOSE_IN_DATA] = {"close in a message", FAMILY_ENDING, DATA, ANSWER_NONE},
    [KIND_VANISH] = {"close after a message", FAMILY_ENDING, DATA, ANSWER_NONE},

    [KIND_DORMANT] = {"dormant", FAMILY_TIMEOUT, START | RECIPIENT, ANSWER_TIMEOUT},
    [KIND_DORMANT_LATER] = {"dormant after a command", FAMILY_TIMEOUT, SENDER, ANSWER_TIMEOUT},
    [KIND_DORMANT_HALF_LINE] = {"dormant in a line", FAMILY_TIMEOUT, GREETED, ANSWER_TIMEOUT},
    [KIND_DRIP_LINE] = {"a line byte by byte", FAMILY_TIMEOUT, SENDER, ANSWER_TIMEOUT},
    [KIND_INVALID_FOREVER] = {"invalid without end", FAMILY_TIMEOUT, GREETED, ANSWER_TIMEOUT},
    [KIND_DORMANT_DATA] = {"dormant after DATA", FAMILY_TIMEOUT, DATA, ANSWER_TIMEOUT},
    [KIND_DORMANT_MID_DATA] = {"dormant in a message", FAMILY_TIMEOUT, DATA, ANSWER_TIMEOUT},
};

const char *const how_names[HOWS] = {
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
kind_fits(enum kind kind, enum state state)
{
	return (kind_rows[kind].states >> state & 1U) != 0;
}

const char *
kind_state_name(enum state state)
{
	return state_names[state].name;
}

char
kind_state_letter(enum state state)
{
	return state_names[state].letter;
}
