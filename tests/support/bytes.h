/*
 * bytes.h - a growable buffer, and comparisons to the byte
 *
 * It is not called `buffer` because the tests of multiclient also include multiclient's buffer.h.
 */

#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>

/* A string constant with its length, in which NUL bytes count: two arguments. */
#define LITERAL(string) (string), (sizeof(string) - 1)

/* All zero is empty. `at` is owned; if it is not NULL, a NUL follows the last byte. */
struct bytes {
	char *at;
	size_t length;
	size_t capacity;
};

/* Append bytes, a string, a formatted string. The test fails if there is no memory. */
void bytes_add(struct bytes *bytes, const void *from, size_t length);
void bytes_add_string(struct bytes *bytes, const char *string);
void bytes_add_format(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append the same byte `count` times. */
void bytes_add_repeated(struct bytes *bytes, char byte, size_t count);

/* Append bytes in quotes, as C writes them in a string; at most the first VISIBLE_MAX of them. */
void bytes_add_visible(struct bytes *bytes, const void *from, size_t length);

#define VISIBLE_MAX ((size_t)200)

/* Empty the buffer and keep its memory; free the memory. */
void bytes_clear(struct bytes *bytes);
void bytes_free(struct bytes *bytes);

/* Return the bytes as a string, "" if nothing was ever added. */
const char *bytes_string(const struct bytes *bytes);

/* Return how often `byte` occurs. */
size_t bytes_count(const struct bytes *bytes, char byte);

/* Return whether the bytes start with, end with or are equal to a string. */
bool bytes_start_with(const struct bytes *bytes, const char *string);
bool bytes_end_with(const struct bytes *bytes, const char *string);
bool bytes_equal(const struct bytes *bytes, const char *string);

/* Fail and show the first difference unless `actual` is equal to `expected`. `what` names it. */
void bytes_compare(const char *what, const void *actual, size_t actual_length, const void *expected,
    size_t expected_length);
void bytes_assert(const char *what, const struct bytes *actual, const struct bytes *expected);
void bytes_assert_string(const char *what, const struct bytes *actual, const char *expected);

/*
 * Return bytes as bytes_add_visible() writes them, for a failure message. It is valid until the
 * function has been called VISIBLE_TEXTS times more. One thread.
 */
const char *bytes_visible(const void *from, size_t length);

#define VISIBLE_TEXTS 4

#endif
