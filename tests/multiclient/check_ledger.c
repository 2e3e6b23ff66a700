/*
 * NAME
 *	check_ledger - numbers of messages (ledger.c), latencies (stats.c), and verification of the
 *	files (mailbox.c, mailbox_file.c)
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "add_number.h"
#include "files.h"
#include "ledger.h"
#include "mailbox.h"
#include "mailbox_file.h"
#include "params.h"
#include "script.h"
#include "stats.h"
#include "suite.h"

static enum ledger_result
add(struct ledger *ledger, uint64_t number, uint64_t after)
{
	return ledger_add(ledger, &(struct ledger_entry){.number = number, .after = after});
}

START_TEST(repeated_and_out_of_order_numbers_are_detected)
{
	struct ledger ledger;

	ledger_init(&ledger);
	ck_assert_uint_eq(ledger_highest(&ledger), 0);
	ck_assert_int_eq(add(&ledger, 1, 0), LEDGER_OK);
	ck_assert_int_eq(add(&ledger, 3, 1), LEDGER_OK);
	ck_assert_int_eq(add(&ledger, 2, 1), LEDGER_OK);
	ck_assert_int_eq(add(&ledger, 3, 1), LEDGER_DUPLICATE);
	ck_assert_int_eq(add(&ledger, 4, 4), LEDGER_OUT_OF_ORDER);
	ck_assert_int_eq(add(&ledger, 4, 5), LEDGER_OUT_OF_ORDER);
	ck_assert_uint_eq(ledger_highest(&ledger), 3);
	ck_assert_uint_eq(ledger_find(&ledger, 2)->number, 2);
	ck_assert_ptr_null(ledger_find(&ledger, 4));
	ledger_destroy(&ledger);
}
END_TEST

/* Gaps are counted for a new server, unless messages without a number can fill them. */
START_TEST(gaps_are_counted)
{
	const struct ledger_entry unknown = {.after = 1, .certain = true};
	struct ledger ledger;

	ledger_init(&ledger);
	ck_assert_uint_eq(ledger_missing(&ledger), 0);
	add(&ledger, 2, 0);
	add(&ledger, 5, 0);
	ck_assert_uint_eq(ledger_missing(&ledger), 0);
	add(&ledger, 1, 0);
	ck_assert_uint_eq(ledger_missing(&ledger), 2);
	ck_assert(ledger_add_unacknowledged(&ledger, &unknown));
	ck_assert_uint_eq(ledger_missing(&ledger), 1);
	ck_assert(ledger_add_unacknowledged(&ledger, &unknown));
	ck_assert_uint_eq(ledger_missing(&ledger), 0);
	ck_assert(ledger_add_unacknowledged(&ledger, &unknown));
	ck_assert_uint_eq(ledger_missing(&ledger), 0);
	ledger_destroy(&ledger);
}
END_TEST

/* Of equal messages without a number, one that is certain is matched first, and each only once. */
START_TEST(equal_messages_are_distinguished)
{
	const struct digest digest = {{1, 2}, 3}, other = {{1, 2}, 4};
	struct ledger_entry entry = {.digest = digest, .after = 4, .certain = false};
	struct ledger_entry *found;
	struct ledger ledger;

	ledger_init(&ledger);
	ck_assert(ledger_add_unacknowledged(&ledger, &entry));
	entry.certain = true;
	ck_assert(ledger_add_unacknowledged(&ledger, &entry));
	ck_assert_ptr_null(ledger_match(&ledger, 4, &digest));
	ck_assert_ptr_null(ledger_match(&ledger, 5, &other));
	found = ledger_match(&ledger, 5, &digest);
	ck_assert(found != NULL && found->certain);
	found->found = true;
	found = ledger_match(&ledger, 6, &digest);
	ck_assert(found != NULL && !found->certain);
	found->found = true;
	ck_assert_ptr_null(ledger_match(&ledger, 7, &digest));
	ledger_destroy(&ledger);
}
END_TEST

