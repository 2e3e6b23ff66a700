/*
 * NAME
 *	coverage - the coverage targets of a run, and their assignment to clients
 *
 * DESCRIPTION
 *	The timeouts are assigned first, so that with eight clients or more no client waits for two
 *	of them.
 */

#include "coverage.h"

#include "params.h"
#include "prng.h"

/* The ways of sending, each with an operation that shows it. */
static const struct target variant_targets[] = {
    {OP_HELO, STATE_START, VARIANT_SPACES, OP_COUNT},
    {OP_MAIL, STATE_GREETED, VARIANT_SPACES, OP_COUNT},
    {OP_RCPT, STATE_SENDER, VARIANT_SPACES, OP_COUNT},
    {OP_DATA, STATE_RECIPIENT, VARIANT_SPACES, OP_COUNT},
    {OP_MAIL, STATE_GREETED, VARIANT_CASE, OP_COUNT},
    {OP_HELO, STATE_START, VARIANT_BARE_LF, OP_COUNT},
    {OP_DATA, STATE_RECIPIENT, VARIANT_BARE_LF, OP_COUNT},
    {OP_RCPT, STATE_SENDER, VARIANT_FULL_LINE, OP_COUNT},
    {OP_HELO, STATE_START, VARIANT_BYTES, OP_COUNT},
    {OP_BODY_DOTS, STATE_DATA, VARIANT_BYTES, OP_COUNT},
    {OP_BODY_TEXT, STATE_DATA, VARIANT_PIECES, OP_COUNT},
    {OP_MAIL, STATE_GREETED, VARIANT_PIPELINED, OP_RCPT},
    {OP_DATA, STATE_RECIPIENT, VARIANT_BODY_WITH_DATA, OP_BODY_TEXT},
    {OP_MAIL, STATE_GREETED, VARIANT_HALF_CLOSED, OP_HALF_CLOSE},
    {OP_BODY_TEXT, STATE_DATA, VARIANT_HALF_CLOSED, OP_HALF_CLOSE},
};

/* The targets of one client, while those of all are assigned in turn. */
struct assignment {
	struct target *targets;
	size_t count;
	size_t until_next; /* targets until the next one of this client */
	size_t clients;
};

static void
assign(struct assignment *assignment, struct target target)
{
	if (assignment->until_next == 0) {
		assignment->targets[assignment->count++] = target;
		assignment->until_next = assignment->clients;
	}
	assignment->until_next--;
}

enum which_types {
	TYPES_TIMEOUT,
	TYPES_OTHER
};

/* Assign these types, each in every state where it can occur. */
static void
assign_types(struct assignment *assignment, enum which_types which)
{
	for (unsigned type = OP_HELO; type < OP_COUNT; type++) {
		if ((operation_table[type].op_class == OP_CLASS_TIMEOUT) !=
		    (which == TYPES_TIMEOUT)) {
			continue;
		}
		for (unsigned state = 0; state < STATES; state++) {
			if (operation_allowed((enum operation_type)type, (enum state)state)) {
				assign(assignment, (struct target){(enum operation_type)type,
						       (enum state)state, 0, OP_COUNT});
			}
		}
	}
}

size_t
coverage_assign(const struct config *config, size_t connection, struct target targets[TARGETS_MAX])
{
	size_t clients = config->connections;
	/* The client that gets the first target. */
	size_t first = (size_t)(hash64(config->seed) % clients);
	struct assignment assignment = {
	    targets, 0, (connection + clients - first) % clients, clients};

	if (config->with_timeouts) {
		assign_types(&assignment, TYPES_TIMEOUT);
	}
	assign_types(&assignment, TYPES_OTHER);
	for (size_t i = 0; i < ARRAY_LENGTH(variant_targets); i++) {
		assign(&assignment, variant_targets[i]);
	}
	return assignment.count;
}
