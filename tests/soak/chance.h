/*
 * chance.h - pseudo-random numbers that come again with the same seed
 */

#ifndef CHANCE_H
#define CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

struct chance chance_seed(uint64_t first, uint64_t second);

/* A number from 0 up to, but not including, `limit`, which is above 0. */
unsigned chance_below(struct chance *chance, unsigned limit);

/* True once in `times`. */
bool chance_once_in(struct chance *chance, unsigned times);

#endif
