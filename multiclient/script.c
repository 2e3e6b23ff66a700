/*
 * NAME
 *	script - what one client sends, and the replies that are right
 *
 * DESCRIPTION
 *	The walk (walk.h) chooses the operations; this module writes them out as exchanges, each
 *	with the reply that the oracle expects, and decides how they are sent.
 *
 *	The order in which random numbers are drawn defines the script: a change of it changes what
 *	is sent with every seed.
 */

#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "command.h"
#include "walk.h"

/* Operations of a session: few, so that a short run has several sessions; more in a long run. */
#define SESSION_MIN   4
#define SESSION_SHORT 24
#define SESSION_LONG  250
#define LONG_RUN_MIN  1000 /* operations of a client from which on a run is long */

/* One operation in so many is off the protocol. */
#define DEVIATION_IN 4 /* twice as rare in a long run, which is to be a load */

/*
 * One exchange in so many is pipelined, is sent byte by byte, is sent in pieces. In a long run the
 * last two are rarer, by SLOW_MODE_DIVISOR: a send for each byte tests the server, and is no load.
 */
#define PIPELINED_IN      6
#define BYTES_IN          100
#define PIECES_IN         40
#define SLOW_MODE_DIVISOR 20

/* Longest exchange that is sent byte by byte, and length of the line of OP_SLOW_LINE, in bytes. */
#define BYTES_MAX        400
#define SLOW_LINE_LENGTH 200

/* ---- start and end ---- */

void
script_init(struct script *script, const struct config *config, size_t connection)
{
	size_t share = config->operations / config->connections;

	*script = (struct script){0};
	script->config = config;
	script->capture_index = SIZE_MAX;
	script->operations_left = share + (connection < config->operations % config->connections);
	script->session_max = share < LONG_RUN_MIN ? SESSION_SHORT : SESSION_LONG;
	script->slow_mode_divisor = share < LONG_RUN_MIN ? 1 : SLOW_MODE_DIVISOR;
	script->deviation_in = share < LONG_RUN_MIN ? DEVIATION_IN : 2 * (size_t)DEVIATION_IN;
	script->target_count = coverage_assign(config, connection, script->targets);
	prng_init(&script->prng, config->seed, connection);
	walk_init(script);
}

void
script_destroy(struct script *script)
{
	oracle_destroy(&script->oracle);
	buffer_destroy(&script->record);
	buffer_destroy(&script->captured);
}

void
exchange_destroy(struct exchange *exchange)
{
	buffer_destroy(&exchange->out);
}

/* ---- operations ---- */

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

/* Write as many recipients as are still allowed, and one more. */
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
	/* At least one recipient of the flood is, after which T is counted again. */
	operation->accepted = true;
}

/* Number the message that was written last; set its digest, or capture its record, if wanted. */
static void
finish_message(struct script *script, struct exchange *exchange, struct operation *operation)
{
	const struct buffer *record = &script->record;
	size_t head = script->record_head;

	operation->is_message = true;
	operation->message_index = script->message_count++;
	if (operation->message_index == script->capture_index) {
		buffer_add(&script->captured, record->bytes, record->length);
		script->captured_head = head;
	}
	if (!script->config->with_digests) {
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
	    script->config->with_digests ? &script->record : NULL, &script->record_head);
	finish_message(script, exchange, operation);
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
		write_body(script, walk_choose_body(&script->prng), exchange, operation);
	}
	reply_write(&operation->reply, operation_table[type].reply_type, script->config->netid,
	    (struct span){NULL, 0});
	script->session_open = false;
}

/* Write what is sent while the client waits for the 421, and the reply to that, if it has one. */
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
		line.type = walk_choose_deviation(script, script->oracle.state);
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
	script->session_open = false;
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
	operation->is_message = false;
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
	script->operations_left--;
	script->operations_written++;
	script->session_left -= script->session_left > 0;
}

