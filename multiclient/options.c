/*
 * NAME
 *	options - the command line of multiclient
 *
 * DESCRIPTION
 *	getopt_long() takes it apart; a table names the options, and a function for each kind of
 *	value says what is wrong with one.
 *
 * DIAGNOSTICS
 *	One line for what is wrong, naming the option and the value, and one that points to --help.
 */

#include "options.h"

#include <getopt.h>
#include <string.h>

#include "params.h"

/* Options that have no short form. */
enum {
	OPTION_NETID = 256,
	OPTION_NO_TIMEOUTS,
	OPTION_PATIENCE,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"connections", required_argument, NULL, 'c'},
    {"operations", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, 's'},
    {"timeout", required_argument, NULL, 't'},
    {"directory", required_argument, NULL, 'd'},
    {"netid", required_argument, NULL, OPTION_NETID},
    {"no-timeouts", no_argument, NULL, OPTION_NO_TIMEOUTS},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static const char short_options[] = ":h:p:c:n:s:t:d:q";

static const char help[] =
    "multiclient - test a CS4410MP3 mail server with many connections at once\n"
    "\n"
    "usage: multiclient [OPTION]... [HOST [PORT]]\n"
    "\n"
    "Each connection follows the protocol at random, and at random deviates from it; every reply\n"
    "is compared with the right one, to the last byte. The last line of output is always\n"
    "`N passed, N failed'.\n"
    "\n"
    "  -h, --host HOST          where the server is (127.0.0.1)\n"
    "  -p, --port PORT          and on which port (8765)\n"
    "  -c, --connections COUNT  connections at once, 1 to 4096 (32)\n"
    "  -n, --operations COUNT   operations of all connections together, 1 to 1000000000 (1000);\n"
    "                           1000 or more cover every kind in every state, if there are no\n"
    "                           more than 64 connections\n"
    "  -s, --seed NUMBER        repeat the scripts of an earlier run (otherwise by chance)\n"
    "  -t, --timeout SECONDS    the server's own timeout, which it is held to (10)\n"
    "  -d, --directory PATH     the server's directory: at the end compare every message in\n"
    "                           mailbox and mailbox.A-B with what was sent\n"
    "      --netid NAME         what the server must call itself (otherwise learned from it)\n"
    "      --no-timeouts        do not go dormant to see the server's 421\n"
    "      --patience SECONDS   how long a reply may take (5)\n"
    "  -q, --quiet              print the last line alone\n"
    "      --help, --version    print this, or the version, and exit\n"
    "\n"
    "An operation is a connect, one command or one message with its reply, or an end of the\n"
    "connection. The 1001 recipients that are one too many count as one. Waiting for timeouts\n"
    "takes about one and a half times the timeout, while the other connections go on; with fewer\n"
    "than eight connections it takes as many times longer.\n"
    "\n"
    "Exit status: 0 all as expected, 1 something was not, 2 wrong usage, 3 no server answers.\n";

struct parser {
	struct options *options;
	FILE *out, *error;
	const char *dashes; /* before the name */
	const char *name;   /* of the option at hand */
	const char *value;  /* NULL: none */
};

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

/* The long name of an option; NULL if there is none like it. */
static const char *
name_of(int option)
{
	const struct option *row;

	for (row = long_options; row->name != NULL && row->val != option; row++) {
		continue;
	}
	return row->name;
}

/* What getopt_long() did not like. */
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
	return wrong(parser, "there is no such option");
}

/* Decimal digits alone. False: it is something else, or does not fit. */
static bool
parse_number(const char *text, uint64_t *number)
{
	*number = 0;
	if (*text == '\0') {
		return false;
	}
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || *number > (UINT64_MAX - digit) / 10) {
			return false;
		}
		*number = *number * 10 + digit;
	}
	return true;
}

/* Decimal digits, with a point among or before them or without: no sign, exponent or locale. */
static bool
parse_seconds(const char *text, double *seconds)
{
	double unit = 1.0;
	bool point = false;
	size_t digits = 0;

	for (*seconds = 0.0; *text != '\0'; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9') {
			return false;
		}
		digits++;
		*seconds = *seconds * 10.0 + (*text - '0');
		unit *= point ? 10.0 : 1.0;
	}
	*seconds /= unit;
	return digits > 0;
}

