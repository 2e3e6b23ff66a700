/*
 * coverage.h - the coverage targets of a run, and their assignment to clients
 *
 * Every type in every state where it can occur, and every way of sending, is one target; the
 * targets are assigned to the connections in turn, so that together they cover all, if the run has
 * enough operations. The report shows what is left out; no run fails because of it. No I/O, any
 * thread.
 */

#ifndef MULTICLIENT_COVERAGE_H
#define MULTICLIENT_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "operation.h"

struct target {
	enum operation_type type;
	enum state state;
	unsigned variant;         /* the way of sending; 0: any */
	enum operation_type then; /* what must follow in the same send; OP_COUNT: anything */
};

/*
 * An upper bound for the number of targets: an array of that size is large enough for
 * coverage_assign().
 */
#define TARGETS_MAX 160

/*
 * Write to `targets` those of connection number `connection`, from 0, out of `connections`, and
 * return how many they are. The connection that gets the first target depends on `seed`. Without
 * `timeouts` those that wait for a 421 are left out.
 */
size_t coverage_assign(size_t connection, size_t connections, uint64_t seed, bool timeouts,
    struct target targets[TARGETS_MAX]);

#endif
