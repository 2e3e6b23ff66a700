/*
 * NAME
 *	message - a message: the data sent, and the record expected
 *
 * DESCRIPTION
 *	A body is a number of lines of the kinds in the table below. For each kind a function adds
 *	the line as sent and as stored. One message in LARGE_ONCE_IN has many more lines than the
 *	others.
 */

#include "message.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "prng.h"

/* Lines of a body: fewer than LINES; of one body in LARGE_ONCE_IN, LARGE_FACTOR times as many. */
#define LINES         40
#define LARGE_FACTOR  100
#define LARGE_ONCE_IN 64

/* Bytes of a line of text: fewer than TEXT_LENGTH, with TEXT_BYTES values from TEXT_FIRST on. */
#define TEXT_LENGTH 120
#define TEXT_FIRST  0x20
#define TEXT_BYTES  95
#define ALL_BYTES   256

/* ---- lines ---- */

/* Adds a line to `sent` and to `stored`. */
typedef void line_function(struct message *message, struct prng *prng);

static line_function add_text, add_dots, add_forgery, add_binary, add_lone_ends;

/* Half of the lines are text. */
static line_function *const lines[] = {
    add_text, add_text, add_text, add_text, add_dots, add_forgery, add_binary, add_lone_ends};

/* Add a line, as sent and as stored, with its line endings. */
static void
add_both(struct message *message, const char *sent, const char *stored)
{
	bytes_add_string(&message->sent, sent);
	bytes_add_string(&message->sent, "\r\n");
	bytes_add_string(&message->stored, stored);
	bytes_add_string(&message->stored, "\n");
}

/* Add a line of printable bytes. The server removes the dot before one that begins with a dot. */
static void
add_text(struct message *message, struct prng *prng)
{
	char line[TEXT_LENGTH + 1];
	size_t length = (size_t)prng_below(prng, TEXT_LENGTH);

	for (size_t i = 0; i < length; i++) {
		line[i] = (char)(TEXT_FIRST + prng_below(prng, TEXT_BYTES));
	}
	line[length] = '\0';
	bytes_add_string(&message->sent, line[0] == '.' ? "." : "");
	add_both(message, line, line);
}

/* Add a line of two to six dots, of which the server removes one. */
static void
add_dots(struct message *message, struct prng *prng)
{
	static const char dots[] = "......";
	size_t fewer = (size_t)prng_below(prng, sizeof dots - 2);

	add_both(message, dots + fewer, dots + fewer + 1);
}

/* Add a line like the first of a record, with up to two '>'. The server adds one. */
static void
add_forgery(struct message *message, struct prng *prng)
{
	static const char forgery[] = ">>>Received: from x by netid (CS4410MP3)";
	size_t fewer = (size_t)prng_below(prng, sizeof ">>>" - 1) + 1;

	add_both(message, forgery + fewer, forgery + fewer - 1);
}

/* Add a line of any bytes but CR, LF and dots. */
static void
add_binary(struct message *message, struct prng *prng)
{
	size_t length = (size_t)prng_below(prng, TEXT_LENGTH);

	for (size_t i = 0; i < length; i++) {
		char byte = (char)prng_below(prng, ALL_BYTES);

		if (byte != '\r' && byte != '\n' && byte != '.') {
			bytes_add(&message->sent, &byte, 1);
			bytes_add(&message->stored, &byte, 1);
		}
	}
	add_both(message, "", "");
}

/* Add a line with single CR or LF, after which a dot does not end the data. */
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
	size_t count = (size_t)prng_below(&prng, LINES);

	if (prng_one_in(&prng, LARGE_ONCE_IN)) {
		count *= LARGE_FACTOR;
	}
	message->stream = stream;
	message->sequence = sequence;
	message->recipients = 1 + (unsigned)prng_below(&prng, MESSAGE_RECIPIENTS);
	bytes_clear(&message->sent);
	bytes_clear(&message->stored);
	for (size_t i = 0; i < count; i++) {
		lines[prng_below(&prng, ARRAY_LENGTH(lines))](message, &prng);
	}
	bytes_add_string(&message->sent, ".\r\n");
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
message_record(const struct message *message, unsigned long number, struct bytes *record)
{
	char name[MESSAGE_NAME_SIZE];

	message_host(message->stream, name);
	bytes_add_format(
	    record, "Received: from %s by netid (CS4410MP3)\nNumber: %lu\n", name, number);
	message_sender(message, name);
	bytes_add_format(record, "From: %s\n", name);
	for (unsigned i = 0; i < message->recipients; i++) {
		message_recipient(message, i, name);
		bytes_add_format(record, "To: %s\n", name);
	}
	bytes_add_string(record, "\n");
	bytes_add(record, message->stored.at, message->stored.length);
	bytes_add_string(record, "\n");
}

void
message_free(struct message *message)
{
	bytes_free(&message->sent);
	bytes_free(&message->stored);
}
