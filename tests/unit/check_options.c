/*
 * NAME
 *	check_options - the command line
 */

#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "params.h"
#include "suite.h"
#include "version.h"

/* More arguments than any row has, and more bytes than all rows of a test. */
#define ARGUMENTS_MAX 24
#define COPIES_SIZE   4096

static struct capture output;

static void
begin(void)
{
	output = capture_begin(STDOUT_FILENO);
	capture_errors();
}

static void
end(void)
{
	capture_errors_end();
	capture_end(&output);
}

/*
 * Parse the arguments, which end with NULL, as those of `smtpd`. The options, and getopt_long()
 * from one call to the next, point into copies, which last until the end of the test.
 */
static enum options_result
parse(struct options *options, const char *const arguments[])
{
	static char copies[COPIES_SIZE] = "smtpd";
	static size_t used = sizeof "smtpd";
	char *argv[ARGUMENTS_MAX + 2] = {copies};
	int count = 1;

	for (; arguments[count - 1] != NULL; count++) {
		size_t size = strlen(arguments[count - 1]) + 1;

		REQUIRE(count <= ARGUMENTS_MAX && used + size <= sizeof copies, "too much");
		argv[count] = memcpy(copies + used, arguments[count - 1], size);
		used += size;
	}
	return options_parse(options, count, argv);
}

/* Check the options, and that nothing is printed. */
static void
expect(const char *const arguments[], const struct options *expected)
{
	struct options options;

	ck_assert_int_eq(parse(&options, arguments), OPTIONS_OK);
	capture_expect(&errors, "");
	capture_expect(&output, "");
	ck_assert_uint_eq(options.host_count, expected->host_count);
	for (unsigned i = 0; i < options.host_count; i++) {
		ck_assert_str_eq(options.hosts[i], expected->hosts[i]);
	}
	ck_assert_str_eq(options.port, expected->port);
	ck_assert_str_eq(options.netid, expected->netid);
	ck_assert_pstr_eq(options.user, expected->user);
	/* Never shorter than the argument; longer by its rounding error at most. */
	ck_assert_int_ge(options.timeout, expected->timeout);
	ck_assert_int_le(options.timeout, expected->timeout + 1);
	ck_assert_uint_eq(options.max_size, expected->max_size);
	ck_assert_int_eq(options.keep, expected->keep);
	ck_assert_int_eq(options.sync, expected->sync);
	ck_assert_int_eq(options.extended, expected->extended);
	ck_assert_int_eq(options.any_login, expected->any_login);
	ck_assert_int_eq(options.verbose, expected->verbose);
}

/* The default options. */
static const struct options by_default = {
    .hosts = {"127.0.0.1"},
    .host_count = 1,
    .port = "8765",
    .netid = "netid",
    .timeout = 10 * SECOND,
    .max_size = 10485760,
};

START_TEST(without_arguments_the_defaults_are_used)
{
	static const char *const none[] = {NULL};
	struct options options;

	expect(none, &by_default);
	ck_assert_int_eq(parse(&options, none), OPTIONS_OK);
	ck_assert_int_eq(options.timeout, 10 * SECOND);
}
END_TEST

START_TEST(every_option_is_parsed_in_each_form)
{
	static const char *const letters[] = {"-h", "::1", "-p", "25", "-n", "mail", "-t", "2.5",
	    "-m", "1000", "-u", "nobody", "-a", "-k", "-s", "-x", "-v", NULL};
	static const char *const names[] = {"--host", "::1", "--port", "25", "--netid", "mail",
	    "--timeout", "2.5", "--max-size", "1000", "--user", "nobody", "--any-login", "--keep",
	    "--sync", "--extended", "--verbose", NULL};
	static const char *const joined[] = {"-h::1", "-p25", "-nmail", "--timeout=2.5",
	    "--max-size=1000", "--user=nobody", "-aksxv", NULL};
	static const struct options expected = {
	    .hosts = {"::1"},
	    .host_count = 1,
	    .port = "25",
	    .netid = "mail",
	    .user = "nobody",
	    .timeout = 2500 * MILLISECOND,
	    .max_size = 1000,
	    .keep = true,
	    .sync = true,
	    .extended = true,
	    .any_login = true,
	    .verbose = true,
	};

	expect(letters, &expected);
	expect(names, &expected);
	expect(joined, &expected);
}
END_TEST

