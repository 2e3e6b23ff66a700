/*
 * suite.h - a suite of Check with one test case and a temporary directory
 *
 * Each test is a process in a process group of its own, which Check ends with the test: servers
 * that a failed test leaves belong to it.
 */

#ifndef SUITE_H
#define SUITE_H

#include <check.h>

#include "fail.h"

/* Make the test case. */
TCase *suite_case(void);

/*
 * Run the case as a suite of this name, in a temporary directory that is removed at the end.
 * Returns the exit status for main().
 */
int suite_run(const char *name, TCase *tests);

/* Make a new empty directory the current one, for the files of this test. */
void suite_enter_directory(void);

/* Report that the rest of this test is left out, and why. */
void suite_skip(const char *why);

#endif
