/*
 * tally.h - how many operations of each kind were sent, matched and mismatched, and how long
 * replies took. Each connection has its own, without locks; when all are done they are added up.
 */

#ifndef MULTICLIENT_TALLY_H
#define MULTICLIENT_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "kind.h"
#include "script.h"

/* Latencies are sorted into this many bins for each doubling; up to 2^40 ns, 18 minutes. */
#define TALLY_BINS_PER_DOUBLING 16
#define TALLY_DOUBLINGS         40
#define TALLY_BINS              (TALLY_DOUBLINGS * TALLY_BINS_PER_DOUBLING)

struct tally_row {
	uint64_t sent, matched, mismatched;
	unsigned states; /* bits: sent in these */
};

struct tally {
	struct tally_row kinds[KINDS];
	struct tally_row hows[HOWS];
	uint64_t matched;
	uint64_t mismatched;
	uint64_t slow;      /* sessions that the server rightly timed out, because we were slow */
	uint64_t faults;    /* what is wrong, and no one operation's */
	uint64_t delivered; /* messages */
	uint64_t latencies; /* how many were noted */
	int64_t longest;    /* nanoseconds */
	uint64_t bins[TALLY_BINS];
};

/* Note an operation that was sent, and whether it was answered as it must be. */
void tally_operation(struct tally *tally, const struct operation *operation, bool matched);

/* Note how long the reply to one exchange took, in nanoseconds. */
void tally_latency(struct tally *tally, int64_t nanoseconds);

/* Add `more` to `sum`. */
void tally_add(struct tally *sum, const struct tally *more);

/*
 * A latency that `permille` of a thousand do not exceed, in nanoseconds, rounded up by at most one
 * sixteenth, and never above the longest. 0 if none was noted.
 */
int64_t tally_quantile(const struct tally *tally, unsigned permille);

/* How many latencies are from 2^`doubling` to less than 2^(`doubling` + 1) nanoseconds. */
uint64_t tally_doubling(const struct tally *tally, unsigned doubling);

#endif
