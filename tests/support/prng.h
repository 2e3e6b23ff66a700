/*
 * prng.h - repeatable pseudo-random numbers
 */

#ifndef PRNG_H
#define PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};

/* Return the start of a sequence. Each pair of `seed` and `part` has a sequence of its own. */
struct prng prng_init(uint64_t seed, uint64_t part);

/* Return a number below `limit`, which is not 0. */
uint64_t prng_below(struct prng *prng, uint64_t limit);

/* Return true with probability 1 / `times`. */
bool prng_one_in(struct prng *prng, uint64_t times);

#endif
