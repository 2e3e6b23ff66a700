/*
 * NAME
 *	text - a growable buffer
 */

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes allocated first. */
#define INITIAL_CAPACITY 256

/* Bytes shown by text_add_visible() at most. */
#define VISIBLE_BYTES 300

/* Allocate space for `more` bytes and a NUL. */
static void
reserve(struct text *text, size_t more)
{
	size_t capacity = text->capacity == 0 ? INITIAL_CAPACITY : text->capacity;

	if (text->length + more < text->capacity) {
		return;
	}
	while (capacity <= text->length + more) {
		capacity *= 2;
	}
	text->bytes = realloc(text->bytes, capacity);
	text->capacity = capacity;
	if (text->bytes == NULL) {
		abort();
	}
}

void
text_add(struct text *text, const void *bytes, size_t length)
{
	reserve(text, length);
	if (length > 0) {
		memcpy(text->bytes + text->length, bytes, length);
	}
	text->length += length;
	text->bytes[text->length] = '\0';
}

void
text_add_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void
text_add_format(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_list again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0) {
		abort();
	}
	reserve(text, (size_t)length);
	vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
	va_end(again);
	text->length += (size_t)length;
}

void
text_add_visible(struct text *text, const char *bytes, size_t length)
{
	size_t shown = length < VISIBLE_BYTES ? length : VISIBLE_BYTES;

	text_add_string(text, "\"");
	for (size_t i = 0; i < shown; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '\n') {
			text_add_string(text, "\\n");
		} else if (byte < ' ' || byte > '~') {
			text_add_format(text, "\\%03o", byte);
		} else {
			text_add(text, &bytes[i], 1);
		}
	}
	text_add_string(text, shown < length ? "\"..." : "\"");
}

const char *
text_string(const struct text *text)
{
	return text->bytes == NULL ? "" : text->bytes;
}

size_t
text_count(const struct text *text, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < text->length; i++) {
		count += text->bytes[i] == byte;
	}
	return count;
}

void
text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}
