/*
 * text.h - bytes in memory that grow
 *
 * Out of memory, the program is ended by abort().
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

/* Append. */
void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_add_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append printable text that shows these bytes, in quotes, cut if they are many. */
void text_add_visible(struct text *text, const char *bytes, size_t length);

/* Its bytes as a string, "" when nothing was ever added. */
const char *text_string(const struct text *text);

/* How often `byte` occurs. */
size_t text_count(const struct text *text, char byte);

/* Release its memory; it is empty again. */
void text_free(struct text *text);

#endif
