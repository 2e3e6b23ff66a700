/*
 * NAME
 *	bytes - bytes in memory that grow, and their comparison to the byte
 *
 * DIAGNOSTICS
 *	A comparison that fails says from which byte on the two differ and shows both from a little
 *	before there.
 */

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

/* Bytes of space for the first that are added. */
#define FIRST_CAPACITY 64

/* Bytes shown of a difference, and how many of them stand before it. */
#define SHOWN  160
#define BEFORE 30

/* Make space for `extra` more bytes and a NUL. */
static void
reserve(struct bytes *bytes, size_t extra)
{
	size_t capacity = bytes->capacity ? bytes->capacity : FIRST_CAPACITY;

	while (capacity <= bytes->length + extra) {
		capacity *= 2;
	}
	if (capacity != bytes->capacity) {
		char *at = realloc(bytes->at, capacity);

		REQUIRE(at != NULL, "out of memory");
		bytes->at = at;
		bytes->capacity = capacity;
	}
}

/* Count `length` bytes that were written behind the last one. */
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
	char text[1024];
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	REQUIRE(
	    length >= 0 && (size_t)length < sizeof text, "too long to be formatted: %s", format);
	bytes_add(bytes, text, (size_t)length);
}

void
bytes_add_repeated(struct bytes *bytes, char byte, size_t count)
{
	reserve(bytes, count);
	memset(bytes->at + bytes->length, byte, count);
	extend(bytes, count);
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

char *
bytes_visible(const void *from, size_t length)
{
	static const char special[] = "\r\n\t\"\\", letters[] = "rnt\"\\";
	struct bytes visible = {.at = NULL};

	bytes_add_string(&visible, "\"");
	for (size_t i = 0; i < length && i < SHOWN; i++) {
		unsigned char byte = ((const unsigned char *)from)[i];
		const char *found = byte ? strchr(special, byte) : NULL;

		if (found != NULL) {
			bytes_add_format(&visible, "\\%c", letters[found - special]);
		} else if (byte >= 0x20 && byte <= 0x7e) {
			bytes_add_format(&visible, "%c", byte);
		} else {
			bytes_add_format(&visible, "\\%03o", byte);
		}
	}
	bytes_add_string(&visible, length > SHOWN ? "\"..." : "\"");
	return visible.at;
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
	from = same > BEFORE ? same - BEFORE : 0;
	ck_abort_msg("%s: %zu bytes, %zu expected, different from byte %zu on; from byte %zu on "
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
