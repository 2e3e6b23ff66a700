/*
 * message.h - a client's messages in memory, in the form in which they will be stored
 *
 * One is growing; before it in the same buffer are those that have ended, if several came at once
 * and nobody has taken them yet. Each is a record of the mailbox from its first byte to its last,
 * but for the line "Number: N", which only the mailbox can write:
 *
 *	Received: from host by netid (CS4410MP3)
 *	From: address
 *	To: address
 *
 *	body
 *
 * They belong to one connection, and to one thread at a time. Source: the assignment; RFC 5321
 * 4.5.2 for the dots; mboxrd for the quoting.
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "params.h"

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
/* A message that has ended. Offsets are those from its own first byte. */
struct ended {
	size_t begin;    /* of it in the buffer */
	size_t received; /* bytes of the Received line, with its line feed */
	size_t body;     /* where the body begins */
	size_t length;   /* bytes of the record */
	unsigned recipients;
	int error;
};

struct message_buffer {
	char *bytes;     /* the records without their number lines; owned */
	size_t capacity; /* bytes allocated */
	size_t max_size; /* bytes that a body may have, as stored */

	/* The one that is growing. Offsets are those from its own first byte. */
	size_t begin;    /* of it in the buffer */
	size_t length;   /* bytes in use */
	size_t received; /* bytes of the Received line, with its line feed */
	size_t body;     /* where the body begins */
	size_t line;     /* where the stored line that is growing begins */
	unsigned recipients;
	enum body_state state;
	int error;

	size_t completed_count;
	struct ended ended[MESSAGE_BATCH_MAX];
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

/* What became of a message. */
struct delivery_result {
	int error;       /* the error number of what prevented it, or 0 */
	uint64_t number; /* under which it is stored */
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
void message_init(struct message_buffer *message, const char *netid, size_t max_size);

/* Forget the host and all messages. Memory above MESSAGE_BUFFER_INITIAL bytes is given back. */
void message_clear(struct message_buffer *message);

/* Give back all memory. It may be used again. */
void message_destroy(struct message_buffer *message);

/*
 * Begin the record, and all that follow, with the client's name, `host`, of `length` bytes.
 * Whatever was growing is forgotten. Returns 0, or ENOMEM: then there is no
 * host.
 */
int message_set_host(struct message_buffer *message, const char *host, size_t length);

/* Forget sender, recipients and body, but not the host. */
void message_reset(struct message_buffer *message);

/*
 * Add the sender (first) and a recipient (after it, up to RECIPIENTS_MAX times): an address of
 * `length` bytes. Returns 0; ENOMEM; or, for a recipient, EMSGSIZE if
 * there are too many of them. When it fails nothing is added.
 */
int message_set_sender(struct message_buffer *message, const char *address, size_t length);
int message_add_recipient(struct message_buffer *message, const char *address, size_t length);

/* End the envelope and expect the body. Not when message_batch_full(). */
void message_start_body(struct message_buffer *message);

/*
 * Take `length` bytes of the data phase, in any split. Line ends, dots and quoting are dealt with
 * here. Returns how many bytes belong to the message: fewer than `length` only if the end of data
 * was among them. Then message_complete() is true until the next body, the message is one more of
 * those that have ended, and the next one begins. What comes after a fault is scanned for the end,
 * and not kept.
 */
size_t message_scan(struct message_buffer *message, const char *bytes, size_t length);

bool message_complete(const struct message_buffer *message);

/* Whether those that have ended must be forgotten before another body is begun. */
bool message_batch_full(const struct message_buffer *message);

/*
 * Of those that have ended, the first being 0: the envelope and, if its `fault` is 0,
 * the finished record. They live until the next change.
 */
struct envelope message_envelope(const struct message_buffer *message, size_t index);
struct record message_record(const struct message_buffer *message, size_t index);

/* Forget those that have ended; the one that is growing goes on. */
void message_discard_completed(struct message_buffer *message);

#endif
