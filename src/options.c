/*
 * NAME
 *	options - the command line
 *
 * DESCRIPTION
 *	The table of options has one row for each, except --help and --version: the arguments of
 *	getopt_long() and the text of --help are made from it. A new option is a row, a field of
 *	struct options and, with a value, a set function; its text in smtpd.8; and its tests in
 *	check_options.c.
 *
 * DIAGNOSTICS
 *	--NAME: 'VALUE': must be what the table says in `expected`
 *	--any-login: requires --extended
 *	unexpected argument 'ARGUMENT'
 *	standard output: why --help or --version could not be written
 *	and the messages of getopt_long() about unknown options and missing values
 *	see smtpd --help		after each of these, except that of standard output
 */

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "params.h"
#include "version.h"

/* Store an option's value. Returns false if it is not `expected`. */
typedef bool set_function(struct options *options, const char *value);

static set_function set_host, set_port, set_netid, set_timeout, set_max_size, set_user;

static const struct option_spec {
	char letter;
	const char *name;
	const char *value;    /* name of the value, or NULL if the option has none */
	const char *expected; /* description of valid values */
	const char *help;
	set_function *set; /* with a value; otherwise NULL */
	size_t flag;       /* without a value: offset in struct options of the bool that it sets */
} option_table[] = {
    {'h', "host", "HOST", "a name or an address, and given at most 8 times",
	"listen on HOST (127.0.0.1); may be repeated", set_host, 0},
    {'p', "port", "PORT", "a number from 0 to 65535", "TCP port; 0 picks a free one (8765)",
	set_port, 0},
    {'n', "netid", "NAME", "1 to 64 printable ASCII characters without spaces",
	"server name in replies and Received lines (netid)", set_netid, 0},
    {'t', "timeout", "SECONDS", "more than 0 and at most 604800 seconds",
	"end clients with nothing valid for SECONDS (10)", set_timeout, 0},
    {'m', "max-size", "BYTES", "a number from 1 to 1073741824",
	"refuse messages over BYTES (10485760)", set_max_size, 0},
    {'a', "any-login", NULL, NULL, "accept any user name and password (with --extended)", NULL,
	offsetof(struct options, any_login)},
    {'k', "keep", NULL, NULL, "keep the existing mailbox instead of emptying it", NULL,
	offsetof(struct options, keep)},
    {'s', "sync", NULL, NULL, "answer 250 only when the message is on the disk", NULL,
	offsetof(struct options, sync)},
    {'x', "extended", NULL, NULL, "enable ESMTP, as mail programs expect (EHLO, QUIT)", NULL,
	offsetof(struct options, extended)},
    {'u', "user", "USER", "a user's name", "switch to USER after binding (root only)", set_user, 0},
    {'v', "verbose", NULL, NULL, "log each session and each delivery", NULL,
	offsetof(struct options, verbose)},
};

#define OPTIONS_COUNT (sizeof option_table / sizeof option_table[0])

/* What getopt_long() returns for the options without a letter. */
enum {
	OPTION_HELP = 256,
	OPTION_VERSION
};

/* ---- values ---- */

static bool
set_host(struct options *options, const char *value)
{
	if (*value == '\0' || strlen(value) >= HOST_NAME_SIZE ||
	    options->host_count == SOCKETS_MAX) {
		return false;
	}
	options->hosts[options->host_count++] = value;
	return true;
}

/* Parse a string of digits. Returns false if it has another byte, or the number is above `max`. */
static bool
parse_number(const char *digits, unsigned long long max, unsigned long long *number)
{
	char *end;

	if (!isdigit((unsigned char)*digits)) {
		return false;
	}
	errno = 0;
	*number = strtoull(digits, &end, 10);
	return errno == 0 && *end == '\0' && *number <= max;
}

static bool
set_port(struct options *options, const char *value)
{
	unsigned long long number;

	options->port = value;
	return parse_number(value, 65535, &number);
}

static bool
set_netid(struct options *options, const char *value)
{
	size_t length = strlen(value);

	options->netid = value;
	for (size_t i = 0; i < length; i++) {
		if (value[i] < 0x21 || value[i] > 0x7e) {
			return false;
		}
	}
	return length > 0 && length <= NETID_MAX;
}

static bool
set_timeout(struct options *options, const char *value)
{
	char *end;
	double seconds;

	/* strtod() would also take signs, exponents, hexadecimal, "inf" and "nan". */
	if (value[strspn(value, "0123456789.")] != '\0') {
		return false;
	}
	seconds = strtod(value, &end);
	if (*end != '\0' || !(seconds > 0) || seconds > (double)TIMEOUT_MAX / (double)SECOND) {
		return false;
	}
	/* Rounded up: never 0. */
	options->timeout = (nanoseconds)(seconds * (double)SECOND) + 1;
	return true;
}

