/*
 * bytes.h - bytes in memory that grow, and what to do when they are not as they should be
 *
 * A program that runs out of memory here, or finds a fault, ends by abort(): the fuzzer then keeps
 * the input, and a debugger sees where.
 */

#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>

/* Elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* All zero is empty. `at` is owned. */
struct bytes {
	char *at;
	size_t length;
	size_t capacity;
};

/* Append bytes, or a string. Appending nothing also sees to it that `at` is not NULL. */
void bytes_add(struct bytes *bytes, const void *from, size_t length);
void bytes_add_text(struct bytes *bytes, const char *text);
void bytes_add_format(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Be empty again, and keep the memory; or give it back. */
void bytes_clear(struct bytes *bytes);
void bytes_free(struct bytes *bytes);

/* Whether they begin, end, or are the same as a string. */
bool bytes_begin(const struct bytes *bytes, const char *text);
bool bytes_end(const struct bytes *bytes, const char *text);
bool bytes_are(const struct bytes *bytes, const char *text);

/* Say what is wrong, and abort. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Abort, and show where they part, unless `actual` is exactly `expected`. `what` names them. */
void bytes_compare(
    const char *what, const void *actual, size_t length, const struct bytes *expected);

#endif
