/*
 * prng.h - pseudo-random numbers that come again with the same seed
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

/* A number from 0 up to, but not including, `limit`, which is above 0. */
unsigned prng_below(struct prng *prng, unsigned limit);

/* True once in `times`. */
bool prng_one_in(struct prng *prng, unsigned times);

#endif
