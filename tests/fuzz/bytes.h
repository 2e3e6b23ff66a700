/*
 * bytes.h - a growable buffer, comparisons, and fail()
 *
 * On a failure, or without memory, the program calls abort(), so that the fuzzer saves the input.
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

/* Append bytes, a string, a formatted string. After bytes_add(), even of no bytes, `at` is not NULL. */
void bytes_add(struct bytes *bytes, const void *from, size_t length);
void bytes_add_text(struct bytes *bytes, const char *text);
void bytes_add_format(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empty the buffer and keep its memory; free the memory. */
void bytes_clear(struct bytes *bytes);
void bytes_free(struct bytes *bytes);

/* Whether the bytes begin with, end with or are equal to a string. */
bool bytes_begin(const struct bytes *bytes, const char *text);
bool bytes_end(const struct bytes *bytes, const char *text);
bool bytes_are(const struct bytes *bytes, const char *text);

/* Print a message, and abort. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Abort unless `actual` is equal to `expected`; print the difference after `what`. */
void bytes_compare(
    const char *what, const void *actual, size_t length, const struct bytes *expected);

#endif
