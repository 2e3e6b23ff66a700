/*
 * NAME
 *	transcript - what one connection sent and received last, in memory, for a report
 */

#include "transcript.h"

#include <string.h>

/* Copy the beginning of `bytes`. */
static void
keep(struct transcript_text *side, struct span bytes)
{
	size_t kept = bytes.length < TRANSCRIPT_BYTES ? bytes.length : TRANSCRIPT_BYTES;

	side->length = bytes.length;
	if (kept > 0) {
		memcpy(side->bytes, bytes.bytes, kept);
	}
}

void
transcript_init(struct transcript *transcript)
{
	transcript->count = 0;
}

void
transcript_sent(struct transcript *transcript, struct span sent)
{
	size_t place = transcript->count++ % TRANSCRIPT_ENTRIES;

	keep(&transcript->entries[place].sent, sent);
	transcript->entries[place].received.length = 0;
}

void
transcript_received(struct transcript *transcript, size_t back, struct span received)
{
	if (back < TRANSCRIPT_ENTRIES && back < transcript->count) {
		keep(&transcript->entries[(transcript->count - 1 - back) % TRANSCRIPT_ENTRIES]
			  .received,
		    received);
	}
}

static void
print_side(const char *indent, char mark, const struct transcript_text *side, FILE *file)
{
	size_t kept = side->length < TRANSCRIPT_BYTES ? side->length : TRANSCRIPT_BYTES;

	if (side->length == 0) {
		return;
	}
	fprintf(file, "%s%c ", indent, mark);
	transcript_print_bytes(
	    (struct span){side->bytes, kept}, side->length, TRANSCRIPT_BYTES, file);
	fputc('\n', file);
}

void
transcript_print(const struct transcript *transcript, const char *indent, FILE *file)
{
	size_t kept =
	    transcript->count < TRANSCRIPT_ENTRIES ? transcript->count : TRANSCRIPT_ENTRIES;

	for (size_t i = transcript->count - kept; i < transcript->count; i++) {
		print_side(indent, '>', &transcript->entries[i % TRANSCRIPT_ENTRIES].sent, file);
		print_side(
		    indent, '<', &transcript->entries[i % TRANSCRIPT_ENTRIES].received, file);
	}
}

static void
print_byte(unsigned char byte, FILE *file)
{
	if (byte == '\r') {
		fputs("\\r", file);
	} else if (byte == '\n') {
		fputs("\\n", file);
	} else if (byte == '\t') {
		fputs("\\t", file);
	} else if (byte == '\\') {
		fputs("\\\\", file);
	} else if (byte < 0x20 || byte > 0x7e) {
		fprintf(file, "\\x%02x", byte);
	} else {
		fputc(byte, file);
	}
}

void
transcript_print_bytes(struct span bytes, size_t length, size_t max, FILE *file)
{
	size_t i;

	for (i = 0; i < bytes.length && i < max; i++) {
		print_byte((unsigned char)bytes.bytes[i], file);
	}
	if (length > i) {
		fprintf(file, "... (%zu bytes)", length);
	}
}
