/*
 * NAME
 *	chance - pseudorandom numbers that repeat
 *
 * DESCRIPTION
 *	The splitmix64 generator of Steele, Lea and Flood (2014): a counter that goes up by an odd
 *	constant, scrambled. It is as quick as a generator can be, has one word of state, and any
 *	word is a good seed, which is all that a test script asks for.
 *
 * BUGS
 *	Not for secrets. Its period is 2^64.
 */

#include "chance.h"

/* 2^64 divided by the golden ratio: odd, with no pattern in its bits. */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

uint64_t
chance_scramble(uint64_t word)
{
	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

void
chance_begin(struct chance *chance, uint64_t seed, uint64_t stream)
{
	chance->state = chance_scramble(chance_scramble(seed) + (stream + 1) * GOLDEN);
}

uint64_t
chance_next(struct chance *chance)
{
	chance->state += GOLDEN;
	return chance_scramble(chance->state);
}

size_t
chance_below(struct chance *chance, size_t limit)
{
	/* The high half of a product: no division, and a bias far below what a script can show. */
	return (size_t)(((chance_next(chance) >> 32) * (uint64_t)limit) >> 32);
}

size_t
chance_between(struct chance *chance, size_t least, size_t most)
{
	return least + chance_below(chance, most - least + 1);
}

bool
chance_one_in(struct chance *chance, size_t times)
{
	return chance_below(chance, times) == 0;
}
