/*
 * text.h - bytes in memory that grow: what was sent, what came back, what a file should hold
 */

#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* All zero is an empty text. `bytes` is owned, and has a NUL after its last byte once it is set. */
struct text {
	char *bytes;
	size_t length;
	size_t capacity;
};

/* Append. Out of memory, the test fails. */
void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_add_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append `count` times the same byte. */
void text_add_repeated(struct text *text, char byte, size_t count);

/* Its bytes as a string, "" when nothing was ever added. */
const char *text_string(const struct text *text);

/* How often `byte` occurs. */
size_t text_count(const struct text *text, char byte);

/* Release its memory; it is empty again. */
void text_free(struct text *text);

/* Fail, showing where they differ, unless `text` is exactly these bytes. `what` names it. */
void text_assert(const char *what, const struct text *text, const void *expected, size_t length);
void text_assert_string(const char *what, const struct text *text, const char *expected);

/*
 * The bytes as printable text in quotes, as C writes them, cut if they are many. The result stays
 * valid until the function was called VISIBLE_TEXTS times more.
 */
const char *text_visible(const void *bytes, size_t length);

#define VISIBLE_TEXTS 4

#endif
