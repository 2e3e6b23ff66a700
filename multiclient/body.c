/*
 * NAME
 *	body - the data of one message as it travels
 *
 * DESCRIPTION
 *	Each kind of body aims at one rule: dots, line ends, records that look real. The ones made of
 *	random pieces may come upon an end mark by accident; they are then a shorter message.
 *
 * DIAGNOSTICS
 *	Out of memory shows as `failed` in the buffer.
 */

#include "body.h"

#include <string.h>

#include "spell.h"
#include "stored.h"

/* Lines of a short body, words of a line, and the sizes of the long ones in bytes. */
#define LINES_MOST      12
#define WORDS_MOST      12
#define BYTES_LINE_MOST 200
#define LONG_LINE_LEAST 1000
#define LONG_LINE_MOST  20000
#define LARGE_LEAST     40000
#define LARGE_MOST      300000

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const words[] = {"I", "made", "an", "awesome", "submission", "Network",
    "programming", "is", "fun", "a", "the", "thread", "pool", "monitor", "waits", "for", "mailbox",
    "message", "number", "from", "to", "and", "then", "backup", "of", "it", "all", "-", "1", "2"};

static void
write_text_line(struct chance *chance, struct buffer *data)
{
	size_t count = chance_between(chance, 0, WORDS_MOST);

	while (count-- > 0) {
		buffer_text(data, words[chance_below(chance, COUNT(words))]);
		if (count > 0) {
			buffer_byte(data, ' ');
		}
	}
	buffer_text(data, "\r\n");
}

static void
write_empty(const char *netid, struct chance *chance, struct buffer *data)
{
	(void)netid;
	(void)chance;
	(void)data;
}

static void
write_text(const char *netid, struct chance *chance, struct buffer *data)
{
	size_t lines = chance_between(chance, 1, LINES_MOST);

	(void)netid;
	while (lines-- > 0) {
		write_text_line(chance, data);
	}
}

/* Lines that begin with dots, doubled as a client should and single as a careless one sends. */
static void
write_dots(const char *netid, struct chance *chance, struct buffer *data)
{
	static const char *const lines[] = {"..", "...", "....", "..a", ".a", ". ", ".\t", ". .",
	    ".. .", "a.", "a..", "", ".QUIT", "..\r", ".\r", ".DATA", ".354", ". \r"};
	size_t count = chance_between(chance, 1, LINES_MOST);

	(void)netid;
	while (count-- > 0) {
		buffer_text(data, lines[chance_below(chance, COUNT(lines))]);
		buffer_text(data, "\r\n");
	}
}

/* Every byte but LF, which stands at the ends of lines only; CR where it falls. */
static void
write_bytes(const char *netid, struct chance *chance, struct buffer *data)
{
	size_t lines = chance_between(chance, 1, LINES_MOST);

	(void)netid;
	while (lines-- > 0) {
		size_t length = chance_below(chance, BYTES_LINE_MOST);

		if (chance_one_in(chance, 4)) {
			buffer_fill(data, '\0', chance_between(chance, 1, 3));
		}
		while (length-- > 0) {
			char byte = (char)chance_below(chance, 256);

			buffer_byte(data, (char)(byte == '\n' || byte == '.' ? '\0' : byte));
		}
		buffer_text(data, "\r\n");
	}
}

static void
write_long_lines(const char *netid, struct chance *chance, struct buffer *data)
{
	size_t lines = chance_between(chance, 1, 3);

	(void)netid;
	while (lines-- > 0) {
		size_t length = chance_between(chance, LONG_LINE_LEAST, LONG_LINE_MOST);

		spell_printable(chance, 64, data);
		buffer_fill(data, (char)chance_between(chance, 'a', 'z'), length);
		buffer_text(data, "\r\n");
	}
}

/*
 * What a lax server takes for the end, and then a command that it would obey (SMTP smuggling); then
 * CR, LF and dots in any order.
 */
