/*
 * NAME
 *	text - bytes in memory that grow
 *
 * DIAGNOSTICS
 *	text_assert() reports the offset of the first difference and what stands there on either
 *	side, control characters as escapes.
 */

#include "text.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that a text has space for when it is first used. */
#define CAPACITY_FIRST 256

/* Bytes shown of a text that is longer, and before a difference. */
#define VISIBLE_BYTES ((size_t)200)
#define VISIBLE_LEAD  ((size_t)40)

/* The longest form of one byte: a backslash and three octal digits. */
#define ESCAPE_SIZE ((size_t)4)

/* What follows the bytes shown of a text that is longer. */
#define VISIBLE_CUT "\"..."

/* Make space for `more` bytes and the NUL behind them. */
static void
text_reserve(struct text *text, size_t more)
{
	size_t needed = text->length + more + 1;
	size_t capacity = text->capacity == 0 ? CAPACITY_FIRST : text->capacity;
	char *bytes;

	if (needed <= text->capacity) {
		return;
	}
	while (capacity < needed) {
		capacity *= 2;
	}
	bytes = realloc(text->bytes, capacity);
	if (bytes == NULL) {
		ck_abort_msg("out of memory for %zu bytes", capacity);
	}
	text->bytes = bytes;
	text->capacity = capacity;
}

void
text_add(struct text *text, const void *bytes, size_t length)
{
	text_reserve(text, length);
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
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	ck_assert_int_ge(length, 0);
	text_reserve(text, (size_t)length);
	va_start(arguments, format);
	vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	text->length += (size_t)length;
}

void
text_add_repeated(struct text *text, char byte, size_t count)
{
	text_reserve(text, count);
	memset(text->bytes + text->length, byte, count);
	text->length += count;
	text->bytes[text->length] = '\0';
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
	memset(text, 0, sizeof *text);
}

/* Write one byte as C does within a string; return how many characters that took. */
static size_t
escape(char *form, unsigned char byte)
{
	static const char named[][2] = {
	    {'\r', 'r'}, {'\n', 'n'}, {'\t', 't'}, {'"', '"'}, {'\\', '\\'}};

	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		if (byte == (unsigned char)named[i][0]) {
			form[0] = '\\';
			form[1] = named[i][1];
			return 2;
		}
	}
	if (byte >= ' ' && byte <= '~') {
		form[0] = (char)byte;
		return 1;
	}
	snprintf(form, ESCAPE_SIZE + 1, "\\%03o", byte);
	return ESCAPE_SIZE;
}

const char *
text_visible(const void *bytes, size_t length)
{
	static char forms[VISIBLE_TEXTS][VISIBLE_BYTES * ESCAPE_SIZE + 1 + sizeof VISIBLE_CUT];
	static unsigned next;
	char *form = forms[next++ % VISIBLE_TEXTS];
	size_t shown = length < VISIBLE_BYTES ? length : VISIBLE_BYTES;
	size_t end = 0;

	form[end++] = '"';
	for (size_t i = 0; i < shown; i++) {
		end += escape(form + end, ((const unsigned char *)bytes)[i]);
	}
	snprintf(form + end, sizeof VISIBLE_CUT, "%s", shown < length ? VISIBLE_CUT : "\"");
	return form;
}

void
text_assert(const char *what, const struct text *text, const void *expected, size_t length)
{
	const char *wanted = expected;
	size_t same = 0;
	size_t from;

	if (text->length == length && (length == 0 || memcmp(text->bytes, expected, length) == 0)) {
		return;
	}
	while (same < length && same < text->length && text->bytes[same] == wanted[same]) {
		same++;
	}
	from = same < VISIBLE_LEAD ? 0 : same - VISIBLE_LEAD;
	ck_abort_msg("%s: %zu bytes instead of %zu, different from byte %zu on: from byte %zu "
		     "it has %s instead of %s",
	    what, text->length, length, same, from,
	    text_visible(text_string(text) + from, text->length - from),
	    text_visible(wanted + from, length - from));
}

void
text_assert_string(const char *what, const struct text *text, const char *expected)
{
	text_assert(what, text, expected, strlen(expected));
}
