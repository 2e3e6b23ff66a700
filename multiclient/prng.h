/*
 * prng.h - pseudorandom numbers that repeat
 *
 * The same seed and stream number give the same numbers on every machine. A stream belongs to one
 * thread.
 */

#ifndef MULTICLIENT_PRNG_H
#define MULTICLIENT_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};

/* Start stream number `stream` of `seed`. Streams of one seed look independent of each other. */
void prng_init(struct prng *prng, uint64_t seed, uint64_t stream);

/* Return the next 64 bits. */
uint64_t prng_next(struct prng *prng);

/* Return a number from 0 to `limit` - 1. `limit` is at least 1 and below 2^32. */
size_t prng_below(struct prng *prng, size_t limit);

/* Return a number from `min` to `max`, both included. */
size_t prng_between(struct prng *prng, size_t min, size_t max);

/* Return true once in `times` calls on average. */
bool prng_one_in(struct prng *prng, size_t times);

/* Scramble 64 bits so that each bit of the result depends on each of `word`; a bijection. */
uint64_t hash64(uint64_t word);

/* Return a seed of up to six digits that differs from run to run. */
uint64_t prng_random_seed(void);

#endif
