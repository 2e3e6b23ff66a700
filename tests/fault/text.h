/*
 * text.h - a growable buffer
 *
 * Calls abort() if there is no memory.
 */

#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* All zero is an empty text. `bytes` is owned; if not NULL, a NUL follows its last byte. */
struct text {
	char *bytes;
	size_t length;
	size_t capacity;
};

/* Append bytes, a string, a formatted string. */
void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_add_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append bytes in quotes with escapes; at most the first VISIBLE_BYTES of them. */
void text_add_visible(struct text *text, const char *bytes, size_t length);

/* Return its bytes as a string. */
const char *text_string(const struct text *text);

/* Return how often `byte` occurs. */
size_t text_count(const struct text *text, char byte);

/* Free its memory. The text is then empty. */
void text_free(struct text *text);

#endif
