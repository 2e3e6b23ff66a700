/*
 * NAME
 *	journal - the last things that one connection sent and was answered
 */

#include "journal.h"

#include <string.h>

static void
keep(struct journal_side *side, struct span bytes)
{
	size_t kept = bytes.length < JOURNAL_BYTES ? bytes.length : JOURNAL_BYTES;

	side->length = bytes.length;
	if (kept > 0) {
		memcpy(side->bytes, bytes.bytes, kept);
	}
}

void
journal_begin(struct journal *journal)
{
	journal->count = 0;
}

void
journal_sent(struct journal *journal, struct span sent)
{
	size_t place = journal->count++ % JOURNAL_ENTRIES;

	keep(&journal->entries[place].sent, sent);
	journal->entries[place].came.length = 0;
}

void
journal_came(struct journal *journal, size_t back, struct span came)
{
	if (back < JOURNAL_ENTRIES && back < journal->count) {
		keep(&journal->entries[(journal->count - 1 - back) % JOURNAL_ENTRIES].came, came);
	}
}

static void
print_side(const char *indent, char mark, const struct journal_side *side, FILE *file)
{
	size_t kept = side->length < JOURNAL_BYTES ? side->length : JOURNAL_BYTES;

	if (side->length == 0) {
		return;
	}
	fprintf(file, "%s%c ", indent, mark);
	journal_print_bytes((struct span){side->bytes, kept}, side->length, JOURNAL_BYTES, file);
	fputc('\n', file);
}

void
journal_print(const struct journal *journal, const char *indent, FILE *file)
{
	size_t kept = journal->count < JOURNAL_ENTRIES ? journal->count : JOURNAL_ENTRIES;
	size_t i;

	for (i = journal->count - kept; i < journal->count; i++) {
		print_side(indent, '>', &journal->entries[i % JOURNAL_ENTRIES].sent, file);
		print_side(indent, '<', &journal->entries[i % JOURNAL_ENTRIES].came, file);
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
journal_print_bytes(struct span bytes, size_t whole, size_t most, FILE *file)
{
	size_t i;

	for (i = 0; i < bytes.length && i < most; i++) {
		print_byte((unsigned char)bytes.bytes[i], file);
	}
	if (whole > i) {
		fprintf(file, "... (%zu bytes)", whole);
	}
}
