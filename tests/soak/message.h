/*
 * message.h - a message: the data sent, and the record expected
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>

/* Most recipients of a message. */
#define MESSAGE_RECIPIENTS 3

/* A growable buffer. All zero is empty. `bytes` is owned. */
struct text {
	char *bytes;
	size_t length;
	size_t capacity;
};

struct message {
	unsigned stream;
	unsigned sequence;
	unsigned recipients;
	struct text sent;   /* the data as sent, with the line that ends them */
	struct text stored; /* the body as stored */
};

/* Make message `sequence` of a stream, always with the same content. Reuses the memory. */
void message_make(struct message *message, unsigned stream, unsigned sequence);

/* Write the arguments of HELO, MAIL FROM and RCPT TO. */
#define MESSAGE_NAME_SIZE 64
void message_host(unsigned stream, char name[static MESSAGE_NAME_SIZE]);
void message_sender(const struct message *message, char name[static MESSAGE_NAME_SIZE]);
void message_recipient(
    const struct message *message, unsigned recipient, char name[static MESSAGE_NAME_SIZE]);

/* Append the expected record with this number. */
void message_record(const struct message *message, unsigned long number, struct text *record);

void message_free(struct message *message);

/* Append to a text. Ends the program if there is no memory. */
void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_clear(struct text *text);
void text_free(struct text *text);

#endif
