/*
 * NAME
 *	check_script - scripts: repeatable, complete, and with the right replies
 */

#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "script.h"
#include "suite.h"

#define TEST_SECONDS 120

/* Seeds of each test, and seeds under a sanitizer. */
#define SEEDS     100
#define SEEDS_FEW 10

/* What the operations of all clients of a run have. */
struct sum {
	size_t operations;
	unsigned states[OP_COUNT];
	unsigned variants;
	size_t messages;
};

static uint64_t
seeds(void)
{
	return environment_sanitized() ? SEEDS_FEW : SEEDS;
}

static struct config
config_of(uint64_t seed, size_t connections, size_t operations)
{
	return (struct config){.seed = seed,
	    .connections = connections,
	    .operations = operations,
	    .with_timeouts = true,
	    .netid = "netid"};
}

static void
add(struct sum *sum, const struct exchange *exchange)
{
	for (size_t i = 0; i < exchange->count; i++) {
		const struct operation *operation = &exchange->operations[i];

		sum->operations++;
		sum->states[operation->type] |= 1U << operation->state;
		sum->variants |= operation->variant;
		sum->messages += operation->is_message;
	}
}

static void
run_script(const struct config *config, size_t connection, struct sum *sum)
{
	struct exchange exchange = {0};
	struct script script;

	script_init(&script, config, connection);
	while (script_next(&script, &exchange)) {
		ck_assert(!exchange.out.failed);
		add(sum, &exchange);
	}
	exchange_destroy(&exchange);
	script_destroy(&script);
}

static void
run_all(const struct config *config, struct sum *sum)
{
	*sum = (struct sum){0};
	for (size_t i = 0; i < config->connections; i++) {
		run_script(config, i, sum);
	}
}

static void
require_all_covered(const struct config *config, const struct sum *sum)
{
	for (unsigned type = 0; type < OP_COUNT; type++) {
		REQUIRE(sum->states[type] == operation_table[type].states,
		    "seed %llu, %zu connections: \"%s\" in states %x only",
		    (unsigned long long)config->seed, config->connections,
		    operation_table[type].name, sum->states[type]);
	}
	REQUIRE(sum->variants == (1U << VARIANTS) - 1, "seed %llu, %zu connections: ways %x only",
	    (unsigned long long)config->seed, config->connections, sum->variants);
}

/* Each type in each state, and each way of sending, is a coverage target of a client. */
START_TEST(every_case_is_a_target)
{
	static const size_t connections[] = {1, 5, 32, 200};
	struct config config = config_of(77, connections[_i], 1000);
	struct target targets[TARGETS_MAX];
	struct sum sum = {0};
	size_t connection, count;

	for (connection = 0; connection < connections[_i]; connection++) {
		count = coverage_assign(&config, connection, targets);
		for (size_t i = 0; i < count; i++) {
			sum.states[targets[i].type] |= 1U << targets[i].state;
			sum.variants |= targets[i].variant;
		}
	}
	/* A connection always begins with a connect. */
	for (unsigned type = OP_CONNECT + 1; type < OP_COUNT; type++) {
		REQUIRE(sum.states[type] == operation_table[type].states,
		    "\"%s\" in states %x only", operation_table[type].name, sum.states[type]);
	}
	ck_assert_uint_eq(sum.variants, (1U << VARIANTS) - 1);
}
END_TEST

/* The default number of operations covers every case with every seed. */
START_TEST(every_case_is_covered)
{
	static const size_t connections[] = {1, 2, 3, 5, 7, 8, 16, 31, 32, 33, 48, 64};
	struct config config;
	struct sum sum;

	for (uint64_t seed = 0; seed < seeds(); seed++) {
		config = config_of(seed, connections[_i], 1000);
		run_all(&config, &sum);
		REQUIRE(sum.operations == 1000, "%zu operations", sum.operations);
		require_all_covered(&config, &sum);
	}
}
END_TEST

