/*
 * options.h - the command line
 */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "monotonic.h"
#include "params.h"

struct options {
	const char *hosts[SOCKETS_MAX]; /* to listen on */
	unsigned host_count;
	const char *port;    /* decimal, 0 to 65535; 0 means any free one */
	const char *netid;   /* at most NETID_MAX printable characters */
	const char *user;    /* to switch to, or NULL */
	nanoseconds timeout; /* above 0 */
	size_t max_size;     /* bytes of a message body, as stored */
	bool keep;           /* continue the existing mailbox */
	bool sync;           /* answer 250 only when the message is on the disk */
	bool extended;       /* ESMTP */
	bool any_login;      /* accept any user name and password; with `extended` only */
	bool verbose;        /* log each session and delivery */
};

enum options_result {
	OPTIONS_OK,
	OPTIONS_EXIT, /* --help or --version has been printed on standard output */
	OPTIONS_ERROR /* the error has been logged */
};

/*
 * Parse the command line into `options`, whose strings then point into `argv` or are constant. The
 * main thread, before it starts any other.
 */
enum options_result options_parse(struct options *options, int argc, char *argv[]);

#endif
