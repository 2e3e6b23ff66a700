/*
 * NAME
 *	threads - threads of a test, and waits for their state
 */

#include "threads.h"

#include <sched.h>

#include "clock.h"
#include "monotonic.h"
#include "params.h"
#include "suite.h"

pthread_t
threads_start(void *(*work)(void *), void *argument)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, work, argument), 0);
	return thread;
}

void
threads_join(pthread_t thread)
{
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

void
threads_await(
    const char *what, pthread_mutex_t *mutex, bool (*predicate)(const void *), const void *context)
{
	nanoseconds deadline = monotonic_now() + PATIENCE * SECOND;
	bool holds;

	do {
		REQUIRE(monotonic_left(deadline) > 0, "timed out waiting for %s", what);
		sched_yield();
		pthread_mutex_lock(mutex);
		holds = predicate(context);
		pthread_mutex_unlock(mutex);
	} while (!holds);
}
