/*
 * counters.h - what has happened since the start, in numbers
 *
 * Any thread counts, without a lock: each counter is an atomic of its own and orders nothing. A
 * report taken under load may therefore show one counter a moment ahead of another.
 */

#ifndef COUNTERS_H
#define COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "monotonic.h"

enum counter {
	COUNTER_ACCEPTED,        /* connections that a worker has begun to serve */
	COUNTER_ENDED,           /* connections that it has ended */
	COUNTER_DELIVERED,       /* messages answered with 250 */
	COUNTER_BYTES,           /* bytes of their records, but for the number lines */
	COUNTER_REFUSED_TOO_BIG, /* messages answered with 552 */
	COUNTER_REFUSED_FULL,    /* with 452: no space for them */
	COUNTER_REFUSED_ERROR,   /* with 451: any other trouble */
	COUNTER_TIMED_OUT,       /* connections ended because the client was too slow */
	COUNTER_BACKUPS,         /* backups made */
	COUNTERS
};

/* Add `amount` to a counter. */
void counters_add(enum counter counter, uint64_t amount);

/*
 * Log all counters in one line, with the seconds since `started`, and the number of clients that
 * wait in the kernel's queue, which is below 0 if it cannot be known.
 */
void counters_log(nanoseconds started, int queued);

#endif