START_TEST(the_last_of_repeated_options_is_used)
{
	static const char *const arguments[] = {
	    "-p", "1", "--port", "2", "-k", "--port=3", "--", NULL};
	struct options expected = by_default;

	expected.port = "3";
	expected.keep = true;
	expect(arguments, &expected);
}
END_TEST

START_TEST(each_flag_sets_its_own_option)
{
	static const char *const keep[] = {"-k", NULL}, *const sync[] = {"-s", NULL},
				 *const extended[] = {"-x", NULL},
				 *const login[] = {"-x", "-a", NULL},
				 *const verbose[] = {"-v", NULL};
	struct options expected = by_default;

	expected.keep = true;
	expect(keep, &expected);
	expected = by_default;
	expected.sync = true;
	expect(sync, &expected);
	expected = by_default;
	expected.extended = true;
	expect(extended, &expected);
	expected.any_login = true;
	expect(login, &expected);
	expected = by_default;
	expected.verbose = true;
	expect(verbose, &expected);
}
END_TEST

/* ---- values ---- */

static const char longest_netid[] =
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

START_TEST(the_smallest_and_largest_values_are_accepted)
{
	static const struct {
		const char *option;
		const char *value;
	} rows[] = {
	    {"--port", "0"},
	    {"--port", "65535"},
	    {"--port", "00025"},
	    {"--host", "localhost"},
	    {"--netid", "!"},
	    {"--netid", "~"},
	    {"--netid", longest_netid},
	    {"--max-size", "1"},
	    {"--max-size", "1073741824"},
	};

	ck_assert_uint_eq(strlen(longest_netid), NETID_MAX);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const char *const arguments[] = {rows[i].option, rows[i].value, NULL};
		struct options options;

		ck_assert_msg(parse(&options, arguments) == OPTIONS_OK, "%s %s", rows[i].option,
		    rows[i].value);
		capture_expect(&errors, "");
	}
}
END_TEST

START_TEST(timeouts_are_exact_to_a_nanosecond)
{
	static const struct {
		const char *value;
		nanoseconds timeout;
	} rows[] = {
	    {"10", 10 * SECOND},
	    {"1", SECOND},
	    {"0.5", 500 * MILLISECOND},
	    {".25", 250 * MILLISECOND},
	    {"3.", 3 * SECOND},
	    {"0.001", MILLISECOND},
	    {"0.0000000001", 0},
	    {"604800", 604800 * SECOND},
	    {"0010", 10 * SECOND},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const char *const arguments[] = {"-t", rows[i].value, NULL};
		struct options expected = by_default, options;

		expected.timeout = rows[i].timeout;
		expect(arguments, &expected);
		ck_assert_int_eq(parse(&options, arguments), OPTIONS_OK);
		ck_assert_int_gt(options.timeout, 0);
	}
}
END_TEST

#define PORT_WANTED "a number from 0 to 65535"
#define SIZE_WANTED "a number from 1 to 1073741824"
#define TIME_WANTED "more than 0 and at most 604800 seconds"
#define NAME_WANTED "1 to 64 printable ASCII characters without spaces"