#define ADDERS        4
#define ADDED_BY_EACH 5000UL

struct adder {
	struct ledger *ledger;
	uint64_t first;
};

static void *
add_many(void *argument)
{
	const struct adder *adder = argument;

	for (uint64_t i = 0; i < ADDED_BY_EACH; i++) {
		if (add(adder->ledger, adder->first + i * ADDERS, 0) != LEDGER_OK) {
			return argument;
		}
	}
	return NULL;
}

START_TEST(messages_of_many_threads_are_all_entered)
{
	struct adder adders[ADDERS];
	pthread_t threads[ADDERS];
	struct ledger ledger;

	ledger_init(&ledger);
	for (uint64_t i = 0; i < ADDERS; i++) {
		adders[i] = (struct adder){&ledger, i + 1};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, &adders[i]), 0);
	}
	for (uint64_t i = 0; i < ADDERS; i++) {
		void *failed;

		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(ledger.count, ADDERS * ADDED_BY_EACH);
	ck_assert_uint_eq(ledger_missing(&ledger), 0);
	for (uint64_t i = 1; i <= (uint64_t)ADDERS * ADDED_BY_EACH; i++) {
		REQUIRE(ledger_find(&ledger, i) != NULL, "%lu is lost", (unsigned long)i);
	}
	ledger_destroy(&ledger);
}
END_TEST

START_TEST(quantiles_are_close)
{
	static const struct {
		unsigned permille;
		int64_t exact;
	} quantiles[] = {{1, 1000}, {500, 500000}, {900, 900000}, {990, 990000}, {1000, 1000000}};
	struct stats stats = {0}, sum = {0};
	int64_t i;

	ck_assert_int_eq(stats_quantile(&stats, 500), 0);
	for (i = 1; i <= 1000; i++) {
		stats_latency(&stats, i * 1000);
	}
	stats_merge(&sum, &stats);
	ck_assert_uint_eq(sum.latency_count, 1000);
	ck_assert_int_eq(sum.longest, 1000000);
	for (size_t row = 0; row < ARRAY_LENGTH(quantiles); row++) {
		int64_t value = stats_quantile(&sum, quantiles[row].permille);

		ck_assert_int_ge(value, quantiles[row].exact);
		ck_assert_int_le(value, quantiles[row].exact + quantiles[row].exact / 16 + 1);
	}
}
END_TEST

/* Each latency from 1 ns to over an hour is in one bin: tried beside the powers of two. */
START_TEST(every_latency_has_a_bin)
{
	struct stats stats = {0};
	uint64_t sum = 0;
	int64_t value;

	stats_latency(&stats, 1);
	for (value = 2; value < INT64_C(4000000000000); value *= 2) {
		stats_latency(&stats, value - 1);
		stats_latency(&stats, value);
	}
	for (unsigned doubling = 0; doubling < STATS_DOUBLINGS; doubling++) {
		sum += stats_doubling(&stats, doubling);
	}
	ck_assert_uint_eq(sum, stats.latency_count);
	ck_assert_uint_eq(stats_doubling(&stats, 10), 2);
}
END_TEST

/* What a verification needs, and its reports. */
struct fixture {
	struct config config;
	struct ledger ledger;
	struct mismatch_log mismatch_log;
	struct options options;
	struct mailbox mailbox;
	struct path directory;
	char *reports; /* the mismatches reported */
	size_t reports_size;
	FILE *stream;
};

#define FIXTURE_MESSAGES 40

static void
fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){.config = {.seed = 3,
					.connections = 1,
					.operations = 2000,
					.with_digests = true,
					.netid = "netid"}};
	ledger_init(&fixture->ledger);
	fixture->directory = files_directory();
	fixture->stream = open_memstream(&fixture->reports, &fixture->reports_size);
	ck_assert_ptr_nonnull(fixture->stream);
	mismatch_log_init(&fixture->mismatch_log, &fixture->options, fixture->stream);
}

