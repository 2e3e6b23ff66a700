/*
 * NAME
 *	check_output - replies that wait to be sent
 */

#include "output.h"

#include <string.h>

#include "bytes.h"
#include "suite.h"

static struct output output;

static void
begin(void)
{
	output_init(&output, "netid");
}

/* Expect these replies to wait. */
static void
expect(const char *replies)
{
	bytes_compare("output", output.bytes, output.length, replies, strlen(replies));
}

START_TEST(replies_are_added_in_order)
{
	output_add(&output, REPLY_GREETING);
	output_add(&output, REPLY_OK);
	output_add_with(&output, REPLY_DELIVERED, "12", 2);
	expect("220 netid SMTP CS4410MP3\r\n250 OK\r\n250 OK:  delivered message 12\r\n");
	output_clear(&output);
	expect("");
}
END_TEST

START_TEST(a_reply_is_inserted_at_each_offset)
{
	output_add(&output, REPLY_OK);
	output_add(&output, REPLY_HELO);
	output_insert(&output, strlen("250 OK\r\n"), REPLY_DELIVERED, "1", 1);
	expect("250 OK\r\n250 OK:  delivered message 1\r\n250 netid\r\n");
	output_insert(&output, 0, REPLY_START_DATA, "", 0);
	output_insert(&output, output.length, REPLY_LOCAL_ERROR, "", 0);
	expect("354 End data with <CR><LF>.<CR><LF>\r\n250 OK\r\n250 OK:  delivered message 1\r\n"
	       "250 netid\r\n451 Error: local error in processing\r\n");
}
END_TEST

START_TEST(sent_bytes_are_removed)
{
	output_add(&output, REPLY_OK);
	output_add(&output, REPLY_HELO);
	output_sent(&output, 0);
	output_sent(&output, 4);
	expect("OK\r\n250 netid\r\n");
	output_sent(&output, output.length);
	expect("");
}
END_TEST

START_TEST(a_full_output_has_space_for_a_final_reply)
{
	const size_t length = strlen("250 OK\r\n");

	while (!output_is_full(&output, 0)) {
		ck_assert_uint_le(output.length + REPLY_SIZE, OUTPUT_SIZE);
		output_add(&output, REPLY_OK);
	}
	ck_assert_uint_gt(output.length + REPLY_SIZE, OUTPUT_SIZE);
	/* One reply before, and with what is reserved. */
	output_sent(&output, length);
	ck_assert(!output_is_full(&output, 0));
	ck_assert(!output_is_full(&output, OUTPUT_SIZE - REPLY_SIZE - output.length));
	ck_assert(output_is_full(&output, OUTPUT_SIZE - REPLY_SIZE - output.length + 1));
	output_add(&output, REPLY_OK);
	output_add(&output, REPLY_TIMEOUT);
	ck_assert_uint_le(output.length, sizeof output.bytes);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, replies_are_added_in_order);
	tcase_add_test(tests, a_reply_is_inserted_at_each_offset);
	tcase_add_test(tests, sent_bytes_are_removed);
	tcase_add_test(tests, a_full_output_has_space_for_a_final_reply);
	return suite_run("output", tests);
}
