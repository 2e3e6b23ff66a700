/*
 * run.h - everything that happens once: probe, start, watch, compare, report.
 */

#ifndef MULTICLIENT_RUN_H
#define MULTICLIENT_RUN_H

#include "options.h"

/* The exit statuses of multiclient. */
enum run_status {
	RUN_OK = 0,       /* all as expected */
	RUN_MISMATCH = 1, /* something was not */
	RUN_USAGE = 2,    /* wrong usage */
	RUN_NO_SERVER = 3 /* nobody answers there */
};

/*
 * Do what the options say: connect, play, compare, report on standard output and standard error.
 * Returns the exit status. To be called once, from the main thread, with no other there; while it
 * runs, SIGINT and SIGTERM end it with a report.
 */
enum run_status run(const struct options *options);

#endif
