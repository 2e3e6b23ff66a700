/*
 * report.h - what is printed at the end of a stress test. Belongs to one thread.
 */

#ifndef MULTICLIENT_REPORT_H
#define MULTICLIENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"
#include "stats.h"

struct report {
	const struct config *config;
	const char *host, *port;
	const struct stats *stats; /* the sum of all clients */
	int64_t elapsed;           /* nanoseconds */
	uint64_t lowest, highest;  /* message numbers; 0: none */
	bool interrupted;
	bool has_files;            /* the files were verified */
	uint64_t record_count;     /* records that were compared in them */
	uint64_t suppressed_count; /* mismatches that were not reported */
	bool colour;
};

/* Return whether standard output is a terminal, and NO_COLOR is unset or empty. */
bool report_use_colour(void);

/* Print the report without its last line. The caller flushes `file`, and handles its errors. */
void report_print(const struct report *report, FILE *file);

/* Print the last line, `N passed, N failed`, and return N failed. */
uint64_t report_last_line(const struct stats *stats, bool colour, FILE *file);

#endif
