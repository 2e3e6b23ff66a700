/*
 * NAME
 *	script - what one connection sends and must be answered
 *
 * DESCRIPTION
 *	A walk over the states of the oracle. First the connection sees to its mandates: it goes to
 *	the nearest state in which one of them is due, on the straight way while operations are
 *	scarce and with detours if there are plenty. Then it wanders: mostly on through the protocol,
 *	now and then off it.
 *
 *	The order in which random numbers are taken is the script: to change it is to change what
 *	every seed stands for.
 */

#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "command.h"

/* Operations that one mandate may cost on the straight way: a session to DATA and a message. */
#define TARGET_COST 10

/* Operations of a session: a few, so that a short run has several, more when there are many. */
#define SESSION_MIN   4
#define SESSION_SHORT 24
#define SESSION_LONG  250
#define MANY          1000

/* One operation in so many: off the protocol, an odd spelling, a full line, a flood. */
#define DEVIATION_IN 4 /* twice as rare in a long script, which is more of a load */
#define SPELLING_IN  8
#define FULL_LINE_IN 100
#define FLOOD_IN     20000

/*
 * One exchange in so many is a batch, is sent byte by byte, is sent in pieces. In a long script the
 * last two are rarer: a send for each byte is a test of the server, and no load for it.
 */
#define BATCH_IN          6
#define BYTES_IN          100
#define PIECES_IN         40
#define SLOW_MODE_DIVISOR 20

/* One message in so many is not finished. */
#define UNFINISHED_IN 60

/* Longest exchange to be sent byte by byte, and length of a line that never ends. */
#define BYTES_MAX        400
#define SLOW_LINE_LENGTH 200

/* What the walk sends next to get on. */
static const enum operation_type forward[STATE_DATA] = {
    [STATE_START] = OP_HELO,
    [STATE_GREETED] = OP_MAIL,
    [STATE_SENDER] = OP_RCPT,
    [STATE_RECIPIENT] = OP_DATA,
};

/* Bodies by how often they come, in parts of their sum. */
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

/* Whether a choice must be the first, or the only one, in its exchange. */
static bool
is_alone(struct choice choice)
{
	return (is_ending(choice.type) && choice.type != OP_HALF_CLOSE) ||
	       operation_table[choice.type].op_class == OP_CLASS_FLOOD ||
	       (choice.variant & (VARIANT_BYTES | VARIANT_PIECES)) != 0;
}

static bool
is_first(struct choice choice)
{
	return is_alone(choice) || choice.then != OP_COUNT;
}

/* The kinds that can be sent in a state and get no further: what a deviation picks from. */
static void
list_deviations(struct script *script)
{
	unsigned state, type;

	for (state = STATE_START; state < STATE_DATA; state++) {
		for (type = 0; type < OP_COUNT; type++) {
			if (operation_table[type].op_class == OP_CLASS_COMMAND &&
			    operation_allowed((enum operation_type)type, (enum state)state) &&
			    type != (unsigned)forward[state] && type != OP_RCPT) {
				script->deviations[state][script->deviation_count[state]++] =
				    (unsigned char)type;
			}
		}
	}
}

void
script_init(struct script *script, const struct config *config, size_t connection)
{
	size_t share = config->operations / config->connections;

	*script = (struct script){0};
	script->config = config;
	script->capture_index = SIZE_MAX;
	script->left = share + (connection < config->operations % config->connections);
	script->session_max = share < MANY ? SESSION_SHORT : SESSION_LONG;
	script->slow_mode_divisor = share < MANY ? 1 : SLOW_MODE_DIVISOR;
	script->deviation_in = share < MANY ? DEVIATION_IN : 2 * (size_t)DEVIATION_IN;
	script->pending = coverage_assign(
	    connection, config->connections, config->seed, config->timeouts, script->targets);
	prng_init(&script->prng, config->seed, connection);
	list_deviations(script);
}

void
script_destroy(struct script *script)
{
	oracle_destroy(&script->oracle);
	buffer_destroy(&script->record);
	buffer_destroy(&script->kept);
}

void
exchange_destroy(struct exchange *exchange)
{
	buffer_destroy(&exchange->out);
}

static enum operation_type
choose_body(struct prng *prng)
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

static enum operation_type
choose_deviation(struct script *script, enum state state)
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

