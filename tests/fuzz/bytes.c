/*
 * NAME
 *	bytes - a growable buffer, comparisons, and fail()
 *
 * DIAGNOSTICS
 *	WHAT: LENGTH bytes where LENGTH were expected, different from byte N on: followed by an excerpt of
 *	both, escaped as in C
 */

#include "bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes allocated first. */
#define CAPACITY_FIRST 256

/* Bytes shown of a difference, before and after its first byte. */
#define SHOWN_BEFORE 40
#define SHOWN_AFTER  120

/* Most bytes added by bytes_add_format(). */
#define FORMAT_SIZE 256

void
fail(const char *format, ...)
{
	va_list arguments;

	fputs("FAULT: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

void
bytes_add(struct bytes *bytes, const void *from, size_t length)
{
	if (bytes->at == NULL || bytes->capacity - bytes->length < length) {
		size_t capacity = bytes->capacity ? bytes->capacity : CAPACITY_FIRST;

		while (capacity - bytes->length < length) {
			capacity *= 2;
		}
		bytes->at = realloc(bytes->at, capacity);
		if (bytes->at == NULL) {
			fail("no memory for %zu bytes", capacity);
		}
		bytes->capacity = capacity;
	}
	if (length > 0) {
		memcpy(bytes->at + bytes->length, from, length);
		bytes->length += length;
	}
}

void
bytes_add_text(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

void
bytes_add_format(struct bytes *bytes, const char *format, ...)
{
	char text[FORMAT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	bytes_add_text(bytes, text);
}

void
bytes_clear(struct bytes *bytes)
{
	bytes->length = 0;
}

void
bytes_free(struct bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct bytes){.at = NULL};
}

bool
bytes_begin(const struct bytes *bytes, const char *text)
{
	size_t length = strlen(text);

	return bytes->length >= length && (length == 0 || memcmp(bytes->at, text, length) == 0);
}

bool
bytes_end(const struct bytes *bytes, const char *text)
{
	size_t length = strlen(text);

	return bytes->length >= length &&
	       (length == 0 || memcmp(bytes->at + bytes->length - length, text, length) == 0);
}

bool
bytes_are(const struct bytes *bytes, const char *text)
{
	return bytes->length == strlen(text) && bytes_begin(bytes, text);
}

/* Show `length` bytes around number `middle`. */
static void
show(const char *title, const char *bytes, size_t length, size_t middle)
{
	size_t from = middle > SHOWN_BEFORE ? middle - SHOWN_BEFORE : 0;
	size_t to = length - middle > SHOWN_AFTER ? middle + SHOWN_AFTER : length;

	fprintf(stderr, "%s, bytes %zu to %zu: \"", title, from, to);
	for (size_t i = from; i < to; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte >= 0x20 && byte <= 0x7e && byte != '"' && byte != '\\') {
			fputc(byte, stderr);
		} else {
			fprintf(stderr, "\\%03o", byte);
		}
	}
	fputs("\"\n", stderr);
}

void
bytes_compare(const char *what, const void *actual, size_t length, const struct bytes *expected)
{
	const char *bytes = actual;
	size_t same = 0;

	while (same < length && same < expected->length && bytes[same] == expected->at[same]) {
		same++;
	}
	if (same == length && same == expected->length) {
		return;
	}
	show("actual", bytes, length, same);
	show("expected", expected->at, expected->length, same);
	fail("%s: %zu bytes where %zu were expected, different from byte %zu on", what, length,
	    expected->length, same);
}
