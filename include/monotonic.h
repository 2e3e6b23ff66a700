/*
 * monotonic.h - points in time on the monotonic clock
 *
 * They are values of CLOCK_MONOTONIC in nanoseconds; setting the machine's clock does not move
 * them. All functions may be called from any thread.
 */

#ifndef MONOTONIC_H
#define MONOTONIC_H

#include <stdint.h>
#include <sys/time.h>

/* A duration, or a point on the monotonic clock. */
typedef int64_t nanoseconds;

/* Return the current time. */
nanoseconds monotonic_now(void);

/* Return the nanoseconds left until `deadline`: 0 or less when it has passed. */
nanoseconds monotonic_left(nanoseconds deadline);

/*
 * Return `duration`, which is above 0, for SO_RCVTIMEO and SO_SNDTIMEO: rounded up to whole
 * microseconds, so that it is never the 0 that means "for ever", and a wait never ends early.
 */
struct timeval monotonic_timeval(nanoseconds duration);

#endif
