/*
 * NAME
 *	check_options - the command line of multiclient
 */

#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "params.h"
#include "suite.h"

#define ARGUMENTS_MAX 24

/* A command line that options_parse() has parsed. */
struct parsed {
	struct options options;
	enum options_result result;
	char *out, *error;
	char *words; /* the options point into it */
};

/* Parse `line`, whose arguments are separated by '|'. */
static void
parse(const char *line, struct parsed *parsed)
{
	char name[] = "multiclient";
	char *arguments[ARGUMENTS_MAX + 1] = {name};
	size_t out_size, error_size;
	FILE *out = open_memstream(&parsed->out, &out_size);
	FILE *error = open_memstream(&parsed->error, &error_size);
	int count = 1;
	char *at;

	parsed->words = strdup(line);
	at = parsed->words;
	ck_assert(at != NULL && out != NULL && error != NULL);
	while (*line != '\0' && at != NULL && count < ARGUMENTS_MAX) {
		arguments[count++] = at;
		at = strchr(at, '|');
		if (at != NULL) {
			*at++ = '\0';
		}
	}
	parsed->result = options_parse(&parsed->options, count, arguments, out, error);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(fclose(error), 0);
}

static void
release(struct parsed *parsed)
{
	free(parsed->out);
	free(parsed->error);
	free(parsed->words);
}

START_TEST(defaults_are_set)
{
	struct parsed parsed;

	parse("", &parsed);
	ck_assert_int_eq(parsed.result, OPTIONS_OK);
	ck_assert_str_eq(parsed.options.host, "127.0.0.1");
	ck_assert_str_eq(parsed.options.port, "8765");
	ck_assert_uint_eq(parsed.options.connections, 32);
	ck_assert_uint_eq(parsed.options.operations, 1000);
	ck_assert(!parsed.options.seed_given);
	ck_assert_double_eq(parsed.options.timeout, 10.0);
	ck_assert_double_eq(parsed.options.patience, 5.0);
	ck_assert_ptr_null(parsed.options.directory);
	ck_assert_ptr_null(parsed.options.netid);
	ck_assert(parsed.options.with_timeouts);
	ck_assert(!parsed.options.quiet);
	ck_assert_int_eq(parsed.options.grade, GRADE_NONE);
	ck_assert_str_eq(parsed.out, "");
	ck_assert_str_eq(parsed.error, "");
	release(&parsed);
}
END_TEST

/* The same settings: by short options, by long ones, with values joined to letters, by operands. */
static const char *const full_lines[] = {
    "-h|::1|-p|25|-c|3|-n|77|-s|18446744073709551615|-t|0.25|-d|/x|--netid|abc|--no-timeouts|-q",
    ("--host|::1|--port=25|--connections=3|--operations=77|--seed=18446744073709551615|"
     "--timeout=.25|--directory=/x|--netid=abc|--no-timeouts|--quiet"),
    "-qd/x|-c3|-n77|-s18446744073709551615|-t00.250|--netid=abc|--no-timeouts|::1|25",
    "::1|-qd/x|-c3|25|-n077|-s18446744073709551615|-t.25|--netid=abc|--no-timeouts",
};

START_TEST(options_have_long_and_short_forms)
{
	struct parsed parsed;

	parse(full_lines[_i], &parsed);
	REQUIRE(parsed.result == OPTIONS_OK, "%s", parsed.error);
	ck_assert_str_eq(parsed.options.host, "::1");
	ck_assert_str_eq(parsed.options.port, "25");
	ck_assert_uint_eq(parsed.options.connections, 3);
	ck_assert_uint_eq(parsed.options.operations, 77);
	ck_assert(parsed.options.seed_given);
	ck_assert(parsed.options.seed == UINT64_MAX);
	ck_assert_double_eq(parsed.options.timeout, 0.25);
	ck_assert_str_eq(parsed.options.directory, "/x");
	ck_assert_str_eq(parsed.options.netid, "abc");
	ck_assert(!parsed.options.with_timeouts);
	ck_assert(parsed.options.quiet);
	release(&parsed);
}
END_TEST

