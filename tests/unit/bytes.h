/*
 * bytes.h - bytes in memory that grow, and their comparison to the byte
 */

#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>

/* A string constant with its length, in which NUL bytes count: two arguments. */
#define LITERAL(string) (string), (sizeof(string) - 1)

/* All zero is empty. `at` is owned, and followed by a NUL once anything was added. */
struct bytes {
	char *at;
	size_t length;
	size_t capacity;
};

/* Append. If there is no memory the test fails. */
void bytes_add(struct bytes *bytes, const void *from, size_t length);
void bytes_add_string(struct bytes *bytes, const char *string);
void bytes_add_format(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append the same byte `count` times. */
void bytes_add_repeated(struct bytes *bytes, char byte, size_t count);

/* Be empty again; the memory is kept. */
void bytes_clear(struct bytes *bytes);

/* Give back the memory; it is empty again. */
void bytes_free(struct bytes *bytes);

/* Fail, and show where they part, unless `actual` is exactly `expected`. `what` names it. */
void bytes_compare(const char *what, const void *actual, size_t actual_length, const void *expected,
    size_t expected_length);
void bytes_assert(const char *what, const struct bytes *actual, const struct bytes *expected);
void bytes_assert_string(const char *what, const struct bytes *actual, const char *expected);

/* The bytes as C writes them in a string, for messages; cut if they are many. Owned by caller. */
char *bytes_visible(const void *from, size_t length);

#endif
