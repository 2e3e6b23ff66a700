/*
 * NAME
 *	bytes - a growable buffer, and comparisons to the byte
 *
 * DIAGNOSTICS
 *	A failed comparison reports the offset of the first difference, and the actual and the
 *	expected bytes around it.
 */

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* Bytes of the first allocation. */
#define INITIAL_CAPACITY ((size_t)256)

/* Bytes shown before a difference. */
#define VISIBLE_BEFORE ((size_t)40)

/* Allocate space for `more` bytes and a NUL. */
static void
reserve(struct bytes *bytes, size_t more)
{
	size_t needed = bytes->length + more + 1;
	size_t capacity = bytes->capacity == 0 ? INITIAL_CAPACITY : bytes->capacity;
	char *at;

	if (needed <= bytes->capacity) {
		return;
	}
	while (capacity < needed) {
		capacity *= 2;
	}
	at = realloc(bytes->at, capacity);
	REQUIRE(at != NULL, "out of memory for %zu bytes", capacity);
	bytes->at = at;
	bytes->capacity = capacity;
}

/* Count `length` bytes that were written after the last one. */
static void
extend(struct bytes *bytes, size_t length)
{
	bytes->length += length;
	bytes->at[bytes->length] = '\0';
}

void
bytes_add(struct bytes *bytes, const void *from, size_t length)
{
	reserve(bytes, length);
	if (length > 0) {
		memcpy(bytes->at + bytes->length, from, length);
	}
	extend(bytes, length);
}

void
bytes_add_string(struct bytes *bytes, const char *string)
{
	bytes_add(bytes, string, strlen(string));
}

void
bytes_add_format(struct bytes *bytes, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	REQUIRE(length >= 0, "cannot be formatted: %s", format);
	reserve(bytes, (size_t)length);
	va_start(arguments, format);
	vsnprintf(bytes->at + bytes->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	extend(bytes, (size_t)length);
}

void
bytes_add_repeated(struct bytes *bytes, char byte, size_t count)
{
	reserve(bytes, count);
	memset(bytes->at + bytes->length, byte, count);
	extend(bytes, count);
}

void
bytes_add_visible(struct bytes *bytes, const void *from, size_t length)
{
	static const char special[] = "\r\n\t\"\\", letters[] = "rnt\"\\";

	bytes_add_string(bytes, "\"");
	for (size_t i = 0; i < length && i < VISIBLE_MAX; i++) {
		unsigned char byte = ((const unsigned char *)from)[i];
		const char *found = byte == '\0' ? NULL : strchr(special, byte);

		if (found != NULL) {
			bytes_add_format(bytes, "\\%c", letters[found - special]);
		} else if (byte >= ' ' && byte <= '~') {
			bytes_add(bytes, &byte, 1);
		} else {
			bytes_add_format(bytes, "\\%03o", byte);
		}
	}
	bytes_add_string(bytes, length > VISIBLE_MAX ? "\"..." : "\"");
}

void
bytes_clear(struct bytes *bytes)
{
	bytes->length = 0;
	if (bytes->at != NULL) {
		bytes->at[0] = '\0';
	}
}

void
bytes_free(struct bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct bytes){.at = NULL};
}

const char *
bytes_string(const struct bytes *bytes)
{
	return bytes->at == NULL ? "" : bytes->at;
}

size_t
bytes_count(const struct bytes *bytes, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < bytes->length; i++) {
		count += bytes->at[i] == byte;
	}
	return count;
}

bool
bytes_start_with(const struct bytes *bytes, const char *string)
{
	size_t length = strlen(string);

	return bytes->length >= length && memcmp(bytes_string(bytes), string, length) == 0;
}

bool
bytes_end_with(const struct bytes *bytes, const char *string)
{
	size_t length = strlen(string);

	return bytes->length >= length &&
	       memcmp(bytes_string(bytes) + bytes->length - length, string, length) == 0;
}

bool
bytes_equal(const struct bytes *bytes, const char *string)
{
	return bytes->length == strlen(string) && bytes_start_with(bytes, string);
}

void
bytes_compare(const char *what, const void *actual, size_t actual_length, const void *expected,
    size_t expected_length)
{
	const char *got = actual, *wanted = expected;
	size_t same = 0, from;

	while (same < actual_length && same < expected_length && got[same] == wanted[same]) {
		same++;
	}
	if (same == actual_length && same == expected_length) {
		return;
	}
	from = same > VISIBLE_BEFORE ? same - VISIBLE_BEFORE : 0;
	test_fail("%s: %zu bytes, %zu expected; the first difference is at byte %zu; from byte %zu "
		  "%s, expected %s",
	    what, actual_length, expected_length, same, from,
	    bytes_visible(got + from, actual_length - from),
	    bytes_visible(wanted + from, expected_length - from));
}

void
bytes_assert(const char *what, const struct bytes *actual, const struct bytes *expected)
{
	bytes_compare(what, actual->at, actual->length, expected->at, expected->length);
}

void
bytes_assert_string(const char *what, const struct bytes *actual, const char *expected)
{
	bytes_compare(what, actual->at, actual->length, expected, strlen(expected));
}

const char *
bytes_visible(const void *from, size_t length)
{
	static struct bytes texts[VISIBLE_TEXTS];
	static unsigned next;
	struct bytes *text = &texts[next++ % VISIBLE_TEXTS];

	bytes_clear(text);
	bytes_add_visible(text, from, length);
	return text->at;
}
