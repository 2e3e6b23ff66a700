/*
 * workshop.h - several workers trying thousands of cases, each in a directory of its own
 */

#ifndef WORKSHOP_H
#define WORKSHOP_H

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
struct place {
	char path[PATH_MAX];
};

/* Where a worker works. */
struct bench {
	const struct settings *settings;
	unsigned number;        /* of the worker, from 0 */
	struct place home;      /* a directory of its own */
	struct place directory; /* `d` in it: for a server */
	struct place page_path; /* `page` in it */
	struct control *page;
	struct tally *tally; /* of all */
};

/* A whole program's. */
struct workshop {
	const char *name;
	struct settings settings;
	struct place home; /* a directory that is removed at the end */
	struct tally *tally;
	unsigned benches; /* made so far */
};

/*
 * Begin: read the options of the program `name`, and make a directory. Says what is wrong, and ends
 * the program, if need be.
 */
struct workshop workshop_begin(const char *name, int count, char *arguments[]);

/*
 * Run `work` in as many processes at once as the settings say, and wait for all. It may use what
 * `context` points to as it was when it began. A worker that ends otherwise than by returning counts
 * as a failure. Returns whether nothing has failed so far; the line printed says how much has passed
 * in this run, whose name is `what`.
 */
bool workshop_run(struct workshop *workshop, const char *what,
    void (*work)(struct bench *bench, void *context), void *context);

/* Count a failure that belongs to no case, and print it. */
void workshop_fail(const struct workshop *workshop, const char *why);

/* Make a bench for this process itself. */
struct bench workshop_bench(struct workshop *workshop);

/*
 * Remove the directory. The last line printed says how many cases have passed in all. Returns the
 * exit status: success if at least one has, and none failed.
 */
int workshop_end(const struct workshop *workshop);

/* Make memory, all zero, that this process and its workers share. */
void *workshop_share(size_t size);

/* Whether to go on: not if so many cases have failed that there is nothing to be learnt from more. */
bool bench_goes_on(const struct bench *bench);

/* The next number that no worker has taken yet, from 0. */
unsigned bench_take(struct bench *bench);

/*
 * Count a case: passed if `complaint` is empty, otherwise it is printed with `name` before it. The
 * complaint is then empty again.
 */
void bench_report(struct bench *bench, const char *name, struct text *complaint);

/* A path of that name in a directory. */
struct place place_in(const struct place *directory, const char *name);

/* Make a directory; remove all files in it; remove it with all that is in it. */
void place_make_directory(const struct place *directory);
void place_empty(const struct place *directory);
void place_remove(const struct place *directory);

/* Write a file of these bytes with that name. */
void place_write(const struct place *directory, const char *name, const void *bytes, size_t length);

/* Draw a number below `limit`, above 0, from a sequence whose `state` is not 0. */
uint64_t draw(uint64_t *state, uint64_t limit);

/* The state of a sequence of its own for each `part` and seed. */
uint64_t draw_begin(uint64_t seed, uint64_t part);

#endif
