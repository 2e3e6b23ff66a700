/*
 * complaint.h - tells what is wrong, as soon as it is known, in full. A monitor: every function
 * takes the lock itself, any thread may call it. Of one kind of operation, TOLD_MOST mismatches
 * are told; who wants the others has the seed.
 */

#ifndef MULTICLIENT_COMPLAINT_H
#define MULTICLIENT_COMPLAINT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "journal.h"
#include "kind.h"
#include "reply.h"
#include "script.h"

struct complaints {
	pthread_mutex_t lock;
	FILE *file;      /* NULL: nothing is told */
	bool line_dirty; /* a progress line stands on the terminal */
	const struct terms *terms;
	unsigned told[KINDS];
	unsigned told_of_files;
	uint64_t untold;
};

struct complaint {
	size_t connection; /* from 0 */
	size_t number;     /* of the operation in its connection, from 1 */
	const struct operation *operation;
	const struct journal *journal;
	const char *what; /* one line, without its end */
	struct span expected;
	struct span came;
};

/* Begin to tell on `file`, or nowhere. Both must outlive the complaints. */
void complaint_begin(struct complaints *complaints, const struct terms *terms, FILE *file);
void complaint_end(struct complaints *complaints);

/* Tell of an operation that was not answered as it must be. */
void complaint_operation(struct complaints *complaints, const struct complaint *complaint);

/* Tell of something that is no operation's: the files, the numbers as a whole. */
void complaint_text(struct complaints *complaints, const char *text);

/* Likewise, with a piece of what should be there and of what is. */
void complaint_difference(
    struct complaints *complaints, const char *text, struct span expected, struct span came);

/* Write a progress line over the one before; an empty one removes it. */
void complaint_progress(struct complaints *complaints, const char *line);

#endif
