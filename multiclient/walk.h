/*
 * walk.h - which operation comes next: a random walk over the states of the oracle
 *
 * All functions belong to the thread of the script.
 */

#ifndef MULTICLIENT_WALK_H
#define MULTICLIENT_WALK_H

#include <stdbool.h>

#include "script.h"

/* Fill in `deviations` and `deviation_count` of the script. */
void walk_init(struct script *script);

/* Return whether a choice must be the only one in its exchange. */
bool walk_is_alone(struct choice choice);

/* Return whether a choice must be the first in its exchange. */
bool walk_is_first(struct choice choice);

/* Return the type of a message body, at random. */
enum operation_type walk_choose_body(struct prng *prng);

/* Return a type of operation off the protocol, at random. `state` is not STATE_DATA. */
enum operation_type walk_choose_deviation(struct script *script, enum state state);

/* Choose the next operation. A target that it meets is removed. */
struct choice walk_choose(struct script *script);

#endif
