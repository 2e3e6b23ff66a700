/*
 * harness.h - worker processes that run test cases, each in its own directory
 */

#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "control.h"
#include "files.h"
#include "prng.h"

/* Default number of workers. */
#define WORKERS_DEFAULT 2

/* Command line options of a test program. */
struct settings {
	bool brief;       /* --short: a sample that takes seconds */
	unsigned workers; /* --workers N */
	uint64_t seed;    /* --seed N: of all pseudo-random numbers */
};

/* The files of one worker, or of the parent. */
struct sandbox {
	const struct settings *settings;
	unsigned number;          /* of the worker in its run, from 0 */
	struct path home;         /* a directory of its own */
	struct path directory;    /* `d` in it: for a server */
	struct path control_path; /* `control` in it */
	struct control *control_map;
	struct tally *tally; /* shared by all workers */
};

/* One per test program. */
struct harness {
	const char *name;
	struct settings settings;
	struct tally *tally;
	unsigned sandboxes; /* made so far */
};

/*
 * Parse the options of the program `name`, and make the temporary directory. Exits with a message
 * on failure.
 */
struct harness harness_start(const char *name, int argc, char *argv[]);

/*
 * Run `work` in `settings.workers` processes and wait for all. Each has its own copy of `*context`,
 * unless that is memory of harness_share().
 * A worker whose `work` does not return counts as a failure. Prints `what` with the numbers of
 * cases passed and failed in this run. Returns whether no case has failed so far.
 */
bool harness_run(struct harness *harness, const char *what,
    void (*work)(struct sandbox *sandbox, void *context), void *context);

/* Count and print a failure that belongs to no case. */
void harness_fail(const struct harness *harness, const char *why);

/* Make a sandbox for the calling process. */
struct sandbox harness_sandbox(struct harness *harness);

/*
 * Remove the temporary directory, and print the numbers of cases passed and failed in all. Returns
 * EXIT_SUCCESS if at least one passed and none failed.
 */
int harness_finish(const struct harness *harness);

/* Map zeroed memory that this process shares with its workers. */
void *harness_share(size_t size);

/* Return whether to continue: false after FAILURES_MAX failures. */
bool sandbox_continue(const struct sandbox *sandbox);

/* Return the next number, from 0, that no worker of this harness_run() has taken yet. */
unsigned sandbox_take(struct sandbox *sandbox);

/*
 * Count a case: passed if `failures` is empty; otherwise failed. Prints `name` and `failures` of
 * the first PRINTED_MAX that failed. `failures` is then empty again.
 */
void sandbox_report(struct sandbox *sandbox, const char *name, struct bytes *failures);

/* Remove all files of a directory, which must not contain a directory. */
void harness_empty(const struct path *directory);

#endif
