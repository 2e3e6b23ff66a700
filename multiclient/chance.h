/*
 * chance.h - pseudorandom numbers that repeat. One stream belongs to one thread and needs no lock;
 * the same seed and stream number give the same numbers on every machine, however threads are
 * scheduled.
 */

#ifndef MULTICLIENT_CHANCE_H
#define MULTICLIENT_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

/* Begin stream number `stream` of `seed`. Streams of one seed look independent of each other. */
void chance_begin(struct chance *chance, uint64_t seed, uint64_t stream);

/* The next 64 bits. */
uint64_t chance_next(struct chance *chance);

/* A number from 0 to `limit` - 1. `limit` is at least 1 and below 2^32. */
size_t chance_below(struct chance *chance, size_t limit);

/* A number from `least` to `most`, both included. */
size_t chance_between(struct chance *chance, size_t least, size_t most);

/* True once in `times` calls on average. */
bool chance_one_in(struct chance *chance, size_t times);

/* Scramble 64 bits so that each bit of the result depends on each of `word`; a bijection. */
uint64_t chance_scramble(uint64_t word);

#endif
