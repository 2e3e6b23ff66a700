/*
 * NAME
 *	buffer - growing buffers
 *
 * DIAGNOSTICS
 *	Out of memory sets `failed`; nothing is printed here.
 */

#include "buffer.h"

#include <stdlib.h>
#include <string.h>

/* The first allocation, in bytes: most exchanges fit. */
#define INITIAL_CAPACITY 512

void
buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = false;
}

void
buffer_destroy(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){0};
}

static bool
grow(struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity > 0 ? buffer->capacity : INITIAL_CAPACITY;
	char *bytes;

	while (capacity < needed) {
		capacity *= 2;
	}
	bytes = realloc(buffer->bytes, capacity);
	if (bytes == NULL) {
		return false;
	}
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return true;
}

char *
buffer_extend(struct buffer *buffer, size_t length)
{
	char *place;

	if (buffer->failed) {
		return NULL;
	}
	if (length > buffer->capacity - buffer->length &&
	    (length > SIZE_MAX / 4 || !grow(buffer, buffer->length + length))) {
		buffer->failed = true;
		return NULL;
	}
	place = buffer->bytes + buffer->length;
	buffer->length += length;
	return place;
}

void
buffer_add(struct buffer *buffer, const char *bytes, size_t length)
{
	char *place;

	if (length == 0) {
		return;
	}
	place = buffer_extend(buffer, length);
	if (place != NULL) {
		memcpy(place, bytes, length);
	}
}

void
buffer_add_string(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void
buffer_add_byte(struct buffer *buffer, char byte)
{
	buffer_add(buffer, &byte, 1);
}

void
buffer_fill(struct buffer *buffer, char byte, size_t times)
{
	char *place;

	if (times == 0) {
		return;
	}
	place = buffer_extend(buffer, times);
	if (place != NULL) {
		memset(place, byte, times);
	}
}