/* Without timeout tests every other case is covered. */
START_TEST(timeouts_can_be_left_out)
{
	struct config config = config_of(5, 32, 1000);
	struct sum sum;

	config.with_timeouts = false;
	run_all(&config, &sum);
	for (unsigned type = 0; type < OP_COUNT; type++) {
		ck_assert_uint_eq(
		    sum.states[type], operation_table[type].op_class == OP_CLASS_TIMEOUT
					  ? 0
					  : operation_table[type].states);
	}
}
END_TEST

/* The operations of all clients add up to the value of --operations. */
START_TEST(operations_add_up_to_the_option)
{
	static const size_t operations[] = {1, 2, 5, 31, 32, 33, 100, 999, 12345};
	struct config config =
	    config_of(3, operations[_i] < 32 ? operations[_i] : 32, operations[_i]);
	struct sum sum;

	run_all(&config, &sum);
	ck_assert_uint_eq(sum.operations, operations[_i]);
}
END_TEST

static bool
same_operation(const struct operation *one, const struct operation *other)
{
	return one->type == other->type && one->state == other->state &&
	       one->variant == other->variant && one->end == other->end &&
	       one->ok_before == other->ok_before && one->reply.length == other->reply.length &&
	       memcmp(one->reply.bytes, other->reply.bytes, one->reply.length) == 0;
}

static bool
same_exchange(const struct exchange *one, const struct exchange *other)
{
	if (one->number != other->number || one->count != other->count ||
	    one->send_mode != other->send_mode || one->out.length != other->out.length ||
	    (one->out.length > 0 &&
		memcmp(one->out.bytes, other->out.bytes, one->out.length) != 0) ||
	    (one->send_mode == VARIANT_PIECES &&
		memcmp(one->cuts, other->cuts, sizeof one->cuts) != 0)) {
		return false;
	}
	for (size_t i = 0; i < one->count; i++) {
		if (!same_operation(&one->operations[i], &other->operations[i])) {
			return false;
		}
	}
	return true;
}

/*
 * Return how many exchanges two scripts have in common before they differ; SIZE_MAX if they are
 * equal.
 */
static size_t
compare(const struct config *one_config, size_t one_connection, const struct config *other_config,
    size_t other_connection)
{
	struct exchange one = {0}, other = {0};
	struct script one_script, other_script;
	size_t count = 0;
	bool more, same = true;

	script_init(&one_script, one_config, one_connection);
	script_init(&other_script, other_config, other_connection);
	do {
		more = script_next(&one_script, &one);
		same = script_next(&other_script, &other) == more &&
		       (!more || same_exchange(&one, &other));
		count++;
	} while (more && same);
	exchange_destroy(&one);
	exchange_destroy(&other);
	script_destroy(&one_script);
	script_destroy(&other_script);
	return same ? SIZE_MAX : count;
}

START_TEST(a_seed_repeats_its_scripts)
{
	struct config one = config_of(42, 8, 20000), other = config_of(43, 8, 20000);

	ck_assert_uint_eq(compare(&one, 3, &one, 3), SIZE_MAX);
	/* All scripts begin with a connect, and soon differ. */
	ck_assert_uint_lt(compare(&one, 3, &one, 4), 10);
	ck_assert_uint_lt(compare(&one, 3, &other, 3), 10);
}
END_TEST

/* To compute digests, for --directory, does not change the script. */
START_TEST(digests_do_not_change_a_script)
{
	struct config plain = config_of(11, 8, 8000), with = plain;

	with.with_digests = true;
	ck_assert_uint_eq(compare(&plain, 2, &with, 2), SIZE_MAX);
}
END_TEST

/* Fail unless the oracle gives the reply of the row, in each state and spelling. */
static void
require_reply(const struct exchange *exchange, size_t index)
{
	const struct operation *operation = &exchange->operations[index];
	const struct operation_info *row = &operation_table[operation->type];

	REQUIRE(operation_allowed(operation->type, operation->state), "\"%s\" in state %d",
	    row->name, (int)operation->state);
	if (row->op_class == OP_CLASS_TIMEOUT) {
		return;
	}
	REQUIRE(operation->reply.reply_type == row->reply_type,
	    "\"%s\" in state %d is answered %.*s", row->name, (int)operation->state,
	    (int)operation->reply.length, operation->reply.bytes);
}

