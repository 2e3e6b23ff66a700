/*
 * DESCRIPTION
 *	A command is a name of one or two words, and an argument. The table below is the grammar.
 *	The name alone decides whether a line is recognized; errors after it are syntax errors.
 */

#include "command.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The part of the line that is not parsed yet. */
struct cursor {
	const char *at;
	const char *end;
};

/* Parses the line after the name, and sets the argument of `command`. */
typedef enum command_error parse_function(struct cursor *cursor, struct command *command);

static parse_function parse_end, parse_optional_text, parse_text, parse_host, parse_address,
    parse_sender, parse_recipient;

#define BOTH (PROTOCOL_SMTP | PROTOCOL_ESMTP)

static const struct grammar {
	const char *name;
	const char *second_name; /* or NULL */
	unsigned protocols;
	enum verb verb;
	parse_function *parse;
} grammar[] = {
    {"HELO", NULL, BOTH, VERB_HELO, parse_host},
    {"EHLO", NULL, PROTOCOL_ESMTP, VERB_EHLO, parse_host},
    {"MAIL", "FROM", PROTOCOL_SMTP, VERB_MAIL, parse_address},
    {"MAIL", "FROM", PROTOCOL_ESMTP, VERB_MAIL, parse_sender},
    {"RCPT", "TO", PROTOCOL_SMTP, VERB_RCPT, parse_address},
    {"RCPT", "TO", PROTOCOL_ESMTP, VERB_RCPT, parse_recipient},
    {"DATA", NULL, BOTH, VERB_DATA, parse_end},
    {"RSET", NULL, PROTOCOL_ESMTP, VERB_RSET, parse_end},
    {"NOOP", NULL, PROTOCOL_ESMTP, VERB_NOOP, parse_optional_text},
    {"VRFY", NULL, PROTOCOL_ESMTP, VERB_VRFY, parse_text},
    {"HELP", NULL, PROTOCOL_ESMTP, VERB_HELP, parse_optional_text},
    {"QUIT", NULL, PROTOCOL_ESMTP, VERB_QUIT, parse_end},
};

/* ---- words ---- */

static bool
is_white(char byte)
{
	return byte == ' ' || byte == '\t';
}

static void
skip_white(struct cursor *cursor)
{
	while (cursor->at < cursor->end && is_white(*cursor->at)) {
		cursor->at++;
	}
}

static void
trim_end(struct cursor *cursor)
{
	while (cursor->end > cursor->at && is_white(cursor->end[-1])) {
		cursor->end--;
	}
}

/*
 * Skip `word` in any letter case, and the white space after it. The word must end at white space,
 * at the end of the line or, if `colon_may_follow`, at a colon. Returns whether it was found.
 */
static bool
skip_word(struct cursor *cursor, const char *word, bool colon_may_follow)
{
	size_t length = strlen(word);

	if ((size_t)(cursor->end - cursor->at) < length ||
	    strncasecmp(cursor->at, word, length) != 0) {
		return false;
	}
	const char *after = cursor->at + length;
	if (after < cursor->end && !is_white(*after) && !(colon_may_follow && *after == ':')) {
		return false;
	}
	cursor->at = after;
	skip_white(cursor);
	return true;
}

/* Skip the name of a command. Returns false, and skips nothing, if it is another one. */
static bool
skip_name(struct cursor *cursor, const struct grammar *row)
{
	struct cursor tried = *cursor;

	if (!skip_word(&tried, row->name, false) ||
	    (row->second_name != NULL && !skip_word(&tried, row->second_name, true))) {
		return false;
	}
	*cursor = tried;
	return true;
}

/* Return whether all bytes left are in 0x21-0x7E: printable, and not white space. */
static bool
is_graphic(const struct cursor *cursor)
{
	for (const char *at = cursor->at; at < cursor->end; at++) {
		if (*at < 0x21 || *at > 0x7e) {
			return false;
		}
	}
	return true;
}

/* ---- arguments ---- */

/* Make the rest of the line the argument. */
static void
set_argument(const struct cursor *cursor, struct command *command)
{
	command->argument = cursor->at;
	command->length = (size_t)(cursor->end - cursor->at);
}

static enum command_error
parse_optional_text(struct cursor *cursor, struct command *command)
{
	set_argument(cursor, command);
	return COMMAND_OK;
}

static enum command_error
parse_end(struct cursor *cursor, struct command *command)
{
	set_argument(cursor, command);
	return command->length == 0 ? COMMAND_OK : COMMAND_SYNTAX;
}

static enum command_error
parse_text(struct cursor *cursor, struct command *command)
{
	set_argument(cursor, command);
	return command->length > 0 ? COMMAND_OK : COMMAND_SYNTAX;
}

static enum command_error
parse_host(struct cursor *cursor, struct command *command)
{
	set_argument(cursor, command);
	return command->length > 0 && is_graphic(cursor) ? COMMAND_OK : COMMAND_SYNTAX;
}

/* Skip a colon and the white space after it. Returns whether it was found with more after it. */
static bool
skip_colon(struct cursor *cursor)
{
	if (cursor->at == cursor->end || *cursor->at != ':') {
		return false;
	}
	cursor->at++;
	skip_white(cursor);
	return cursor->at < cursor->end;
}

