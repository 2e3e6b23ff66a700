/*
 * stats.h - how many operations of each type were sent, matched and mismatched, and how long
 * replies took
 *
 * Each client has its own, which belongs to its thread; they are added up at the end.
 */

#ifndef MULTICLIENT_STATS_H
#define MULTICLIENT_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "operation.h"

/* Latencies are sorted into this many bins for each doubling, up to 2^40 ns, 18 minutes. */
#define STATS_BINS_PER_DOUBLING 16
#define STATS_DOUBLINGS         40
#define STATS_BINS              (STATS_DOUBLINGS * STATS_BINS_PER_DOUBLING)

struct stats_row {
	uint64_t sent, matched, mismatched; /* operations */
	unsigned states;                    /* bits 1 << STATE: those in which it was sent */
};

struct stats {
	struct stats_row types[OP_COUNT];
	struct stats_row variants[VARIANTS];
	uint64_t matched;
	uint64_t mismatched;
	uint64_t delayed_sessions; /* that the server timed out because this client was delayed */
	uint64_t failures;         /* beside the mismatched operations */
	uint64_t messages_delivered;
	uint64_t latency_count; /* latencies recorded */
	int64_t longest;        /* the longest latency, in nanoseconds */
	uint64_t bins[STATS_BINS];
};

/* Record an operation that was sent, and whether the reply to it was correct. */
void stats_count(struct stats *stats, const struct operation *operation, bool matched);

/* Record how long the reply to one exchange took, in nanoseconds. */
void stats_latency(struct stats *stats, int64_t nanoseconds);

/* Add `more` to `sum`. */
void stats_merge(struct stats *sum, const struct stats *more);

/*
 * Return a latency that `permille` of a thousand do not exceed, in nanoseconds, rounded up by at
 * most one sixteenth, and never above the longest; 0 if none was recorded.
 */
int64_t stats_quantile(const struct stats *stats, unsigned permille);

/* Return how many latencies are from 2^`doubling` to less than 2^(`doubling` + 1) nanoseconds. */
uint64_t stats_doubling(const struct stats *stats, unsigned doubling);

#endif
