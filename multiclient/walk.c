/*
 * NAME
 *	walk - which operation comes next: a random walk over the states of the oracle
 *
 * DESCRIPTION
 *	While there are coverage targets, each step leads towards the nearest one; while there are
 *	operations to spare, half of these steps are random instead. A random step mostly leads
 *	towards a delivered message, and sometimes is off the protocol.
 *
 *	The order in which random numbers are drawn defines the script: a change of it changes the
 *	operations of every seed.
 */

#include "walk.h"

#include <stdint.h>
#include <string.h>

#include "command.h"
#include "params.h"

/* Operations that one target may cost on the direct way: those of a session with one message. */
#define TARGET_COST 10

/*
 * One command in so many has odd white space, one odd letter case, one a bare LF; one in so many is
 * a full line. One random step in so many in STATE_RECIPIENT is a flood.
 */
#define SPELLING_IN  8
#define FULL_LINE_IN 100
#define FLOOD_IN     20000

/* One message in so many is not ended, or its reply is not waited for. */
#define UNFINISHED_IN 60

/* The next operation on the way to a delivered message. */
static const enum operation_type forward[STATE_DATA] = {
    [STATE_START] = OP_HELO,
    [STATE_GREETED] = OP_MAIL,
    [STATE_SENDER] = OP_RCPT,
    [STATE_RECIPIENT] = OP_DATA,
};

/* The random bodies; a type is chosen with the probability of its weight in the sum of all. */
static const struct {
	enum operation_type type;
	unsigned weight;
} bodies[] = {
    {OP_BODY_TEXT, 600},
    {OP_BODY_EMPTY, 60},
    {OP_BODY_DOTS, 100},
    {OP_BODY_BYTES, 100},
    {OP_BODY_LINE_ENDS, 100},
    {OP_BODY_FORGED, 100},
    {OP_BODY_LONG_LINES, 15},
    {OP_BODY_LARGE, 2},
};

static bool
is_ending(enum operation_type type)
{
	return operation_table[type].op_class == OP_CLASS_ENDING ||
	       operation_table[type].op_class == OP_CLASS_TIMEOUT;
}

bool
walk_is_alone(struct choice choice)
{
	return (is_ending(choice.type) && choice.type != OP_HALF_CLOSE) ||
	       operation_table[choice.type].op_class == OP_CLASS_FLOOD ||
	       (choice.variant & (VARIANT_BYTES | VARIANT_PIECES)) != 0;
}

bool
walk_is_first(struct choice choice)
{
	return walk_is_alone(choice) || choice.then != OP_COUNT;
}

void
walk_init(struct script *script)
{
	for (unsigned state = STATE_START; state < STATE_DATA; state++) {
		for (unsigned type = 0; type < OP_COUNT; type++) {
			if (operation_table[type].op_class == OP_CLASS_COMMAND &&
			    operation_allowed((enum operation_type)type, (enum state)state) &&
			    /* One more recipient is no deviation. */
			    type != (unsigned)forward[state] && type != OP_RCPT) {
				script->deviations[state][script->deviation_count[state]++] =
				    (unsigned char)type;
			}
		}
	}
}

/* ---- random choices ---- */

enum operation_type
walk_choose_body(struct prng *prng)
{
	size_t sum = 0, at, i;

	for (i = 0; i < ARRAY_LENGTH(bodies); i++) {
		sum += bodies[i].weight;
	}
	at = prng_below(prng, sum);
	for (i = 0; at >= bodies[i].weight; i++) {
		at -= bodies[i].weight;
	}
	return bodies[i].type;
}

enum operation_type
walk_choose_deviation(struct script *script, enum state state)
{
	return (enum operation_type)
	    script->deviations[state][prng_below(&script->prng, script->deviation_count[state])];
}

static enum operation_type
choose_ending(struct script *script)
{
	static const enum operation_type endings[] = {OP_HALF_CLOSE, OP_HALF_CLOSE, OP_HALF_CLOSE,
	    OP_HALF_CLOSE, OP_HALF_CLOSE, OP_HALF_CLOSE, OP_HALF_LINE, OP_CLOSE, OP_CLOSE,
	    OP_RESET};

	return endings[prng_below(&script->prng, ARRAY_LENGTH(endings))];
}

/*
 * Choose a whole message, or one that is not ended or has no reply. The latter are not the first of
 * a client: see ledger.c.
 */
static enum operation_type
choose_in_data(struct script *script)
{
	static const enum operation_type unfinished[] = {
	    OP_HALF_DATA, OP_CLOSE_IN_DATA, OP_CLOSE_AFTER_DATA};

	if (script->message_count > 0 && prng_one_in(&script->prng, UNFINISHED_IN)) {
		return unfinished[prng_below(&script->prng, ARRAY_LENGTH(unfinished))];
	}
	return walk_choose_body(&script->prng);
}