/* Parse the address as SMTP has it: the rest of the line, brackets included. */
static enum command_error
parse_address(struct cursor *cursor, struct command *command)
{
	if (!skip_colon(cursor)) {
		return COMMAND_SYNTAX;
	}
	set_argument(cursor, command);
	return is_graphic(cursor) ? COMMAND_OK : COMMAND_BAD_ADDRESS;
}

/* ---- paths and their parameters: ESMTP ---- */

/*
 * Find the end of a path: its '>' if it is bracketed, else white space or the end of the line. Both
 * may be part of a quoted string (RFC 5321 4.1.2). Returns NULL if there is no end, or if a byte is
 * not allowed.
 */
static const char *
find_path_end(const char *at, const char *end, bool bracketed)
{
	bool quoted = false, escaped = false;

	for (; at < end; at++) {
		if (!quoted && (bracketed ? *at == '>' : is_white(*at))) {
			return at;
		}
		if (*at < (quoted ? 0x20 : 0x21) || *at > 0x7e) {
			return NULL;
		}
		if (*at == '"' && !escaped) {
			quoted = !quoted;
		}
		escaped = quoted && *at == '\\' && !escaped;
	}
	return bracketed || quoted ? NULL : at;
}

/* Parse and skip a path. The null path keeps its brackets; they are removed from all others. */
static enum command_error
parse_path(struct cursor *cursor, struct command *command)
{
	const char *start, *end, *after;
	bool bracketed;

	if (!skip_colon(cursor)) {
		return COMMAND_SYNTAX;
	}
	set_argument(cursor, command);
	bracketed = *cursor->at == '<';
	start = cursor->at + bracketed;
	end = find_path_end(start, cursor->end, bracketed);
	if (end == NULL) {
		return COMMAND_BAD_ADDRESS;
	}
	after = end + bracketed;
	if (after < cursor->end && !is_white(*after)) {
		return COMMAND_BAD_ADDRESS;
	}
	command->argument = end > start ? start : cursor->at;
	command->length = (size_t)((end > start ? end : after) - command->argument);
	cursor->at = after;
	skip_white(cursor);
	return COMMAND_OK;
}

static enum command_error
parse_recipient(struct cursor *cursor, struct command *command)
{
	enum command_error error = parse_path(cursor, command);

	if (error == COMMAND_OK && command->length == 2 &&
	    memcmp(command->argument, "<>", 2) == 0) {
		return COMMAND_BAD_ADDRESS;
	}
	if (error == COMMAND_OK && cursor->at < cursor->end) {
		return COMMAND_BAD_PARAMETER;
	}
	return error;
}

/* Return whether `text` is the parameter `name`, which ends in '=', and set `value`. */
static bool
is_parameter(const struct cursor *text, const char *name, struct cursor *value)
{
	size_t length = strlen(name);

	*value = *text;
	if ((size_t)(text->end - text->at) <= length || strncasecmp(text->at, name, length) != 0) {
		return false;
	}
	value->at += length;
	return true;
}

static bool
is_word(const struct cursor *text, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(text->end - text->at) == length && strncasecmp(text->at, word, length) == 0;
}

/* Parse a decimal number; UINT64_MAX if it is larger. Returns false if it is no number. */
static bool
parse_size(const struct cursor *text, uint64_t *size)
{
	*size = 0;
	for (const char *at = text->at; at < text->end; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (digit > 9) {
			return false;
		}
		*size = *size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *size * 10 + digit;
	}
	return true;
}

/* Parse a parameter of MAIL FROM: SIZE (RFC 1870) or BODY (RFC 6152). */
static enum command_error
parse_parameter(const struct cursor *text, struct command *command)
{
	struct cursor value;

	if (is_parameter(text, "SIZE=", &value)) {
		return parse_size(&value, &command->size) ? COMMAND_OK : COMMAND_SYNTAX;
	}
	if (is_parameter(text, "BODY=", &value) &&
	    (is_word(&value, "7BIT") || is_word(&value, "8BITMIME"))) {
		return COMMAND_OK;
	}
	return COMMAND_BAD_PARAMETER;
}

static enum command_error
parse_sender(struct cursor *cursor, struct command *command)
{
	enum command_error error = parse_path(cursor, command);

	while (error == COMMAND_OK && cursor->at < cursor->end) {
		struct cursor parameter = *cursor;

		while (cursor->at < cursor->end && !is_white(*cursor->at)) {
			cursor->at++;
		}
		parameter.end = cursor->at;
		skip_white(cursor);
		error = parse_parameter(&parameter, command);
	}
	return error;
}

/* ---- public functions ---- */

struct command
command_parse(const char *line, size_t length, enum protocol protocol)
{
	struct command command = {.verb = VERB_UNRECOGNIZED, .argument = line};
	struct cursor cursor = {line, line + length};

	skip_white(&cursor);
	trim_end(&cursor);
	for (size_t i = 0; i < sizeof grammar / sizeof grammar[0]; i++) {
		if ((grammar[i].protocols & protocol) && skip_name(&cursor, &grammar[i])) {
			command.verb = grammar[i].verb;
			command.error = grammar[i].parse(&cursor, &command);
			break;
		}
	}
	return command;
}
