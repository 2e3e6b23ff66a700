/*
 * reference.h - a second implementation of the protocol, slow and simple
 *
 * Written from the description of the protocol alone: it takes one byte at a time, stores
 * everything, and shares no source with the server. The server must do the same with any input.
 */

#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/*
 * Line feeds that must fit after the last line of an envelope: an empty line, the end of a body and
 * an empty line. Bytes of a record besides a body of the maximum size.
 */
#define REFERENCE_LINE_FEEDS   3
#define REFERENCE_ENVELOPE_MAX 65536

struct reference {
	const char *netid;
	size_t max_size;
	bool extended;
	bool any_login;         /* AUTH is accepted */
	bool first_line;        /* no command line was complete yet */
	bool greeted;           /* HELO or EHLO accepted */
	bool logged_in;         /* AUTH accepted */
	unsigned responses;     /* of AUTH still to come; the next lines are no commands */
	bool utf8;              /* MAIL FROM had SMTPUTF8 */
	bool mail_open;         /* MAIL FROM accepted, message not complete */
	size_t recipients;      /* RCPT TO accepted */
	bool in_data;           /* between 354 and the end of the data */
	bool complete;          /* a message is to be delivered or refused */
	bool too_big;           /* this message is to be refused */
	bool closing;           /* the server closes the connection */
	unsigned junk_commands; /* since the last message */
	unsigned accepted;     /* commands accepted, and messages completed; the target resets it */
	struct bytes line;     /* the command line so far */
	struct bytes data;     /* the data so far, as sent */
	struct bytes received; /* the first line of the record */
	struct bytes rest;     /* all lines of the record after the number line */
	struct bytes replies;
};

/* Start with a new client. The struct must be all zero before the first. */
void reference_init(
    struct reference *reference, const char *netid, size_t max_size, bool extended, bool any_login);

/* Free all memory. */
void reference_destroy(struct reference *reference);

/*
 * Process one byte; ignore it when `closing`. While `complete`, call reference_delivered() first.
 */
void reference_feed(struct reference *reference, char byte);

/*
 * Reply to the message that is `complete`: it was stored with this number or, if `error` is not 0,
 * refused for that reason or because it is `too_big`.
 */
void reference_delivered(struct reference *reference, int error, uint64_t number);

/* The replies that answer no command. */
void reference_greet(struct reference *reference);
void reference_reply_timeout(struct reference *reference);
void reference_reply_shutdown(struct reference *reference);

/* ---- only for reference.c and reference_command.c ---- */

/* Add a reply line; or one with the netid between `before` and `after`. */
void reference_reply(struct reference *reference, const char *text);
void reference_reply_netid(struct reference *reference, const char *before, const char *after);

/* Discard the open transaction. */
void reference_reset(struct reference *reference);

/* Carry out the complete command line. */
void reference_command(struct reference *reference);

#endif
