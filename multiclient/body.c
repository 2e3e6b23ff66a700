/*
 * NAME
 *	body - the data of one message as it is sent
 *
 * DESCRIPTION
 *	Each type of body tests one rule: dots, line ends, lines like those of a record. Random
 *	pieces may form an end mark by accident: the message then ends there.
 *
 * DIAGNOSTICS
 *	Out of memory shows as `failed` in the buffer.
 */

#include "body.h"

#include <string.h>

#include "command.h"
#include "record.h"

/*
 * At most: lines of a short body, words of a line, random bytes of a line. From and to: bytes of a
 * long line, and of a large body.
 */
#define LINES_MAX      12
#define WORDS_MAX      12
#define BYTES_LINE_MAX 200
#define LONG_LINE_MIN  1000
#define LONG_LINE_MAX  20000
#define LARGE_MIN      40000
#define LARGE_MAX      300000

static const char *const words[] = {"I", "made", "an", "awesome", "submission", "Network",
    "programming", "is", "fun", "a", "the", "thread", "pool", "monitor", "waits", "for", "mailbox",
    "message", "number", "from", "to", "and", "then", "backup", "of", "it", "all", "-", "1", "2"};

static void
write_text_line(struct prng *prng, struct buffer *data)
{
	size_t count = prng_between(prng, 0, WORDS_MAX);

	while (count-- > 0) {
		buffer_add_string(data, words[prng_below(prng, ARRAY_LENGTH(words))]);
		if (count > 0) {
			buffer_add_byte(data, ' ');
		}
	}
	buffer_add_string(data, "\r\n");
}

static void
write_empty(const char *netid, struct prng *prng, struct buffer *data)
{
	(void)netid;
	(void)prng;
	(void)data;
}

static void
write_text(const char *netid, struct prng *prng, struct buffer *data)
{
	size_t lines = prng_between(prng, 1, LINES_MAX);

	(void)netid;
	while (lines-- > 0) {
		write_text_line(prng, data);
	}
}

/* Write lines with dots, most of them at the beginning: doubled (RFC 5321, 4.5.2), and single. */
static void
write_dots(const char *netid, struct prng *prng, struct buffer *data)
{
	static const char *const lines[] = {"..", "...", "....", "..a", ".a", ". ", ".\t", ". .",
	    ".. .", "a.", "a..", "", ".QUIT", "..\r", ".\r", ".DATA", ".354", ". \r"};
	size_t count = prng_between(prng, 1, LINES_MAX);

	(void)netid;
	while (count-- > 0) {
		buffer_add_string(data, lines[prng_below(prng, ARRAY_LENGTH(lines))]);
		buffer_add_string(data, "\r\n");
	}
}

/* Write lines of random bytes: LF only at their ends, no dot, CR anywhere. */
static void
write_bytes(const char *netid, struct prng *prng, struct buffer *data)
{
	size_t lines = prng_between(prng, 1, LINES_MAX);

	(void)netid;
	while (lines-- > 0) {
		size_t length = prng_below(prng, BYTES_LINE_MAX);

		if (prng_one_in(prng, 4)) {
			buffer_fill(data, '\0', prng_between(prng, 1, 3));
		}
		while (length-- > 0) {
			char byte = (char)prng_below(prng, 256);

			buffer_add_byte(data, (char)(byte == '\n' || byte == '.' ? '\0' : byte));
		}
		buffer_add_string(data, "\r\n");
	}
}

static void
write_long_lines(const char *netid, struct prng *prng, struct buffer *data)
{
	size_t lines = prng_between(prng, 1, 3);

	(void)netid;
	while (lines-- > 0) {
		size_t length = prng_between(prng, LONG_LINE_MIN, LONG_LINE_MAX);

		command_write_printable(prng, 64, data);
		buffer_fill(data, (char)prng_between(prng, 'a', 'z'), length);
		buffer_add_string(data, "\r\n");
	}
}

/*
 * Write what some servers accept as the end of data, then a command (SMTP smuggling); then CR, LF
 * and dots in any order.
 */
static void
write_line_ends(const char *netid, struct prng *prng, struct buffer *data)
{
	static const char *const ends[] = {"x\n.\n", "x\n.\r\n", "x\r\n.\n", "x\r.\r", "x\r.\r\n",
	    "x\n\n.\n\n", "x\r\n.\r\r\n", "x\n.\r", "x\r\n\r.\r\n", "x\r\r\n.\n"};
	static const char *const pieces[] = {
	    "\r", "\n", "\r\n", ".", "a", "\n.", "\r.", "..", "\r\r\n", "\n\n", " ", "\n\r"};
	size_t count = prng_between(prng, 0, 2 * (size_t)LINES_MAX);

	(void)netid;
	buffer_add_string(data, ends[prng_below(prng, ARRAY_LENGTH(ends))]);
	buffer_add_string(data, "MAIL FROM:<smuggled@example.com>\r\n");
	while (count-- > 0) {
		buffer_add_string(data, pieces[prng_below(prng, ARRAY_LENGTH(pieces))]);
	}
	buffer_add_string(data, "\r\n");
}

