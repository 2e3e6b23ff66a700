/*
 * DESCRIPTION
 *	White space is SP and HT. This program never calls setlocale(), so that strncasecmp()
 *	ignores the case of ASCII letters only.
 */

#include "cursor.h"

#include <string.h>
#include <strings.h>

bool
is_white(char byte)
{
	return byte == ' ' || byte == '\t';
}

void
cursor_skip_white(struct cursor *cursor)
{
	while (cursor->at < cursor->end && is_white(*cursor->at)) {
		cursor->at++;
	}
}

void
cursor_trim_end(struct cursor *cursor)
{
	while (cursor->end > cursor->at && is_white(cursor->end[-1])) {
		cursor->end--;
	}
}

bool
cursor_skip_word(struct cursor *cursor, const char *word, bool colon_may_follow)
{
	size_t length = strlen(word);
	const char *after;

	if ((size_t)(cursor->end - cursor->at) < length ||
	    strncasecmp(cursor->at, word, length) != 0) {
		return false;
	}
	after = cursor->at + length;
	if (after < cursor->end && !is_white(*after) && !(colon_may_follow && *after == ':')) {
		return false;
	}
	cursor->at = after;
	cursor_skip_white(cursor);
	return true;
}

struct cursor
cursor_next_word(struct cursor *cursor)
{
	struct cursor word = *cursor;

	while (cursor->at < cursor->end && !is_white(*cursor->at)) {
		cursor->at++;
	}
	word.end = cursor->at;
	cursor_skip_white(cursor);
	return word;
}

size_t
cursor_length(const struct cursor *text)
{
	return (size_t)(text->end - text->at);
}

bool
cursor_is_word(const struct cursor *text, const char *word)
{
	size_t length = strlen(word);

	return cursor_length(text) == length && strncasecmp(text->at, word, length) == 0;
}

bool
cursor_is_graphic(const struct cursor *text)
{
	for (const char *at = text->at; at < text->end; at++) {
		if (*at < 0x21 || *at > 0x7e) {
			return false;
		}
	}
	return true;
}

bool
is_alphanumeric(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9');
}
