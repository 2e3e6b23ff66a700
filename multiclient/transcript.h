/*
 * transcript.h - what one connection sent and received last, in memory, for a report
 *
 * Each connection, of a stress test or of --grade, records in a transcript of its own and prints it
 * only in a report; mismatch.h is the one log of a stress test into which all its clients write
 * reports. An entry is one operation of a stress test, or one send of --grade, with its reply. A
 * transcript belongs to one thread, and costs two short copies an entry.
 */

#ifndef MULTICLIENT_TRANSCRIPT_H
#define MULTICLIENT_TRANSCRIPT_H

#include <stddef.h>
#include <stdio.h>

#include "buffer.h"

/* The last entries that are kept, and the first bytes that are kept of each side of one. */
#define TRANSCRIPT_ENTRIES 8
#define TRANSCRIPT_BYTES   80

struct transcript_text {
	size_t length; /* of the whole text, of which `bytes` has the beginning */
	char bytes[TRANSCRIPT_BYTES];
};

struct transcript {
	size_t count; /* entries ever made */
	struct {
		struct transcript_text sent, received;
	} entries[TRANSCRIPT_ENTRIES];
};

/* Remove all entries, for a new session. */
void transcript_init(struct transcript *transcript);

/* Record what was sent, "" for a connect, as a new entry without a reply. */
void transcript_sent(struct transcript *transcript, struct span sent);

/* Record the reply in the entry that is `back` before the last; 0: in the last. */
void transcript_received(struct transcript *transcript, size_t back, struct span received);

/* Print the entries, oldest first, a line for each side that is not empty, after `indent`. */
void transcript_print(const struct transcript *transcript, const char *indent, FILE *file);

/*
 * Print at most `max` bytes so that each is visible: CR, LF, HT and backslash as in C, other bytes
 * outside printable ASCII as \xNN. `length` is that of the whole text, of which `bytes` is the
 * beginning; it is printed, too, if not all of the text is.
 */
void transcript_print_bytes(struct span bytes, size_t length, size_t max, FILE *file);

#endif
