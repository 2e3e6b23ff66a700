/*
 * NAME
 *	prng - pseudorandom numbers that repeat
 *
 * DESCRIPTION
 *	The splitmix64 generator of Steele, Lea and Flood (2014): a counter that goes up by an odd
 *	constant, scrambled. It takes a few instructions and one word of state, and every word is a
 *	good seed.
 *
 * BUGS
 *	Not for secrets. Its period is 2^64.
 */

#include "prng.h"

#include <time.h>
#include <unistd.h>

/* 2^64 divided by the golden ratio: odd, with no pattern in its bits. */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

uint64_t
hash64(uint64_t word)
{
	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

void
prng_init(struct prng *prng, uint64_t seed, uint64_t stream)
{
	prng->state = hash64(hash64(seed) + (stream + 1) * GOLDEN);
}

uint64_t
prng_next(struct prng *prng)
{
	prng->state += GOLDEN;
	return hash64(prng->state);
}

size_t
prng_below(struct prng *prng, size_t limit)
{
	/* The high half of a product: no division, and a bias below 2^-32 * limit. */
	return (size_t)(((prng_next(prng) >> 32) * (uint64_t)limit) >> 32);
}

size_t
prng_between(struct prng *prng, size_t min, size_t max)
{
	return min + prng_below(prng, max - min + 1);
}

bool
prng_one_in(struct prng *prng, size_t times)
{
	return prng_below(prng, times) == 0;
}

uint64_t
prng_random_seed(void)
{
	struct timespec now;

	/* Six digits are enough, and easy to type. */
	clock_gettime(CLOCK_REALTIME, &now);
	return hash64((uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 32)) % 1000000;
}