static enum options_result
set_count(const struct parser *parser, size_t *count, size_t most)
{
	char what[80];
	uint64_t number;

	if (parse_number(parser->value, &number) && number >= 1 && number <= most) {
		*count = (size_t)number;
		return OPTIONS_OK;
	}
	snprintf(what, sizeof what, "must be a number from 1 to %zu", most);
	return wrong(parser, what);
}

static enum options_result
set_seed(const struct parser *parser)
{
	parser->options->seed_given = true;
	if (parse_number(parser->value, &parser->options->seed)) {
		return OPTIONS_OK;
	}
	return wrong(parser, "must be a number from 0 to 18446744073709551615");
}

static enum options_result
set_seconds(const struct parser *parser, double *seconds)
{
	char what[80];

	/* Above nothing, as the milliseconds of poll() are the finest that can be told apart. */
	if (parse_seconds(parser->value, seconds) && *seconds >= 0.001 && *seconds <= SECONDS_MAX) {
		return OPTIONS_OK;
	}
	snprintf(what, sizeof what, "must be seconds from 0.001 to %g", SECONDS_MAX);
	return wrong(parser, what);
}

static enum options_result
set_port(const struct parser *parser)
{
	uint64_t number;

	parser->options->port = parser->value;
	if (parse_number(parser->value, &number) && number >= 1 && number <= 65535) {
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

/* One option that is known. */
static enum options_result
set(const struct parser *parser, int option)
{
	struct options *options = parser->options;

	switch (option) {
	case 'h':
		return set_host(parser);
	case 'p':
		return set_port(parser);
	case 'c':
		return set_count(parser, &options->connections, CONNECTIONS_MAX);
	case 'n':
		return set_count(parser, &options->operations, OPERATIONS_MAX);
	case 's':
		return set_seed(parser);
	case 't':
		return set_seconds(parser, &options->timeout);
	case 'd':
		return set_directory(parser);
	case OPTION_NETID:
		return set_netid(parser);
	case OPTION_PATIENCE:
		return set_seconds(parser, &options->patience);
	case OPTION_NO_TIMEOUTS:
		options->timeouts = false;
		return OPTIONS_OK;
	case 'q':
		options->quiet = true;
		return OPTIONS_OK;
	case OPTION_HELP:
		fputs(help, parser->out);
		return OPTIONS_EXIT;
	default:
		fprintf(parser->out, "multiclient %s\n", VERSION);
		return OPTIONS_EXIT;
	}
}

/* HOST and PORT without option letters, which is how they were always given. */
static enum options_result
set_operands(struct parser *parser, char *const operands[])
{
	enum options_result result = OPTIONS_OK;

	if (operands[0] == NULL) {
		return OPTIONS_OK;
	}
	parser->dashes = "";
	parser->name = "HOST";
	parser->value = operands[0];
	result = set_host(parser);
	if (result != OPTIONS_OK || operands[1] == NULL) {
		return result;
	}
	parser->name = "PORT";
	parser->value = operands[1];
	result = set_port(parser);
	if (result != OPTIONS_OK || operands[2] == NULL) {
		return result;
	}
	parser->name = "operand";
	parser->value = operands[2];
	return wrong(parser, "there may be HOST and PORT, and nothing more");
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
options_parse(struct options *options, int count, char *arguments[], FILE *out, FILE *error)
{
	struct parser parser = {options, out, error, "--", NULL, NULL};
	enum options_result result = OPTIONS_OK;
	int option, at;

	set_defaults(options);
	opterr = 0;
	/* 0 and not 1 makes glibc begin again, so that it can be called again. */
	optind = 0;
	while (result == OPTIONS_OK) {
		at = optind > 0 ? optind : 1;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
		option = getopt_long(count, arguments, short_options, long_options, NULL);
		if (option == -1) {
			break;
		}
		if (option == '?' || option == ':') {
			return refuse(&parser, option, arguments[at]);
		}
		parser.name = name_of(option);
		parser.value = optarg;
		result = set(&parser, option);
	}
	if (result != OPTIONS_OK) {
		return result;
	}
	return set_operands(&parser, arguments + optind);
}
