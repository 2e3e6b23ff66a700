/*
 * suite.h - what every unit test program has in common
 */

#ifndef SUITE_H
#define SUITE_H

#include <check.h>

/* How many rows a table has. */
#define ROWS_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Make the one test case of a suite. Each of its tests is a process of its own. */
TCase *suite_case(void);

/*
 * Run the case as a suite of this name. Returns the exit status for main(): 0 if all tests passed.
 */
int suite_run(const char *name, TCase *tests);

/*
 * Make a new empty directory the current one, for what the rest of this test writes. It is removed
 * when the suite ends.
 */
void suite_enter_directory(void);

#endif
