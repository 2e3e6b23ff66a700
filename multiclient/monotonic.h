/*
 * monotonic.h - points in time on the monotonic clock, in nanoseconds, so that setting the wall
 * clock neither hides a late reply nor invents one.
 */

#ifndef MULTICLIENT_MONOTONIC_H
#define MULTICLIENT_MONOTONIC_H

#include <stdint.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND      INT64_C(1000000000)

/* Returns the time of CLOCK_MONOTONIC, which Linux always has. Any thread. */
int64_t monotonic_now(void);

/* Convert seconds, at most SECONDS_MAX, to nanoseconds. */
int64_t monotonic_seconds(double seconds);

/*
 * Wait until `deadline`, also if signals arrive. For files, whose changes are not announced; a
 * socket is waited for with conn_wait_short().
 */
void sleep_until(int64_t deadline);

#endif