/* Check each operation of the script of one connection. */
static void
check_operations(uint64_t seed, void (*check)(const struct exchange *exchange, size_t index))
{
	struct config config = config_of(seed, 1, 30000);
	struct exchange exchange = {0};
	struct script script;

	script_init(&script, &config, 0);
	while (script_next(&script, &exchange)) {
		for (size_t i = 0; i < exchange.count; i++) {
			check(&exchange, i);
		}
	}
	exchange_destroy(&exchange);
	script_destroy(&script);
}

START_TEST(each_type_has_its_reply)
{
	check_operations((uint64_t)_i, require_reply);
}
END_TEST

/* Return the bytes of operation `index`. */
static struct span
bytes_of(const struct exchange *exchange, size_t index)
{
	size_t begin = index > 0 ? exchange->operations[index - 1].end : 0;

	return (struct span){exchange->out.bytes + begin, exchange->operations[index].end - begin};
}

static size_t
count_byte(struct span text, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++) {
		count += text.bytes[i] == byte;
	}
	return count;
}

/*
 * Fail unless a command is one line, a message ends at its end only, and a partial one has no end.
 */
static void
require_shape(const struct exchange *exchange, size_t index)
{
	const struct operation *operation = &exchange->operations[index];
	struct span bytes = bytes_of(exchange, index);
	enum op_class op_class = operation_table[operation->type].op_class;

	if (op_class == OP_CLASS_COMMAND) {
		ck_assert_uint_gt(bytes.length, 0);
		ck_assert_uint_eq(count_byte(bytes, '\n'), 1);
		ck_assert(bytes.bytes[bytes.length - 1] == '\n');
		if ((operation->variant & VARIANT_FULL_LINE) != 0) {
			ck_assert_uint_eq(bytes.length,
			    (size_t)LINE_MAX + (bytes.bytes[bytes.length - 2] == '\r' ? 2 : 1));
		}
	} else if (operation->is_message) {
		ck_assert_uint_eq(data_end(bytes), bytes.length);
	} else if (operation->state == STATE_DATA && bytes.length > 0) {
		ck_assert_uint_eq(data_end(bytes), 0);
	} else if (operation->type == OP_HALF_LINE || operation->type == OP_DORMANT_HALF_LINE ||
		   operation->type == OP_SLOW_LINE) {
		ck_assert_uint_gt(bytes.length, 0);
		ck_assert_uint_eq(count_byte(bytes, '\n'), 0);
	}
}

START_TEST(each_operation_has_its_shape)
{
	check_operations((uint64_t)_i, require_shape);
}
END_TEST

/* Operations that must be alone or last are; the flags of sending are right. */
START_TEST(each_exchange_has_its_order)
{
	struct config config = config_of((uint64_t)_i, 4, 40000);
	struct exchange exchange = {0};
	struct script script;
	bool open = false;

	script_init(&script, &config, 1);
	while (script_next(&script, &exchange)) {
		enum operation_type last = exchange.operations[exchange.count - 1].type;

		ck_assert((exchange.operations[0].type == OP_CONNECT) == !open);
		for (size_t i = 0; i + 1 < exchange.count; i++) {
			enum op_class op_class =
			    operation_table[exchange.operations[i].type].op_class;

			ck_assert(op_class == OP_CLASS_COMMAND || op_class == OP_CLASS_BODY);
			ck_assert((exchange.operations[i].variant & VARIANT_HALF_CLOSED) == 0 ||
				  last == OP_HALF_CLOSE);
		}
		ck_assert((exchange.operations[0].variant & VARIANT_PIPELINED) == 0 ||
			  exchange.count > 1);
		open = operation_table[last].op_class != OP_CLASS_ENDING &&
		       operation_table[last].op_class != OP_CLASS_TIMEOUT;
	}
	exchange_destroy(&exchange);
	script_destroy(&script);
}
END_TEST

/*
 * Count how often a connection is closed before the reply to a message: never to the first, see
 * ledger.c.
 */
