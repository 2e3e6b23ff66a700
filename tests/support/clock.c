/*
 * NAME
 *	clock - CLOCK_MONOTONIC in seconds
 */

#include "clock.h"

#include <errno.h>
#include <time.h>

#include "environment.h"

#define NANOSECONDS 1e9

#define LATENESS           1.0
#define LATENESS_SANITIZED 5.0

double
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / NANOSECONDS;
}

int
clock_left(double deadline)
{
	double left = deadline - clock_now();

	return left > 0 ? (int)(left * MILLISECONDS) + 1 : 0;
}

void
clock_sleep(double seconds)
{
	struct timespec left = {.tv_sec = (time_t)seconds};

	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * NANOSECONDS);
	while (nanosleep(&left, &left) == -1 && errno == EINTR) {
	}
}

double
clock_lateness(void)
{
	return environment_sanitized() ? LATENESS_SANITIZED : LATENESS;
}