static void
fixture_destroy(struct fixture *fixture)
{
	mailbox_destroy(&fixture->mailbox);
	mismatch_log_destroy(&fixture->mismatch_log);
	ledger_destroy(&fixture->ledger);
	ck_assert_int_eq(fclose(fixture->stream), 0);
	free(fixture->reports);
}

/* Write a file in the directory of the fixture. */
static void
write_file(const struct fixture *fixture, const char *name, const char *content, size_t length)
{
	files_write_in(fixture->directory.name, name, content, length);
}

/* Add message `index` of the script as number `number` to the ledger and to `file`. */
static void
add_message(struct fixture *fixture, size_t index, uint64_t number, struct buffer *file)
{
	struct ledger_entry entry = {.number = number, .message_index = index};
	struct buffer record = {0};
	size_t head;

	ck_assert(script_replay(&fixture->config, 0, index, &record, &head));
	record_digest((struct span){record.bytes, head},
	    (struct span){record.bytes + head, record.length - head}, &entry.digest);
	ck_assert_int_eq(ledger_add(&fixture->ledger, &entry), LEDGER_OK);
	buffer_add(file, record.bytes, head);
	buffer_add_string(file, "Number: ");
	buffer_add_number(file, number);
	buffer_add_byte(file, '\n');
	buffer_add(file, record.bytes + head, record.length - head);
	buffer_destroy(&record);
}

/* Add messages `first` to `last` to the ledger, and write them to a file. */
static void
write_messages(struct fixture *fixture, const char *name, uint64_t first, uint64_t last)
{
	struct buffer file = {0};

	for (uint64_t number = first; number <= last; number++) {
		add_message(fixture, (size_t)(number - 1), number, &file);
	}
	write_file(fixture, name, file.bytes != NULL ? file.bytes : "", file.length);
	buffer_destroy(&file);
}

/* Verify once. Returns the number of failures, whose reports are then in `reports`. */
static uint64_t
verify_once(struct fixture *fixture)
{
	uint64_t failures = mailbox_verify(
	    &fixture->mailbox, &fixture->config, &fixture->ledger, &fixture->mismatch_log, 0);

	ck_assert_int_eq(fflush(fixture->stream), 0);
	return failures;
}

START_TEST(verification_finds_every_message)
{
	struct fixture fixture;

	fixture_init(&fixture);
	write_file(&fixture, "mailbox", "", 0);
	ck_assert_int_eq(mailbox_snapshot(&fixture.mailbox, fixture.directory.name), 0);
	write_messages(&fixture, "mailbox.1-32", 1, 32);
	write_messages(&fixture, "mailbox", 33, FIXTURE_MESSAGES);
	REQUIRE(verify_once(&fixture) == 0, "%s", fixture.reports);
	ck_assert_uint_eq(fixture.mailbox.record_count, FIXTURE_MESSAGES);
	fixture_destroy(&fixture);
}
END_TEST

START_TEST(earlier_files_are_ignored)
{
	static const char old[] = "Received: from old by netid (CS4410MP3)\nNumber: 1\nFrom: a\n";
	struct fixture fixture;

	fixture_init(&fixture);
	write_file(&fixture, "mailbox", "", 0);
	write_file(&fixture, "mailbox.1-32", old, sizeof old - 1);
	write_file(&fixture, "mailbox.33-64", old, sizeof old - 1);
	write_file(&fixture, "mailbox.1-32.~1~", old, sizeof old - 1);
	write_file(&fixture, "mailbox.commit", "x", 1);
	ck_assert_int_eq(mailbox_snapshot(&fixture.mailbox, fixture.directory.name), 0);
	write_messages(&fixture, "mailbox", 1, 5);
	REQUIRE(verify_once(&fixture) == 0, "%s", fixture.reports);
	ck_assert_uint_eq(fixture.mailbox.record_count, 5);
	fixture_destroy(&fixture);
}
END_TEST