static bool
set_max_size(struct options *options, const char *value)
{
	unsigned long long number;

	if (!parse_number(value, MAX_SIZE_MAX, &number) || number == 0) {
		return false;
	}
	options->max_size = (size_t)number;
	return true;
}

static bool
set_user(struct options *options, const char *value)
{
	options->user = value;
	return *value != '\0';
}

/* ---- the command line ---- */

static void
print_help(void)
{
	printf("usage: smtpd [OPTION ...]\n\n"
	       "Accept mail by SMTP and append it to the file `mailbox` in this directory.\n"
	       "Without --keep, that file is emptied first. After every 32 messages it is moved\n"
	       "to `mailbox.A-B`.\n\n");
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		char names[32];

		snprintf(names, sizeof names, "%s%s%s", option_table[i].name,
		    option_table[i].value != NULL ? " " : "",
		    option_table[i].value != NULL ? option_table[i].value : "");
		printf("  -%c, --%-18s %s\n", option_table[i].letter, names, option_table[i].help);
	}
	printf("      --%-18s %s\n", "help", "print this and exit");
	printf("      --%-18s %s\n", "version", "print the version and exit");
}

/* Fill in the tables of getopt_long(). */
static void
prepare_getopt(
    char letters[static 2 * OPTIONS_COUNT + 1], struct option longs[static OPTIONS_COUNT + 3])
{
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		int has_value = option_table[i].value != NULL ? required_argument : no_argument;

		*letters++ = option_table[i].letter;
		if (option_table[i].value != NULL) {
			*letters++ = ':';
		}
		longs[i] =
		    (struct option){option_table[i].name, has_value, NULL, option_table[i].letter};
	}
	*letters = '\0';
	longs[OPTIONS_COUNT] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	longs[OPTIONS_COUNT + 1] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
	longs[OPTIONS_COUNT + 2] = (struct option){NULL, 0, NULL, 0};
}

/* Store the value of the option with this letter. Returns false, having logged why, on failure. */
static bool
set_option(struct options *options, int letter, const char *value)
{
	for (size_t i = 0; i < OPTIONS_COUNT; i++) {
		const struct option_spec *spec = &option_table[i];

		if (spec->letter != letter) {
			continue;
		}
		if (spec->value == NULL) {
			*(bool *)((char *)options + spec->flag) = true;
			return true;
		}
		if (spec->set(options, value)) {
			return true;
		}
		log_line(LOG_ERR, "--%s: '%s': must be %s", spec->name, value, spec->expected);
		return false;
	}
	/* '?': getopt_long() has logged why. */
	return false;
}

static enum options_result
wrong_usage(void)
{
	log_line(LOG_ERR, "see smtpd --help");
	return OPTIONS_ERROR;
}

/* Print the help or the version. Returns OPTIONS_EXIT, or OPTIONS_ERROR if it cannot be written. */
static enum options_result
print_and_exit(int option)
{
	if (option == OPTION_HELP) {
		print_help();
	} else {
		printf("smtpd %s\n", VERSION);
	}
	if (fflush(stdout) == EOF) {
		log_error(errno, "standard output");
		return OPTIONS_ERROR;
	}
	return OPTIONS_EXIT;
}

enum options_result
options_parse(struct options *options, int argc, char *argv[])
{
	char letters[2 * OPTIONS_COUNT + 1];
	struct option longs[OPTIONS_COUNT + 3];
	int option;

	*options = (struct options){
	    .port = "8765",
	    .netid = "netid",
	    .timeout = TIMEOUT_DEFAULT,
	    .max_size = MAX_SIZE_DEFAULT,
	};
	prepare_getopt(letters, longs);
	optind = 1;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	while ((option = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			return print_and_exit(option);
		}
		if (!set_option(options, option, optarg)) {
			return wrong_usage();
		}
	}
	if (optind < argc) {
		log_line(LOG_ERR, "unexpected argument '%s'", argv[optind]);
		return wrong_usage();
	}
	if (options->host_count == 0) {
		options->hosts[options->host_count++] = "127.0.0.1";
	}
	if (options->any_login && !options->extended) {
		log_line(LOG_ERR, "--any-login: requires --extended");
		return wrong_usage();
	}
	return OPTIONS_OK;
}
