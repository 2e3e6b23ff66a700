/*
 * grade.h - report on each demand of the assignment, for any server
 *
 * The demands are judged by the letter of the assignment: what it leaves open is accepted. Each is
 * judged on connections of its own, so that one failure does not hide another.
 */

#ifndef MULTICLIENT_GRADE_H
#define MULTICLIENT_GRADE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The most connections at once: 32 that are served, and one more (R24, R25). */
#define GRADE_CONNECTIONS 33

struct grade_options {
	const char *host, *port;
	const char *directory; /* of the server; NULL: not known */
	const char *netid;     /* what the netid must be; NULL: any */
	int64_t timeout;       /* the server's T, in nanoseconds */
	int64_t patience;      /* how long a reply may take, in nanoseconds */
	bool with_timeouts;    /* judge the timeouts */
	bool quiet;            /* print only the last line */
	bool machine;          /* print one line of fields for each demand, and nothing else */
};

enum grade_result {
	GRADE_OK,       /* no demand failed */
	GRADE_FAILED,   /* at least one failed, or memory ran out */
	GRADE_USAGE,    /* the directory cannot be opened: reported on standard error */
	GRADE_NO_SERVER /* no server accepts a connection: reported on standard error */
};

/*
 * Return the longest time that a run can take after its first connection, in nanoseconds, for a
 * server with this timeout: the sum over all demands.
 */
int64_t grade_time_max(int64_t timeout);

/* Judge the server, and print the report on `file`. One thread at a time. */
enum grade_result grade_server(const struct grade_options *options, FILE *file);

#endif
