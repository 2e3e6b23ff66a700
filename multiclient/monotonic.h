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

/* Seconds, as an option gives them, in nanoseconds. `seconds` is at most SECONDS_MAX. */
int64_t monotonic_seconds(double seconds);

/*
 * Wait until `deadline`, not less, though signals arrive. Only for watching files, which nothing
 * announces: a socket is waited on with conn_wait_short().
 */
void sleep_until(int64_t deadline);

#endif