static size_t
count_closed_early(const struct config *config, size_t connection)
{
	struct exchange exchange = {0};
	struct script script;
	size_t i, closed_early = 0;

	script_init(&script, config, connection);
	while (script_next(&script, &exchange)) {
		for (i = 0; i < exchange.count; i++) {
			if (exchange.operations[i].type == OP_CLOSE_AFTER_DATA) {
				closed_early++;
				ck_assert_uint_gt(exchange.operations[i].message_index, 0);
			}
		}
	}
	exchange_destroy(&exchange);
	script_destroy(&script);
	return closed_early;
}

/* With so many connections most have few messages. */
START_TEST(the_first_message_of_a_connection_gets_its_reply)
{
	for (uint64_t seed = 0; seed < seeds(); seed++) {
		struct config config = config_of(seed, 64, 2000);
		size_t closed_early = 0;

		for (size_t connection = 0; connection < config.connections; connection++) {
			closed_early += count_closed_early(&config, connection);
		}
		ck_assert_uint_gt(closed_early, 0);
	}
}
END_TEST

/* The record of a message that is written again has the same digest. */
START_TEST(each_message_can_be_replayed)
{
	struct config config = config_of(9, 2, 2000);
	struct exchange exchange = {0};
	struct buffer record = {0};
	struct script script;
	struct digest digest;
	size_t head, i, messages = 0;

	config.with_digests = true;
	script_init(&script, &config, 1);
	while (script_next(&script, &exchange)) {
		for (i = 0; i < exchange.count; i++) {
			const struct operation *operation = &exchange.operations[i];

			if (!operation->is_message) {
				continue;
			}
			ck_assert_uint_eq(operation->message_index, messages++);
			ck_assert(
			    script_replay(&config, 1, operation->message_index, &record, &head));
			record_digest((struct span){record.bytes, head},
			    (struct span){record.bytes + head, record.length - head}, &digest);
			ck_assert(record_digest_equal(&digest, &operation->digest));
		}
	}
	ck_assert_uint_gt(messages, 50);
	ck_assert(!script_replay(&config, 1, messages, &record, &head));
	buffer_destroy(&record);
	exchange_destroy(&exchange);
	script_destroy(&script);
}
END_TEST

/* Each changed byte, another position of the number, and a missing byte change the digest. */
START_TEST(a_digest_detects_each_difference)
{
	char text[] = "Received: from a by b (CS4410MP3)\nFrom: a\nTo: b\n\n0123456789\n\n";
	const size_t head = strcspn(text, "\n") + 1, length = sizeof text - 1;
	struct digest whole, other;

	record_digest((struct span){text, head}, (struct span){text + head, length - head}, &whole);
	for (size_t i = 0; i < length; i++) {
		text[i] = (char)(text[i] ^ 1);
		record_digest(
		    (struct span){text, head}, (struct span){text + head, length - head}, &other);
		ck_assert(!record_digest_equal(&whole, &other));
		text[i] = (char)(text[i] ^ 1);
		if (i != head) {
			record_digest(
			    (struct span){text, i}, (struct span){text + i, length - i}, &other);
			ck_assert(!record_digest_equal(&whole, &other));
		}
	}
	record_digest(
	    (struct span){text, head}, (struct span){text + head, length - head - 1}, &other);
	ck_assert(!record_digest_equal(&whole, &other));
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_set_timeout(tests, TEST_SECONDS);
	tcase_add_loop_test(tests, every_case_is_a_target, 0, 4);
	tcase_add_loop_test(tests, every_case_is_covered, 0, 12);
	tcase_add_test(tests, timeouts_can_be_left_out);
	tcase_add_loop_test(tests, operations_add_up_to_the_option, 0, 9);
	tcase_add_test(tests, a_seed_repeats_its_scripts);
	tcase_add_test(tests, digests_do_not_change_a_script);
	tcase_add_loop_test(tests, each_type_has_its_reply, 0, 8);
	tcase_add_loop_test(tests, each_operation_has_its_shape, 0, 8);
	tcase_add_loop_test(tests, each_exchange_has_its_order, 0, 8);
	tcase_add_test(tests, the_first_message_of_a_connection_gets_its_reply);
	tcase_add_test(tests, each_message_can_be_replayed);
	tcase_add_test(tests, a_digest_detects_each_difference);
	return suite_run("script", tests);
}
