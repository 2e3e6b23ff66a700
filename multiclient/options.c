/*
 * NAME
 *	options - the command line of multiclient
 *
 * DESCRIPTION
 *	The table of options has all that differs between them: the input of getopt_long(), the text
 *	of --help and the command that repeats a run are made from it. A function for each type of
 *	value checks and stores it (option_set.c), another prints it (option_print.c).
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
#include "option_spec.h"
#include "params.h"

#define FIELD(name) offsetof(struct options, name)

static const struct option_spec option_table[] = {
    {.letter = 'h',
	.name = "host",
	.value = "HOST",
	.help = "connect to HOST (127.0.0.1)",
	.set = option_set_host,
	.print = option_print_text,
	.field = FIELD(host)},
    {.letter = 'p',
	.name = "port",
	.value = "PORT",
	.help = "connect to PORT (8765)",
	.set = option_set_port,
	.print = option_print_text,
	.field = FIELD(port)},
    {.letter = 'c',
	.name = "connections",
	.value = "COUNT",
	.help = "connections at once, 1 to 4096 (32)",
	.set = option_set_count,
	.print = option_print_count,
	.field = FIELD(connections),
	.max = CONNECTIONS_MAX},
    {.letter = 'n',
	.name = "operations",
	.value = "COUNT",
	.help = "operations of all connections together, 1 to\n"
		"1000000000 (1000); 1000 cover every kind in every\n"
		"state, with up to 64 connections",
	.set = option_set_count,
	.print = option_print_count,
	.field = FIELD(operations),
	.max = OPERATIONS_MAX},
    {.letter = 's',
	.name = "seed",
	.value = "NUMBER",
	.help = "repeat the scripts of an earlier run (random)",
	.set = option_set_seed,
	.print = option_print_seed},
    {.letter = 't',
	.name = "timeout",
	.value = "SECONDS",
	.help = "the server's timeout (10); its 421 must come within\n"
		"one second after it",
	.set = option_set_seconds,
	.print = option_print_seconds,
	.field = FIELD(timeout)},
    {.letter = 'd',
	.name = "directory",
	.value = "PATH",
	.help = "the server's directory: at the end compare every\n"
		"message in mailbox and mailbox.A-B with what was sent",
	.set = option_set_directory,
	.print = option_print_text,
	.field = FIELD(directory)},
    {.name = "netid",
	.value = "NAME",
	.help = "the server's name (taken from the greeting)",
	.set = option_set_netid,
	.print = option_print_text,
	.field = FIELD(netid)},
    {.name = "no-timeouts",
	.help = "skip operations that wait for the server's timeout",
	.set = option_set_no_timeouts,
	.print = option_print_no_timeouts},
    {.name = "patience",
	.value = "SECONDS",
	.help = "wait at most SECONDS for each reply (5)",
	.set = option_set_seconds,
	.print = option_print_seconds,
	.field = FIELD(patience)},
    {.name = "grade",
	.value = "=machine",
	.help = "report on each demand of the assignment\n"
		"instead; =machine: in fields divided by tabs",
	.set = option_set_grade,
	.print = option_print_nothing /* no run that can be repeated */},
    {.letter = 'q',
	.name = "quiet",
	.help = "print only the last line, and no mismatches",
	.set = option_set_flag,
	.print = option_print_nothing /* it would hide the mismatch */,
	.field = FIELD(quiet)},
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

/* Report an argument for which getopt_long() returns `code`: '?', or ':' for a missing value. */
static enum options_result
refuse(struct parser *parser, int code, const char *argument)
{
	const char *known = name_of(optopt);

	parser->dashes = "";
	parser->name = "option";
	parser->value = argument;
	if (known != NULL) {
		parser->dashes = "--";
		parser->name = known;
		parser->value = NULL;
		return option_refuse(parser, code == ':' ? "needs a value" : "takes no value");
	}
	return option_refuse(parser, "unknown");
}

/* ---- help, and the command line ---- */

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

/* Set an option of the table, or print what --help or --version asks for. */
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

/* Set HOST and PORT from the operands. */
static enum options_result
set_operands(struct parser *parser, char *const operands[])
{
	parser->dashes = "";
	for (size_t i = 0; operands[i] != NULL; i++) {
		enum options_result result;

		parser->name = i == 0 ? "HOST" : i == 1 ? "PORT" : "argument";
		parser->value = operands[i];
		if (i > 1) {
			return option_refuse(parser, "unexpected after HOST and PORT");
		}
		result = i == 0 ? option_set_host(parser) : option_set_port(parser);
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
	    .with_timeouts = true};
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
		/* Where the option is that getopt_long() parses next. */
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

void
options_print_command(const struct options *options, FILE *file)
{
	fputs("multiclient", file);
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		option_table[i].print(&option_table[i], options, file);
	}
}
