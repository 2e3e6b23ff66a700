/*
 * checks.h - the checks, their results, and counters
 *
 * Any thread.
 */

#ifndef CHECKS_H
#define CHECKS_H

#include <stdbool.h>

/* The checks; their names are in checks.c. */
enum check {
	CHECK_NORMAL_REPLIES,
	CHECK_NORMAL_RECORDS,
	CHECK_NORMAL_FLOW,
	CHECK_NOTHING_ELSE,
	CHECK_TIMEOUTS,
	CHECK_ABUSE_ANSWERED,
	CHECK_MEMORY,
	CHECK_THREADS,
	CHECK_DESCRIPTORS,
	CHECK_END,
	CHECKS
};

/* Counters of all clients, for the summary. */
enum counter {
	COUNTER_SLOW,
	COUNTER_SILENT,
	COUNTER_FLOOD,
	COUNTER_INCOMPLETE,
	COUNTER_GIANT_LINE,
	COUNTER_GIANT_BODY,
	COUNTER_NOT_READING,
	COUNTER_NORMAL_CONNECTION,
	COUNTER_NORMAL_TIMED_OUT,
	COUNTERS
};

/* Count a failure. The first FAILURES_SHOWN of each check are printed. */
void checks_fail(enum check check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Mark a check as skipped, with the reason. */
void checks_skip(enum check check, const char *why);

/* Add 1 to a counter. */
void checks_count(enum counter counter);

/*
 * Print counters, results and the numbers of checks passed and failed. Returns whether none failed
 * and at least one passed.
 */
bool checks_print(void);

#endif
