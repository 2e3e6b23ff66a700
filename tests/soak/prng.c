/*
 * NAME
 *	prng - repeatable pseudo-random numbers
 *
 * DESCRIPTION
 *	A counter, and a mixing of its bits that makes neighbours unlike each other.
 */

#include "prng.h"

/* The counter's odd step: 2^64 divided by the golden ratio. */
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
prng_init(uint64_t first, uint64_t second)
{
	return (struct prng){.state = mix(mix(first + STEP) ^ second)};
}

unsigned
prng_below(struct prng *prng, unsigned limit)
{
	prng->state += STEP;
	return (unsigned)((mix(prng->state) >> 32) % limit);
}

bool
prng_one_in(struct prng *prng, unsigned times)
{
	return prng_below(prng, times) == 0;
}