/* The messages that `mailbox` had at the start are skipped in a backup, too. */
START_TEST(messages_of_the_snapshot_are_skipped)
{
	struct fixture fixture;
	struct buffer file = {0};

	fixture_init(&fixture);
	for (uint64_t number = 1; number <= 10; number++) {
		buffer_add_string(&file, "Received: from other by netid (CS4410MP3)\nNumber: ");
		buffer_add_number(&file, number);
		buffer_add_string(&file, "\nFrom: a\nTo: b\n\n\n");
	}
	write_file(&fixture, "mailbox", file.bytes, file.length);
	ck_assert_int_eq(mailbox_snapshot(&fixture.mailbox, fixture.directory.name), 0);
	ck_assert_uint_eq(fixture.mailbox.highest_at_start, 10);
	for (uint64_t number = 11; number <= 32; number++) {
		add_message(&fixture, (size_t)number, number, &file);
	}
	write_file(&fixture, "mailbox.1-32", file.bytes, file.length);
	write_file(&fixture, "mailbox", "", 0);
	REQUIRE(verify_once(&fixture) == 0, "%s", fixture.reports);
	ck_assert_uint_eq(fixture.mailbox.record_count, 22);
	buffer_destroy(&file);
	fixture_destroy(&fixture);
}
END_TEST

START_TEST(records_must_be_in_order)
{
	static const uint64_t order[] = {1, 3, 2, 4};
	struct fixture fixture;
	struct buffer file = {0};

	fixture_init(&fixture);
	write_file(&fixture, "mailbox", "", 0);
	ck_assert_int_eq(mailbox_snapshot(&fixture.mailbox, fixture.directory.name), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
		add_message(&fixture, i, order[i], &file);
	}
	write_file(&fixture, "mailbox", file.bytes, file.length);
	ck_assert_uint_eq(verify_once(&fixture), 3);
	ck_assert_str_eq(fixture.reports, "mismatch: mailbox: message 3 where 2 was expected\n"
					  "mismatch: mailbox: message 2 where 4 was expected\n"
					  "mismatch: mailbox: message 4 where 3 was expected\n");
	buffer_destroy(&file);
	fixture_destroy(&fixture);
}
END_TEST

START_TEST(the_first_difference_is_reported)
{
	struct fixture fixture;
	struct buffer file = {0};
	char expected[200];

	fixture_init(&fixture);
	write_file(&fixture, "mailbox", "", 0);
	ck_assert_int_eq(mailbox_snapshot(&fixture.mailbox, fixture.directory.name), 0);
	for (uint64_t number = 1; number <= 3; number++) {
		add_message(&fixture, (size_t)(number - 1), number, &file);
	}
	/* The first byte of the first host name, which is not a space. */
	file.bytes[15] = (char)(file.bytes[15] == 'Z' ? 'Y' : 'Z');
	write_file(&fixture, "mailbox", file.bytes, file.length);
	ck_assert_uint_eq(verify_once(&fixture), 1);
	snprintf(expected, sizeof expected,
	    "mismatch: message 1 of connection 1 in mailbox is not what was sent");
	ck_assert(strncmp(fixture.reports, expected, strlen(expected)) == 0);
	ck_assert_ptr_nonnull(strstr(fixture.reports, "differs from byte 15 on\n"));
	ck_assert_ptr_nonnull(strstr(fixture.reports, "found:    Received: from "));
	buffer_destroy(&file);
	fixture_destroy(&fixture);
}
END_TEST

/* ---- torn records ---- */

#define RECORD(number)                                 \
	"Received: from client by netid (CS4410MP3)\n" \
	"Number: " number "\n"                         \
	"From: a@b\n"                                  \
	"To: c@d\n"                                    \
	"\n"                                           \
	"body\n"                                       \
	"\n"

