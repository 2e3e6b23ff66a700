/*
 * monotonic.h - points in time on the monotonic clock, in nanoseconds
 *
 * So no change of the wall clock can make a reply seem late, or in time. Any thread.
 */

#ifndef MULTICLIENT_MONOTONIC_H
#define MULTICLIENT_MONOTONIC_H

#include <stdint.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND      INT64_C(1000000000)

/* Return the time of CLOCK_MONOTONIC, which Linux always has. */
int64_t monotonic_now(void);

/* Convert seconds, at most SECONDS_MAX, to nanoseconds. */
int64_t monotonic_seconds(double seconds);

/*
 * Wait until `deadline`, also if signals arrive. For files, whose changes are not announced; a
 * socket is waited for with conn_wait_short().
 */
void sleep_until(int64_t deadline);

#endif
