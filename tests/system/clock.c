/*
 * NAME
 *	clock - time as the server counts it
 */

#include "clock.h"

#include <time.h>

#include "suite.h"

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

double
clock_lateness(void)
{
	return suite_sanitized() ? LATENESS_SANITIZED : LATENESS;
}
