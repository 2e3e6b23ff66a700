/*
 * buffer.h - growing buffers, and ranges of bytes
 *
 * A buffer belongs to one thread. When memory runs out `failed` becomes true and stays so until
 * buffer_clear(); what is added after that is ignored, so that a long composition is checked once,
 * at its end.
 */

#ifndef MULTICLIENT_BUFFER_H
#define MULTICLIENT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A range of bytes, which it does not own. */
struct span {
	const char *bytes;
	size_t length;
};

struct buffer {
	char *bytes;
	size_t length;
	size_t capacity;
	bool failed;
};

/* Empty the buffer, and keep its memory. A zeroed struct is an empty buffer. */
void buffer_clear(struct buffer *buffer);

/* Free the memory; the buffer is then empty and may be used again. */
void buffer_destroy(struct buffer *buffer);

/*
 * Make space for `length` more bytes, count them as contents, and return where they begin: the
 * caller fills them in. Returns NULL, with nothing changed but `failed`, if there is no memory.
 */
char *buffer_extend(struct buffer *buffer, size_t length);

/* Append bytes, a string without its NUL, one byte, a byte many times. */
void buffer_add(struct buffer *buffer, const char *bytes, size_t length);
void buffer_add_string(struct buffer *buffer, const char *text);
void buffer_add_byte(struct buffer *buffer, char byte);
void buffer_fill(struct buffer *buffer, char byte, size_t times);

#endif
