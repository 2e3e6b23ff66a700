/*
 * NAME
 *	input_script - a fuzz input as a script
 */

#include "input_script.h"

#include <errno.h>
#include <string.h>

#include "fail.h"

/* The mark of a repetition; its count and, in two bytes, its length follow. */
#define REPEAT      0x1E
#define REPEAT_SIZE 4

/* Among them a name with the ARGUMENT_MARK of src/reply.c, and one of NETID_MAX characters. */
static const char *const netids[] = {
    "netid",
    "n",
    "*x*",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
};

/* Bytes of a body: small, so that a short text exceeds them; the default of the server is last. */
static const size_t max_sizes[] = {1, 2, 5, 40, 200, 1000, 5000, 20000, 100000, 10485760};

/* Bytes of a chunk. 0: all that the client sends. */
static const size_t chunk_sizes[] = {0, 1, 2, 3, 5, 7, 17, 100, 1000, 4096};

/* Of a delivery. 0: the message is stored. */
static const int results[] = {0, ENOSPC, EDQUOT, EFBIG, EIO, ENOMEM, EROFS, EINTR};

/* Return the row that a character chooses in a table with `rows` rows. */
static size_t
row_of(char choice, size_t rows)
{
	return (unsigned char)(choice - '0') % rows;
}

struct bytes
script_line(const uint8_t **input, size_t *size)
{
	const uint8_t *end = *size > 0 ? memchr(*input, '\n', *size) : NULL;
	size_t length = end != NULL ? (size_t)(end - *input) : *size;
	struct bytes line = {.at = (char *)*input, .length = length};

	*input += end != NULL ? length + 1 : length;
	*size -= end != NULL ? length + 1 : length;
	return line;
}

char
script_setting(const struct bytes *line, size_t position, char otherwise)
{
	if (position < line->length) {
		return line->at[position];
	}
	return otherwise;
}

/* Append the last `length` bytes of the text `count` times, or as often as `limit` allows. */
static void
repeat(struct bytes *text, unsigned count, size_t length, size_t limit)
{
	struct bytes copy = {.at = NULL};

	if (length > text->length) {
		length = text->length;
	}
	bytes_add(&copy, text->at + text->length - length, length);
	while (count > 0 && text->length + length <= limit) {
		bytes_add(text, copy.at, length);
		count--;
	}
	bytes_free(&copy);
}

void
script_expand(struct bytes *text, const uint8_t *input, size_t size, size_t limit)
{
	for (size_t i = 0; i < size && text->length < limit;) {
		if (input[i] == REPEAT && size - i >= REPEAT_SIZE) {
			if (text->length > 0) {
				repeat(
				    text, input[i + 1], input[i + 2] * 256U + input[i + 3], limit);
			}
			i += REPEAT_SIZE;
		} else {
			bytes_add(text, &input[i], 1);
			i++;
		}
	}
}

const char *
script_netid(char choice)
{
	return netids[row_of(choice, ARRAY_LENGTH(netids))];
}

/* Return whether a flag follows the first two characters of line 1. */
static bool
has_flag(const struct bytes *line, char flag)
{
	return line->length > 2 && memchr(line->at + 2, flag, line->length - 2) != NULL;
}

void
script_init(struct script *script, const uint8_t *input, size_t size)
{
	struct bytes line = script_line(&input, &size);
	char netid = script_setting(&line, 0, '0');
	char max_size = script_setting(&line, 1, '9');
	bool may_be_long = has_flag(&line, 'L');

	*script = (struct script){
	    .netid = script_netid(netid),
	    .max_size = max_sizes[row_of(max_size, ARRAY_LENGTH(max_sizes))],
	    .extended = has_flag(&line, 'X'),
	    .any_login = has_flag(&line, 'X') && has_flag(&line, 'A'),
	};
	script->chunks = script_line(&input, &size);
	script->results = script_line(&input, &size);
	script_expand(
	    &script->text, input, size, may_be_long ? SCRIPT_LONG_TEXT_MAX : SCRIPT_TEXT_MAX);
}

void
script_destroy(struct script *script)
{
	bytes_free(&script->text);
}

bool
script_has_client(const struct script *script)
{
	return script->position < script->text.length;
}

/* Return the next character of a line of settings, cyclically; '0' if the line is empty. */
static char
next_setting(const struct bytes *line, size_t *next)
{
	size_t position = line->length > 0 ? (*next)++ % line->length : 0;

	return script_setting(line, position, '0');
}

const char *
script_chunk(struct script *script, size_t *length)
{
	const char *chunk = script->text.at + script->position;
	size_t left = script->text.length - script->position;
	const char *end = left > 0 ? memchr(chunk, SCRIPT_NEXT_CLIENT, left) : NULL;
	char setting = next_setting(&script->chunks, &script->next_chunk);
	size_t size = chunk_sizes[row_of(setting, ARRAY_LENGTH(chunk_sizes))];

	if (left == 0) {
		return NULL;
	}
	if (end == chunk) {
		script->position++;
		return NULL;
	}
	*length = end != NULL ? (size_t)(end - chunk) : left;
	if (size > 0 && size < *length && script->next_chunk <= SCRIPT_CHUNKS) {
		*length = size;
	}
	script->position += *length;
	return chunk;
}

int
script_result(struct script *script)
{
	char setting = next_setting(&script->results, &script->next_result);

	return results[row_of(setting, ARRAY_LENGTH(results))];
}

unsigned
script_choice(struct script *script)
{
	char setting = next_setting(&script->results, &script->next_result);

	return (unsigned char)(setting - '0');
}
