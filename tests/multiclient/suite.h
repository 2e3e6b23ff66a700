/*
 * suite.h - what the test programs of multiclient have in common
 */

#ifndef MULTICLIENT_SUITE_H
#define MULTICLIENT_SUITE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

/* The same as ck_assert_msg(), for loops: nothing is formatted when all is well. */
#define REQUIRE(condition, ...)                    \
	do {                                       \
		if (!(condition)) {                \
			ck_abort_msg(__VA_ARGS__); \
		}                                  \
	} while (0)

/* How much slower than usual this program runs: more under a sanitizer, as VARIANT says. */
double suite_slowness(void);

/*
 * Run one test case as a suite called `name`, each test in a process of its own with at most
 * `seconds` seconds. Returns the exit status for main().
 */
int suite_run(const char *name, TCase *tests, double seconds);

/*
 * Make a new empty directory and return its path, which the caller frees. suite_remove() removes it
 * again with the files in it. Either fails the test if it cannot.
 */
char *suite_directory(void);
void suite_remove(const char *directory);

/* Write a file in `directory`. Fails the test if it cannot. */
void suite_write(const char *directory, const char *name, const char *bytes, size_t length);

#endif
