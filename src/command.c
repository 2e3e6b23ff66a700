/*
 * NAME
 *	command - one command line taken apart
 *
 * DESCRIPTION
 *	A command is a name of one or two whole words and what it takes after them: the table below
 *	is the grammar. The name alone decides whether a line is recognized; everything after it is
 *	a matter of syntax.
 */

#include "command.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The part of the line that is still to be read. */
struct rest {
	const char *at;
	const char *end;
};

/* Takes what follows the name; the argument goes to `command`. Returns what is wrong with it. */
typedef enum command_fault take_function(struct rest *rest, struct command *command);

static take_function take_nothing, take_anything, take_something, take_host, take_address,
    take_sender, take_recipient;

#define BOTH (DIALECT_BASE | DIALECT_EXTENDED)

static const struct grammar {
	const char *name;
	const char *second_name; /* or NULL */
	unsigned dialects;
	enum verb verb;
	take_function *take;
} grammar[] = {
    {"HELO", NULL, DIALECT_BASE, VERB_HELO, take_host},
    {"HELO", NULL, DIALECT_EXTENDED, VERB_HELO_ANEW, take_host},
    {"EHLO", NULL, DIALECT_EXTENDED, VERB_EHLO, take_host},
    {"MAIL", "FROM", DIALECT_BASE, VERB_MAIL, take_address},
    {"MAIL", "FROM", DIALECT_EXTENDED, VERB_MAIL, take_sender},
    {"RCPT", "TO", DIALECT_BASE, VERB_RCPT, take_address},
    {"RCPT", "TO", DIALECT_EXTENDED, VERB_RCPT, take_recipient},
    {"DATA", NULL, BOTH, VERB_DATA, take_nothing},
    {"RSET", NULL, DIALECT_EXTENDED, VERB_RSET, take_nothing},
    {"NOOP", NULL, DIALECT_EXTENDED, VERB_NOOP, take_anything},
    {"VRFY", NULL, DIALECT_EXTENDED, VERB_VRFY, take_something},
    {"HELP", NULL, DIALECT_EXTENDED, VERB_HELP, take_anything},
    {"QUIT", NULL, DIALECT_EXTENDED, VERB_QUIT, take_nothing},
};

static bool
is_white(char byte)
{
	return byte == ' ' || byte == '\t';
}

static void
skip_white(struct rest *rest)
{
	while (rest->at < rest->end && is_white(*rest->at)) {
		rest->at++;
	}
}

static void
trim_end(struct rest *rest)
{
	while (rest->end > rest->at && is_white(rest->end[-1])) {
		rest->end--;
	}
}

/*
 * Step over `word` and the white space behind it, if it is there as a whole: up to white space, the
 * end or, where the grammar lets a colon follow, a colon.
 */
static bool
skip_word(struct rest *rest, const char *word, bool colon_may_follow)
{
	size_t length = strlen(word);

	if ((size_t)(rest->end - rest->at) < length || strncasecmp(rest->at, word, length) != 0) {
		return false;
	}
	const char *after = rest->at + length;
	if (after < rest->end && !is_white(*after) && !(colon_may_follow && *after == ':')) {
		return false;
	}
	rest->at = after;
	skip_white(rest);
	return true;
}

/* Step over the name of a command. */
static bool
skip_name(struct rest *rest, const struct grammar *row)
{
	struct rest tried = *rest;

	if (!skip_word(&tried, row->name, false) ||
	    (row->second_name != NULL && !skip_word(&tried, row->second_name, true))) {
		return false;
	}
	*rest = tried;
	return true;
}

/* Whether all bytes are printable and none is white space: 0x21-0x7E. */
static bool
is_graphic(const struct rest *rest)
{
	for (const char *at = rest->at; at < rest->end; at++) {
		if (*at < 0x21 || *at > 0x7e) {
			return false;
		}
	}
	return true;
}

/* ---- arguments ---- */

/* Make all that is left the argument. */
static void
take_rest(const struct rest *rest, struct command *command)
{
	command->argument = rest->at;
	command->length = (size_t)(rest->end - rest->at);
}

static enum command_fault
take_anything(struct rest *rest, struct command *command)
{
	take_rest(rest, command);
	return COMMAND_FINE;
}

static enum command_fault
take_nothing(struct rest *rest, struct command *command)
{
	take_rest(rest, command);
	return command->length == 0 ? COMMAND_FINE : COMMAND_SYNTAX;
}

static enum command_fault
take_something(struct rest *rest, struct command *command)
{
	take_rest(rest, command);
	return command->length > 0 ? COMMAND_FINE : COMMAND_SYNTAX;
}

