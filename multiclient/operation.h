/*
 * operation.h - the types of operation, the states in which each can occur, and its reply
 *
 * Each type is one row of the table in the report. The tables are constant; any thread.
 */

#ifndef MULTICLIENT_OPERATION_H
#define MULTICLIENT_OPERATION_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "params.h"
#include "record.h"
#include "reply.h"

enum state {
	STATE_START,     /* no HELO yet */
	STATE_GREETED,   /* HELO done, no transaction open */
	STATE_SENDER,    /* MAIL FROM accepted */
	STATE_RECIPIENT, /* at least one RCPT TO accepted */
	STATE_DATA,      /* DATA accepted: what follows is the message */
	STATES
};

enum operation_type {
	OP_CONNECT,
	OP_HELO,
	OP_HELO_AGAIN,
	OP_HELO_MISSING,
	OP_HELO_SPACE,
	OP_HELO_BYTE,
	OP_MAIL,
	OP_MAIL_EARLY,
	OP_MAIL_NESTED,
	OP_MAIL_SYNTAX,
	OP_MAIL_SPACE,
	OP_MAIL_BYTE,
	OP_MAIL_LONG,
	OP_RCPT,
	OP_RCPT_BEFORE_HELO,
	OP_RCPT_BEFORE_MAIL,
	OP_RCPT_SYNTAX,
	OP_RCPT_SPACE,
	OP_RCPT_BYTE,
	OP_RCPT_LONG,
	OP_RCPT_TOO_MANY,
	OP_DATA,
	OP_DATA_BEFORE_HELO,
	OP_DATA_BEFORE_MAIL,
	OP_DATA_BEFORE_RCPT,
	OP_DATA_SYNTAX,
	OP_UNKNOWN,
	OP_EMPTY,
	OP_NEAR_MISS,
	OP_TOO_LONG,
	OP_BODY_EMPTY,
	OP_BODY_TEXT,
	OP_BODY_DOTS,
	OP_BODY_BYTES,
	OP_BODY_LONG_LINES,
	OP_BODY_LINE_ENDS,
	OP_BODY_FORGED,
	OP_BODY_LARGE,
	OP_HALF_CLOSE,
	OP_HALF_LINE,
	OP_HALF_DATA,
	OP_CLOSE,
	OP_RESET,
	OP_CLOSE_IN_DATA,
	OP_CLOSE_AFTER_DATA,
	OP_DORMANT,
	OP_DORMANT_LATER,
	OP_DORMANT_HALF_LINE,
	OP_SLOW_LINE,
	OP_ENDLESS_INVALID,
	OP_DORMANT_DATA,
	OP_DORMANT_MID_DATA,
	OP_COUNT
};

enum op_class {
	OP_CLASS_CONNECT,
	OP_CLASS_COMMAND, /* one line */
	OP_CLASS_FLOOD,   /* many lines, counted as one operation */
	OP_CLASS_BODY,    /* a whole message */
	OP_CLASS_ENDING,  /* ends the connection */
	OP_CLASS_TIMEOUT  /* waits for the server to end it */
};

/* The ways in which an operation can be written or sent: bits, of which several may be set. */
enum variant {
	VARIANT_SPACES = 1 << 0,         /* odd white space */
	VARIANT_CASE = 1 << 1,           /* odd letter case */
	VARIANT_BARE_LF = 1 << 2,        /* LF without CR */
	VARIANT_FULL_LINE = 1 << 3,      /* a line of exactly LINE_MAX bytes */
	VARIANT_BYTES = 1 << 4,          /* one byte a send */
	VARIANT_PIECES = 1 << 5,         /* cut at random */
	VARIANT_PIPELINED = 1 << 6,      /* with other operations, in one send */
	VARIANT_BODY_WITH_DATA = 1 << 7, /* DATA and its message in one send, before the 354 */
	VARIANT_HALF_CLOSED = 1 << 8     /* with others and the half-close, in one exchange */
};

#define VARIANTS 9

struct operation_info {
	const char *name;
	enum op_class op_class;
	unsigned states; /* bits 1 << STATE: those in which it can occur */
	enum reply_type reply_type;
};

/* One operation, with the reply to it. */
struct operation {
	enum operation_type type;
	enum state state;   /* before it */
	unsigned variant;   /* bits of enum variant */
	size_t end;         /* where its bytes end in the exchange's `out` */
	size_t ok_before;   /* how many "250 OK" come before the reply: for OP_RCPT_TOO_MANY */
	bool accepted;      /* the server counts T from the reply to it */
	struct reply reply; /* of OP_CLASS_TIMEOUT: to what is sent, if that has one; not the 421 */
	bool is_message;    /* a message, complete on the wire, of which: */
	size_t message_index; /* its index among the messages of its client, from 0 */
	struct digest digest; /* of its record; only if config.with_digests */
};

/* What is sent before the client waits for replies: one operation, or several. */
struct exchange {
	size_t number; /* of the first operation among those of its client, from 1 */
	size_t count;
	struct operation operations[EXCHANGE_MAX];
	struct buffer out;
	unsigned send_mode; /* VARIANT_BYTES, VARIANT_PIECES or 0 */
	bool together;      /* all of `out` must be sent by one send() */
	size_t cuts[4];     /* where VARIANT_PIECES cuts: rising offsets in `out`, may be equal */
};

extern const struct operation_info operation_table[OP_COUNT];
extern const char *const variant_names[VARIANTS];

/* Return whether `type` can occur in `state`. */
bool operation_allowed(enum operation_type type, enum state state);

/* Return the name of a state in a mismatch: one word; its letter in the report. */
const char *state_name(enum state state);
char state_letter(enum state state);

#endif
