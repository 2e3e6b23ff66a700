/*
 * NAME
 *	stats - how many operations of each type, and how long replies took
 *
 * DESCRIPTION
 *	A latency is kept as its bin: the position of its highest bit and the four bits below it.
 *	That is exact to one sixteenth, and takes the same memory for ten replies as for ten
 *	million. Values below 16 have a bin each, of the same number; bins 16 to 63 stay empty.
 */

#include "stats.h"

/* Bits below the highest that distinguish bins: 2^4 is STATS_BINS_PER_DOUBLING. */
#define BIN_BITS 4

static void
count_row(struct stats_row *row, enum state state, bool matched)
{
	row->sent++;
	row->matched += matched;
	row->mismatched += !matched;
	row->states |= 1U << state;
}

void
stats_count(struct stats *stats, const struct operation *operation, bool matched)
{
	count_row(&stats->types[operation->type], operation->state, matched);
	for (unsigned variant = 0; variant < VARIANTS && operation->variant >> variant != 0;
	     variant++) {
		if ((operation->variant >> variant & 1U) != 0) {
			count_row(&stats->variants[variant], operation->state, matched);
		}
	}
	stats->matched += matched;
	stats->mismatched += !matched;
}

static unsigned
bin_of(int64_t nanoseconds)
{
	uint64_t value = nanoseconds > 0 ? (uint64_t)nanoseconds : 0;
	unsigned doubling = BIN_BITS;

	if (value < STATS_BINS_PER_DOUBLING) {
		return (unsigned)value;
	}
	while (value >> (doubling + 1) != 0) {
		doubling++;
	}
	if (doubling >= STATS_DOUBLINGS) {
		return STATS_BINS - 1;
	}
	return doubling * STATS_BINS_PER_DOUBLING +
	       (unsigned)(value >> (doubling - BIN_BITS) & (STATS_BINS_PER_DOUBLING - 1));
}

/* Return the first value above those of a bin. */
static int64_t
bin_limit(unsigned bin)
{
	unsigned doubling = bin / STATS_BINS_PER_DOUBLING;
	int64_t step = bin % STATS_BINS_PER_DOUBLING;

	if (doubling < BIN_BITS) {
		return (int64_t)bin + 1;
	}
	return (STATS_BINS_PER_DOUBLING + step + 1) << (doubling - BIN_BITS);
}

void
stats_latency(struct stats *stats, int64_t nanoseconds)
{
	stats->bins[bin_of(nanoseconds)]++;
	stats->latency_count++;
	if (nanoseconds > stats->longest) {
		stats->longest = nanoseconds;
	}
}

static void
add_rows(struct stats_row *sum, const struct stats_row *more, size_t count)
{
	for (; count > 0; count--, sum++, more++) {
		sum->sent += more->sent;
		sum->matched += more->matched;
		sum->mismatched += more->mismatched;
		sum->states |= more->states;
	}
}

void
stats_merge(struct stats *sum, const struct stats *more)
{
	add_rows(sum->types, more->types, OP_COUNT);
	add_rows(sum->variants, more->variants, VARIANTS);
	sum->matched += more->matched;
	sum->mismatched += more->mismatched;
	sum->failures += more->failures;
	sum->delayed_sessions += more->delayed_sessions;
	sum->messages_delivered += more->messages_delivered;
	sum->latency_count += more->latency_count;
	for (unsigned i = 0; i < STATS_BINS; i++) {
		sum->bins[i] += more->bins[i];
	}
	if (more->longest > sum->longest) {
		sum->longest = more->longest;
	}
}

int64_t
stats_quantile(const struct stats *stats, unsigned permille)
{
	uint64_t rank = (stats->latency_count * permille + 999) / 1000;
	uint64_t passed = 0;
	unsigned bin;

	if (stats->latency_count == 0) {
		return 0;
	}
	for (bin = 0; bin < STATS_BINS; bin++) {
		passed += stats->bins[bin];
		if (passed >= rank && passed > 0) {
			break;
		}
	}
	return bin_limit(bin) < stats->longest ? bin_limit(bin) : stats->longest;
}

uint64_t
stats_doubling(const struct stats *stats, unsigned doubling)
{
	uint64_t sum = 0;

	for (unsigned bin = 0; bin < STATS_BINS; bin++) {
		if (bin_limit(bin) - 1 >= (int64_t)1 << doubling &&
		    bin_limit(bin) - 1 < (int64_t)1 << (doubling + 1)) {
			sum += stats->bins[bin];
		}
	}
	return sum;
}
