/*
 * coverage.h - the coverage targets of a run, and their assignment to clients
 *
 * Every type but OP_CONNECT in every state where it can occur, and every way of sending, is a
 * target. The targets are assigned to the clients in turn, so that together these meet all of them,
 * if the run has enough operations. The report shows what is left out; no run fails because of it.
 * No I/O, any thread.
 */

#ifndef MULTICLIENT_COVERAGE_H
#define MULTICLIENT_COVERAGE_H

#include <stddef.h>

#include "config.h"
#include "operation.h"

struct target {
	enum operation_type type;
	enum state state;
	unsigned variant;         /* the way of sending; 0: any */
	enum operation_type then; /* what must follow in the same send; OP_COUNT: anything */
};

/* At least the number of all targets: what one client can get. */
#define TARGETS_MAX 160

/*
 * Write to `targets` those of client `connection` of `config`, from 0, and return their number. The
 * client that gets the first target depends on `config->seed`. Unless `config->with_timeouts`,
 * those that wait for a 421 are left out.
 */
size_t coverage_assign(
    const struct config *config, size_t connection, struct target targets[TARGETS_MAX]);

#endif