/* Return what must come before a record that follows these bytes. */
static const char *
separator_after(const char *bytes, size_t length)
{
	if (bytes[length - 1] != '\n') {
		return "\n\n";
	}
	return bytes[length - 2] != '\n' ? "\n" : "";
}

/*
 * Records 1, 2 and 3, of which the second one is torn after each of its bytes, and stays. The
 * server writes the next one after an empty line: that must be found, whole.
 */
START_TEST(torn_record_ends_before_the_next)
{
	const size_t whole = strlen(RECORD("2"));

	for (size_t length = 1; length < whole; length++) {
		struct bytes content = {.at = NULL};
		struct record record = {.number = 0};
		struct span text;
		unsigned count = 0;

		bytes_add_string(&content, RECORD("1"));
		bytes_add(&content, RECORD("2"), length);
		bytes_add_string(&content, separator_after(content.at, content.length));
		bytes_add_string(&content, RECORD("3"));
		text = (struct span){content.at, content.length};
		while (text.length > 0) {
			ck_assert_uint_eq(mailbox_find_record(text, 0), 0);
			record = mailbox_parse_record(&text);
			ck_assert_uint_le(record.number, 3);
			count++;
		}
		/* Without a whole first line, the torn record belongs to the one before it. */
		ck_assert_uint_eq(count, length < strcspn(RECORD("2"), "\n") ? 2 : 3);
		ck_assert_uint_eq(record.number, 3);
		ck_assert_uint_eq(
		    record.head.length + strlen("Number: 3\n") + record.rest.length, whole);
		ck_assert_ptr_eq(record.head.bytes, content.at + content.length - whole);
		bytes_free(&content);
	}
}
END_TEST

/* A torn record at the end of the mailbox does not make those before it new ones. */
START_TEST(a_torn_record_does_not_hide_the_highest_number)
{
	struct path directory = files_directory();
	struct mailbox mailbox;

	for (size_t length = 0; length < strlen(RECORD("8")); length++) {
		struct bytes content = {.at = NULL};
		const size_t numbered = strlen("Received: from client by netid (CS4410MP3)\n"
					       "Number: 8\n");

		bytes_add_string(&content, RECORD("7"));
		bytes_add(&content, RECORD("8"), length);
		files_write_in(directory.name, "mailbox", content.at, content.length);
		ck_assert_int_eq(mailbox_snapshot(&mailbox, directory.name), 0);
		ck_assert_uint_eq(mailbox.highest_at_start, length < numbered ? 7 : 8);
		mailbox_destroy(&mailbox);
		bytes_free(&content);
	}
}
END_TEST

START_TEST(a_snapshot_needs_a_mailbox)
{
	struct mailbox mailbox;
	struct path directory = files_directory();

	ck_assert_int_ne(mailbox_snapshot(&mailbox, directory.name), 0);
	ck_assert(files_remove_tree(directory.name));
	ck_assert_int_ne(mailbox_snapshot(&mailbox, directory.name), 0);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, repeated_and_out_of_order_numbers_are_detected);
	tcase_add_test(tests, gaps_are_counted);
	tcase_add_test(tests, equal_messages_are_distinguished);
	tcase_add_test(tests, messages_of_many_threads_are_all_entered);
	tcase_add_test(tests, quantiles_are_close);
	tcase_add_test(tests, every_latency_has_a_bin);
	tcase_add_test(tests, verification_finds_every_message);
	tcase_add_test(tests, earlier_files_are_ignored);
	tcase_add_test(tests, messages_of_the_snapshot_are_skipped);
	tcase_add_test(tests, records_must_be_in_order);
	tcase_add_test(tests, the_first_difference_is_reported);
	tcase_add_test(tests, torn_record_ends_before_the_next);
	tcase_add_test(tests, a_torn_record_does_not_hide_the_highest_number);
	tcase_add_test(tests, a_snapshot_needs_a_mailbox);
	return suite_run("ledger", tests);
}
