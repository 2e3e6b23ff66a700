/*
 * prng.h - repeatable pseudo-random numbers
 */

#ifndef PRNG_H
#define PRNG_H

#include <stdbool.h>
#include <stdint.h>

/* Elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct prng {
	uint64_t state;
};

struct prng prng_init(uint64_t first, uint64_t second);

/* Return a number below `limit`, which is not 0. */
unsigned prng_below(struct prng *prng, unsigned limit);

/* Return true with probability 1 / `times`. */
bool prng_one_in(struct prng *prng, unsigned times);

#endif
