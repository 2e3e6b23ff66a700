/*
 * reply.h - the replies of a correct server, to the last byte. No state, no I/O; any thread.
 * Source: smtpd(8), PROTOCOL.
 */

#ifndef MULTICLIENT_REPLY_H
#define MULTICLIENT_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "params.h"

enum reply_type {
	REPLY_NONE, /* no reply */
	REPLY_GREETING,
	REPLY_HELO,
	REPLY_OK,
	REPLY_START_DATA,
	REPLY_DELIVERED,
	REPLY_UNRECOGNIZED,
	REPLY_LINE_TOO_LONG,
	REPLY_NEED_HELO,
	REPLY_NEED_MAIL,
	REPLY_NEED_RCPT,
	REPLY_SYNTAX_HELO,
	REPLY_SYNTAX_MAIL,
	REPLY_SYNTAX_RCPT,
	REPLY_SYNTAX_DATA,
	REPLY_BAD_SENDER,
	REPLY_BAD_RECIPIENT,
	REPLY_DUPLICATE_HELO,
	REPLY_NESTED_MAIL,
	REPLY_TOO_MANY,
	REPLY_TIMEOUT,
	REPLY_EOF, /* end of file, and not a byte before it */
	REPLY_TYPES
};

/*
 * One expected reply. For REPLY_DELIVERED `bytes` holds what stands before the number; the number
 * and CRLF follow.
 */
struct reply {
	enum reply_type reply_type;
	size_t length;
	char bytes[REPLY_MAX + 2];
};

/* The result of reply_match(). */
enum match {
	MATCH_FULL,
	MATCH_PART,
	MATCH_NONE
};

/* Return the code of a reply for a table, such as "250"; "eof" for REPLY_EOF, "-" for none. */
const char *reply_code(enum reply_type reply_type);

/*
 * Write the reply of type `reply_type` from the server called `netid` (at most NETID_MAX bytes).
 * `bad` is the refused address for REPLY_BAD_SENDER and REPLY_BAD_RECIPIENT, and unused otherwise.
 */
void reply_write(
    struct reply *reply, enum reply_type reply_type, const char *netid, struct span bad);

/*
 * Compare `received` with the expected reply. MATCH_FULL: the first *used bytes are exactly the
 * reply; *number is the message number, if it has one. MATCH_PART: right so far, more is to come.
 * MATCH_NONE: wrong, whatever may follow. *used and *number are set only by MATCH_FULL.
 */
enum match reply_match(
    const struct reply *reply, struct span received, size_t *used, uint64_t *number);

/* Return the bytes of a reply; of REPLY_DELIVERED those before the number. */
struct span reply_span(const struct reply *reply);

#endif
