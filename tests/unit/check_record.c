/*
 * NAME
 *	check_record - the lines of a record, written and recognized
 */

#include "record.h"

#include <string.h>

#include "suite.h"

START_TEST(number_lines_are_exact)
{
	static const struct row {
		uint64_t number;
		const char *line;
	} rows[] = {
	    {1, "Number: 1\n"},
	    {4294967296, "Number: 4294967296\n"},
	    {INT64_MAX, "Number: 9223372036854775807\n"},
	};

	for (const struct row *row = rows; row < rows + ARRAY_LENGTH(rows); row++) {
		char line[RECORD_NUMBER_SIZE];
		uint64_t number = 0;

		ck_assert_uint_eq(record_format_number(row->number, line), strlen(row->line));
		ck_assert_str_eq(line, row->line);
		ck_assert(record_parse_number(line, &number));
		ck_assert_uint_eq(number, row->number);
	}
}
END_TEST

START_TEST(other_lines_are_no_number_lines)
{
	static const char *const lines[] = {"", "\n", "Number:\n", "Number: \n", "Number: 0\n",
	    "Number: 01\n", "Number: +1\n", "Number: -1\n", "Number:  1\n", "Number: 1",
	    "Number: 1 \n", "Number: 1\r\n", "Number: 1x\n", "number: 1\n", " Number: 1\n",
	    ">Number: 1\n", "Number: 9223372036854775808\n", "Number: 18446744073709551616\n"};

	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		uint64_t number = 42;

		ck_assert_msg(!record_parse_number(lines[i], &number), "%s", lines[i]);
		ck_assert_uint_eq(number, 42);
	}
}
END_TEST

START_TEST(first_lines_are_recognized)
{
	static const struct row {
		const char *line;
		bool is_start;
	} rows[] = {
	    {"Received: from host by netid (CS4410MP3)", true},
	    {"Received: from  by netid (CS4410MP3)", true},
	    {"Received: from a by b by netid (CS4410MP3)", true},
	    {"Received: from by netid (CS4410MP3)", false},
	    {"Received: from host by other (CS4410MP3)", true},
	    {"Received: from host by  (CS4410MP3)", true},
	    {"Received: from host by (CS4410MP3)", false},
	    {"Received: from host by netid (CS4410MP3) ", false},
	    {"Received: from host by netid", false},
	    {"received: from host by netid (CS4410MP3)", false},
	    {">Received: from host by netid (CS4410MP3)", false},
	    {"", false},
	};
	for (const struct row *row = rows; row < rows + ARRAY_LENGTH(rows); row++) {
		ck_assert_msg(record_is_start(row->line, strlen(row->line)) == row->is_start, "%s",
		    row->line);
	}
}
END_TEST

START_TEST(beginnings_of_the_next_record_are_recognized)
{
	static const char record[] =
	    "Received: from host by netid (CS4410MP3)\nNumber: 17\nFrom: a\n";
	static const char *const others[] = {"", "\n", "x", "Received: from host by netid\n",
	    "Received: from host by netid (CS4410MP3)\n\n",
	    "Received: from host by netid (CS4410MP3)\nNumber: 1\n",
	    "Received: from host by netid (CS4410MP3)\nNumber: x",
	    "Received: from host by netid (CS4410MP3)\nNumber: 18\n",
	    ">Received: from host by netid (CS4410MP3)\nNumber: 17\n"};

	for (size_t length = 1; length < sizeof record; length++) {
		ck_assert_msg(record_begins(record, length, 17, 17), "%zu", length);
		ck_assert_msg(record_begins(record, length, 1, 18), "%zu", length);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
		ck_assert_msg(
		    !record_begins(others[i], strlen(others[i]), 17, 17), "%s", others[i]);
	}
}
END_TEST

START_TEST(the_longest_netid_fits)
{
	char netid[NETID_MAX + 1];
	struct record_trace trace;

	memset(netid, 'n', NETID_MAX);
	netid[NETID_MAX] = '\0';
	record_trace_init(&trace, netid);
	ck_assert_uint_eq(trace.length, NETID_MAX + strlen(" by  (CS4410MP3)"));
	ck_assert_uint_eq(strlen(trace.text), trace.length);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, number_lines_are_exact);
	tcase_add_test(tests, other_lines_are_no_number_lines);
	tcase_add_test(tests, first_lines_are_recognized);
	tcase_add_test(tests, beginnings_of_the_next_record_are_recognized);
	tcase_add_test(tests, the_longest_netid_fits);
	return suite_run("record", tests);
}