/*
 * Write the first line of a record of the server with this netid, or a line that is similar to one.
 */
static void
write_forged_line(const char *netid, struct prng *prng, struct buffer *data)
{
	static const struct {
		const char *begin; /* followed by the netid */
		const char *end;
	} heads[] = {
	    {"Received: from x by ", " (CS4410MP3)"},
	    {">Received: from x by ", " (CS4410MP3)"},
	    {">>>Received: from a b by ", " (CS4410MP3)"},
	    {".Received: from x by ", " (CS4410MP3)"},
	    {".>Received: from x by ", " (CS4410MP3)"},
	    {"Received: from  by ", " (CS4410MP3)"},
	    {"Received: from x by y by ", " (CS4410MP3)"},
	    {"Received: from x\xff\rz by ", " (CS4410MP3)"},
	    {"a\nReceived: from x by ", " (CS4410MP3)"},
	    {"Received: from x by ", " (CS4410MP3)\nNumber: 1"},
	    {"received: from x by ", " (CS4410MP3)"},
	    {" Received: from x by ", " (CS4410MP3)"},
	    {"> Received: from x by ", " (CS4410MP3)"},
	    {"Received: from x by ", " (CS4410MP3) "},
	    {"Received: from x by ", " (CS4410MP3)\r"},
	    {"Received: from x by ", " (CS4410MP4)"},
	    {"Received: from by ", " (CS4410MP3)"},
	    {"Received: from x by x", " (CS4410MP3)"},
	    {"a\rReceived: from x by ", " (CS4410MP3)"},
	};
	size_t row = prng_below(prng, ARRAY_LENGTH(heads));

	buffer_add_string(data, heads[row].begin);
	buffer_add_string(data, netid);
	buffer_add_string(data, heads[row].end);
}

static void
write_forged(const char *netid, struct prng *prng, struct buffer *data)
{
	size_t count = prng_between(prng, 1, 4);

	/* One forged record is exact, and follows the empty line that ends a record. */
	buffer_add_string(data, "\r\nReceived: from forger by ");
	buffer_add_string(data, netid);
	buffer_add_string(data, " (CS4410MP3)\r\nNumber: 1\r\nFrom: a\r\nTo: b\r\n\r\nforged\r\n");
	while (count-- > 0) {
		write_forged_line(netid, prng, data);
		buffer_add_string(data, "\r\n");
	}
}

static void
write_large(const char *netid, struct prng *prng, struct buffer *data)
{
	size_t length = prng_between(prng, LARGE_MIN, LARGE_MAX);
	size_t begin = data->length;

	(void)netid;
	while (data->length - begin < length && !data->failed) {
		write_text_line(prng, data);
	}
}

/* Append the body of each type, without its end mark. */
static void (*const writers[OP_COUNT])(const char *, struct prng *, struct buffer *) = {
    [OP_BODY_EMPTY] = write_empty,
    [OP_BODY_TEXT] = write_text,
    [OP_BODY_DOTS] = write_dots,
    [OP_BODY_BYTES] = write_bytes,
    [OP_BODY_LONG_LINES] = write_long_lines,
    [OP_BODY_LINE_ENDS] = write_line_ends,
    [OP_BODY_FORGED] = write_forged,
    [OP_BODY_LARGE] = write_large,
};

void
body_write(enum operation_type type, const char *netid, struct prng *prng, struct buffer *data)
{
	size_t begin = data->length;

	writers[type](netid, prng, data);
	buffer_add_string(data, ".\r\n");
	if (!data->failed) {
		data->length =
		    begin + data_end((struct span){data->bytes + begin, data->length - begin});
	}
}

void
body_write_partial(const char *netid, struct prng *prng, struct buffer *data)
{
	static const enum operation_type types[] = {OP_BODY_TEXT, OP_BODY_DOTS, OP_BODY_BYTES,
	    OP_BODY_LINE_ENDS, OP_BODY_FORGED, OP_BODY_EMPTY};
	size_t begin = data->length;
	size_t length;

	body_write(types[prng_below(prng, ARRAY_LENGTH(types))], netid, prng, data);
	length = data->length - begin;
	/* Half of the long ones end in the last bytes, where the end mark is. */
	if (length > 5 && prng_one_in(prng, 2)) {
		length = prng_between(prng, length - 5, length - 1);
	} else {
		length = prng_between(prng, 1, length - 1);
	}
	data->length = begin + length;
}
