/*
 * oracle.h - the state of one session, and the exact reply to whatever is sent next
 *
 * No I/O, no clock; one oracle belongs to one thread. Source: smtpd(8), PROTOCOL.
 */

#ifndef MULTICLIENT_ORACLE_H
#define MULTICLIENT_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "operation.h"
#include "reply.h"

struct oracle {
	const char *netid; /* borrowed */
	enum state state;
	size_t recipients;             /* accepted for this message */
	struct buffer heading;         /* "Received: from HOST by NETID (CS4410MP3)\n" */
	struct buffer sender;          /* "From: ADDRESS\n" */
	struct buffer recipients_text; /* "To: ADDRESS\n" each */
	struct buffer scratch;         /* of oracle_message() */
};

/*
 * Begin a session with the server that has this netid, which must outlive the oracle. The oracle
 * must be zeroed at first; the memory of an earlier session is used again.
 */
void oracle_init(struct oracle *oracle, const char *netid);

/* Free the memory. */
void oracle_destroy(struct oracle *oracle);

/*
 * Judge one command line with its ending: `line` ends in LF and has no other. Writes the reply and
 * sets the state after it. Returns whether the command is accepted. Not in STATE_DATA.
 */
bool oracle_line(struct oracle *oracle, struct span line, struct reply *reply);

/*
 * Judge the whole data of a message, with its end mark and nothing after it. In STATE_DATA only.
 * Writes the reply and sets STATE_GREETED. Replaces `record` by the record that the server must
 * store, without the number: *head bytes before "Number: N\n", then the rest. `record` is `failed`
 * when memory ran out. NULL: the record is not computed.
 */
void oracle_message(struct oracle *oracle, struct span data, struct reply *reply,
    struct buffer *record, size_t *head);

#endif
