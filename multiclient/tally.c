/*
 * NAME
 *	tally - how many operations of each kind, and how long replies took
 *
 * DESCRIPTION
 *	A latency is kept as its bin: the position of its highest bit and the four bits below it.
 *	That is exact to one sixteenth, and takes the same memory for ten replies as for ten million.
 */

#include "tally.h"

/* Bits below the highest that tell bins apart: 2^4 is TALLY_BINS_PER_DOUBLING. */
#define BIN_BITS 4

static void
note(struct tally_row *row, enum state state, bool matched)
{
	row->sent++;
	row->matched += matched;
	row->mismatched += !matched;
	row->states |= 1U << state;
}

void
tally_operation(struct tally *tally, const struct operation *operation, bool matched)
{
	unsigned how;

	note(&tally->kinds[operation->kind], operation->state, matched);
	for (how = 0; how < HOWS && operation->how >> how != 0; how++) {
		if ((operation->how >> how & 1U) != 0) {
			note(&tally->hows[how], operation->state, matched);
		}
	}
	tally->matched += matched;
	tally->mismatched += !matched;
}

static unsigned
bin_of(int64_t nanoseconds)
{
	uint64_t value = nanoseconds > 0 ? (uint64_t)nanoseconds : 0;
	unsigned doubling = BIN_BITS;

	if (value < TALLY_BINS_PER_DOUBLING) {
		return (unsigned)value;
	}
	while (value >> (doubling + 1) != 0) {
		doubling++;
	}
	if (doubling >= TALLY_DOUBLINGS) {
		return TALLY_BINS - 1;
	}
	return doubling * TALLY_BINS_PER_DOUBLING +
	       (unsigned)(value >> (doubling - BIN_BITS) & (TALLY_BINS_PER_DOUBLING - 1));
}

/* The first value above a bin. */
static int64_t
bin_limit(unsigned bin)
{
	unsigned doubling = bin / TALLY_BINS_PER_DOUBLING;
	int64_t step = bin % TALLY_BINS_PER_DOUBLING;

	if (doubling < BIN_BITS) {
		return (int64_t)bin + 1;
	}
	return (TALLY_BINS_PER_DOUBLING + step + 1) << (doubling - BIN_BITS);
}

void
tally_latency(struct tally *tally, int64_t nanoseconds)
{
	tally->bins[bin_of(nanoseconds)]++;
	tally->latencies++;
	if (nanoseconds > tally->longest) {
		tally->longest = nanoseconds;
	}
}

static void
add_rows(struct tally_row *sum, const struct tally_row *more, size_t count)
{
	for (; count > 0; count--, sum++, more++) {
		sum->sent += more->sent;
		sum->matched += more->matched;
		sum->mismatched += more->mismatched;
		sum->states |= more->states;
	}
}

void
tally_add(struct tally *sum, const struct tally *more)
{
	unsigned i;

	add_rows(sum->kinds, more->kinds, KINDS);
	add_rows(sum->hows, more->hows, HOWS);
	sum->matched += more->matched;
	sum->mismatched += more->mismatched;
	sum->faults += more->faults;
	sum->slow += more->slow;
	sum->delivered += more->delivered;
	sum->latencies += more->latencies;
	for (i = 0; i < TALLY_BINS; i++) {
		sum->bins[i] += more->bins[i];
	}
	if (more->longest > sum->longest) {
		sum->longest = more->longest;
	}
}

int64_t
tally_quantile(const struct tally *tally, unsigned permille)
{
	uint64_t rank = (tally->latencies * permille + 999) / 1000;
	uint64_t passed = 0;
	unsigned bin;

	if (tally->latencies == 0) {
		return 0;
	}
	for (bin = 0; bin < TALLY_BINS; bin++) {
		passed += tally->bins[bin];
		if (passed >= rank && passed > 0) {
			break;
		}
	}
	return bin_limit(bin) < tally->longest ? bin_limit(bin) : tally->longest;
}

uint64_t
tally_doubling(const struct tally *tally, unsigned doubling)
{
	uint64_t sum = 0;
	unsigned bin;

	for (bin = 0; bin < TALLY_BINS; bin++) {
		if (bin_limit(bin) - 1 >= (int64_t)1 << doubling &&
		    bin_limit(bin) - 1 < (int64_t)1 << (doubling + 1)) {
			sum += tally->bins[bin];
		}
	}
	return sum;
}
