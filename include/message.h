/*
 * message.h - a client's messages in memory, in the form in which they are stored
 *
 * One buffer holds the completed messages of a client that are not yet delivered, and after them
 * the current one. Each is a record of the mailbox, as described in record.h, but for the number
 * line, which only the mailbox can write.
 *
 * A buffer belongs to one connection and is used by one thread at a time. Source: the assignment;
 * RFC 5321 4.5.2 for the dots; mboxrd for the quoting.
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "params.h"
#include "record.h"

/* The state of the scanner of the body: see message.c. */
enum body_state {
	BODY_LINE_START,
	BODY_TEXT,
	BODY_CR,
	BODY_DOT,
	BODY_DOT_CR,
	BODY_END
};

/* A message. Offsets, but for `begin`, count from its first byte. */
struct draft {
	size_t begin;           /* offset of its first byte in the buffer */
	size_t received_length; /* bytes of the Received line, with its line feed */
	size_t body;            /* offset of the body */
	size_t length;          /* bytes of the record so far */
	unsigned recipient_count;
	int error; /* why it cannot be stored: 0, EMSGSIZE or ENOMEM */
};

struct message_buffer {
	char *bytes;     /* the records without their number lines; owned */
	size_t capacity; /* bytes allocated */
	size_t max_size; /* bytes that a body may have, as stored */

	struct draft current;
	size_t line_begin; /* offset in the current message of the stored line that is not ended */
	enum body_state state;

	size_t completed_count;
	struct draft completed[COMPLETED_MAX];
	struct record_trace trace;
};

/* The result of a delivery. */
struct delivery_result {
	int error;       /* 0 if the message is stored, or why it is not */
	uint64_t number; /* of the message, if it is stored */
};

/* Host, sender and recipients of a message: printable ASCII and, in addresses of ESMTP, UTF-8. */
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
 * Initialize an empty buffer without allocating memory. `netid` is at most NETID_MAX characters and
 * is copied. `max_size` is the limit of a body in bytes.
 */
void message_init(struct message_buffer *buffer, const char *netid, size_t max_size);

/* Discard the host and all messages. Frees a buffer of more than MESSAGE_BUFFER_INITIAL bytes. */
void message_clear(struct message_buffer *buffer);

/* Free all memory. The buffer may be used again. */
void message_destroy(struct message_buffer *buffer);

/*
 * Start the current record, and all later ones, with the client's name, `length` bytes of `host`.
 * Discards the current message. Returns 0; or ENOMEM, and then the buffer has no host.
 */
int message_set_host(struct message_buffer *buffer, const char *host, size_t length);

/* Discard sender, recipients and body of the current message, but keep the host. */
void message_reset(struct message_buffer *buffer);

/*
 * Append the sender (first) or a recipient (after it, up to RECIPIENTS_MAX times): an address of
 * `length` bytes. Returns 0; ENOMEM; or EMSGSIZE if there are too many recipients, or the envelope
 * would be too long. On failure nothing is appended.
 */
int message_set_sender(struct message_buffer *buffer, const char *address, size_t length);
int message_add_recipient(struct message_buffer *buffer, const char *address, size_t length);

/* End the envelope and start the body. Not to be called when message_delivery_due(). */
void message_start_body(struct message_buffer *buffer);

/*
 * Scan `length` bytes of the data phase, split anywhere. Converts line ends, unstuffs dots and
 * quotes lines. Returns how many bytes belong to the message: fewer than `length` only after the
 * end of data. Then the message is one of the completed ones, the next one has started, and
 * message_is_complete() is true until the next body. After an error the rest is scanned for the end
 * of data, and not stored.
 */
size_t message_scan(struct message_buffer *buffer, const char *bytes, size_t length);

/* Return whether the last body has been scanned to its end. */
bool message_is_complete(const struct message_buffer *buffer);

/*
 * Return whether the completed messages, or their bytes, are so many that they must be delivered
 * and discarded before another body is started.
 */
bool message_delivery_due(const struct message_buffer *buffer);

/*
 * Return the envelope and, if its `error` is 0, the record of a completed message; the first one
 * has index 0. Both are valid until the buffer changes.
 */
struct envelope message_envelope(const struct message_buffer *buffer, size_t index);
struct record message_record(const struct message_buffer *buffer, size_t index);

/* Discard the completed messages, and keep the current one. */
void message_discard_completed(struct message_buffer *buffer);

#endif
