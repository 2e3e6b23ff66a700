/*
 * NAME
 *	message - a message: the data sent, and the record expected
 *
 * DESCRIPTION
 *	A body is a number of lines of the kinds in the table below, each of which knows its two
 *	forms. One message in LARGE_ONCE_IN has many more of them than the others.
 */

#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prng.h"

/* Limit of body lines; the factor for large bodies, and their frequency. */
#define LINES         40
#define LARGE_FACTOR  100
#define LARGE_ONCE_IN 64

/* Most bytes of a line of text; its first byte value, and number of values. */
#define TEXT_LENGTH 120
#define TEXT_FIRST  0x20
#define TEXT_BYTES  95
#define ALL_BYTES   256

#define CAPACITY_FIRST 4096
#define LINE_SIZE      160

/* ---- texts ---- */

void
text_add(struct text *text, const void *bytes, size_t length)
{
	if (text->bytes == NULL || text->capacity - text->length < length) {
		size_t capacity = text->capacity ? text->capacity : CAPACITY_FIRST;

		while (capacity - text->length < length) {
			capacity *= 2;
		}
		text->bytes = realloc(text->bytes, capacity);
		if (text->bytes == NULL) {
			perror("soak");
			abort();
		}
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

void
text_add_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void
text_clear(struct text *text)
{
	text->length = 0;
}

void
text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){.bytes = NULL};
}

/* ---- lines ---- */

/* Adds a line to `sent` and to `stored`. */
typedef void line_function(struct message *message, struct prng *prng);

static line_function add_text, add_dots, add_forgery, add_binary, add_lone_ends;

/* Half of the lines are text. */
static line_function *const lines[] = {
    add_text, add_text, add_text, add_text, add_dots, add_forgery, add_binary, add_lone_ends};

static void
add_both(struct message *message, const char *sent, const char *stored)
{
	text_add_string(&message->sent, sent);
	text_add_string(&message->sent, "\r\n");
	text_add_string(&message->stored, stored);
	text_add_string(&message->stored, "\n");
}

static void
add_text(struct message *message, struct prng *prng)
{
	char line[TEXT_LENGTH + 1];
	unsigned length = prng_below(prng, TEXT_LENGTH);

	for (unsigned i = 0; i < length; i++) {
		line[i] = (char)(TEXT_FIRST + prng_below(prng, TEXT_BYTES));
	}
	line[length] = '\0';
	text_add_string(&message->sent, line[0] == '.' ? "." : "");
	add_both(message, line, line);
}

static void
add_dots(struct message *message, struct prng *prng)
{
	static const char dots[] = "......";
	unsigned fewer = prng_below(prng, sizeof dots - 2);

	add_both(message, dots + fewer, dots + fewer + 1);
}

/* Add a line like the first of a record, with or without a quote. */
static void
add_forgery(struct message *message, struct prng *prng)
{
	static const char forgery[] = ">>>Received: from x by netid (CS4410MP3)";
	unsigned fewer = prng_below(prng, sizeof ">>>" - 1) + 1;

	add_both(message, forgery + fewer, forgery + fewer - 1);
}

/* Add bytes other than text, CR and LF. */
static void
add_binary(struct message *message, struct prng *prng)
{
	unsigned length = prng_below(prng, TEXT_LENGTH);

	for (unsigned i = 0; i < length; i++) {
		char byte = (char)prng_below(prng, ALL_BYTES);

		if (byte != '\r' && byte != '\n' && byte != '.') {
			text_add(&message->sent, &byte, 1);
			text_add(&message->stored, &byte, 1);
		}
	}
	add_both(message, "", "");
}

/* Add single CR and LF, and a dot that does not end the data. */
static void
add_lone_ends(struct message *message, struct prng *prng)
{
	static const char *const texts[] = {
	    "a\rb", "a\nb", "a\n.", "\n.\n", "a\r.", "\r\r", "\n\r"};

	const char *text = texts[prng_below(prng, ARRAY_LENGTH(texts))];

	add_both(message, text, text);
}

/* ---- messages ---- */

void
message_make(struct message *message, unsigned stream, unsigned sequence)
{
	struct prng prng = prng_init(stream, sequence);
	unsigned count = prng_below(&prng, LINES);

	if (prng_one_in(&prng, LARGE_ONCE_IN)) {
		count *= LARGE_FACTOR;
	}
	message->stream = stream;
	message->sequence = sequence;
	message->recipients = 1 + prng_below(&prng, MESSAGE_RECIPIENTS);
	text_clear(&message->sent);
	text_clear(&message->stored);
	for (unsigned i = 0; i < count; i++) {
		lines[prng_below(&prng, ARRAY_LENGTH(lines))](message, &prng);
	}
	text_add_string(&message->sent, ".\r\n");
}

void
message_host(unsigned stream, char name[static MESSAGE_NAME_SIZE])
{
	snprintf(name, MESSAGE_NAME_SIZE, "normal-%u", stream);
}

void
message_sender(const struct message *message, char name[static MESSAGE_NAME_SIZE])
{
	snprintf(
	    name, MESSAGE_NAME_SIZE, "message-%u@normal-%u", message->sequence, message->stream);
}

void
message_recipient(
    const struct message *message, unsigned recipient, char name[static MESSAGE_NAME_SIZE])
{
	snprintf(name, MESSAGE_NAME_SIZE, "<to-%u-of-%u@normal-%u>", recipient, message->sequence,
	    message->stream);
}

void
message_record(const struct message *message, unsigned long number, struct text *record)
{
	char line[LINE_SIZE], name[MESSAGE_NAME_SIZE];

	message_host(message->stream, name);
	snprintf(line, sizeof line, "Received: from %s by netid (CS4410MP3)\nNumber: %lu\n", name,
	    number);
	text_add_string(record, line);
	message_sender(message, name);
	snprintf(line, sizeof line, "From: %s\n", name);
	text_add_string(record, line);
	for (unsigned i = 0; i < message->recipients; i++) {
		message_recipient(message, i, name);
		snprintf(line, sizeof line, "To: %s\n", name);
		text_add_string(record, line);
	}
	text_add_string(record, "\n");
	text_add(record, message->stored.bytes, message->stored.length);
	text_add_string(record, "\n");
}

void
message_free(struct message *message)
{
	text_free(&message->sent);
	text_free(&message->stored);
}