static void
write_connect(struct script *script, struct exchange *exchange)
{
	struct operation *operation = &exchange->operations[exchange->count++];

	oracle_init(&script->oracle, script->config->netid);
	script->session_left = prng_between(&script->prng, SESSION_MIN, script->session_max);
	script->session_open = true;
	operation->type = OP_CONNECT;
	operation->state = STATE_START;
	operation->variant = 0;
	operation->end = 0;
	operation->ok_before = 0;
	operation->accepted = true;
	operation->is_message = false;
	reply_write(
	    &operation->reply, REPLY_GREETING, script->config->netid, (struct span){NULL, 0});
	script->operations_left--;
	script->operations_written++;
}

/* ---- exchanges ---- */

/* Write one operation, or several: up to a random number, or one that must be the last. */
static void
write_operations(struct script *script, struct exchange *exchange)
{
	size_t count = 1;

	if (prng_one_in(&script->prng, PIPELINED_IN)) {
		count = prng_between(
		    &script->prng, 2, prng_one_in(&script->prng, 4) ? EXCHANGE_MAX : 4);
	}
	while (exchange->count < count && script->session_open && script->operations_left > 0) {
		struct choice choice = walk_choose(script);

		if (exchange->count > 0 && walk_is_first(choice)) {
			script->held = choice;
			script->has_held = true;
			return;
		}
		write_operation(script, choice, exchange);
		if (walk_is_alone(choice)) {
			return;
		}
		if (choice.then != OP_COUNT) {
			script->held = (struct choice){choice.then, 0, OP_COUNT};
			script->has_held = true;
			exchange->together = true;
			count = 2;
		}
	}
}

static int
compare_offsets(const void *one, const void *other)
{
	size_t a = *(const size_t *)one, b = *(const size_t *)other;

	return (a > b) - (a < b);
}

/* Choose the cuts: half of them in the last bytes, where an end mark may be. */
static void
choose_cuts(struct prng *prng, struct exchange *exchange)
{
	size_t length = exchange->out.length;

	for (size_t i = 0; i < ARRAY_LENGTH(exchange->cuts); i++) {
		size_t min = length > 5 && prng_one_in(prng, 2) ? length - 5 : 0;

		exchange->cuts[i] = prng_between(prng, min, length);
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

/* Add to `variant` of each operation the way in which the exchange is sent. */
static void
mark_variants(struct exchange *exchange)
{
	unsigned variant = exchange->send_mode;

	if (exchange->count > 1 && exchange->send_mode == 0) {
		variant |= VARIANT_PIPELINED;
	}
	if (exchange->count > 1 &&
	    exchange->operations[exchange->count - 1].type == OP_HALF_CLOSE) {
		variant |= VARIANT_HALF_CLOSED;
	}
	for (size_t i = 0; i < exchange->count; i++) {
		struct operation *operation = &exchange->operations[i];

		operation->variant |= variant;
		if (i > 0 && operation->state == STATE_DATA && exchange->send_mode == 0) {
			operation->variant |= VARIANT_BODY_WITH_DATA;
		}
	}
}

/* ---- public functions ---- */

bool
script_next(struct script *script, struct exchange *exchange)
{
	if (script->operations_left == 0) {
		return false;
	}
	buffer_clear(&exchange->out);
	exchange->number = script->operations_written + 1;
	exchange->count = 0;
	exchange->send_mode = 0;
	exchange->together = false;
	if (!script->session_open) {
		write_connect(script, exchange);
		return true;
	}
	write_operations(script, exchange);
	choose_send_mode(script, exchange);
	mark_variants(exchange);
	return true;
}

/* Write exchanges up to the one with the message. Returns false if the script has none. */
static bool
run_to_message(struct script *script, size_t message_index, struct exchange *exchange)
{
	while (script_next(script, exchange) && !exchange->out.failed) {
		if (script->message_count > message_index) {
			return true;
		}
	}
	return false;
}

bool
script_replay(const struct config *config, size_t connection, size_t message_index,
    struct buffer *record, size_t *head)
{
	struct exchange exchange = {0};
	struct script script;
	bool found;

	script_init(&script, config, connection);
	script.capture_index = message_index;
	found = run_to_message(&script, message_index, &exchange);
	buffer_clear(record);
	if (found) {
		buffer_add(record, script.captured.bytes, script.captured.length);
		*head = script.captured_head;
	}
	exchange_destroy(&exchange);
	script_destroy(&script);
	return found && !record->failed;
}
