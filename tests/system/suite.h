/*
 * suite.h - what every test program here has in common
 *
 * The environment says what is tested: SMTPD is the absolute path of the server, VARIANT is
 * `plain`, `thread` or `address`, the sanitizer that it was built with.
 */

#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdbool.h>

/* The number of elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Make the one test case of a suite. Each of its tests is a process of its own, which takes its
 * servers along when it ends, however that comes about.
 */
TCase *suite_case(void);

/*
 * Run the case as a suite of this name, in a directory of its own that is removed afterwards.
 * Returns the exit status for main().
 */
int suite_run(const char *name, TCase *tests);

/* The directory in which the tests of this program make theirs. */
const char *suite_directory(void);

/* The absolute path of the server. */
const char *suite_server(void);

/* Whether a sanitizer is in use: memory figures then say more about it than about the server. */
bool suite_sanitized(void);

/* Say that the rest of this test was left out, and why. */
void suite_skip(const char *why);

#endif
