/*
 * NAME
 *	checks - the checks, their results, and counters
 *
 * DIAGNOSTICS
 *	NAME: DETAILS	the first FAILURES_SHOWN failures of each check
 */

#include "checks.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define FAILURES_SHOWN 5

static const char *const check_names[CHECKS] = {
    [CHECK_NORMAL_REPLIES] = "every normal client got the right replies",
    [CHECK_NORMAL_RECORDS] = "every normal message is stored whole, once and in order",
    [CHECK_NORMAL_FLOW] = "normal mail was delivered during the abuse",
    [CHECK_NOTHING_ELSE] = "nothing else was stored",
    [CHECK_TIMEOUTS] = "clients were timed out, and none too early",
    [CHECK_ABUSE_ANSWERED] = "abusers got replies, or were disconnected in time",
    [CHECK_MEMORY] = "memory does not grow",
    [CHECK_THREADS] = "threads are constant",
    [CHECK_DESCRIPTORS] = "descriptors are constant",
    [CHECK_END] = "the server stopped on SIGTERM, and logged nothing else",
};

static const char *const counter_names[COUNTERS] = {
    [COUNTER_SLOW] = "slow clients",
    [COUNTER_SILENT] = "silent clients",
    [COUNTER_FLOOD] = "flooding connections",
    [COUNTER_INCOMPLETE] = "incomplete messages",
    [COUNTER_GIANT_LINE] = "giant lines",
    [COUNTER_GIANT_BODY] = "giant bodies",
    [COUNTER_NOT_READING] = "clients that did not read",
    [COUNTER_NORMAL_CONNECTION] = "normal connections",
    [COUNTER_NORMAL_TIMED_OUT] = "of them timed out on a busy machine",
};

/* Guarded by the mutex. */
static struct {
	pthread_mutex_t mutex;
	unsigned failures[CHECKS];
	const char *skipped[CHECKS];
	unsigned long counters[COUNTERS];
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void
checks_fail(enum check check, const char *format, ...)
{
	va_list arguments;

	pthread_mutex_lock(&state.mutex);
	if (state.failures[check]++ < FAILURES_SHOWN) {
		fprintf(stderr, "%s: ", check_names[check]);
		va_start(arguments, format);
		vfprintf(stderr, format, arguments);
		va_end(arguments);
		fputc('\n', stderr);
	}
	pthread_mutex_unlock(&state.mutex);
}

void
checks_skip(enum check check, const char *why)
{
	pthread_mutex_lock(&state.mutex);
	state.skipped[check] = why;
	pthread_mutex_unlock(&state.mutex);
}

void
checks_count(enum counter counter)
{
	pthread_mutex_lock(&state.mutex);
	state.counters[counter]++;
	pthread_mutex_unlock(&state.mutex);
}

/* Print the result of a check. Returns whether it passed. */
static bool
print_check(enum check check)
{
	const char *result = "ok     ";

	if (state.failures[check] > 0) {
		result = "FAILED ";
	} else if (state.skipped[check] != NULL) {
		result = "skipped";
	}
	printf("%s %s", result, check_names[check]);
	if (state.failures[check] > 0) {
		printf(" (%u failures)", state.failures[check]);
	} else if (state.skipped[check] != NULL) {
		printf(" (%s)", state.skipped[check]);
	}
	printf("\n");
	return state.failures[check] == 0;
}

bool
checks_print(void)
{
	unsigned passed = 0, failed = 0;

	pthread_mutex_lock(&state.mutex);
	for (int i = 0; i < COUNTERS; i++) {
		printf("%9lu %s\n", state.counters[i], counter_names[i]);
	}
	for (int i = 0; i < CHECKS; i++) {
		bool ok = print_check((enum check)i);

		failed += !ok;
		passed += ok && state.skipped[i] == NULL;
	}
	pthread_mutex_unlock(&state.mutex);
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 && passed > 0;
}
