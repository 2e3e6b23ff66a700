/*
 * NAME
 *	record - the record of a message in the mailbox
 *
 * DESCRIPTION
 *	Data is cut at each CRLF into lines of SMTP; only a dot at the beginning of one matters. The
 *	result is cut at each LF into lines of the mailbox, which may be more, and only these are
 *	quoted. So a bare LF can begin a line that must be quoted, and can never end a message.
 *
 *	The end mark has a CRLF before it, or begins the data. So a body that is not empty always
 *	ends in LF.
 */

#include "record.h"

#include <string.h>

#include "prng.h"

/* The first words of the two lanes of a digest: different, and of no other meaning. */
#define LANE_ONE UINT64_C(0x736d747064206f6e)
#define LANE_TWO UINT64_C(0x6d756c7469636c69)

/* Return the offset of the first CRLF at or after `from`; the length if there is none. */
static size_t
find_line_end(struct span data, size_t from)
{
	while (from < data.length) {
		const char *found = memchr(data.bytes + from, '\r', data.length - from);

		if (found == NULL) {
			return data.length;
		}
		from = (size_t)(found - data.bytes);
		if (from + 1 < data.length && found[1] == '\n') {
			return from;
		}
		from++;
	}
	return data.length;
}

static bool
is_end_mark(struct span data, size_t from)
{
	return data.length - from >= 3 && memcmp(data.bytes + from, ".\r\n", 3) == 0;
}

size_t
data_end(struct span data)
{
	size_t from = 0;

	while (from < data.length) {
		if (is_end_mark(data, from)) {
			return from + 3;
		}
		from = find_line_end(data, from) + 2;
	}
	return 0;
}

/* Append the lines before the end mark, each without the CR of its end and a dot that begins it. */
static void
unstuff_dots(struct span data, struct buffer *body)
{
	size_t from = 0;

	while (from < data.length && !is_end_mark(data, from)) {
		size_t end = find_line_end(data, from);
		size_t first = data.bytes[from] == '.' ? from + 1 : from;

		buffer_add(body, data.bytes + first, end - first);
		buffer_add_byte(body, '\n');
		from = end + 2;
	}
}

bool
record_is_start(struct span line, size_t *marks)
{
	static const char begin[] = "Received: from ";
	static const char middle[] = " by ";
	static const char end[] = " (CS4410MP3)";
	const size_t begins = sizeof begin - 1, middles = sizeof middle - 1, ends = sizeof end - 1;
	const char *at, *last;

	for (*marks = 0; *marks < line.length && line.bytes[*marks] == '>'; (*marks)++) {
		continue;
	}
	at = line.bytes + *marks;
	if (line.length - *marks < begins + middles + ends || memcmp(at, begin, begins) != 0) {
		return false;
	}
	last = line.bytes + line.length - ends;
	if (memcmp(last, end, ends) != 0) {
		return false;
	}
	for (at += begins; at + middles <= last; at++) {
		if (memcmp(at, middle, middles) == 0) {
			return true;
		}
	}
	return false;
}

/* Append each line, after one more '>' if it has the form of the first line of a record. */
static void
quote(const struct buffer *plain, struct buffer *body)
{
	size_t from = 0;
	size_t marks;

	while (from < plain->length) {
		const char *begin = plain->bytes + from;
		const char *end = memchr(begin, '\n', plain->length - from);
		size_t length = end != NULL ? (size_t)(end - begin) : plain->length - from;
		size_t with_end = end != NULL ? length + 1 : length;

		if ((*begin == '>' || *begin == 'R') &&
		    record_is_start((struct span){begin, length}, &marks)) {
			buffer_add_byte(body, '>');
		}
		buffer_add(body, begin, with_end);
		from += with_end;
	}
}

void
record_body(struct span data, struct buffer *scratch, struct buffer *body)
{
	buffer_clear(scratch);
	unstuff_dots(data, scratch);
	quote(scratch, body);
}

/* Return a hash of `lane` and all bytes, with their number. */
static uint64_t
mix(uint64_t lane, struct span bytes)
{
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof word <= bytes.length; i += sizeof word) {
		memcpy(&word, bytes.bytes + i, sizeof word);
		lane = hash64(lane ^ word);
	}
	word = 0;
	if (i < bytes.length) {
		memcpy(&word, bytes.bytes + i, bytes.length - i);
	}
	return hash64(hash64(lane ^ word) + bytes.length);
}

void
record_digest(struct span head, struct span rest, struct digest *digest)
{
	digest->words[0] = mix(mix(LANE_ONE, head), rest);
	digest->words[1] = mix(mix(LANE_TWO, head), rest);
	digest->length = head.length + rest.length;
}

bool
record_digest_equal(const struct digest *one, const struct digest *other)
{
	return one->words[0] == other->words[0] && one->words[1] == other->words[1] &&
	       one->length == other->length;
}
