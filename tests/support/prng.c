/*
 * NAME
 *	prng - repeatable pseudo-random numbers
 *
 * DESCRIPTION
 *	A counter whose bits are mixed, so that consecutive numbers are independent.
 */

#include "prng.h"

/* 2^64 divided by the golden ratio, an odd number: the counter's step, and mix()'s multiplier. */
#define STEP 0x9E3779B97F4A7C15U

static uint64_t
mix(uint64_t bits)
{
	bits ^= bits >> 31;
	bits *= STEP;
	bits ^= bits >> 29;
	bits *= STEP;
	return bits ^ bits >> 32;
}

struct prng
prng_init(uint64_t seed, uint64_t part)
{
	return (struct prng){.state = mix(mix(seed + STEP) ^ part)};
}

uint64_t
prng_below(struct prng *prng, uint64_t limit)
{
	prng->state += STEP;
	return mix(prng->state) % limit;
}

bool
prng_one_in(struct prng *prng, uint64_t times)
{
	return prng_below(prng, times) == 0;
}
