/*
 * reply.h - what a right server says, to the last byte. Pure: no state, no I/O, any thread.
 * Source: protocol, Commands, Data and Time.
 */

#ifndef MULTICLIENT_REPLY_H
#define MULTICLIENT_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "constants.h"

enum answer {
	ANSWER_NONE, /* nothing is said, or nothing is expected to be */
	ANSWER_BANNER,
	ANSWER_WELCOME,
	ANSWER_OK,
	ANSWER_START_DATA,
	ANSWER_DELIVERED,
	ANSWER_UNRECOGNIZED,
	ANSWER_LINE_TOO_LONG,
	ANSWER_NEED_HELO,
	ANSWER_NEED_MAIL,
	ANSWER_NEED_RCPT,
	ANSWER_SYNTAX_HELO,
	ANSWER_SYNTAX_MAIL,
	ANSWER_SYNTAX_RCPT,
	ANSWER_SYNTAX_DATA,
	ANSWER_BAD_SENDER,
	ANSWER_BAD_RECIPIENT,
	ANSWER_DUPLICATE_HELO,
	ANSWER_NESTED_MAIL,
	ANSWER_TOO_MANY,
	ANSWER_TIMEOUT,
	ANSWER_END, /* end of file, and not a byte before it */
	ANSWERS
};

/*
 * One expected reply. For ANSWER_DELIVERED `bytes` holds what stands before the number; the number
 * and CRLF follow.
 */
struct reply {
	enum answer answer;
	size_t length;
	char bytes[REPLY_MOST + 2];
};

/* Bytes that belong together; they belong to somebody else. */
struct span {
	const char *bytes;
	size_t length;
};

enum match {
	MATCH_FULL,
	MATCH_PART,
	MATCH_NONE
};

/* The reply code of an answer for a table, such as "250"; "eof" and "-" for the last two. */
const char *reply_code(enum answer answer);

/*
 * Write the one reply for `answer` from the server called `netid` (at most NETID_MOST bytes). `bad`
 * is the refused address for ANSWER_BAD_SENDER and ANSWER_BAD_RECIPIENT, and unused otherwise.
 */
void reply_write(struct reply *reply, enum answer answer, const char *netid, struct span bad);

/*
 * Compare what came with what is expected. MATCH_FULL: the first *used bytes are exactly the reply;
 * *number is the message number, if it has one. MATCH_PART: right so far, more is to come.
 * MATCH_NONE: wrong, whatever may follow. Nothing is stored through the pointers but on MATCH_FULL.
 */
enum match reply_match(const struct reply *reply, struct span came, size_t *used, uint64_t *number);

#endif
