/*
 * message.h - a message: the data sent, and the record expected
 *
 * A stream is the sequence of messages that one normal client sends in one round. Streams and the
 * messages of each are numbered, and both numbers together determine the message.
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include "bytes.h"

/* Most recipients of a message. */
#define MESSAGE_RECIPIENTS 3

struct message {
	unsigned stream;
	unsigned sequence;   /* number in the stream, from 0 */
	unsigned recipients; /* 1 to MESSAGE_RECIPIENTS */
	struct bytes sent;   /* the data with the line of the dot */
	struct bytes stored; /* the body as stored */
};

/* Make message number `sequence` of a stream. Reuses the memory. */
void message_make(struct message *message, unsigned stream, unsigned sequence);

/* Write the argument of HELO, of MAIL FROM, of RCPT TO number `recipient`, from 0. */
#define MESSAGE_NAME_SIZE 64
void message_host(unsigned stream, char name[static MESSAGE_NAME_SIZE]);
void message_sender(const struct message *message, char name[static MESSAGE_NAME_SIZE]);
void message_recipient(
    const struct message *message, unsigned recipient, char name[static MESSAGE_NAME_SIZE]);

/* Append the expected record with this number. */
void message_record(const struct message *message, unsigned long number, struct bytes *record);

void message_free(struct message *message);

#endif
