/*
 * checks.h - what is checked, and what was found
 *
 * Any thread.
 */

#ifndef CHECKS_H
#define CHECKS_H

#include <stdbool.h>

/* What must hold; the names are in verdict.c. */
enum check {
	CHECK_HONEST_REPLIES,
	CHECK_HONEST_RECORDS,
	CHECK_HONEST_FLOW,
	CHECK_NOTHING_ELSE,
	CHECK_TIMEOUTS,
	CHECK_ABUSE_ANSWERED,
	CHECK_MEMORY,
	CHECK_THREADS,
	CHECK_DESCRIPTORS,
	CHECK_END,
	CHECKS
};

/* What abusers and honest clients count, for the summary. */
enum counter {
	TALLY_SLOW,
	TALLY_SILENT,
	TALLY_FLOOD,
	TALLY_TORN,
	TALLY_GIANT_LINE,
	TALLY_GIANT_BODY,
	TALLY_DEAF,
	TALLY_HONEST_CONNECTION,
	TALLY_HONEST_CUT,
	TALLIES
};

/* Say that something did not hold; the first few of each are shown. */
void checks_fail(enum check check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A check was left out, and why. */
void checks_skip(enum check check, const char *why);

void checks_count(enum counter counter);

/* Print the summary and how many checks passed and failed. Returns whether all passed. */
bool checks_print(void);

#endif
