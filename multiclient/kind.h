/*
 * kind.h - the kinds of operation there are, in which states each can occur, and what it must be
 * answered. One row each of the table in the report. Constant data, any thread.
 */

#ifndef MULTICLIENT_KIND_H
#define MULTICLIENT_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "oracle.h"
#include "reply.h"

enum kind {
	KIND_CONNECT,
	KIND_HELO,
	KIND_HELO_AGAIN,
	KIND_HELO_MISSING,
	KIND_HELO_SPACE,
	KIND_HELO_BYTE,
	KIND_MAIL,
	KIND_MAIL_EARLY,
	KIND_MAIL_NESTED,
	KIND_MAIL_SYNTAX,
	KIND_MAIL_SPACE,
	KIND_MAIL_BYTE,
	KIND_MAIL_LONG,
	KIND_RCPT,
	KIND_RCPT_BEFORE_HELO,
	KIND_RCPT_BEFORE_MAIL,
	KIND_RCPT_SYNTAX,
	KIND_RCPT_SPACE,
	KIND_RCPT_BYTE,
	KIND_RCPT_LONG,
	KIND_RCPT_TOO_MANY,
	KIND_DATA,
	KIND_DATA_BEFORE_HELO,
	KIND_DATA_BEFORE_MAIL,
	KIND_DATA_BEFORE_RCPT,
	KIND_DATA_SYNTAX,
	KIND_UNKNOWN,
	KIND_EMPTY,
	KIND_NEAR_MISS,
	KIND_TOO_LONG,
	KIND_BODY_EMPTY,
	KIND_BODY_TEXT,
	KIND_BODY_DOTS,
	KIND_BODY_BYTES,
	KIND_BODY_LONG_LINES,
	KIND_BODY_LINE_ENDS,
	KIND_BODY_FORGED,
	KIND_BODY_LARGE,
	KIND_HALF_CLOSE,
	KIND_HALF_LINE,
	KIND_HALF_DATA,
	KIND_CLOSE,
	KIND_RESET,
	KIND_CLOSE_IN_DATA,
	KIND_VANISH,
	KIND_DORMANT,
	KIND_DORMANT_LATER,
	KIND_DORMANT_HALF_LINE,
	KIND_DRIP_LINE,
	KIND_INVALID_FOREVER,
	KIND_DORMANT_DATA,
	KIND_DORMANT_MID_DATA,
	KINDS
};

enum family {
	FAMILY_CONNECT,
	FAMILY_COMMAND, /* one line */
	FAMILY_FLOOD,   /* many lines, counted as one operation */
	FAMILY_BODY,    /* a whole message */
	FAMILY_ENDING,  /* ends the connection */
	FAMILY_TIMEOUT  /* waits for the server to end it */
};

/* The ways in which an operation can be written or sent; bits, several may hold. */
enum how {
	HOW_SPACES = 1 << 0,         /* odd white space */
	HOW_CASE = 1 << 1,           /* odd letter case */
	HOW_BARE_LF = 1 << 2,        /* LF without CR */
	HOW_FULL_LINE = 1 << 3,      /* a line of exactly LINE_MOST bytes */
	HOW_BYTES = 1 << 4,          /* one byte a send */
	HOW_PIECES = 1 << 5,         /* cut at random */
	HOW_BATCH = 1 << 6,          /* with other commands, in one send */
	HOW_BODY_WITH_DATA = 1 << 7, /* DATA and its message in one send, before the 354 */
	HOW_HALF_CLOSED = 1 << 8     /* with everything before it, then half-closed */
};

#define HOWS 9

struct kind_row {
	const char *name;
	enum family family;
	unsigned states; /* bit 1 << STATE: can occur in it */
	enum answer answer;
};

extern const struct kind_row kind_rows[KINDS];
extern const char *const how_names[HOWS];

/* Whether `kind` can occur in `state`. */
bool kind_fits(enum kind kind, enum state state);

/* What a state is called in a report: one word, and one letter. */
const char *kind_state_name(enum state state);
char kind_state_letter(enum state state);

#endif