START_TEST(bad_values_are_refused)
{
	static const struct {
		const char *option;
		const char *value;
		const char *wanted;
	} rows[] = {
	    {"host", "", "a name or an address, and given at most 8 times"},
	    {"port", "", PORT_WANTED},
	    {"port", "65536", PORT_WANTED},
	    {"port", "-1", PORT_WANTED},
	    {"port", "+1", PORT_WANTED},
	    {"port", " 1", PORT_WANTED},
	    {"port", "1 ", PORT_WANTED},
	    {"port", "0x19", PORT_WANTED},
	    {"port", "smtp", PORT_WANTED},
	    {"port", "18446744073709551616", PORT_WANTED},
	    {"port", "18446744073709551641", PORT_WANTED},
	    {"max-size", "", SIZE_WANTED},
	    {"max-size", "0", SIZE_WANTED},
	    {"max-size", "-1", SIZE_WANTED},
	    {"max-size", "1073741825", SIZE_WANTED},
	    {"max-size", "1k", SIZE_WANTED},
	    {"max-size", "1.5", SIZE_WANTED},
	    {"max-size", "99999999999999999999", SIZE_WANTED},
	    {"timeout", "", TIME_WANTED},
	    {"timeout", "0", TIME_WANTED},
	    {"timeout", "0.0", TIME_WANTED},
	    {"timeout", "-1", TIME_WANTED},
	    {"timeout", "+1", TIME_WANTED},
	    {"timeout", " 1", TIME_WANTED},
	    {"timeout", "1s", TIME_WANTED},
	    {"timeout", "1e3", TIME_WANTED},
	    {"timeout", "0x10", TIME_WANTED},
	    {"timeout", "inf", TIME_WANTED},
	    {"timeout", "nan", TIME_WANTED},
	    {"timeout", ".", TIME_WANTED},
	    {"timeout", "1.2.3", TIME_WANTED},
	    {"timeout", "1,5", TIME_WANTED},
	    {"timeout", "604800.1", TIME_WANTED},
	    {"timeout", "604801", TIME_WANTED},
	    {"netid", "", NAME_WANTED},
	    {"netid", "a b", NAME_WANTED},
	    {"netid", "a\tb", NAME_WANTED},
	    {"netid", "a\n", NAME_WANTED},
	    {"netid", "\177", NAME_WANTED},
	    {"netid", "\303\244", NAME_WANTED},
	    {"user", "", "a user's name"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		char argument[64];
		const char *const arguments[] = {argument, NULL};
		struct bytes expected = {.at = NULL};
		struct options options;

		snprintf(argument, sizeof argument, "--%s=%s", rows[i].option, rows[i].value);
		ck_assert_msg(parse(&options, arguments) == OPTIONS_ERROR, "%s", argument);
		bytes_add_format(&expected,
		    "smtpd: --%s: '%s': must be %s\nsmtpd: see smtpd --help\n", rows[i].option,
		    rows[i].value, rows[i].wanted);
		capture_expect(&errors, expected.at);
		capture_expect(&output, "");
		bytes_free(&expected);
	}
}
END_TEST

START_TEST(a_netid_that_is_too_long_is_refused)
{
	char netid[NETID_MAX + 2];
	const char *const arguments[] = {"-n", netid, NULL};
	struct options options;

	memset(netid, 'n', NETID_MAX + 1);
	netid[NETID_MAX + 1] = '\0';
	ck_assert_int_eq(parse(&options, arguments), OPTIONS_ERROR);
}
END_TEST

START_TEST(wrong_usage_is_refused)
{
	static const char *const rows[][4] = {
	    {"-z"},
	    {"--nothing"},
	    {"-p"},
	    {"--port"},
	    {"--keep=yes"},
	    {"-"},
	    {"operand"},
	    {"-v", "operand"},
	    {"--", "-v"},
	    {""},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		static const char last[] = "smtpd: see smtpd --help\n";
		struct options options;
		struct bytes logged;

		ck_assert_msg(parse(&options, rows[i]) == OPTIONS_ERROR, "%s", rows[i][0]);
		capture_expect(&output, "");
		/* The first line is the C library's, except for an operand. */
		logged = capture_take(&errors);
		ck_assert_uint_gt(logged.length, sizeof last - 1);
		ck_assert_str_eq(logged.at + logged.length - (sizeof last - 1), last);
		ck_assert_int_eq(strncmp(logged.at, "smtpd: ", strlen("smtpd: ")), 0);
		bytes_free(&logged);
	}
}
END_TEST

START_TEST(any_login_needs_extended)
{
	static const char *const arguments[] = {"--any-login", "--keep", NULL};
	struct options options;

	ck_assert_int_eq(parse(&options, arguments), OPTIONS_ERROR);
	capture_expect(&errors, "smtpd: --any-login: requires --extended\n"
				"smtpd: see smtpd --help\n");
}
END_TEST

START_TEST(an_operand_is_named)
{
	static const char *const arguments[] = {"-v", "operand", NULL};
	struct options options;

	ck_assert_int_eq(parse(&options, arguments), OPTIONS_ERROR);
	capture_expect(&errors, "smtpd: unexpected argument 'operand'\nsmtpd: see smtpd --help\n");
}
END_TEST

/* ---- help and version ---- */

START_TEST(the_version_is_printed)
{
	static const char *const arguments[] = {"--version", NULL};
	struct options options;

	ck_assert_int_eq(parse(&options, arguments), OPTIONS_EXIT);
	capture_expect(&output, "smtpd " VERSION "\n");
	capture_expect(&errors, "");
}
END_TEST

START_TEST(help_lists_every_option)
{
	static const char *const arguments[] = {"-p", "1", "--help", NULL};
	static const char *const lines[] = {
	    "\n  -h, --host HOST ",
	    "\n  -p, --port PORT ",
	    "\n  -n, --netid NAME ",
	    "\n  -t, --timeout SECONDS ",
	    "\n  -m, --max-size BYTES ",
	    "\n  -a, --any-login ",
	    "\n  -k, --keep ",
	    "\n  -s, --sync ",
	    "\n  -x, --extended ",
	    "\n  -u, --user USER ",
	    "\n  -v, --verbose ",
	    "\n      --help ",
	    "\n      --version ",
	};
	struct options options;
	struct bytes help;

	ck_assert_int_eq(parse(&options, arguments), OPTIONS_EXIT);
	capture_expect(&errors, "");
	help = capture_take(&output);
	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		ck_assert_msg(strstr(help.at, lines[i]) != NULL, "help lacks %s", lines[i] + 1);
	}
	ck_assert_int_eq(strncmp(help.at, "usage: smtpd ", strlen("usage: smtpd ")), 0);
	ck_assert_int_eq(help.at[help.length - 1], '\n');
	bytes_free(&help);
}
END_TEST

