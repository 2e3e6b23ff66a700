/*
 * NAME
 *	check_command - the grammar of command lines
 *
 * DESCRIPTION
 *	Tables of lines and the commands parsed from them: for SMTP, for ESMTP and with any login.
 *	For SMTP also every byte value at every position that matters to the grammar, every letter
 *	case, and every prefix of a line; for ESMTP the bytes of quoted strings and of UTF-8.
 */

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "command.h"
#include "suite.h"

/*
 * Fail, naming the line, unless it is parsed as `verb` with this error and, if `argument` is not
 * NULL, this argument.
 */
static void
expect_in(enum protocol protocol, const char *line, size_t length, enum verb verb,
    enum command_error error, const char *argument, size_t argument_length)
{
	/* A copy of exactly the line's size, so that a sanitizer detects a read after it. */
	char *copy = malloc(length ? length : 1);
	struct command command;

	REQUIRE(copy != NULL, "out of memory");
	memcpy(copy, line, length);
	command = command_parse(copy, length, protocol, false);
	REQUIRE(command.verb == verb && command.error == error,
	    "%s: verb %d with error %d, expected %d with %d", bytes_visible(line, length),
	    (int)command.verb, (int)command.error, (int)verb, (int)error);
	if (argument != NULL) {
		const char *what = bytes_visible(line, length);

		bytes_compare(what, command.argument, command.length, argument, argument_length);
		REQUIRE(
		    command.argument >= copy && command.argument + command.length <= copy + length,
		    "%s: the argument is not in the line", bytes_visible(line, length));
	}
	free(copy);
}

static void
expect(const char *line, size_t length, enum verb verb, enum command_error error,
    const char *argument, size_t argument_length)
{
	expect_in(PROTOCOL_SMTP, line, length, verb, error, argument, argument_length);
}

static void
expect_unrecognized(const char *line, size_t length)
{
	expect(line, length, VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0);
}

/* ---- lines ---- */

static const struct accepted {
	const char *line;
	enum verb verb;
	const char *argument;
} accepted[] = {
    {"HELO client", VERB_HELO, "client"},
    {"HELO \t client", VERB_HELO, "client"},
    {"HELO\tclient", VERB_HELO, "client"},
    {" \tHELO client\t ", VERB_HELO, "client"},
    {"HELO x", VERB_HELO, "x"},
    {"HELO HELO", VERB_HELO, "HELO"},
    {"HELO :", VERB_HELO, ":"},
    {"HELO [127.0.0.1]", VERB_HELO, "[127.0.0.1]"},
    {"HELO !~", VERB_HELO, "!~"},
    {"MAIL FROM: student@CS4410", VERB_MAIL, "student@CS4410"},
    {"MAIL FROM:student@CS4410", VERB_MAIL, "student@CS4410"},
    {"MAIL FROM :student@CS4410", VERB_MAIL, "student@CS4410"},
    {"MAIL FROM\t:\tstudent@CS4410", VERB_MAIL, "student@CS4410"},
    {"MAIL \t FROM \t : \t student@CS4410 \t ", VERB_MAIL, "student@CS4410"},
    {"\tMAIL\tFROM:x", VERB_MAIL, "x"},
    {"MAIL FROM:<student@CS4410>", VERB_MAIL, "<student@CS4410>"},
    {"MAIL FROM:<>", VERB_MAIL, "<>"},
    {"MAIL FROM::", VERB_MAIL, ":"},
    {"MAIL FROM: :x", VERB_MAIL, ":x"},
    {"MAIL FROM:FROM:x", VERB_MAIL, "FROM:x"},
    {"RCPT TO: TA@CS4410", VERB_RCPT, "TA@CS4410"},
    {"RCPT TO:TA@CS4410", VERB_RCPT, "TA@CS4410"},
    {"RCPT TO :TA@CS4410", VERB_RCPT, "TA@CS4410"},
    {" RCPT  TO  :  <TA@CS4410>  ", VERB_RCPT, "<TA@CS4410>"},
    {"RCPT TO:\"a\"@b", VERB_RCPT, "\"a\"@b"},
    {"DATA", VERB_DATA, ""},
    {" \t DATA \t ", VERB_DATA, ""},
};

START_TEST(valid_lines_are_parsed)
{
	for (const struct accepted *row = accepted; row < accepted + ARRAY_LENGTH(accepted);
	     row++) {
		expect(row->line, strlen(row->line), row->verb, COMMAND_OK, row->argument,
		    strlen(row->argument));
	}
}
END_TEST