/* Each option, arguments with it, and the command that repeats that run. */
static const struct {
	const char *name;
	const char *line;
	const char *command;
} command_rows[] = {
    {"", "", "multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 --patience 5"},
    {"host", "-h|a b", "multiclient -h 'a b' -p 8765 -c 32 -n 1000 -t 10 --patience 5"},
    {"host", "::1%lo", "multiclient -h ::1%lo -p 8765 -c 32 -n 1000 -t 10 --patience 5"},
    {"port", "-p|25", "multiclient -h 127.0.0.1 -p 25 -c 32 -n 1000 -t 10 --patience 5"},
    {"connections", "-c|4096",
	"multiclient -h 127.0.0.1 -p 8765 -c 4096 -n 1000 -t 10 --patience 5"},
    {"operations", "-n|1", "multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1 -t 10 --patience 5"},
    {"seed", "-s|0", "multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -s 0 -t 10 --patience 5"},
    {"seed", "-s|18446744073709551615",
	"multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -s 18446744073709551615 -t 10 "
	"--patience 5"},
    {"timeout", "-t|0.0015",
	"multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 0.0015 --patience 5"},
    {"directory", "-d|./it's",
	"multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 -d './it'\\''s' --patience 5"},
    {"netid", "--netid=$x",
	"multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 --netid '$x' --patience 5"},
    {"no-timeouts", "--no-timeouts",
	"multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 --no-timeouts --patience 5"},
    {"patience", "--patience=3600",
	"multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 --patience 3600"},
    /* These are not in it: they are no stress test, and no mismatch is reported. */
    {"grade", "--grade", "multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 --patience 5"},
    {"quiet", "-q", "multiclient -h 127.0.0.1 -p 8765 -c 32 -n 1000 -t 10 --patience 5"},
    {"", "-h|x|-p|1|-c|2|-n|3|-s|4|-t|5|-d|y|--netid|z|--no-timeouts|--patience|6|-q",
	"multiclient -h x -p 1 -c 2 -n 3 -s 4 -t 5 -d y --netid z --no-timeouts --patience 6"},
};

START_TEST(command_repeats_the_run)
{
	struct parsed parsed;
	char *command;
	size_t size;
	FILE *stream = open_memstream(&command, &size);

	ck_assert_ptr_nonnull(stream);
	parse(command_rows[_i].line, &parsed);
	ck_assert_int_eq(parsed.result, OPTIONS_OK);
	options_print_command(&parsed.options, stream);
	ck_assert_int_eq(fclose(stream), 0);
	ck_assert_str_eq(command, command_rows[_i].command);
	free(command);
	release(&parsed);
}
END_TEST

/* No option of --help is missing in the table above: a new option must be added to it. */
START_TEST(command_is_tested_with_each_option)
{
	struct parsed parsed;
	const char *at;

	parse("--help", &parsed);
	for (at = strstr(parsed.out, " --"); at != NULL; at = strstr(at, " --")) {
		size_t length = strspn(at += 3, "abcdefghijklmnopqrstuvwxyz-");
		bool tested =
		    strncmp(at, "help", length) == 0 || strncmp(at, "version", length) == 0;

		for (size_t i = 0; i < ARRAY_LENGTH(command_rows); i++) {
			tested = tested || (strlen(command_rows[i].name) == length &&
					       strncmp(at, command_rows[i].name, length) == 0);
		}
		REQUIRE(tested, "--%.*s is not in command_rows", (int)length, at);
	}
	release(&parsed);
}
END_TEST

