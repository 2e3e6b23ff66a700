/*
 * NAME
 *	options - the command line of multiclient
 *
 * DESCRIPTION
 *	The table of options holds all that is known about each: getopt_long() and --help are fed
 *	from it. A function for each type of value reports what is wrong with one.
 *
 * DIAGNOSTICS
 *	One line for what is wrong, naming the option and the value, and one that points to --help.
 */

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "error_text.h"
#include "number.h"
#include "params.h"

struct parser {
	struct options *options;
	FILE *out, *error;
	const char *dashes;             /* before the name */
	const char *name;               /* of the option at hand */
	const char *value;              /* NULL: none */
	const struct option_spec *spec; /* of it in the table; NULL: it is an operand */
};

/* Store the value of an option. Reports and returns OPTIONS_ERROR if it is not valid. */
typedef enum options_result set_function(const struct parser *parser);

static set_function set_host, set_port, set_count, set_seed, set_seconds, set_directory, set_netid,
    set_no_timeouts, set_grade, set_flag;

static const struct option_spec {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* name of the value; NULL: the option has none; "=X": it may be X */
	const char *help;  /* lines */
	set_function *set;
	size_t field; /* for set_count, set_seconds, set_flag: offset in struct options */
	size_t max;   /* for set_count */
} option_table[] = {
    {'h', "host", "HOST", "connect to HOST (127.0.0.1)", set_host, 0, 0},
    {'p', "port", "PORT", "connect to PORT (8765)", set_port, 0, 0},
    {'c', "connections", "COUNT", "connections at once, 1 to 4096 (32)", set_count,
	offsetof(struct options, connections), CONNECTIONS_MAX},
    {'n', "operations", "COUNT",
	"operations of all connections together, 1 to\n"
	"1000000000 (1000); 1000 cover every kind in every\n"
	"state, with up to 64 connections",
	set_count, offsetof(struct options, operations), OPERATIONS_MAX},
    {'s', "seed", "NUMBER", "repeat the scripts of an earlier run (random)", set_seed, 0, 0},
    {'t', "timeout", "SECONDS",
	"the server's timeout (10); its 421 must come within\n"
	"one second of it",
	set_seconds, offsetof(struct options, timeout), 0},
    {'d', "directory", "PATH",
	"the server's directory: at the end compare every\n"
	"message in mailbox and mailbox.A-B with what was sent",
	set_directory, 0, 0},
    {0, "netid", "NAME", "the server's name (taken from the greeting)", set_netid, 0, 0},
    {0, "no-timeouts", NULL, "skip operations that wait for the server's timeout", set_no_timeouts,
	0, 0},
    {0, "patience", "SECONDS", "wait at most SECONDS for each reply (5)", set_seconds,
	offsetof(struct options, patience), 0},
    {0, "grade", "=machine",
	"report on each demand of the assignment\n"
	"instead; =machine: in fields divided by tabs",
	set_grade, 0, 0},
    {'q', "quiet", NULL, "print only the last line, and no mismatches", set_flag,
	offsetof(struct options, quiet), 0},
};

#define OPTIONS_COUNT ARRAY_LENGTH(option_table)

/* What getopt_long() returns for options without a letter: this plus the row of the table. */
#define OPTION_BASE 256

enum {
	OPTION_HELP = OPTION_BASE + OPTIONS_COUNT,
	OPTION_VERSION
};

/* Columns of --help before the text of an option. */
#define HELP_INDENT 27

static const char help_begin[] =
    "multiclient - test a CS4410MP3 mail server with many connections at once\n"
    "\n"
    "usage: multiclient [OPTION]... [HOST [PORT]]\n"
    "\n"
    "Each connection follows the protocol with random data, and deviates from it at\n"
    "random; every reply is compared, byte for byte, with the expected one. The last\n"
    "line of output is `N passed, N failed`.\n"
    "\n";

static const char help_end[] =
    "      --help, --version    print this, or the version, and exit\n"
    "\n"
    "An operation is a connect, one command or one message with its reply, or an end\n"
    "of the connection. Waiting for timeouts takes about one and a half times the\n"
    "timeout, and longer with fewer than eight connections.\n"
    "\n"
    "Exit status: 0 no mismatches, 1 at least one, 2 usage error, 3 no server.\n";

static enum options_result
wrong(const struct parser *parser, const char *what)
{
	fprintf(parser->error, "multiclient: %s%s", parser->dashes, parser->name);
	if (parser->value != NULL) {
		fprintf(parser->error, " '%s'", parser->value);
	}
	fprintf(parser->error, ": %s\nmulticlient: see multiclient --help\n", what);
	return OPTIONS_ERROR;
}