static void
write_line_ends(const char *netid, struct chance *chance, struct buffer *data)
{
	static const char *const ends[] = {"x\n.\n", "x\n.\r\n", "x\r\n.\n", "x\r.\r", "x\r.\r\n",
	    "x\n\n.\n\n", "x\r\n.\r\r\n", "x\n.\r", "x\r\n\r.\r\n", "x\r\r\n.\n"};
	static const char *const pieces[] = {
	    "\r", "\n", "\r\n", ".", "a", "\n.", "\r.", "..", "\r\r\n", "\n\n", " ", "\n\r"};
	size_t count = chance_between(chance, 0, 2 * (size_t)LINES_MOST);

	(void)netid;
	buffer_text(data, ends[chance_below(chance, COUNT(ends))]);
	buffer_text(data, "MAIL FROM:<smuggled@example.com>\r\n");
	while (count-- > 0) {
		buffer_text(data, pieces[chance_below(chance, COUNT(pieces))]);
	}
	buffer_text(data, "\r\n");
}

/* The first line of a record of the server called `netid`, or what only looks like one. */
static void
write_forged_line(const char *netid, struct chance *chance, struct buffer *data)
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
	size_t row = chance_below(chance, COUNT(heads));

	buffer_text(data, heads[row].begin);
	buffer_text(data, netid);
	buffer_text(data, heads[row].end);
}

static void
write_forged(const char *netid, struct chance *chance, struct buffer *data)
{
	size_t count = chance_between(chance, 1, 4);

	/* The plain one is always there, and after the empty line that ends a record. */
	buffer_text(data, "\r\nReceived: from forger by ");
	buffer_text(data, netid);
	buffer_text(data, " (CS4410MP3)\r\nNumber: 1\r\nFrom: a\r\nTo: b\r\n\r\nforged\r\n");
	while (count-- > 0) {
		write_forged_line(netid, chance, data);
		buffer_text(data, "\r\n");
	}
}

static void
write_large(const char *netid, struct chance *chance, struct buffer *data)
{
	size_t length = chance_between(chance, LARGE_LEAST, LARGE_MOST);
	size_t begin = data->length;

	(void)netid;
	while (data->length - begin < length && !data->failed) {
		write_text_line(chance, data);
	}
}

static void (*const writers[KINDS])(const char *, struct chance *, struct buffer *) = {
    [KIND_BODY_EMPTY] = write_empty,
    [KIND_BODY_TEXT] = write_text,
    [KIND_BODY_DOTS] = write_dots,
    [KIND_BODY_BYTES] = write_bytes,
    [KIND_BODY_LONG_LINES] = write_long_lines,
    [KIND_BODY_LINE_ENDS] = write_line_ends,
    [KIND_BODY_FORGED] = write_forged,
    [KIND_BODY_LARGE] = write_large,
};

void
body_write(enum kind kind, const char *netid, struct chance *chance, struct buffer *data)
{
	size_t begin = data->length;

	writers[kind](netid, chance, data);
	buffer_text(data, ".\r\n");
	if (!data->failed) {
		data->length =
		    begin + stored_end((struct span){data->bytes + begin, data->length - begin});
	}
}

void
body_write_half(const char *netid, struct chance *chance, struct buffer *data)
{
	static const enum kind kinds[] = {KIND_BODY_TEXT, KIND_BODY_DOTS, KIND_BODY_BYTES,
	    KIND_BODY_LINE_ENDS, KIND_BODY_FORGED, KIND_BODY_EMPTY};
	size_t begin = data->length;
	size_t length;

	body_write(kinds[chance_below(chance, COUNT(kinds))], netid, chance, data);
	length = data->length - begin;
	/* Half of the time within the end mark itself. */
	if (length > 5 && chance_one_in(chance, 2)) {
		length = chance_between(chance, length - 5, length - 1);
	} else {
		length = chance_between(chance, 1, length - 1);
	}
	data->length = begin + length;
}