static const struct parsed {
	const char *line;
	size_t length;
	enum verb verb;
	enum command_error error;
	const char *argument; /* NULL: not compared */
	size_t argument_length;
} invalid[] = {
    {LITERAL("HELO"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO "), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL(" HELO \t "), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO a b"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO a\tb"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO a\r"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO \r"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO \0"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO a\0"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("HELO h\303\266st"), VERB_HELO, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM "), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM x"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM x:y"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM \001:y"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM: \t "), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM :"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM: student @CS4410"), VERB_MAIL, COMMAND_BAD_ADDRESS,
	LITERAL("student @CS4410")},
    {LITERAL("MAIL FROM:\t a\tb \t"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("a\tb")},
    {LITERAL("MAIL FROM:<a b>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a b>")},
    {LITERAL("MAIL FROM:<a> SIZE=1"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a> SIZE=1")},
    {LITERAL("MAIL FROM:\0"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\0")},
    {LITERAL("MAIL FROM:a\0b"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("a\0b")},
    {LITERAL("MAIL FROM:a\r"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("a\r")},
    {LITERAL("MAIL FROM:\v\f"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\v\f")},
    {LITERAL("MAIL FROM:\177"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\177")},
    {LITERAL("MAIL FROM:\200"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\200")},
    {LITERAL("MAIL FROM:\377"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\377")},
    {LITERAL("RCPT TO"), VERB_RCPT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO "), VERB_RCPT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO x"), VERB_RCPT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO:"), VERB_RCPT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO: "), VERB_RCPT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO: TA @CS4410"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("TA @CS4410")},
    {LITERAL("RCPT TO:a b c"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("a b c")},
    {LITERAL("RCPT TO:\0"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("\0")},
    {LITERAL("DATA x"), VERB_DATA, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("DATA ."), VERB_DATA, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("DATA\t:"), VERB_DATA, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("DATA \0"), VERB_DATA, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("DATA \r"), VERB_DATA, COMMAND_SYNTAX, NULL, 0},
};

START_TEST(invalid_lines_have_their_error)
{
	for (const struct parsed *row = invalid; row < invalid + ARRAY_LENGTH(invalid); row++) {
		expect(row->line, row->length, row->verb, row->error, row->argument,
		    row->argument_length);
	}
}
END_TEST

static const struct unrecognized {
	const char *line;
	size_t length;
} unrecognized[] = {
    {LITERAL("")},
    {LITERAL(" ")},
    {LITERAL(" \t \t ")},
    {LITERAL("\r")},
    {LITERAL("\0")},
    {LITERAL("mkdir")},
    {LITERAL("HEL")},
    {LITERAL("HEL O x")},
    {LITERAL("HELOX y")},
    {LITERAL("HELO:x")},
    {LITERAL("HELO\0")},
    {LITERAL("HELO\0x")},
    {LITERAL("HELO\r")},
    {LITERAL("HELO\rx")},
    {LITERAL("HELO\vx")},
    {LITERAL("HELO\fx")},
    {LITERAL("HELO\240x")},
    {LITERAL("\0HELO x")},
    {LITERAL("HE\0LO x")},
    {LITERAL("\rHELO x")},
    {LITERAL("\vHELO x")},
    {LITERAL("\357\273\277HELO x")},
    {LITERAL(":HELO x")},
    {LITERAL("EHLO x")},
    {LITERAL("MAIL")},
    {LITERAL("MAIL ")},
    {LITERAL("MAIL:")},
    {LITERAL("MAIL FRO")},
    {LITERAL("MAIL TO:x")},
    {LITERAL("MAIL:FROM:x")},
    {LITERAL("MAIL:FROM")},
    {LITERAL("MAIL : FROM:x")},
    {LITERAL("MAIL FROMX:a")},
    {LITERAL("MAIL FROM.:a")},
    {LITERAL("MAIL FROM\0:a")},
    {LITERAL("MAIL FROM\r:a")},
    {LITERAL("MAIL FROM\v:a")},
    {LITERAL("MAIL\rFROM:a")},
    {LITERAL("MAILFROM:x")},
    {LITERAL("MAIL-FROM:x")},
    {LITERAL("MAIL F ROM:x")},
    {LITERAL("MAIL x FROM:y")},
    {LITERAL("FROM:x")},
    {LITERAL("RCPT")},
    {LITERAL("RCPT FROM:x")},
    {LITERAL("RCPT TOO:x")},
    {LITERAL("RCPT T")},
    {LITERAL("RCPTTO:x")},
    {LITERAL("DATA:")},
    {LITERAL("DATA.")},
    {LITERAL("DATAX")},
    {LITERAL("DATA\0")},
    {LITERAL("DATA\r")},
    {LITERAL("DAT A")},
    {LITERAL("QUIT")},
    {LITERAL("RSET")},
    {LITERAL("NOOP")},
    {LITERAL("VRFY x")},
    {LITERAL("HELP")},
    {LITERAL(".")},
};

START_TEST(other_lines_are_unrecognized)
{
	for (size_t i = 0; i < ARRAY_LENGTH(unrecognized); i++) {
		expect_unrecognized(unrecognized[i].line, unrecognized[i].length);
	}
}
END_TEST

/* ---- every byte ---- */

static bool
is_white(unsigned value)
{
	return value == ' ' || value == '\t';
}

static bool
is_graphic(unsigned value)
{
	return value >= 0x21 && value <= 0x7e;
}

/* Make a line of `before`, the byte, and `after`. */
static struct bytes
line_with(const char *before, unsigned value, const char *after)
{
	struct bytes line = {.at = NULL};

	bytes_add_string(&line, before);
	bytes_add_repeated(&line, (char)(unsigned char)value, 1);
	bytes_add_string(&line, after);
	return line;
}

/* A position in a line, and the verb of the line for each class of byte there. */
static const struct position {
	const char *before;
	const char *after;
	enum verb white, colon, other; /* the verb that is parsed */
} positions[] = {
    {"HELO", "x", VERB_HELO, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"", "HELO x", VERB_HELO, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"MAIL", "FROM:x", VERB_MAIL, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"MAIL FROM", "x", VERB_MAIL, VERB_MAIL, VERB_UNRECOGNIZED},
    {"MAIL FROM", ":x", VERB_MAIL, VERB_MAIL, VERB_UNRECOGNIZED},
    {"MAIL FROM", "", VERB_MAIL, VERB_MAIL, VERB_UNRECOGNIZED},
    {"MAIL ", "FROM:x", VERB_MAIL, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"RCPT", "TO:x", VERB_RCPT, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"RCPT TO", "x", VERB_RCPT, VERB_RCPT, VERB_UNRECOGNIZED},
    {"DATA", "", VERB_DATA, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"", "DATA", VERB_DATA, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
    {"DATA", "x", VERB_DATA, VERB_UNRECOGNIZED, VERB_UNRECOGNIZED},
};

START_TEST(only_white_space_and_a_colon_end_a_keyword)
{
	for (const struct position *position = positions;
	     position < positions + ARRAY_LENGTH(positions); position++) {
		for (unsigned value = 0; value < 256; value++) {
			struct bytes line = line_with(position->before, value, position->after);
			enum verb verb = is_white(value) ? position->white
					 : value == ':'  ? position->colon
							 : position->other;

			REQUIRE(
			    command_parse(line.at, line.length, PROTOCOL_SMTP, false).verb == verb,
			    "%s", bytes_visible(line.at, line.length));
			bytes_free(&line);
		}
	}
}
END_TEST

/*
 * Try each byte value in the middle of an argument of three bytes, of which the first is the last
 * one of `before`. A byte that is not graphic must give `error`.
 */
static void
try_in_argument(const char *before, enum verb verb, enum command_error error)
{
	for (unsigned value = 0; value < 256; value++) {
		struct bytes line = line_with(before, value, "b");

		expect(line.at, line.length, verb, is_graphic(value) ? COMMAND_OK : error,
		    line.at + strlen(before) - 1, 3);
		bytes_free(&line);
	}
}

START_TEST(an_argument_has_graphic_bytes_only)
{
	try_in_argument("HELO a", VERB_HELO, COMMAND_SYNTAX);
	try_in_argument("MAIL FROM:a", VERB_MAIL, COMMAND_BAD_ADDRESS);
	try_in_argument("RCPT TO:a", VERB_RCPT, COMMAND_BAD_ADDRESS);
}
END_TEST

START_TEST(white_space_around_an_argument_is_ignored)
{
	for (unsigned value = 0; value < 256; value++) {
		struct bytes first = line_with("RCPT TO:", value, "b");
		struct bytes last = line_with("RCPT TO:b", value, "");
		size_t length = is_white(value) ? 1 : 2;
		enum command_error error =
		    is_white(value) || is_graphic(value) ? COMMAND_OK : COMMAND_BAD_ADDRESS;

		expect(first.at, first.length, VERB_RCPT, error, first.at + first.length - length,
		    length);
		expect(
		    last.at, last.length, VERB_RCPT, error, last.at + strlen("RCPT TO:"), length);
		bytes_free(&first);
		bytes_free(&last);
	}
}
END_TEST

/* ---- every letter case, every prefix ---- */

START_TEST(keywords_have_any_letter_case)
{
	static const struct {
		const char *name;
		const char *rest;
		enum verb verb;
	} names[] = {
	    {"HELO", " X", VERB_HELO},
	    {"MAIL FROM", ":X", VERB_MAIL},
	    {"RCPT TO", ":X", VERB_RCPT},
	    {"DATA", "", VERB_DATA},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		size_t length = strlen(names[i].name);

		for (unsigned lower = 0; lower < 1U << length; lower++) {
			struct bytes line = {.at = NULL};

			bytes_add_string(&line, names[i].name);
			for (size_t letter = 0; letter < length; letter++) {
				if (lower >> letter & 1) {
					line.at[letter] = (char)tolower(line.at[letter]);
				}
			}
			bytes_add_string(&line, names[i].rest);
			/* The case of an argument is kept. */
			expect(line.at, line.length, names[i].verb, COMMAND_OK,
			    *names[i].rest ? "X" : "", *names[i].rest ? 1 : 0);
			bytes_free(&line);
		}
	}
}
END_TEST

START_TEST(a_prefix_of_a_line_is_not_valid)
{
	static const struct {
		const char *line;
		enum verb verb;
		size_t recognized_from; /* length of the first prefix whose verb is recognized */
		size_t valid_from;      /* length of the first prefix that is valid */
	} lines[] = {
	    {"HELO x", VERB_HELO, 4, 6},
	    {"MAIL FROM : x", VERB_MAIL, 9, 13},
	    {"RCPT TO:x", VERB_RCPT, 7, 9},
	    {"DATA", VERB_DATA, 4, 4},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		for (size_t length = 0; length <= strlen(lines[i].line); length++) {
			if (length < lines[i].recognized_from) {
				expect_unrecognized(lines[i].line, length);
			} else {
				expect(lines[i].line, length, lines[i].verb,
				    length < lines[i].valid_from ? COMMAND_SYNTAX : COMMAND_OK,
				    NULL, 0);
			}
		}
	}
}
END_TEST

/* ---- ESMTP ---- */

static const struct esmtp_accepted {
	const char *line;
	const char *argument;
	uint64_t size;
	enum verb verb;
} esmtp_accepted[] = {
    {"HELO client", "client", 0, VERB_HELO},
    {"EHLO client", "client", 0, VERB_EHLO},
    {"ehlo\t[127.0.0.1] ", "[127.0.0.1]", 0, VERB_EHLO},
    {"HELO", "", 0, VERB_HELO},
    {"HELO ", "", 0, VERB_HELO},
    {"EHLO", "", 0, VERB_EHLO},
    {"HELO a\tb ", "a\tb", 0, VERB_HELO},
    {"EHLO M\334LLER-PC", "M\334LLER-PC", 0, VERB_EHLO},
    {"MAIL FROM:<a@b>", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<@one,@two.example:a@b>", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<@[IPv6:::1],@[1.2.3.4]:a@b> SIZE=1", "a@b", 1, VERB_MAIL},
    {"MAIL FROM:@one:a@b", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<@one:\"a@b:c\"@d>", "\"a@b:c\"@d", 0, VERB_MAIL},
    {"MAIL FROM:<@one>", "@one", 0, VERB_MAIL},
    {"MAIL FROM:<@one,two:a@b>", "@one,two:a@b", 0, VERB_MAIL},
    {"MAIL FROM:<@:a@b>", "@:a@b", 0, VERB_MAIL},
    {"MAIL FROM:<@one@two:a@b>", "@one@two:a@b", 0, VERB_MAIL},
    {"MAIL FROM:<a:b@c>", "a:b@c", 0, VERB_MAIL},
    {"MAIL FROM:<a@b> smtputf8 SIZE=3", "a@b", 3, VERB_MAIL},
    {"MAIL FROM:<\303\274@b> SMTPUTF8", "\303\274@b", 0, VERB_MAIL},
    {"MAIL FROM:\303\274@b SIZE=3 SMTPUTF8", "\303\274@b", 3, VERB_MAIL},
    {"MAIL FROM:<\"\\\303\274 x\"@\303\274> SMTPUTF8", "\"\\\303\274 x\"@\303\274", 0, VERB_MAIL},
    {"MAIL FROM:<@\303\274:a@b> SMTPUTF8", "a@b", 0, VERB_MAIL},
    {"RCPT TO:<@one:a@b>", "a@b", 0, VERB_RCPT},
    {"mail from : <a@b> ", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:a@b", "a@b", 0, VERB_MAIL},
    {"MAIL FROM: a@b ", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<>", "<>", 0, VERB_MAIL},
    {"MAIL FROM:<> BODY=7BIT", "<>", 0, VERB_MAIL},
    {"MAIL FROM:<\"a b\"@c>", "\"a b\"@c", 0, VERB_MAIL},
    {"MAIL FROM:\"a b\"@c", "\"a b\"@c", 0, VERB_MAIL},
    {"MAIL FROM:<\"a>b\"@c>", "\"a>b\"@c", 0, VERB_MAIL},
    {"MAIL FROM:<\"a\\\"b\"@c>", "\"a\\\"b\"@c", 0, VERB_MAIL},
    {"MAIL FROM:<\"\\\\\"@c>", "\"\\\\\"@c", 0, VERB_MAIL},
    {"MAIL FROM:<\"\\ \"@c>", "\"\\ \"@c", 0, VERB_MAIL},
    {"MAIL FROM:<a\\b@c>", "a\\b@c", 0, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=10", "a@b", 10, VERB_MAIL},
    {"MAIL FROM:<a@b>\tsize=10", "a@b", 10, VERB_MAIL},
    {"MAIL FROM:a@b SIZE=10", "a@b", 10, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=0", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=007", "a@b", 7, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=18446744073709551614", "a@b", UINT64_MAX - 1, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=18446744073709551616", "a@b", UINT64_MAX, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=99999999999999999999999", "a@b", UINT64_MAX, VERB_MAIL},
    {"MAIL FROM:<a@b> BODY=8BITMIME", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<a@b> body=7bit", "a@b", 0, VERB_MAIL},
    {"MAIL FROM:<a@b>  BODY=7BIT  SIZE=5 ", "a@b", 5, VERB_MAIL},
    {"MAIL FROM:<a@b> SIZE=5 BODY=8BITMIME", "a@b", 5, VERB_MAIL},
    {"RCPT TO:<a@b>", "a@b", 0, VERB_RCPT},
    {"RCPT TO:a@b", "a@b", 0, VERB_RCPT},
    {"rcpt to:<\"a b\"@c>", "\"a b\"@c", 0, VERB_RCPT},
    {"DATA", "", 0, VERB_DATA},
    {"RSET", "", 0, VERB_RSET},
    {"rset ", "", 0, VERB_RSET},
    {"NOOP", "", 0, VERB_NOOP},
    {"NOOP whatever it is", "whatever it is", 0, VERB_NOOP},
    {"VRFY x", "x", 0, VERB_VRFY},
    {"VRFY x y", "x y", 0, VERB_VRFY},
    {"HELP", "", 0, VERB_HELP},
    {"HELP MAIL", "MAIL", 0, VERB_HELP},
    {"QUIT", "", 0, VERB_QUIT},
};

START_TEST(valid_esmtp_lines_are_parsed)
{
	for (const struct esmtp_accepted *row = esmtp_accepted;
	     row < esmtp_accepted + ARRAY_LENGTH(esmtp_accepted); row++) {
		struct command command =
		    command_parse(row->line, strlen(row->line), PROTOCOL_ESMTP, false);

		expect_in(PROTOCOL_ESMTP, row->line, strlen(row->line), row->verb, COMMAND_OK,
		    row->argument, strlen(row->argument));
		REQUIRE(command.size == row->size, "%s: wrong size", row->line);
	}
}
END_TEST

/* Lines of ESMTP that are invalid or unrecognized, and HTTP requests. */
static const struct parsed other_esmtp_lines[] = {
    {LITERAL("MAIL FROM"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM <a>"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<")},
    {LITERAL("MAIL FROM: <a "), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a")},
    {LITERAL("MAIL FROM:<a b>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a b>")},
    {LITERAL("MAIL FROM:<a>b"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a>b")},
    {LITERAL("MAIL FROM:<a>>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a>>")},
    {LITERAL("MAIL FROM:\"a"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\"a")},
    {LITERAL("MAIL FROM:\"a\\"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("\"a\\")},
    {LITERAL("MAIL FROM:<\"a>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<\"a>")},
    {LITERAL("MAIL FROM:<\"a\\\">"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<\"a\\\">")},
    {LITERAL("MAIL FROM:<a\001>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a\001>")},
    {LITERAL("MAIL FROM:<a\200>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a\200>")},
    {LITERAL("MAIL FROM:a\0"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("a\0")},
    {LITERAL("MAIL FROM:<\"a\tb\"@c>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<\"a\tb\"@c>")},
    {LITERAL("MAIL FROM:<a\tb>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a\tb>")},
    {LITERAL("MAIL FROM:<a> SIZE=x"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SIZE=1x"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SIZE=-1"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SIZE"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SIZE="), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SIZE=1 SIZE=1"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> BODY=7BIT SIZE=1 body=7bit"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> BODY"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SMTPUTF8 SMTPUTF8"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SMTPUTF8="), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SMTPUTF8=x"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> SMTPUTF"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<a> @"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:Printer <p@h>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("Printer <p@h>")},
    {LITERAL("MAIL FROM:The Printer <p@h>"), VERB_MAIL, COMMAND_BAD_ADDRESS,
	LITERAL("The Printer <p@h>")},
    {LITERAL("MAIL FROM:\"The Printer\" <p@h>"), VERB_MAIL, COMMAND_BAD_ADDRESS,
	LITERAL("\"The Printer\" <p@h>")},
    {LITERAL("MAIL FROM: a b@host"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("a b@host")},
    {LITERAL("MAIL FROM:a SIZE=1 b@host"), VERB_MAIL, COMMAND_BAD_ADDRESS,
	LITERAL("a SIZE=1 b@host")},
    {LITERAL("MAIL FROM:Printer<p@h>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("Printer<p@h>")},
    {LITERAL("MAIL FROM:p@h>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("p@h>")},
    {LITERAL("MAIL FROM:<<p@h>>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<<p@h>>")},
    {LITERAL("MAIL FROM:<a<b>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<a<b>")},
    {LITERAL("MAIL FROM:<@one:>"), VERB_MAIL, COMMAND_BAD_ADDRESS, LITERAL("<@one:>")},
    {LITERAL("MAIL FROM:<\303\274@b> SIZE=1"), VERB_MAIL, COMMAND_BAD_ADDRESS,
	LITERAL("<\303\274@b> SIZE=1")},
    {LITERAL("MAIL FROM:<\303\274@b> X"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<\303@b> SMTPUTF8"), VERB_MAIL, COMMAND_BAD_ADDRESS,
	LITERAL("<\303@b> SMTPUTF8")},
    {LITERAL("RCPT TO:<\303\274@b>"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("<\303\274@b>")},
    {LITERAL("RCPT TO:TA <t@h>"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("TA <t@h>")},
    {LITERAL("MAIL FROM:<a> SIZES=1"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<a> BODY=BINARYMIME"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<a> BODY=7BITS"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<a> BODY="), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> AUTH=<>"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<a> SIZE=1 X"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:<a> X SIZE=1"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("MAIL FROM:a b"), VERB_MAIL, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("RCPT TO:"), VERB_RCPT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO:<>"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("<>")},
    {LITERAL("RCPT TO:<a b>"), VERB_RCPT, COMMAND_BAD_ADDRESS, LITERAL("<a b>")},
    {LITERAL("RCPT TO:<a> SIZE=1"), VERB_RCPT, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("RCPT TO:a NOTIFY=NEVER"), VERB_RCPT, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("DATA x"), VERB_DATA, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RSET x"), VERB_RSET, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("VRFY"), VERB_VRFY, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("VRFY "), VERB_VRFY, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("QUIT x"), VERB_QUIT, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("EHLOX y"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("QUIT:"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("AUTH PLAIN"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("GET /"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("GET HTTP/1.1"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("GET / HTTP"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("GET / XHTTP/1.1"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("G@T / HTTP/1.1"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("GET / HTTP/1.1"), VERB_HTTP_REQUEST, COMMAND_OK, NULL, 0},
    {LITERAL("POST http://127.0.0.1:8765/ HTTP/1.0 "), VERB_HTTP_REQUEST, COMMAND_OK, NULL, 0},
    {LITERAL("M-SEARCH * HTTP/1.1"), VERB_HTTP_REQUEST, COMMAND_OK, NULL, 0},
    {LITERAL("GET /a b HTTP/2"), VERB_HTTP_REQUEST, COMMAND_OK, NULL, 0},
    {LITERAL("NOOP / HTTP/1.1"), VERB_NOOP, COMMAND_OK, NULL, 0},
    {LITERAL("STARTTLS"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("EXPN x"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL(""), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
};

START_TEST(other_esmtp_lines_have_their_verb_and_error)
{
	for (size_t i = 0; i < ARRAY_LENGTH(other_esmtp_lines); i++) {
		const struct parsed *row = &other_esmtp_lines[i];

		expect_in(PROTOCOL_ESMTP, row->line, row->length, row->verb, row->error,
		    row->argument, row->argument_length);
	}
}
END_TEST

/* Try each byte value in a quoted string, with and without a backslash (RFC 5321 4.1.2). */
START_TEST(a_quoted_string_has_printable_bytes_only)
{
	for (unsigned value = 0; value < 256; value++) {
		struct bytes bare = line_with("MAIL FROM:<\"a", value, "b\"@c>");
		struct bytes escaped = line_with("MAIL FROM:<\"a\\", value, "b\"@c>");
		bool printable = value == ' ' || is_graphic(value);

		/*
		 * A bare quotation mark ends the string, and the one after it starts another
		 * string. A bare backslash escapes the next byte.
		 */
		if (value != '"') {
			expect_in(PROTOCOL_ESMTP, bare.at, bare.length, VERB_MAIL,
			    printable ? COMMAND_OK : COMMAND_BAD_ADDRESS, NULL, 0);
		}
		expect_in(PROTOCOL_ESMTP, escaped.at, escaped.length, VERB_MAIL,
		    printable ? COMMAND_OK : COMMAND_BAD_ADDRESS, NULL, 0);
		bytes_free(&bare);
		bytes_free(&escaped);
	}
}
END_TEST

/* ---- UTF-8 ---- */

/* Characters at the bounds of what RFC 3629 allows, and what it forbids beside them. */
static const struct utf8 {
	const char *bytes;
	size_t length;
	bool valid;
} characters[] = {
    {LITERAL("\302\200"), true},
    {LITERAL("\337\277"), true},
    {LITERAL("\340\240\200"), true},
    {LITERAL("\355\237\277"), true},
    {LITERAL("\356\200\200"), true},
    {LITERAL("\357\277\277"), true},
    {LITERAL("\360\220\200\200"), true},
    {LITERAL("\361\200\200\200"), true},
    {LITERAL("\364\217\277\277"), true},
    {LITERAL("\200"), false},
    {LITERAL("\277"), false},
    {LITERAL("\300\200"), false},
    {LITERAL("\301\277"), false},
    {LITERAL("\302"), false},
    {LITERAL("\302a"), false},
    {LITERAL("\302\300"), false},
    {LITERAL("\340\237\277"), false},
    {LITERAL("\340\240"), false},
    {LITERAL("\341\200\300"), false},
    {LITERAL("\355\240\200"), false},
    {LITERAL("\360\217\277\277"), false},
    {LITERAL("\360\220\200"), false},
    {LITERAL("\361\200\200\177"), false},
    {LITERAL("\364\220\200\200"), false},
    {LITERAL("\365\200\200\200"), false},
    {LITERAL("\376"), false},
    {LITERAL("\377"), false},
};

/* Fail unless a recipient, in a transaction with SMTPUTF8 or without, is valid or not, as said. */
static void
try_recipient(const struct bytes *line, bool smtputf8, bool valid)
{
	char *copy = malloc(line->length);
	struct command command;

	REQUIRE(copy != NULL, "out of memory");
	memcpy(copy, line->at, line->length);
	command = command_parse(copy, line->length, PROTOCOL_ESMTP, smtputf8);
	REQUIRE(command.verb == VERB_RCPT &&
		    command.error == (valid ? COMMAND_OK : COMMAND_BAD_ADDRESS),
	    "%s: error %d", bytes_visible(line->at, line->length), (int)command.error);
	free(copy);
}

START_TEST(only_utf8_of_rfc_3629_is_valid)
{
	static const struct {
		const char *before;
		const char *after;
	} places[] = {{"RCPT TO:<a", "b>"}, {"RCPT TO:<", ">"}, {"RCPT TO:<\"", "\"@b>"},
	    {"RCPT TO:a@", "b"}, {"RCPT TO:", ""}};

	for (size_t i = 0; i < ARRAY_LENGTH(characters); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(places); j++) {
			struct bytes line = {.at = NULL};

			bytes_add_string(&line, places[j].before);
			bytes_add(&line, characters[i].bytes, characters[i].length);
			bytes_add_string(&line, places[j].after);
			try_recipient(&line, true, characters[i].valid);
			try_recipient(&line, false, false);
			bytes_free(&line);
		}
	}
}
END_TEST

START_TEST(smtputf8_belongs_to_a_transaction)
{
	static const char with[] = "MAIL FROM:<a> SMTPUTF8", without[] = "MAIL FROM:<a>";

	/* The command decides, not the transaction before. */
	ck_assert(command_parse(with, strlen(with), PROTOCOL_ESMTP, false).smtputf8);
	ck_assert(!command_parse(without, strlen(without), PROTOCOL_ESMTP, true).smtputf8);
}
END_TEST

/* ---- AUTH ---- */

/* Lines parsed with any login. */
static const struct parsed login_lines[] = {
    {LITERAL("AUTH PLAIN"), VERB_AUTH_PLAIN, COMMAND_OK, LITERAL("")},
    {LITERAL("auth\tplain AHgAeQ=="), VERB_AUTH_PLAIN, COMMAND_OK, LITERAL("AHgAeQ==")},
    {LITERAL("AUTH PLAIN ="), VERB_AUTH_PLAIN, COMMAND_OK, LITERAL("=")},
    {LITERAL("AUTH PLAIN azAZ09+/"), VERB_AUTH_PLAIN, COMMAND_OK, LITERAL("azAZ09+/")},
    {LITERAL("AUTH LOGIN"), VERB_AUTH_LOGIN, COMMAND_OK, LITERAL("")},
    {LITERAL("AUTH LOGIN eHg= "), VERB_AUTH_LOGIN, COMMAND_OK, LITERAL("eHg=")},
    {LITERAL("AUTH PLAIN *"), VERB_AUTH_PLAIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH PLAIN abc"), VERB_AUTH_PLAIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH PLAIN a==="), VERB_AUTH_PLAIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH PLAIN ab=c"), VERB_AUTH_PLAIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH PLAIN abcd efgh"), VERB_AUTH_PLAIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH PLAIN abc\377"), VERB_AUTH_PLAIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH LOGIN a-b_"), VERB_AUTH_LOGIN, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH"), VERB_AUTH, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH "), VERB_AUTH, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("AUTH CRAM-MD5"), VERB_AUTH, COMMAND_OK, NULL, 0},
    {LITERAL("AUTH PLAINER abcd"), VERB_AUTH, COMMAND_OK, NULL, 0},
    {LITERAL("AUTHPLAIN"), VERB_UNRECOGNIZED, COMMAND_OK, NULL, 0},
    {LITERAL("MAIL FROM:<a> AUTH=<>"), VERB_MAIL, COMMAND_OK, LITERAL("a")},
    {LITERAL("MAIL FROM:<a> SIZE=1 auth=x+3Dy BODY=7BIT"), VERB_MAIL, COMMAND_OK, LITERAL("a")},
    {LITERAL("MAIL FROM:<a> AUTH="), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> AUTH"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("MAIL FROM:<a> AUTH=x AUTH=x"), VERB_MAIL, COMMAND_SYNTAX, NULL, 0},
    {LITERAL("RCPT TO:<a> AUTH=x"), VERB_RCPT, COMMAND_BAD_PARAMETER, NULL, 0},
    {LITERAL("HELO"), VERB_HELO, COMMAND_OK, LITERAL("")},
    {LITERAL("GET / HTTP/1.1"), VERB_HTTP_REQUEST, COMMAND_OK, NULL, 0},
};

START_TEST(auth_lines_are_parsed_only_with_any_login)
{
	for (size_t i = 0; i < ARRAY_LENGTH(login_lines); i++) {
		const struct parsed *row = &login_lines[i];

		expect_in(PROTOCOL_ESMTP_LOGIN, row->line, row->length, row->verb, row->error,
		    row->argument, row->argument_length);
		if (row->verb == VERB_AUTH || row->verb == VERB_AUTH_PLAIN ||
		    row->verb == VERB_AUTH_LOGIN) {
			expect_in(PROTOCOL_ESMTP, row->line, row->length, VERB_UNRECOGNIZED,
			    COMMAND_OK, NULL, 0);
			expect_unrecognized(row->line, row->length);
		}
	}
}
END_TEST

START_TEST(a_response_is_base64)
{
	for (unsigned value = 0; value < 256; value++) {
		const char response[] = {'a', (char)(unsigned char)value, 'b', 'c'};
		bool is_data = value < 128 && (isalnum((int)value) || value == '+' || value == '/');

		ck_assert_msg(
		    command_is_response(response, sizeof response) == is_data, "byte %u", value);
	}
	ck_assert(command_is_response("", 0));
	ck_assert(command_is_response(LITERAL(" \t")));
	ck_assert(command_is_response(LITERAL(" abc=\t")));
	ck_assert(command_is_response(LITERAL("ab==")));
	ck_assert(!command_is_response(LITERAL("=")));
	ck_assert(!command_is_response(LITERAL("*")));
	ck_assert(!command_is_response(LITERAL("abcd\r")));
}
END_TEST

/* ---- HTTP ---- */

START_TEST(the_end_of_a_long_line_shows_an_http_request)
{
	ck_assert(command_ends_http_request(LITERAL("xxx HTTP/1.1")));
	ck_assert(command_ends_http_request(LITERAL("xxx HTTP/1.1\r")));
	ck_assert(command_ends_http_request(LITERAL(" HTTP/1.1 \t\r")));
	ck_assert(command_ends_http_request(LITERAL("x y\tHTTP/")));
	ck_assert(!command_ends_http_request(LITERAL("HTTP/1.1")));
	ck_assert(!command_ends_http_request(LITERAL("x HTTP")));
	ck_assert(!command_ends_http_request(LITERAL("x HTTP/1.1 y")));
	ck_assert(!command_ends_http_request(LITERAL("x http/1.1")));
	ck_assert(!command_ends_http_request(LITERAL("      ")));
	ck_assert(!command_ends_http_request("", 0));
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, valid_lines_are_parsed);
	tcase_add_test(tests, invalid_lines_have_their_error);
	tcase_add_test(tests, other_lines_are_unrecognized);
	tcase_add_test(tests, only_white_space_and_a_colon_end_a_keyword);
	tcase_add_test(tests, an_argument_has_graphic_bytes_only);
	tcase_add_test(tests, white_space_around_an_argument_is_ignored);
	tcase_add_test(tests, keywords_have_any_letter_case);
	tcase_add_test(tests, a_prefix_of_a_line_is_not_valid);
	tcase_add_test(tests, valid_esmtp_lines_are_parsed);
	tcase_add_test(tests, other_esmtp_lines_have_their_verb_and_error);
	tcase_add_test(tests, a_quoted_string_has_printable_bytes_only);
	tcase_add_test(tests, only_utf8_of_rfc_3629_is_valid);
	tcase_add_test(tests, smtputf8_belongs_to_a_transaction);
	tcase_add_test(tests, auth_lines_are_parsed_only_with_any_login);
	tcase_add_test(tests, a_response_is_base64);
	tcase_add_test(tests, the_end_of_a_long_line_shows_an_http_request);
	return suite_run("command", tests);
}