START_TEST(a_version_that_cannot_be_printed_is_an_error)
{
	static const char *const arguments[] = {"--version", NULL};
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct options options;

	if (full == -1) {
		return;
	}
	ck_assert_int_eq(dup2(full, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(parse(&options, arguments), OPTIONS_ERROR);
	capture_expect(&errors, "smtpd: standard output: No space left on device\n");
	close(full);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, without_arguments_the_defaults_are_used);
	tcase_add_test(tests, every_option_is_parsed_in_each_form);
	tcase_add_test(tests, the_last_of_repeated_options_is_used);
	tcase_add_test(tests, each_flag_sets_its_own_option);
	tcase_add_test(tests, the_smallest_and_largest_values_are_accepted);
	tcase_add_test(tests, timeouts_are_exact_to_a_nanosecond);
	tcase_add_test(tests, bad_values_are_refused);
	tcase_add_test(tests, a_netid_that_is_too_long_is_refused);
	tcase_add_test(tests, wrong_usage_is_refused);
	tcase_add_test(tests, any_login_needs_extended);
	tcase_add_test(tests, an_operand_is_named);
	tcase_add_test(tests, the_version_is_printed);
	tcase_add_test(tests, help_lists_every_option);
	tcase_add_test(tests, a_version_that_cannot_be_printed_is_an_error);
	return suite_run("options", tests);
}
