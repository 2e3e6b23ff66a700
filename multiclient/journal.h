/*
 * journal.h - the last things that one connection sent and was answered, for whoever must find out
 * what went wrong. Belongs to one thread; costs two short copies an operation.
 */

#ifndef MULTICLIENT_JOURNAL_H
#define MULTICLIENT_JOURNAL_H

#include <stddef.h>
#include <stdio.h>

#include "reply.h"

/* Entries kept, and bytes kept of each side of one. */
#define JOURNAL_ENTRIES 8
#define JOURNAL_BYTES   80

struct journal_side {
	size_t length; /* of the whole, of which the beginning is kept */
	char bytes[JOURNAL_BYTES];
};

struct journal {
	size_t count; /* entries ever made */
	struct {
		struct journal_side sent, came;
	} entries[JOURNAL_ENTRIES];
};

/* Forget everything: a new session. */
void journal_begin(struct journal *journal);

/* Note something sent, with what is known to have come back so far: nothing. */
void journal_sent(struct journal *journal, struct span sent);

/* Note the reply to what was sent last but `back`: 0 is the last. */
void journal_came(struct journal *journal, size_t back, struct span came);

/* Print the entries, oldest first, two lines each, after `indent`. */
void journal_print(const struct journal *journal, const char *indent, FILE *file);

/*
 * Print bytes so that each can be told: CR as \r, other bytes outside printable ASCII as \xNN. No
 * more than `most` of them, then how many there are.
 */
void journal_print_bytes(struct span bytes, size_t whole, size_t most, FILE *file);

#endif
