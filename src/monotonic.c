/*
 * NAME
 *	monotonic - points in time on the monotonic clock
 *
 * DIAGNOSTICS
 *	None: clock_gettime() fails only on a system without CLOCK_MONOTONIC.
 */

#include "monotonic.h"

#include <time.h>

#include "params.h"

nanoseconds
monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nanoseconds)now.tv_sec * SECOND + now.tv_nsec;
}

nanoseconds
monotonic_left(nanoseconds deadline)
{
	return deadline - monotonic_now();
}

struct timeval
monotonic_timeval(nanoseconds duration)
{
	nanoseconds microseconds = (duration + 999) / 1000;

	return (struct timeval){
	    .tv_sec = (time_t)(microseconds / 1000000),
	    .tv_usec = (suseconds_t)(microseconds % 1000000),
	};
}
