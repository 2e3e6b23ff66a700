/*
 * suite.h - what every unit test program has in common
 */

#ifndef SUITE_H
#define SUITE_H

#include <check.h>

/* How many rows a table has. */
#define ARRAY_LENGTH(table) (sizeof(table) / sizeof((table)[0]))

/* The same as ck_assert_msg(), for loops: it writes nothing to the disk when all is well. */
#define REQUIRE(condition, ...)                    \
	do {                                       \
		if (!(condition)) {                \
			ck_abort_msg(__VA_ARGS__); \
		}                                  \
	} while (0)

/* Whether an allocation that cannot be had ends the program, as the sanitizers have it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

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
