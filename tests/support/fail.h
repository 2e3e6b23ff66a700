/*
 * fail.h - the end of a test, and conditions that end it
 *
 * Two modules define test_fail_at(): fail_check.c for programs of Check, fail_abort.c for all
 * others. Each program is linked with one of them.
 */

#ifndef FAIL_H
#define FAIL_H

/* The number of elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* End the test as failed, with a message as for printf(). */
#define test_fail(...) test_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* End the test unless the condition is true. Nothing is formatted or written if it is. */
#define REQUIRE(condition, ...)                 \
	do {                                    \
		if (!(condition)) {             \
			test_fail(__VA_ARGS__); \
		}                               \
	} while (0)

/* End the test with errno's text if a system call returns -1. */
#define REQUIRE_CALL(call)                                             \
	do {                                                           \
		if ((call) == -1) {                                    \
			test_fail_errno_at(__FILE__, __LINE__, #call); \
		}                                                      \
	} while (0)

/* End the test with a message and errno's text. */
#define test_fail_errno(what) test_fail_errno_at(__FILE__, __LINE__, what)

/* The functions of these macros. `file` and `line` are where the test failed. */
void test_fail_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void test_fail_errno_at(const char *file, int line, const char *what) __attribute__((noreturn));

#endif
