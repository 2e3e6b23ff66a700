/*
 * options.h - the command line
 */

#ifndef MULTICLIENT_OPTIONS_H
#define MULTICLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How to report on the demands of the assignment, instead of a stress test. */
enum grade_mode {
	GRADE_NONE, /* do a stress test */
	GRADE_TEXT,
	GRADE_MACHINE
};

struct options {
	const char *host;
	const char *port;
	size_t connections;
	size_t operations;
	uint64_t seed;
	bool seed_given;
	double timeout;        /* seconds */
	double patience;       /* seconds */
	const char *directory; /* NULL: none */
	const char *netid;     /* NULL: taken from the greeting */
	bool with_timeouts;    /* perform operations, or judge demands, that wait for a 421 */
	bool quiet;
	enum grade_mode grade;
};

enum options_result {
	OPTIONS_OK,   /* start */
	OPTIONS_EXIT, /* --help or --version: the text is printed on `out` */
	OPTIONS_ERROR /* wrong usage, or `out` cannot be written: the reason is on `error` */
};

/*
 * Parse the arguments of main(). The strings in `options` are those of `argv`. To be called before
 * any thread is started.
 */
enum options_result options_parse(
    struct options *options, int argc, char *argv[], FILE *out, FILE *error);

/*
 * Print the command that repeats a stress test with these options, as words for the shell: each
 * option that changes what is sent or checked. Any thread, while `options` does not change.
 */
void options_print_command(const struct options *options, FILE *file);

#endif
