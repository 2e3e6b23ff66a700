/*
 * NAME
 *	chance - pseudo-random numbers that come again with the same seed
 *
 * DESCRIPTION
 *	A counter, and a mixing of its bits that makes neighbours unlike each other.
 */

#include "chance.h"

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

struct chance
chance_seed(uint64_t first, uint64_t second)
{
	return (struct chance){.state = mix(mix(first + STEP) ^ second)};
}

unsigned
chance_below(struct chance *chance, unsigned limit)
{
	chance->state += STEP;
	return (unsigned)((mix(chance->state) >> 32) % limit);
}

bool
chance_once_in(struct chance *chance, unsigned times)
{
	return chance_below(chance, times) == 0;
}
