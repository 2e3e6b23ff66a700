/*
 * NAME
 *	counters - what has happened since the start, in numbers
 */

#include "counters.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "log.h"
#include "params.h"

static atomic_uint_least64_t counters[COUNTERS];

void
counters_add(enum counter counter, uint64_t amount)
{
	atomic_fetch_add_explicit(&counters[counter], amount, memory_order_relaxed);
}

static uint64_t
read_counter(enum counter counter)
{
	return atomic_load_explicit(&counters[counter], memory_order_relaxed);
}

void
counters_log(nanoseconds started, int queued)
{
	/* Ended connections first: others may be accepted and ended before the second read. */
	uint64_t ended = read_counter(COUNTER_ENDED);
	uint64_t accepted = read_counter(COUNTER_ACCEPTED);
	char waiting[sizeof ", queued -2147483648"] = "";

	if (queued >= 0) {
		snprintf(waiting, sizeof waiting, ", queued %d", queued);
	}
	log_line(LOG_INFO,
	    "up %" PRId64 " s; connections served %" PRIu64 ", in service %" PRIu64
	    "%s, timed out %" PRIu64 "; messages delivered %" PRIu64 " (%" PRIu64
	    " bytes), refused as too big %" PRIu64 ", storage full %" PRIu64
	    ", for other errors %" PRIu64 "; backups %" PRIu64,
	    (int64_t)((monotonic_now() - started) / SECOND), accepted,
	    accepted > ended ? accepted - ended : 0, waiting, read_counter(COUNTER_TIMED_OUT),
	    read_counter(COUNTER_DELIVERED), read_counter(COUNTER_BYTES),
	    read_counter(COUNTER_REFUSED_TOO_BIG), read_counter(COUNTER_REFUSED_FULL),
	    read_counter(COUNTER_REFUSED_ERROR), read_counter(COUNTER_BACKUPS));
}