/* The way to vanish with a message is open only after one of ours was delivered: see ledger.h. */
static enum operation_type
choose_in_data(struct script *script)
{
	static const enum operation_type unfinished[] = {
	    OP_HALF_DATA, OP_CLOSE_IN_DATA, OP_CLOSE_AFTER_DATA};

	if (script->messages > 0 && prng_one_in(&script->prng, UNFINISHED_IN)) {
		return unfinished[prng_below(&script->prng, ARRAY_LENGTH(unfinished))];
	}
	return choose_body(&script->prng);
}

/* Get on with the protocol. */
static enum operation_type
choose_forward(struct script *script)
{
	enum state state = script->oracle.state;

	if (state == STATE_DATA) {
		return choose_body(&script->prng);
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
		return choose_deviation(script, state);
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

/* How many steps of choose_forward() lead from one state to another; SIZE_MAX if none do. */
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

/* The mandate to see to next: what ends the session comes last. `pending` if none is in reach. */
static size_t
nearest_target(const struct script *script, size_t *least)
{
	size_t nearest = script->pending;
	bool nearest_ends = true;
	size_t i;

	*least = SIZE_MAX;
	for (i = 0; i < script->pending; i++) {
		const struct target *target = &script->targets[i];
		size_t steps = distance(script->oracle.state, target->state);
		bool ends = is_ending(target->type) || target->then == OP_HALF_CLOSE;

		if (steps != SIZE_MAX &&
		    (ends < nearest_ends || (ends == nearest_ends && steps < *least))) {
			nearest = i;
			nearest_ends = ends;
			*least = steps;
		}
	}
	return nearest;
}

static struct choice
remove_target(struct script *script, size_t index)
{
	struct target target = script->targets[index];

	script->pending--;
	memmove(&script->targets[index], &script->targets[index + 1],
	    (script->pending - index) * sizeof target);
	return (struct choice){target.type, target.variant, target.then};
}

/* Go on towards the nearest mandate, or meet it. */
static struct choice
step_towards_target(struct script *script)
{
	struct choice choice = {OP_COUNT, 0, OP_COUNT};
	size_t steps;
	size_t index = nearest_target(script, &steps);

	if (index == script->pending) {
		choice.type =
		    script->oracle.state == STATE_DATA ? choose_forward(script) : OP_HALF_CLOSE;
	} else if (steps == 0 &&
		   (script->targets[index].type != OP_CLOSE_AFTER_DATA || script->messages > 0)) {
		return remove_target(script, index);
	} else {
		choice.type = choose_forward(script);
	}
	return choice;
}

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

static struct choice
choose(struct script *script)
{
	bool plenty = script->left > TARGET_COST * (script->pending + 1);
	struct choice choice;

	if (script->holds) {
		script->holds = false;
		return script->held;
	}
	if (script->pending > 0 && (!plenty || prng_one_in(&script->prng, 2))) {
		choice = step_towards_target(script);
	} else {
		choice = (struct choice){choose_any(script), 0, OP_COUNT};
	}
	if (operation_table[choice.type].op_class == OP_CLASS_COMMAND) {
		choice.variant |= choose_spelling(&script->prng) & command_variants(choice.type);
	}
	return choice;
}

static struct span
written_since(const struct exchange *exchange, size_t begin)
{
	return (struct span){exchange->out.bytes + begin, exchange->out.length - begin};
}

static void
write_command(struct script *script, struct choice choice, struct exchange *exchange,
    struct operation *operation)
{
	size_t begin = exchange->out.length;

	command_write(choice.type, choice.variant, &script->prng, &exchange->out);
	if (!exchange->out.failed) {
		operation->accepted =
		    oracle_line(&script->oracle, written_since(exchange, begin), &operation->reply);
	}
}

/* Fill the message with recipients, and one more. */
static void
write_flood(struct script *script, struct exchange *exchange, struct operation *operation)
{
	size_t lines = RECIPIENTS_MAX - script->oracle.recipients + 1;

	operation->ok_before = lines - 1;
	while (lines-- > 0 && !exchange->out.failed) {
		size_t begin = exchange->out.length;

		command_write_short_rcpt(&script->prng, &exchange->out);
		if (!exchange->out.failed) {
			oracle_line(
			    &script->oracle, written_since(exchange, begin), &operation->reply);
		}
	}
	operation->accepted = true;
}

/* The digest of the record just made, and the record itself if somebody asked for it. */
static void
note_message(struct script *script, struct exchange *exchange, struct operation *operation)
{
	const struct buffer *record = &script->record;
	size_t head = script->record_head;

	operation->message = true;
	operation->index = script->messages++;
	if (operation->index == script->capture_index) {
		buffer_add(&script->kept, record->bytes, record->length);
		script->captured_head = head;
	}
	if (!script->config->digests) {
		return;
	}
	if (record->failed) {
		exchange->out.failed = true;
		return;
	}
	record_digest((struct span){record->bytes, head},
	    (struct span){record->bytes + head, record->length - head}, &operation->digest);
}

static void
write_body(struct script *script, enum operation_type type, struct exchange *exchange,
    struct operation *operation)
{
	size_t begin = exchange->out.length;

	body_write(type, script->config->netid, &script->prng, &exchange->out);
	if (exchange->out.failed) {
		return;
	}
	oracle_message(&script->oracle, written_since(exchange, begin), &operation->reply,
	    script->config->digests ? &script->record : NULL, &script->record_head);
	note_message(script, exchange, operation);
	operation->accepted = true;
}

static void
write_ending(struct script *script, enum operation_type type, struct exchange *exchange,
    struct operation *operation)
{
	if (type == OP_HALF_LINE) {
		command_write_partial(&script->prng, &exchange->out);
	} else if (type == OP_HALF_DATA || type == OP_CLOSE_IN_DATA) {
		body_write_partial(script->config->netid, &script->prng, &exchange->out);
	} else if (type == OP_CLOSE_AFTER_DATA) {
		write_body(script, choose_body(&script->prng), exchange, operation);
	}
	reply_write(&operation->reply, operation_table[type].reply_type, script->config->netid,
	    (struct span){NULL, 0});
	script->open = false;
}

/* What is sent while waiting for the 421; the reply is the one to that. */
static void
write_timeout(struct script *script, enum operation_type type, struct exchange *exchange,
    struct operation *operation)
{
	struct choice line = {OP_COUNT, 0, OP_COUNT};

	operation->reply.reply_type = REPLY_NONE;
	operation->reply.length = 0;
	if (type == OP_DORMANT_LATER) {
		line.type = OP_RCPT;
	} else if (type == OP_ENDLESS_INVALID) {
		line.type = choose_deviation(script, script->oracle.state);
	}
	if (line.type != OP_COUNT) {
		write_command(script, line, exchange, operation);
	} else if (type == OP_DORMANT_HALF_LINE) {
		command_write_partial(&script->prng, &exchange->out);
	} else if (type == OP_SLOW_LINE) {
		command_write_printable(&script->prng, SLOW_LINE_LENGTH, &exchange->out);
	} else if (type == OP_DORMANT_MID_DATA) {
		body_write_partial(script->config->netid, &script->prng, &exchange->out);
	}
	operation->accepted = false;
	script->open = false;
}

static void
write_operation(struct script *script, struct choice choice, struct exchange *exchange)
{
	struct operation *operation = &exchange->operations[exchange->count++];

	operation->type = choice.type;
	operation->state = script->oracle.state;
	operation->variant = choice.variant;
	operation->ok_before = 0;
	operation->accepted = false;
	operation->message = false;
	if (operation_table[choice.type].op_class == OP_CLASS_COMMAND) {
		write_command(script, choice, exchange, operation);
	} else if (operation_table[choice.type].op_class == OP_CLASS_FLOOD) {
		write_flood(script, exchange, operation);
	} else if (operation_table[choice.type].op_class == OP_CLASS_BODY) {
		write_body(script, choice.type, exchange, operation);
	} else if (operation_table[choice.type].op_class == OP_CLASS_ENDING) {
		write_ending(script, choice.type, exchange, operation);
	} else {
		write_timeout(script, choice.type, exchange, operation);
	}
	operation->end = exchange->out.length;
	script->left--;
	script->done++;
	script->session_left -= script->session_left > 0;
}

static void
write_connect(struct script *script, struct exchange *exchange)
{
	struct operation *operation = &exchange->operations[exchange->count++];

	oracle_init(&script->oracle, script->config->netid);
	script->session_left = prng_between(&script->prng, SESSION_MIN, script->session_max);
	script->open = true;
	operation->type = OP_CONNECT;
	operation->state = STATE_START;
	operation->variant = 0;
	operation->end = 0;
	operation->ok_before = 0;
	operation->accepted = true;
	operation->message = false;
	reply_write(&operation->reply, REPLY_BANNER, script->config->netid, (struct span){NULL, 0});
	script->left--;
	script->done++;
}

/* Operations until the exchange is full, by choice or because something must be its last. */
static void
write_batch(struct script *script, struct exchange *exchange)
{
	size_t wanted = 1;

	if (prng_one_in(&script->prng, BATCH_IN)) {
		wanted =
		    prng_between(&script->prng, 2, prng_one_in(&script->prng, 4) ? BATCH_MAX : 4);
	}
	while (exchange->count < wanted && script->open && script->left > 0) {
		struct choice choice = choose(script);

		if (exchange->count > 0 && is_first(choice)) {
			script->held = choice;
			script->holds = true;
			return;
		}
		write_operation(script, choice, exchange);
		if (is_alone(choice)) {
			return;
		}
		if (choice.then != OP_COUNT) {
			script->held = (struct choice){choice.then, 0, OP_COUNT};
			script->holds = true;
			exchange->together = true;
			wanted = 2;
		}
	}
}

static int
compare_offsets(const void *one, const void *other)
{
	size_t a = *(const size_t *)one, b = *(const size_t *)other;

	return (a > b) - (a < b);
}

/* Half of the cuts fall into the last bytes, where an end mark may be. */
static void
choose_cuts(struct prng *prng, struct exchange *exchange)
{
	size_t length = exchange->out.length;
	size_t i;

	for (i = 0; i < ARRAY_LENGTH(exchange->cuts); i++) {
		size_t least = length > 5 && prng_one_in(prng, 2) ? length - 5 : 0;

		exchange->cuts[i] = prng_between(prng, least, length);
	}
	qsort(exchange->cuts, ARRAY_LENGTH(exchange->cuts), sizeof exchange->cuts[0],
	    compare_offsets);
}

static void
choose_send_mode(struct script *script, struct exchange *exchange)
{
	struct prng *prng = &script->prng;

	exchange->send_mode = exchange->operations[0].variant & (VARIANT_BYTES | VARIANT_PIECES);
	if (exchange->out.length == 0 || exchange->together ||
	    operation_table[exchange->operations[0].type].op_class == OP_CLASS_TIMEOUT) {
		return;
	}
	if (exchange->send_mode == 0 && exchange->out.length <= BYTES_MAX &&
	    prng_one_in(prng, BYTES_IN * script->slow_mode_divisor)) {
		exchange->send_mode = VARIANT_BYTES;
	}
	if (exchange->send_mode == 0 && prng_one_in(prng, PIECES_IN * script->slow_mode_divisor)) {
		exchange->send_mode = VARIANT_PIECES;
	}
	if (exchange->send_mode == VARIANT_PIECES) {
		choose_cuts(prng, exchange);
	}
}

/* Tell each operation in what company it is sent. */
static void
mark_variants(struct exchange *exchange)
{
	unsigned variant = exchange->send_mode;
	size_t i;

	if (exchange->count > 1 && exchange->send_mode == 0) {
		variant |= VARIANT_BATCH;
	}
	if (exchange->count > 1 &&
	    exchange->operations[exchange->count - 1].type == OP_HALF_CLOSE) {
		variant |= VARIANT_HALF_CLOSED;
	}
	for (i = 0; i < exchange->count; i++) {
		struct operation *operation = &exchange->operations[i];

		operation->variant |= variant;
		if (i > 0 && operation->state == STATE_DATA && exchange->send_mode == 0) {
			operation->variant |= VARIANT_BODY_WITH_DATA;
		}
	}
}

bool
script_next(struct script *script, struct exchange *exchange)
{
	if (script->left == 0) {
		return false;
	}
	buffer_clear(&exchange->out);
	exchange->number = script->done + 1;
	exchange->count = 0;
	exchange->send_mode = 0;
	exchange->together = false;
	if (!script->open) {
		write_connect(script, exchange);
		return true;
	}
	write_batch(script, exchange);
	choose_send_mode(script, exchange);
	mark_variants(exchange);
	return true;
}

/* Run on to the exchange that holds the message; its record is then the last one made. */
static bool
run_to_message(struct script *script, size_t index, struct exchange *exchange)
{
	while (script_next(script, exchange) && !exchange->out.failed) {
		if (script->messages > index) {
			return true;
		}
	}
	return false;
}

bool
script_replay(const struct config *config, size_t connection, size_t index, struct buffer *record,
    size_t *head)
{
	struct exchange exchange = {0};
	struct script script;
	bool found;

	script_init(&script, config, connection);
	script.capture_index = index;
	found = run_to_message(&script, index, &exchange);
	buffer_clear(record);
	if (found) {
		buffer_add(record, script.kept.bytes, script.kept.length);
		*head = script.captured_head;
	}
	exchange_destroy(&exchange);
	script_destroy(&script);
	return found && !record->failed;
}
