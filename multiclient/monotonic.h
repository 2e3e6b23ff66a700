/*
 * monotonic.h - points in time on the monotonic clock, in nanoseconds
 *
 * A change of the wall clock does not change them. Any thread.
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
 * Sleep until `deadline`, also if signals arrive. For files and local ports, whose changes are not
 * announced; conn.h waits for a socket.
 */
void sleep_until(int64_t deadline);

#endif
