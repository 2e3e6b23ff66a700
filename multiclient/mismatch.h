/*
 * mismatch.h - the log of mismatches of a stress test, on standard error
 *
 * All clients write into this one log; what a connection has sent and received before a mismatch is
 * in a transcript of its own (transcript.h). Each mismatch is reported at once, but at most
 * REPORTS_PER_TYPE_MAX of one type of operation, and OTHER_REPORTS_MAX of those that belong to no
 * operation; the rest is only counted.
 *
 * A monitor: every function but mismatch_log_init() and mismatch_log_destroy() locks the mutex
 * itself, and any thread may call it.
 */

#ifndef MULTICLIENT_MISMATCH_H
#define MULTICLIENT_MISMATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "operation.h"
#include "options.h"
#include "reply.h"
#include "transcript.h"

struct mismatch_log {
	pthread_mutex_t lock;
	FILE *file;                     /* NULL: nothing is reported or counted */
	bool progress_shown;            /* the last line of the terminal is a progress line */
	const struct options *options;  /* borrowed; printed as the command that repeats the run */
	unsigned type_counts[OP_COUNT]; /* mismatches of each type, reported or not */
	unsigned other_count;      /* mismatches that belong to no operation, reported or not */
	uint64_t suppressed_count; /* mismatches that were not reported */
};

struct mismatch {
	size_t connection; /* of the client, from 0 */
	size_t number;     /* of the operation among those of its client, from 1 */
	const struct operation *operation;
	const struct transcript *transcript;
	const char *what; /* one line, without its end */
	struct span expected;
	struct span received;
};

/* Start to report on `file`, or not at all if it is NULL. It and `options` must outlive the log. */
void mismatch_log_init(
    struct mismatch_log *mismatch_log, const struct options *options, FILE *file);
void mismatch_log_destroy(struct mismatch_log *mismatch_log);

/* Report an operation whose reply is wrong. */
void mismatch_report(struct mismatch_log *mismatch_log, const struct mismatch *mismatch);

/* Report a mismatch that belongs to no operation: in the files, in the greeting, in the numbers. */
void mismatch_report_text(struct mismatch_log *mismatch_log, const char *text);

/* Do the same, with the beginning of what was expected and of what was found. */
void mismatch_report_diff(struct mismatch_log *mismatch_log, const char *text, struct span expected,
    struct span received);

/*
 * Write a line of progress on standard error, in place of the one before; "" removes it. A report
 * removes it, too.
 */
void progress_show(struct mismatch_log *mismatch_log, const char *line);

#endif
