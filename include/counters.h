/*
 * counters.h - what has happened since the start, in numbers
 *
 * Any thread may call these functions. There is no lock: each counter is an atomic variable with
 * relaxed order. So a report under load may have one counter from a later moment than another.
 */

#ifndef COUNTERS_H
#define COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "monotonic.h"

enum counter {
	COUNTER_ACCEPTED,        /* connections that a worker has begun to serve */
	COUNTER_ENDED,           /* connections that a worker has ended */
	COUNTER_DELIVERED,       /* messages stored */
	COUNTER_BYTES,           /* bytes of their records, without the number lines */
	COUNTER_REFUSED_TOO_BIG, /* messages refused with 552 */
	COUNTER_REFUSED_FULL,    /* messages refused with 452: no space for them */
	COUNTER_REFUSED_ERROR,   /* messages refused with 451: any other error */
	COUNTER_TIMED_OUT,       /* connections ended because the client was too slow */
	COUNTER_BACKUPS,         /* backups made */
	COUNTERS
};

/* Add `amount` to a counter. */
void counters_add(enum counter counter, uint64_t amount);

/*
 * Log all counters in one line, with the seconds since `started`. `queued` is the number of clients
 * in the kernel's backlogs, or -1 if it is unknown: then it is left out.
 */
void counters_log(nanoseconds started, int queued);

#endif