/* What getopt_long() returns for an option of the table. */
static int
option_code(size_t row)
{
	return option_table[row].letter != 0 ? option_table[row].letter : OPTION_BASE + (int)row;
}

/* Return the row of an option in the table, by what getopt_long() returns; NULL: none. */
static const struct option_spec *
find_option(int code)
{
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		if (option_code(i) == code) {
			return &option_table[i];
		}
	}
	return NULL;
}

/* Return the long name of an option; NULL if there is no such option. */
static const char *
name_of(int code)
{
	const struct option_spec *spec = find_option(code);

	if (code == OPTION_HELP) {
		return "help";
	}
	if (code == OPTION_VERSION) {
		return "version";
	}
	return spec != NULL ? spec->name : NULL;
}

/* Report an argument that getopt_long() rejects. */
static enum options_result
refuse(struct parser *parser, int option, const char *argument)
{
	const char *known = name_of(optopt);

	parser->dashes = "";
	parser->name = "option";
	parser->value = argument;
	if (known != NULL) {
		parser->dashes = "--";
		parser->name = known;
		parser->value = NULL;
		return wrong(parser, option == ':' ? "needs a value" : "takes no value");
	}
	return wrong(parser, "unknown");
}

/* ---- values ---- */

/* Return the field of struct options that the table names for the option at hand. */
static void *
field_of(const struct parser *parser)
{
	return (char *)parser->options + parser->spec->field;
}

static enum options_result
set_flag(const struct parser *parser)
{
	*(bool *)field_of(parser) = true;
	return OPTIONS_OK;
}

static enum options_result
set_count(const struct parser *parser)
{
	const struct option_spec *spec = parser->spec;
	char what[80];
	uint64_t number;

	if (number_parse(parser->value, &number) && number >= 1 && number <= spec->max) {
		*(size_t *)field_of(parser) = (size_t)number;
		return OPTIONS_OK;
	}
	snprintf(what, sizeof what, "must be a number from 1 to %zu", spec->max);
	return wrong(parser, what);
}

static enum options_result
set_seed(const struct parser *parser)
{
	parser->options->seed_given = true;
	if (number_parse(parser->value, &parser->options->seed)) {
		return OPTIONS_OK;
	}
	return wrong(parser, "must be a number from 0 to 18446744073709551615");
}

static enum options_result
set_seconds(const struct parser *parser)
{
	double *seconds = field_of(parser);
	char what[80];

	/* At least the resolution of poll(). */
	if (number_parse_seconds(parser->value, seconds) && *seconds >= 0.001 &&
	    *seconds <= SECONDS_MAX) {
		return OPTIONS_OK;
	}
	snprintf(what, sizeof what, "must be seconds from 0.001 to %g", SECONDS_MAX);
	return wrong(parser, what);
}

static enum options_result
set_no_timeouts(const struct parser *parser)
{
	parser->options->timeouts = false;
	return OPTIONS_OK;
}

static enum options_result
set_grade(const struct parser *parser)
{
	parser->options->grade = parser->value == NULL ? GRADE_TEXT : GRADE_MACHINE;
	if (parser->value == NULL || strcmp(parser->value, "machine") == 0) {
		return OPTIONS_OK;
	}
	return wrong(parser, "must be 'machine', if anything");
}

static enum options_result
set_port(const struct parser *parser)
{
	uint64_t number;

	parser->options->port = parser->value;
	if (number_parse(parser->value, &number) && number >= 1 && number <= 65535) {
		return OPTIONS_OK;
	}
	return wrong(parser, "must be a port number from 1 to 65535");
}

static enum options_result
set_host(const struct parser *parser)
{
	parser->options->host = parser->value;
	return *parser->value != '\0' ? OPTIONS_OK : wrong(parser, "must be a name or an address");
}

static enum options_result
set_netid(const struct parser *parser)
{
	const char *at;

	parser->options->netid = parser->value;
	for (at = parser->value; *at > 0x20 && *at < 0x7f; at++) {
		continue;
	}
	if (*at == '\0' && at != parser->value && at - parser->value <= NETID_MAX) {
		return OPTIONS_OK;
	}
	return wrong(parser, "must be 1 to 64 printable ASCII characters without spaces");
}

static enum options_result
set_directory(const struct parser *parser)
{
	parser->options->directory = parser->value;
	return *parser->value != '\0' ? OPTIONS_OK : wrong(parser, "must be a directory");
}

/* ---- the whole ---- */

