/*
 * option_spec.h - an option: how its value is stored, and how it is printed
 *
 * For options.c, which has the table of all options. All functions belong to one thread.
 */

#ifndef MULTICLIENT_OPTION_SPEC_H
#define MULTICLIENT_OPTION_SPEC_H

#include <stddef.h>
#include <stdio.h>

#include "options.h"

struct option_spec;

/* The state of options_parse(). */
struct parser {
	struct options *options;
	FILE *out, *error;
	const char *dashes;             /* before the name; "" for an operand */
	const char *name;               /* of the option or operand that is parsed */
	const char *value;              /* NULL: none */
	const struct option_spec *spec; /* its row in the table; NULL: it is not in the table */
};

/*
 * Store the value of an option. Returns OPTIONS_OK; OPTIONS_ERROR, having reported why, if it is
 * not valid.
 */
typedef enum options_result option_set_function(const struct parser *parser);

/*
 * Print the option, with a space before it, as a part of the command that repeats the run: if it
 * belongs there, and has a default or was given.
 */
typedef void option_print_function(
    const struct option_spec *spec, const struct options *options, FILE *file);

struct option_spec {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* its name; NULL: none; "=X": the value may be left out, or be X */
	const char *help;  /* lines with '\n' between them */
	option_set_function *set;
	option_print_function *print; /* in the command that repeats a run */
	size_t field;                 /* offset in struct options, for the functions that need it */
	size_t max;                   /* greatest value, for option_set_count() */
};

/* ---- option_set.c ---- */

option_set_function option_set_host, option_set_port, option_set_count, option_set_seed,
    option_set_seconds, option_set_directory, option_set_netid, option_set_no_timeouts,
    option_set_grade, option_set_flag;

/* Report what is wrong with the option or its value. Returns OPTIONS_ERROR. */
enum options_result option_refuse(const struct parser *parser, const char *what);

/* ---- option_print.c ---- */

option_print_function option_print_text, option_print_count, option_print_seed,
    option_print_seconds, option_print_no_timeouts, option_print_nothing;

#endif
