/*
 * mismatch.h - the log of mismatches: each is reported at once, in full. A monitor: every function
 * takes the lock itself, any thread may call it. Of one type of operation, REPORTS_PER_TYPE_MAX
 * mismatches are reported; the seed reproduces the rest.
 */

#ifndef MULTICLIENT_MISMATCH_H
#define MULTICLIENT_MISMATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"
#include "operation.h"
#include "reply.h"
#include "transcript.h"

struct mismatch_log {
	pthread_mutex_t lock;
	FILE *file;          /* NULL: nothing is reported */
	bool progress_shown; /* a progress line stands on the terminal */
	const struct config *config;
	unsigned reported[OP_COUNT];
	unsigned reported_of_files;
	uint64_t suppressed;
};

struct mismatch {
	size_t connection; /* from 0 */
	size_t number;     /* of the operation in its connection, from 1 */
	const struct operation *operation;
	const struct transcript *transcript;
	const char *what; /* one line, without its end */
	struct span expected;
	struct span came;
};

/* Start to report on `file`, or not at all if it is NULL. Both must outlive the log. */
void mismatch_log_init(struct mismatch_log *mismatch_log, const struct config *config, FILE *file);
void mismatch_log_destroy(struct mismatch_log *mismatch_log);

/* Report an operation whose reply is wrong. */
void mismatch_report(struct mismatch_log *mismatch_log, const struct mismatch *mismatch);

/* Report a failure that belongs to no operation: in the files, or in all numbers together. */
void mismatch_report_text(struct mismatch_log *mismatch_log, const char *text);

/* The same, with a part of what was expected and of what was found. */
void mismatch_report_diff(
    struct mismatch_log *mismatch_log, const char *text, struct span expected, struct span came);

/* Write a progress line over the one before; an empty one removes it. */
void progress_show(struct mismatch_log *mismatch_log, const char *line);

#endif
