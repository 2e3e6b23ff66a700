/*
 * NAME
 *	checks - what is checked, and what was found
 *
 * DIAGNOSTICS
 *	NAME: what was found	the first FAILURES_SHOWN of each check
 */

#include "checks.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define FAILURES_SHOWN 5

static const char *const check_names[CHECKS] = {
    [CHECK_HONEST_REPLIES] = "every honest client got the right replies",
    [CHECK_HONEST_RECORDS] = "every honest message is on file, whole, once and in order",
    [CHECK_HONEST_FLOW] = "honest mail went on under the abuse",
    [CHECK_NOTHING_ELSE] = "nothing else was stored",
    [CHECK_TIMEOUTS] = "clients were timed out, and none too early",
    [CHECK_ABUSE_ANSWERED] = "abusers were answered, or sent away in time",
    [CHECK_MEMORY] = "memory is flat",
    [CHECK_THREADS] = "threads are flat",
    [CHECK_DESCRIPTORS] = "descriptors are flat",
    [CHECK_END] = "the server stopped when asked, with nothing to complain about",
};

static const char *const tally_names[TALLIES] = {
    [TALLY_SLOW] = "slow clients",
    [TALLY_SILENT] = "silent clients",
    [TALLY_FLOOD] = "flooding connections",
    [TALLY_TORN] = "messages torn off",
    [TALLY_GIANT_LINE] = "giant lines",
    [TALLY_GIANT_BODY] = "giant bodies",
    [TALLY_DEAF] = "clients that never read",
    [TALLY_HONEST_CONNECTION] = "honest connections",
    [TALLY_HONEST_CUT] = "of them timed out on a busy machine",
};

/* All of it under the mutex. */
static struct {
	pthread_mutex_t mutex;
	unsigned failures[CHECKS];
	const char *skipped[CHECKS];
	unsigned long tallies[TALLIES];
} verdict = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void
checks_fail(enum check check, const char *format, ...)
{
	va_list arguments;

	pthread_mutex_lock(&verdict.mutex);
	if (verdict.failures[check]++ < FAILURES_SHOWN) {
		fprintf(stderr, "%s: ", check_names[check]);
		va_start(arguments, format);
		vfprintf(stderr, format, arguments);
		va_end(arguments);
		fputc('\n', stderr);
	}
	pthread_mutex_unlock(&verdict.mutex);
}

void
checks_skip(enum check check, const char *why)
{
	pthread_mutex_lock(&verdict.mutex);
	verdict.skipped[check] = why;
	pthread_mutex_unlock(&verdict.mutex);
}

void
checks_count(enum counter counter)
{
	pthread_mutex_lock(&verdict.mutex);
	verdict.tallies[counter]++;
	pthread_mutex_unlock(&verdict.mutex);
}

/* Print the line of a check. Returns whether it passed. */
static bool
print_check(enum check check)
{
	const char *result = "ok     ";

	if (verdict.failures[check] > 0) {
		result = "FAILED ";
	} else if (verdict.skipped[check] != NULL) {
		result = "skipped";
	}
	printf("%s %s", result, check_names[check]);
	if (verdict.failures[check] > 0) {
		printf(" (%u times not)", verdict.failures[check]);
	} else if (verdict.skipped[check] != NULL) {
		printf(" (%s)", verdict.skipped[check]);
	}
	printf("\n");
	return verdict.failures[check] == 0;
}

bool
checks_print(void)
{
	unsigned passed = 0, failed = 0;

	pthread_mutex_lock(&verdict.mutex);
	for (int i = 0; i < TALLIES; i++) {
		printf("%9lu %s\n", verdict.tallies[i], tally_names[i]);
	}
	for (int i = 0; i < CHECKS; i++) {
		bool held = print_check((enum check)i);

		failed += !held;
		passed += held && verdict.skipped[i] == NULL;
	}
	pthread_mutex_unlock(&verdict.mutex);
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 && passed > 0;
}