/* Return the next operation on the way to a delivered message. */
static enum operation_type
choose_forward(struct script *script)
{
	enum state state = script->oracle.state;

	if (state == STATE_DATA) {
		return walk_choose_body(&script->prng);
	}
	return forward[state];
}

static enum operation_type
choose_any(struct script *script)
{
	enum state state = script->oracle.state;

	if (state == STATE_DATA) {
		return choose_in_data(script);
	}
	if (script->session_left == 0) {
		return choose_ending(script);
	}
	if (prng_one_in(&script->prng, script->deviation_in)) {
		return walk_choose_deviation(script, state);
	}
	if (state == STATE_RECIPIENT && script->oracle.recipients < RECIPIENTS_MAX) {
		if (prng_one_in(&script->prng, FLOOD_IN)) {
			return OP_RCPT_TOO_MANY;
		}
		if (prng_one_in(&script->prng, 2)) {
			return OP_RCPT;
		}
	}
	return choose_forward(script);
}

/* ---- coverage targets ---- */

/* Return how many steps of choose_forward() lead from one state to another; SIZE_MAX: none do. */
static size_t
distance(enum state from, enum state to)
{
	if (from == STATE_START || to == from) {
		return (size_t)(to - from);
	}
	if (to == STATE_START) {
		return SIZE_MAX;
	}
	return to > from ? (size_t)(to - from) : (size_t)(STATE_DATA - from + to);
}

/*
 * Return the index of the nearest target, with its distance in *distance_min; those that end the
 * session come last. Returns `target_count` if none can be reached in this session.
 */
static size_t
nearest_target(const struct script *script, size_t *distance_min)
{
	size_t nearest = script->target_count;
	bool nearest_ends = true;

	*distance_min = SIZE_MAX;
	for (size_t i = 0; i < script->target_count; i++) {
		const struct target *target = &script->targets[i];
		size_t steps = distance(script->oracle.state, target->state);
		bool ends = is_ending(target->type) || target->then == OP_HALF_CLOSE;

		if (steps != SIZE_MAX &&
		    (ends < nearest_ends || (ends == nearest_ends && steps < *distance_min))) {
			nearest = i;
			nearest_ends = ends;
			*distance_min = steps;
		}
	}
	return nearest;
}

/* Remove a target, and return it as a choice. */
static struct choice
remove_target(struct script *script, size_t index)
{
	struct target target = script->targets[index];

	script->target_count--;
	memmove(&script->targets[index], &script->targets[index + 1],
	    (script->target_count - index) * sizeof target);
	return (struct choice){target.type, target.variant, target.then};
}

/* Step towards the nearest target, or meet it; without one, towards the end of the session. */
static struct choice
step_towards_target(struct script *script)
{
	struct choice choice = {OP_COUNT, 0, OP_COUNT};
	size_t steps;
	size_t index = nearest_target(script, &steps);

	if (index == script->target_count) {
		choice.type =
		    script->oracle.state == STATE_DATA ? choose_forward(script) : OP_HALF_CLOSE;
	} else if (steps == 0 && (script->targets[index].type != OP_CLOSE_AFTER_DATA ||
				     script->message_count > 0)) {
		return remove_target(script, index);
	} else {
		choice.type = choose_forward(script);
	}
	return choice;
}

/* ---- the next operation ---- */

/* Return a random set of the variants of command_variants(). */
static unsigned
choose_spelling(struct prng *prng)
{
	unsigned variant = 0;

	variant |= prng_one_in(prng, SPELLING_IN) ? VARIANT_SPACES : 0;
	variant |= prng_one_in(prng, SPELLING_IN) ? VARIANT_CASE : 0;
	variant |= prng_one_in(prng, SPELLING_IN) ? VARIANT_BARE_LF : 0;
	variant |= prng_one_in(prng, FULL_LINE_IN) ? VARIANT_FULL_LINE : 0;
	return variant;
}

struct choice
walk_choose(struct script *script)
{
	bool plenty = script->operations_left > TARGET_COST * (script->target_count + 1);
	struct choice choice;

	if (script->has_held) {
		script->has_held = false;
		return script->held;
	}
	if (script->target_count > 0 && (!plenty || prng_one_in(&script->prng, 2))) {
		choice = step_towards_target(script);
	} else {
		choice = (struct choice){choose_any(script), 0, OP_COUNT};
	}
	if (operation_table[choice.type].op_class == OP_CLASS_COMMAND) {
		choice.variant |= choose_spelling(&script->prng) & command_variants(choice.type);
	}
	return choice;
}
