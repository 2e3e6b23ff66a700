/*
 * DESCRIPTION
 *	The end of the path is found first, then its source route is skipped.
 */

#include "path.h"

#include "cursor.h"

/*
 * Return the length of the UTF-8 sequence at `at`, as RFC 3629 4 defines it: 2 to 4 bytes, or 0 if
 * there is none.
 */
static size_t
utf8_length(const char *at, const char *end)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t length;
	} forms[] = {
	    {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3},
	    {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	const unsigned char *bytes = (const unsigned char *)at;
	size_t left = (size_t)(end - at);

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		size_t length = forms[i].length;

		if (bytes[0] < forms[i].first_min || bytes[0] > forms[i].first_max) {
			continue;
		}
		if (length > left || bytes[1] < forms[i].second_min ||
		    bytes[1] > forms[i].second_max) {
			return 0;
		}
		for (size_t j = 2; j < length; j++) {
			if ((bytes[j] & 0xc0) != 0x80) {
				return 0;
			}
		}
		return length;
	}
	return 0;
}

/*
 * Return the length in bytes of the character at `at`, or 0 if it is not allowed in a path;
 * `quoted`: in its quoted string.
 */
static size_t
character_length(const char *at, const char *end, bool quoted)
{
	if (*at >= (quoted ? 0x20 : 0x21) && *at <= 0x7e) {
		return 1;
	}
	return utf8_length(at, end);
}

/*
 * Find the end of a path: its '>' if it is bracketed, otherwise white space or the end of the line.
 * In a quoted string (RFC 5321 4.1.2) spaces and brackets do not end the path; outside of one no
 * other bracket is allowed. Returns NULL if there is no end, or if a character is not allowed.
 */
static const char *
find_path_end(const char *at, const char *end, bool bracketed)
{
	bool quoted = false, escaped = false;

	while (at < end) {
		size_t length = character_length(at, end, quoted);

		if (!quoted && (bracketed ? *at == '>' : is_white(*at))) {
			return at;
		}
		if (length == 0 || (!quoted && (*at == '<' || *at == '>'))) {
			return NULL;
		}
		if (*at == '"' && !escaped) {
			quoted = !quoted;
		}
		escaped = quoted && *at == '\\' && !escaped;
		at += length;
	}
	return bracketed || quoted ? NULL : at;
}

/* Skip "@domain" in a source route. Returns the ',' or ':' after it, or NULL if there is none. */
static const char *
skip_route_domain(const char *at, const char *end)
{
	const char *start = at + 1;
	bool in_literal = false; /* in an address literal: [...] */

	if (at == end || *at != '@') {
		return NULL;
	}
	for (at = start; at < end && (in_literal || (*at != ',' && *at != ':')); at++) {
		if (*at == '"' || *at == '@') {
			return NULL;
		}
		in_literal = *at == '[' || (in_literal && *at != ']');
	}
	return at == end || at == start ? NULL : at;
}

/*
 * Skip the source route of a path: "@one,@two:" (RFC 5321 4.1.1.3). Returns the start of the
 * mailbox, which is that of the path if it has no route.
 */
static const char *
skip_route(const char *start, const char *end)
{
	const char *at = start;

	while ((at = skip_route_domain(at, end)) != NULL) {
		if (*at++ == ':') {
			return at;
		}
	}
	return start;
}

static bool
has_utf8(const char *at, const char *end)
{
	for (; at < end; at++) {
		if ((unsigned char)*at > 0x7e) {
			return true;
		}
	}
	return false;
}

size_t
path_parse(const char *text, size_t length, struct path *path)
{
	bool bracketed = length > 0 && *text == '<';
	const char *start = text + bracketed;
	const char *end = find_path_end(start, text + length, bracketed);
	const char *mailbox;

	if (end == NULL) {
		return 0;
	}
	mailbox = skip_route(start, end);
	if (mailbox == end && mailbox > start) {
		return 0;
	}
	path->is_null = bracketed && end == start;
	path->has_utf8 = has_utf8(start, end);
	path->mailbox = path->is_null ? text : mailbox;
	path->length = path->is_null ? 2 : (size_t)(end - mailbox);
	return (size_t)(end - text) + bracketed;
}
