/*
 * harness.h - several workers trying thousands of cases, each in a directory of its own
 */

#ifndef HARNESS_H
#define HARNESS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "text.h"

/* Workers unless the options say otherwise. */
#define WORKERS_USUAL 2

/* What the options of a test program say. */
struct settings {
	bool brief;       /* --short: a sample that takes seconds */
	unsigned workers; /* --workers N */
	uint64_t seed;    /* --seed N: for everything that is drawn */
};

/* A path within a workshop. */
struct path {
	char path[PATH_MAX];
};

/* Where a worker works. */
struct sandbox {
	const struct settings *settings;
	unsigned number;          /* of the worker, from 0 */
	struct path home;         /* a directory of its own */
	struct path directory;    /* `d` in it: for a server */
	struct path control_path; /* `page` in it */
	struct control *control_map;
	struct tally *tally; /* of all */
};

/* A whole program's. */
struct harness {
	const char *name;
	struct settings settings;
	struct path home; /* a directory that is removed at the end */
	struct tally *tally;
	unsigned sandboxes; /* made so far */
};

/*
 * Begin: read the options of the program `name`, and make a directory. Says what is wrong, and ends
 * the program, if need be.
 */
struct harness harness_start(const char *name, int count, char *arguments[]);

/*
 * Run `work` in as many processes at once as the settings say, and wait for all. It may use what
 * `context` points to as it was when it began. A worker that ends otherwise than by returning counts
 * as a failure. Returns whether nothing has failed so far; the line printed says how much has passed
 * in this run, whose name is `what`.
 */
bool harness_run(struct harness *harness, const char *what,
    void (*work)(struct sandbox *sandbox, void *context), void *context);

/* Count a failure that belongs to no case, and print it. */
void harness_fail(const struct harness *harness, const char *why);

/* Make a bench for this process itself. */
struct sandbox harness_sandbox(struct harness *harness);

/*
 * Remove the directory. The last line printed says how many cases have passed in all. Returns the
 * exit status: success if at least one has, and none failed.
 */
int harness_finish(const struct harness *harness);

/* Make memory, all zero, that this process and its workers share. */
void *harness_share(size_t size);

/* Whether to go on: not if so many cases have failed that there is nothing to be learnt from more. */
bool sandbox_continue(const struct sandbox *sandbox);

/* The next number that no worker has taken yet, from 0. */
unsigned sandbox_take(struct sandbox *sandbox);

/*
 * Count a case: passed if `complaint` is empty, otherwise it is printed with `name` before it. The
 * complaint is then empty again.
 */
void sandbox_report(struct sandbox *sandbox, const char *name, struct text *complaint);

/* A path of that name in a directory. */
struct path path_in(const struct path *directory, const char *name);

/* Make a directory; remove all files in it; remove it with all that is in it. */
void path_make_directory(const struct path *directory);
void path_empty(const struct path *directory);
void path_remove(const struct path *directory);

/* Write a file of these bytes with that name. */
void path_write(const struct path *directory, const char *name, const void *bytes, size_t length);

/* Draw a number below `limit`, above 0, from a sequence whose `state` is not 0. */
uint64_t prng_below(uint64_t *state, uint64_t limit);

/* The state of a sequence of its own for each `part` and seed. */
uint64_t prng_init(uint64_t seed, uint64_t part);

#endif
