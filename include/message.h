/*
 * message.h - one message growing in memory, in the form in which it will be stored
 *
 * The buffer holds the record of the mailbox from its first byte to its last, but for the line
 * "Number: N", which only the mailbox can write:
 *
 *	Received: from host by netid (CS4410MP3)
 *	From: address
 *	To: address
 *
 *	body
 *
 * A message belongs to one connection, and to one thread at a time. Source: the assignment;
 * RFC 5321 4.5.2 for the dots; mboxrd for the quoting.
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "bounds.h"

/* Where the scanner of the body stands: see message.c. */
enum body_state {
	BODY_LINE_START,
	BODY_TEXT,
	BODY_CR,
	BODY_DOT,
	BODY_DOT_CR,
	BODY_END
};

/* Why a message cannot be kept. */
enum message_fault {
	MESSAGE_FINE,
	MESSAGE_TOO_BIG,
	MESSAGE_NO_MEMORY
};

struct message {
	char *bytes;     /* the record without its number line; owned */
	size_t length;   /* bytes in use */
	size_t capacity; /* bytes allocated */
	size_t max_size; /* bytes that the body may have, as stored */
	size_t received; /* bytes of the Received line, with its line feed */
	size_t body;     /* where the body begins */
	size_t line;     /* where the stored line that is growing begins */
	unsigned recipients;
	enum body_state state;
	enum message_fault fault;
	/* " by netid (CS4410MP3)": how the first line of every record ends. */
	char trace[NETID_MAX + sizeof " by  (CS4410MP3)"];
	size_t trace_length;
};

/* A finished record in two parts, between which the number line belongs. */
struct record {
	const char *received; /* the Received line */
	size_t received_length;
	const char *rest; /* From line to the empty line after the body */
	size_t rest_length;
};

/* Who sent a message to whom. All bytes are printable ASCII. */
struct envelope {
	const char *host;
	size_t host_length;
	const char *sender;
	size_t sender_length;
	const char *recipients; /* each as "To: ADDRESS\n" */
	size_t recipients_length;
	unsigned recipient_count;
};

/*
 * Prepare a message: empty, no memory allocated. `netid` is at most NETID_MAX characters, and is
 * copied; `max_size` is the limit of the body in bytes.
 */
void message_init(struct message *message, const char *netid, size_t max_size);

/*
 * Forget the host and all else. Memory above MESSAGE_KEPT bytes is given back.
 */
void message_clear(struct message *message);

/* Give back all memory. The message may be used again. */
void message_release(struct message *message);

/*
 * Begin the record with the client's name, `host`, of `length` bytes. Everything before is
 * forgotten. Returns MESSAGE_FINE, or MESSAGE_NO_MEMORY: then there is no host.
 */
enum message_fault message_host(struct message *message, const char *host, size_t length);

/* Forget sender, recipients and body, but not the host. */
void message_reset(struct message *message);

/*
 * Add the sender (first) and a recipient (after it, up to RECIPIENTS_MAX times): an address of
 * `length` bytes. Returns MESSAGE_FINE; MESSAGE_NO_MEMORY; or, for a recipient, MESSAGE_TOO_BIG if
 * there are too many of them. When it fails nothing is added.
 */
enum message_fault message_sender(struct message *message, const char *address, size_t length);
enum message_fault message_recipient(struct message *message, const char *address, size_t length);

/* End the envelope and expect the body. */
void message_data(struct message *message);

/*
 * Take `length` bytes of the data phase, in any split. Line ends, dots and quoting are dealt with
 * here. Returns how many bytes belong to the message: fewer than `length` only if the end of data
 * was among them. Then message_ended() is true, and the record complete unless message_fault says
 * why it is not: what comes after a fault is scanned for the end, and not kept.
 */
size_t message_body(struct message *message, const char *bytes, size_t length);

bool message_ended(const struct message *message);

/* Return the envelope, once message_data() was called. It lives until the message changes. */
struct envelope message_envelope(const struct message *message);

/* Return the finished record. It points into the message, and lives until that changes. */
struct record message_record(const struct message *message);

#endif
