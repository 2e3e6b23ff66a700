/*
 * transcript.h - the last exchanges of one connection, for the report of a mismatch
 *
 * Belongs to one thread; costs two short copies an operation.
 */

#ifndef MULTICLIENT_TRANSCRIPT_H
#define MULTICLIENT_TRANSCRIPT_H

#include <stddef.h>
#include <stdio.h>

#include "buffer.h"

/* Entries kept, and bytes kept of each side of one. */
#define TRANSCRIPT_ENTRIES 8
#define TRANSCRIPT_BYTES   80

struct transcript_text {
	size_t length; /* of the whole, of which the beginning is kept */
	char bytes[TRANSCRIPT_BYTES];
};

struct transcript {
	size_t count; /* entries ever made */
	struct {
		struct transcript_text sent, came;
	} entries[TRANSCRIPT_ENTRIES];
};

/* Forget everything: a new session. */
void transcript_init(struct transcript *transcript);

/* Record what was sent; nothing was received for it yet. */
void transcript_sent(struct transcript *transcript, struct span sent);

/* Record the reply to what was sent last but `back`: 0 is the last. */
void transcript_received(struct transcript *transcript, size_t back, struct span came);

/* Print the entries, oldest first, two lines each, after `indent`. */
void transcript_print(const struct transcript *transcript, const char *indent, FILE *file);

/*
 * Print bytes so that each is visible: CR as \r, other bytes outside printable ASCII as \xNN. No
 * more than `most` of them, then how many there are.
 */
void transcript_print_bytes(struct span bytes, size_t whole, size_t most, FILE *file);

#endif
