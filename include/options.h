/*
 * options.h - the command line
 */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "monotonic.h"

struct options {
	const char *host;    /* to listen on */
	const char *port;    /* decimal, 0 to 65535; 0 means any free one */
	const char *netid;   /* at most NETID_MAX printable characters */
	const char *user;    /* to become, or NULL */
	nanoseconds timeout; /* above 0 */
	size_t max_size;     /* bytes */
	bool keep;           /* go on from what is there */
	bool sync;           /* answer only when it is on the disk */
	bool extended;       /* speak as mail programs expect */
	bool verbose;        /* log each session and delivery */
};

enum options_result {
	OPTIONS_FINE,
	OPTIONS_ANSWERED, /* --help or --version: said on standard output */
	OPTIONS_WRONG     /* said on standard error what is */
};

/*
 * Read the command line into `options`, whose strings then point into `arguments` or are constant.
 */
enum options_result options_parse(struct options *options, int count, char *arguments[]);

#endif