/* Wrong usage, and the message without `multiclient: `. */
static const struct {
	const char *line;
	const char *error;
} wrong_lines[] = {
    {"-x", "option '-x': unknown"},
    {"--exotic", "option '--exotic': unknown"},
    {"-q|--exotic=1|y", "option '--exotic=1': unknown"},
    {"-p", "--port: needs a value"},
    {"--seed", "--seed: needs a value"},
    {"--quiet=1", "--quiet: takes no value"},
    {"-p|0", "--port '0': must be a port number from 1 to 65535"},
    {"-p|65536", "--port '65536': must be a port number from 1 to 65535"},
    {"-p|smtp", "--port 'smtp': must be a port number from 1 to 65535"},
    {"-p|", "--port '': must be a port number from 1 to 65535"},
    {"-c|0", "--connections '0': must be a number from 1 to 4096"},
    {"-c|4097", "--connections '4097': must be a number from 1 to 4096"},
    {"-c| 1", "--connections ' 1': must be a number from 1 to 4096"},
    {"-n|0", "--operations '0': must be a number from 1 to 1000000000"},
    {"-n|1000000001", "--operations '1000000001': must be a number from 1 to 1000000000"},
    {"-n|-1", "--operations '-1': must be a number from 1 to 1000000000"},
    {"-n|1e3", "--operations '1e3': must be a number from 1 to 1000000000"},
    {"-s|18446744073709551616",
	"--seed '18446744073709551616': must be a number from 0 to 18446744073709551615"},
    {"-s|0x1", "--seed '0x1': must be a number from 0 to 18446744073709551615"},
    {"-t|0", "--timeout '0': must be seconds from 0.001 to 3600"},
    {"-t|3600.1", "--timeout '3600.1': must be seconds from 0.001 to 3600"},
    {"-t|1.2.3", "--timeout '1.2.3': must be seconds from 0.001 to 3600"},
    {"-t|.", "--timeout '.': must be seconds from 0.001 to 3600"},
    {"-t|nan", "--timeout 'nan': must be seconds from 0.001 to 3600"},
    {"-t|-1", "--timeout '-1': must be seconds from 0.001 to 3600"},
    {"--patience|0", "--patience '0': must be seconds from 0.001 to 3600"},
    {"-h|", "--host '': must be a name or an address"},
    {"-d|", "--directory '': must be a directory"},
    {"--grade=all", "--grade 'all': must be 'machine', if anything"},
    {"--netid|", "--netid '': must be 1 to 64 printable ASCII characters without spaces"},
    {"--netid|a b", "--netid 'a b': must be 1 to 64 printable ASCII characters without spaces"},
    {"a|b", "PORT 'b': must be a port number from 1 to 65535"},
    {"a|1|c", "argument 'c': unexpected after HOST and PORT"},
};

START_TEST(wrong_usage_is_reported)
{
	struct parsed parsed;
	char expected[256];

	parse(wrong_lines[_i].line, &parsed);
	snprintf(expected, sizeof expected,
	    "multiclient: %s\nmulticlient: see multiclient --help\n", wrong_lines[_i].error);
	ck_assert_int_eq(parsed.result, OPTIONS_ERROR);
	ck_assert_str_eq(parsed.error, expected);
	ck_assert_str_eq(parsed.out, "");
	release(&parsed);
}
END_TEST

START_TEST(grade_has_two_modes)
{
	static const char *const lines[] = {"--grade|h|25", "--grade=machine|h|25"};
	struct parsed parsed;

	parse(lines[_i], &parsed);
	REQUIRE(parsed.result == OPTIONS_OK, "%s", parsed.error);
	ck_assert_int_eq(parsed.options.grade, _i == 0 ? GRADE_TEXT : GRADE_MACHINE);
	ck_assert_str_eq(parsed.options.host, "h");
	release(&parsed);
}
END_TEST

/* Every option, as --help shows it. */
static const char *const options[] = {"-h, --host", "-p, --port", "-c, --connections",
    "-n, --operations", "-s, --seed", "-t, --timeout", "-d, --directory", "    --netid",
    "    --no-timeouts", "    --patience", "    --grade, --grade=machine", "-q, --quiet", "--help",
    "--version"};

START_TEST(help_names_every_option)
{
	struct parsed parsed;

	parse("--help", &parsed);
	ck_assert_int_eq(parsed.result, OPTIONS_EXIT);
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
		REQUIRE(strstr(parsed.out, options[i]) != NULL, "%s is not there", options[i]);
	}
	ck_assert_str_eq(parsed.error, "");
	release(&parsed);
}
END_TEST

START_TEST(version_is_one_line)
{
	struct parsed parsed;

	parse("--version", &parsed);
	ck_assert_int_eq(parsed.result, OPTIONS_EXIT);
	ck_assert(strncmp(parsed.out, "multiclient ", 12) == 0);
	ck_assert_ptr_eq(strchr(parsed.out, '\n'), parsed.out + strlen(parsed.out) - 1);
	release(&parsed);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, defaults_are_set);
	tcase_add_loop_test(tests, command_repeats_the_run, 0, ARRAY_LENGTH(command_rows));
	tcase_add_test(tests, command_is_tested_with_each_option);
	tcase_add_loop_test(
	    tests, options_have_long_and_short_forms, 0, (int)ARRAY_LENGTH(full_lines));
	tcase_add_loop_test(tests, wrong_usage_is_reported, 0, (int)ARRAY_LENGTH(wrong_lines));
	tcase_add_loop_test(tests, grade_has_two_modes, 0, 2);
	tcase_add_test(tests, help_names_every_option);
	tcase_add_test(tests, version_is_one_line);
	return suite_run("options", tests);
}
