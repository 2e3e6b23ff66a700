/*
 * reference.h - the protocol a second time, as slowly and simply as can be
 *
 * Written from the protocol's description alone: one byte at a time, everything kept, nothing
 * shared with the server's sources. What the server does with any input must be what this does.
 */

#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Line feeds that end a record, and bytes that it may have beside a body of the largest size. */
#define REFERENCE_LINE_FEEDS    3
#define REFERENCE_ENVELOPE_ROOM 65536

struct reference {
	const char *netid;
	size_t max_size;
	bool extended;
	bool greeted;          /* HELO accepted */
	bool mail_open;        /* MAIL FROM accepted, message not ended */
	size_t recipients;     /* RCPT TO accepted */
	bool in_data;          /* between 354 and the end of the data */
	bool complete;         /* a message is to be delivered or refused */
	bool too_big;          /* it is to be refused */
	bool over;             /* the server closes the connection */
	unsigned idle;         /* commands that moved nothing forward, since the last message */
	unsigned accepted;     /* commands accepted, and messages ended */
	struct bytes line;     /* the command line so far */
	struct bytes data;     /* the data so far, as sent */
	struct bytes received; /* the record: its first line */
	struct bytes rest;     /* and all behind the number line */
	struct bytes replies;
};

/* A new client has come. All zero before the first. */
void reference_begin(
    struct reference *reference, const char *netid, size_t max_size, bool extended);

/* Give back the memory. */
void reference_end(struct reference *reference);

/* Take one byte. Not while `complete`; ignored when it is `over`. */
void reference_feed(struct reference *reference, char byte);

/* The message that is `complete` was stored under `number` or, if `error` is not 0, was not. */
void reference_delivered(struct reference *reference, int error, uint64_t number);

/* What the server says by itself. */
void reference_greet(struct reference *reference);
void reference_reply_timeout(struct reference *reference);
void reference_reply_shutdown(struct reference *reference);

/* ---- between reference.c and reference_command.c ---- */

/* Say a line; or one with the netid between `before` and `after`. */
void reference_reply(struct reference *reference, const char *text);
void reference_reply_netid(struct reference *reference, const char *before, const char *after);

/* Forget the transaction that is open. */
void reference_reset(struct reference *reference);

/* Judge the command line that is complete. */
void reference_check(struct reference *reference);

#endif