static enum command_fault
take_host(struct rest *rest, struct command *command)
{
	take_rest(rest, command);
	return command->length > 0 && is_graphic(rest) ? COMMAND_FINE : COMMAND_SYNTAX;
}

/* Step over a colon and the white space behind it. Returns whether it, and more, is there. */
static bool
skip_colon(struct rest *rest)
{
	if (rest->at == rest->end || *rest->at != ':') {
		return false;
	}
	rest->at++;
	skip_white(rest);
	return rest->at < rest->end;
}

/* The address of the base dialect: all that is left, brackets and all. */
static enum command_fault
take_address(struct rest *rest, struct command *command)
{
	if (!skip_colon(rest)) {
		return COMMAND_SYNTAX;
	}
	take_rest(rest, command);
	return is_graphic(rest) ? COMMAND_FINE : COMMAND_BAD_ADDRESS;
}

/* ---- paths, and what may follow them: the extended dialect ---- */

/*
 * Find where a path ends: at its '>' if it began with '<', else at white space or the end; neither
 * counts inside a quoted string (RFC 5321 4.1.2). Returns NULL if it does not end, or holds a byte
 * that it must not.
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

/* Take a path, and step over it. The null path is left in its brackets, all others without. */
static enum command_fault
take_path(struct rest *rest, struct command *command)
{
	const char *start, *end, *after;
	bool bracketed;

	if (!skip_colon(rest)) {
		return COMMAND_SYNTAX;
	}
	take_rest(rest, command);
	bracketed = *rest->at == '<';
	start = rest->at + bracketed;
	end = find_path_end(start, rest->end, bracketed);
	if (end == NULL) {
		return COMMAND_BAD_ADDRESS;
	}
	after = end + bracketed;
	if (after < rest->end && !is_white(*after)) {
		return COMMAND_BAD_ADDRESS;
	}
	command->argument = end > start ? start : rest->at;
	command->length = (size_t)((end > start ? end : after) - command->argument);
	rest->at = after;
	skip_white(rest);
	return COMMAND_FINE;
}

static enum command_fault
take_recipient(struct rest *rest, struct command *command)
{
	enum command_fault fault = take_path(rest, command);

	if (fault == COMMAND_FINE && command->length == 2 &&
	    memcmp(command->argument, "<>", 2) == 0) {
		return COMMAND_BAD_ADDRESS;
	}
	if (fault == COMMAND_FINE && rest->at < rest->end) {
		return COMMAND_BAD_OPTION;
	}
	return fault;
}

/* Whether the option `text` is NAME, which ends in '=', and a value, which goes to `value`. */
static bool
is_option(const struct rest *text, const char *name, struct rest *value)
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
is_word(const struct rest *text, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(text->end - text->at) == length && strncasecmp(text->at, word, length) == 0;
}

/* Read a decimal number, or the largest there is if it is larger. Returns whether it is one. */
static bool
read_size(const struct rest *text, uint64_t *size)
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

/* Take one option of MAIL FROM: SIZE (RFC 1870) or BODY (RFC 6152). */
static enum command_fault
take_option(const struct rest *text, struct command *command)
{
	struct rest value;

	if (is_option(text, "SIZE=", &value)) {
		return read_size(&value, &command->size) ? COMMAND_FINE : COMMAND_SYNTAX;
	}
	if (is_option(text, "BODY=", &value) &&
	    (is_word(&value, "7BIT") || is_word(&value, "8BITMIME"))) {
		return COMMAND_FINE;
	}
	return COMMAND_BAD_OPTION;
}

static enum command_fault
take_sender(struct rest *rest, struct command *command)
{
	enum command_fault fault = take_path(rest, command);

	while (fault == COMMAND_FINE && rest->at < rest->end) {
		struct rest option = *rest;

		while (rest->at < rest->end && !is_white(*rest->at)) {
			rest->at++;
		}
		option.end = rest->at;
		skip_white(rest);
		fault = take_option(&option, command);
	}
	return fault;
}

/* ---- the whole ---- */

struct command
command_parse(const char *line, size_t length, enum dialect dialect)
{
	struct command command = {.verb = VERB_UNRECOGNIZED, .argument = line};
	struct rest rest = {line, line + length};

	skip_white(&rest);
	trim_end(&rest);
	for (size_t i = 0; i < sizeof grammar / sizeof grammar[0]; i++) {
		if ((grammar[i].dialects & dialect) && skip_name(&rest, &grammar[i])) {
			command.verb = grammar[i].verb;
			command.fault = grammar[i].take(&rest, &command);
			break;
		}
	}
	return command;
}
