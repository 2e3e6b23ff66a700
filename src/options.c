/*
 * NAME
 *	options - the command line
 *
 * DESCRIPTION
 *	The table of options is all there is to know about each: getopt_long() is fed from it, and
 *	so is --help.
 *
 * DIAGNOSTICS
 *	--NAME: 'VALUE' is not what it has to be
 *	and what getopt_long() says of options that do not exist or lack their value
 */

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "params.h"
#include "version.h"

/* Store an option's value. Returns whether it is what it has to be. */
typedef bool set_function(struct options *options, const char *value);

static set_function set_host, set_port, set_netid, set_timeout, set_max_size, set_user, set_keep,
    set_sync, set_extended, set_verbose;

static const struct row {
	char letter;
	const char *name;
	const char *value;  /* its name, or NULL if the option has none */
	const char *wanted; /* what the value has to be */
	const char *help;
	set_function *set;
} rows[] = {
    {'h', "host", "HOST", "an address or name", "listen on HOST (127.0.0.1)", set_host},
    {'p', "port", "PORT", "a number from 0 to 65535", "and on PORT; 0 takes a free one (8765)",
	set_port},
    {'n', "netid", "NAME", "1 to 64 printable ASCII characters without spaces",
	"the server calls itself NAME (netid)", set_netid},
    {'t', "timeout", "SECONDS", "a number of seconds above 0, and a week at most",
	"end clients that bring nothing valid for SECONDS (10)", set_timeout},
    {'m', "max-size", "BYTES", "a number from 1 to 1073741824",
	"refuse messages over BYTES (10485760)", set_max_size},
    {'k', "keep", NULL, NULL, "go on from what is there instead of erasing it", set_keep},
    {'s', "sync", NULL, NULL, "answer 250 only when the message is on the disk", set_sync},
    {'x', "extended", NULL, NULL, "speak RFC 5321 as mail programs expect", set_extended},
    {'u', "user", "USER", "a user's name", "become USER once the port is bound (root only)",
	set_user},
    {'v', "verbose", NULL, NULL, "log each session and each delivery", set_verbose},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* What getopt_long() returns for the options without a letter. */
enum {
	OPTION_HELP = 256,
	OPTION_VERSION
};

/* ---- values ---- */

static bool
set_host(struct options *options, const char *value)
{
	options->host = value;
	return *value != '\0';
}

/* Read a whole string of digits. Returns whether it is one, and at most `largest`. */
static bool
read_number(const char *digits, unsigned long long largest, unsigned long long *number)
{
	char *end;

	if (!isdigit((unsigned char)*digits)) {
		return false;
	}
	errno = 0;
	*number = strtoull(digits, &end, 10);
	return errno == 0 && *end == '\0' && *number <= largest;
}

static bool
set_port(struct options *options, const char *value)
{
	unsigned long long number;

	options->port = value;
	return read_number(value, 65535, &number);
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

	if (!read_number(value, MAX_SIZE_MAX, &number) || number == 0) {
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

static bool
set_keep(struct options *options, const char *value)
{
	(void)value;
	options->keep = true;
	return true;
}

static bool
set_sync(struct options *options, const char *value)
{
	(void)value;
	options->sync = true;
	return true;
}

static bool
set_extended(struct options *options, const char *value)
{
	(void)value;
	options->extended = true;
	return true;
}

static bool
set_verbose(struct options *options, const char *value)
{
	(void)value;
	options->verbose = true;
	return true;
}

/* ---- the whole ---- */

static void
print_help(void)
{
	printf(
	    "usage: smtpd [OPTION ...]\n\n"
	    "Accept mail by SMTP and append it to the file `mailbox` in this directory, which is\n"
	    "emptied first; every 32 messages are moved to a file `mailbox.A-B`.\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		char names[32];

		snprintf(names, sizeof names, "%s%s%s", rows[i].name,
		    rows[i].value != NULL ? " " : "", rows[i].value != NULL ? rows[i].value : "");
		printf("  -%c, --%-18s %s\n", rows[i].letter, names, rows[i].help);
	}
	printf("      --%-18s %s\n", "help", "print this, and do nothing else");
	printf("      --%-18s %s\n", "version", "print the version, and do nothing else");
}

/* Fill in what getopt_long() wants to know. */
static void
prepare_getopt(char letters[static 2 * ROWS + 1], struct option longs[static ROWS + 3])
{
	for (size_t i = 0; i < ROWS; i++) {
		int has_value = rows[i].value != NULL ? required_argument : no_argument;

		*letters++ = rows[i].letter;
		if (rows[i].value != NULL) {
			*letters++ = ':';
		}
		longs[i] = (struct option){rows[i].name, has_value, NULL, rows[i].letter};
	}
	*letters = '\0';
	longs[ROWS] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	longs[ROWS + 1] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
	longs[ROWS + 2] = (struct option){NULL, 0, NULL, 0};
}

/* Store the value of the option with this letter. Returns whether it exists and can be stored. */
static bool
set_option(struct options *options, int letter, const char *value)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].letter == letter) {
			if (rows[i].set(options, value)) {
				return true;
			}
			log_line("--%s: '%s' is not %s", rows[i].name, value, rows[i].wanted);
			return false;
		}
	}
	return false;
}

static enum options_result
wrong_usage(void)
{
	log_line("--help lists the options");
	return OPTIONS_WRONG;
}

/* Print what was asked for. Returns OPTIONS_ANSWERED if it arrived. */
static enum options_result
answer(int option)
{
	if (option == OPTION_HELP) {
		print_help();
	} else {
		printf("smtpd %s\n", VERSION);
	}
	if (fflush(stdout) == EOF) {
		log_error(errno, "standard output");
		return OPTIONS_WRONG;
	}
	return OPTIONS_ANSWERED;
}

enum options_result
options_parse(struct options *options, int count, char *arguments[])
{
	char letters[2 * ROWS + 1];
	struct option longs[ROWS + 3];
	int option;

	*options = (struct options){
	    .host = "127.0.0.1",
	    .port = "8765",
	    .netid = "netid",
	    .timeout = TIMEOUT_DEFAULT,
	    .max_size = MAX_SIZE_DEFAULT,
	};
	prepare_getopt(letters, longs);
	optind = 1;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	while ((option = getopt_long(count, arguments, letters, longs, NULL)) != -1) {
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			return answer(option);
		}
		if (!set_option(options, option, optarg)) {
			return wrong_usage();
		}
	}
	if (optind < count) {
		log_line("'%s': no operands are taken", arguments[optind]);
		return wrong_usage();
	}
	return OPTIONS_FINE;
}
