/*
 * NAME
 *	monotonic - points in time on the monotonic clock
 *
 * DIAGNOSTICS
 *	None: with these arguments clock_gettime() and clock_nanosleep() cannot fail, except that
 *	the latter ends early on a signal, and is then called again.
 */

#include "monotonic.h"

#include <errno.h>
#include <time.h>

int64_t
monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

int64_t
monotonic_seconds(double seconds)
{
	return (int64_t)(seconds * (double)SECOND);
}

void
sleep_until(int64_t deadline)
{
	struct timespec until = {
	    .tv_sec = (time_t)(deadline / SECOND),
	    .tv_nsec = (long)(deadline % SECOND),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
		continue;
	}
}