/* Print an option's names and its text, whose lines stand one below the other. */
static void
print_option(const struct option_spec *spec, FILE *out)
{
	char letter[] = {'-', spec->letter, ',', '\0'};
	char names[64];
	int width;

	if (spec->value == NULL) {
		snprintf(names, sizeof names, "--%s", spec->name);
	} else if (*spec->value == '=') {
		snprintf(names, sizeof names, "--%s, --%s%s", spec->name, spec->name, spec->value);
	} else {
		snprintf(names, sizeof names, "--%s %s", spec->name, spec->value);
	}
	width = fprintf(out, "  %-3s %s", spec->letter != 0 ? letter : "", names);
	fprintf(out, "%*s", width < HELP_INDENT ? HELP_INDENT - width : 2, "");
	for (const char *at = spec->help; *at != '\0'; at++) {
		fputc(*at, out);
		if (*at == '\n') {
			fprintf(out, "%*s", HELP_INDENT, "");
		}
	}
	fputc('\n', out);
}

static void
print_help(FILE *out)
{
	fputs(help_begin, out);
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		print_option(&option_table[i], out);
	}
	fputs(help_end, out);
}

/* Set one option that exists, or print what --help and --version ask for. */
static enum options_result
set(const struct parser *parser, int code)
{
	const struct option_spec *spec = find_option(code);
	char reason[ERROR_TEXT_SIZE];

	if (spec != NULL) {
		return spec->set(parser);
	}
	if (code == OPTION_HELP) {
		print_help(parser->out);
	} else {
		fprintf(parser->out, "multiclient %s\n", VERSION);
	}
	if (fflush(parser->out) == EOF) {
		fprintf(
		    parser->error, "multiclient: standard output: %s\n", error_text(errno, reason));
		return OPTIONS_ERROR;
	}
	return OPTIONS_EXIT;
}

/* Fill in the tables of getopt_long(). */
static void
prepare_getopt(
    char letters[static 2 * OPTIONS_COUNT + 2], struct option longs[static OPTIONS_COUNT + 3])
{
	/* A colon first: a missing value is returned as ':'. */
	*letters++ = ':';
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		const struct option_spec *spec = &option_table[i];

		int argument = spec->value == NULL   ? no_argument
			       : *spec->value == '=' ? optional_argument
						     : required_argument;

		longs[i] = (struct option){spec->name, argument, NULL, option_code(i)};
		if (spec->letter != 0) {
			*letters++ = spec->letter;
			if (spec->value != NULL) {
				*letters++ = ':';
			}
		}
	}
	*letters = '\0';
	longs[OPTIONS_COUNT] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	longs[OPTIONS_COUNT + 1] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
	longs[OPTIONS_COUNT + 2] = (struct option){NULL, 0, NULL, 0};
}

/* HOST and PORT as operands. */
static enum options_result
set_operands(struct parser *parser, char *const operands[])
{
	parser->dashes = "";
	for (size_t i = 0; operands[i] != NULL; i++) {
		enum options_result result;

		parser->name = i == 0 ? "HOST" : i == 1 ? "PORT" : "argument";
		parser->value = operands[i];
		if (i > 1) {
			return wrong(parser, "unexpected after HOST and PORT");
		}
		result = i == 0 ? set_host(parser) : set_port(parser);
		if (result != OPTIONS_OK) {
			return result;
		}
	}
	return OPTIONS_OK;
}

static void
set_defaults(struct options *options)
{
	*options = (struct options){.host = DEFAULT_HOST,
	    .port = DEFAULT_PORT,
	    .connections = DEFAULT_CONNECTIONS,
	    .operations = DEFAULT_OPERATIONS,
	    .timeout = DEFAULT_TIMEOUT,
	    .patience = DEFAULT_PATIENCE,
	    .timeouts = true};
}

enum options_result
options_parse(struct options *options, int argc, char *argv[], FILE *out, FILE *error)
{
	struct parser parser = {options, out, error, "--", NULL, NULL, NULL};
	enum options_result result = OPTIONS_OK;
	char letters[2 * OPTIONS_COUNT + 2];
	struct option longs[OPTIONS_COUNT + 3];

	set_defaults(options);
	prepare_getopt(letters, longs);
	opterr = 0;
	/* With 0 instead of 1 glibc starts again, so that this can be called again. */
	optind = 0;
	while (result == OPTIONS_OK) {
		int index = optind > 0 ? optind : 1;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
		int code = getopt_long(argc, argv, letters, longs, NULL);

		if (code == -1) {
			break;
		}
		if (code == '?' || code == ':') {
			return refuse(&parser, code, argv[index]);
		}
		parser.name = name_of(code);
		parser.spec = find_option(code);
		parser.value = optarg;
		result = set(&parser, code);
	}
	if (result != OPTIONS_OK) {
		return result;
	}
	return set_operands(&parser, argv + optind);
}
