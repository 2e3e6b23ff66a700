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

enum argument_form {
	NO_ARGUMENT,
	HOST,
	COLON_ADDRESS
};

static const struct grammar {
	const char *name;
	const char *second_name; /* or NULL */
	enum argument_form form;
	enum verb verb;
} grammar[] = {
    {"HELO", NULL, HOST, VERB_HELO},
    {"MAIL", "FROM", COLON_ADDRESS, VERB_MAIL},
    {"RCPT", "TO", COLON_ADDRESS, VERB_RCPT},
    {"DATA", NULL, NO_ARGUMENT, VERB_DATA},
};

/* The part of the line that is still to be read. */
struct rest {
	const char *at;
	const char *end;
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
	    (row->second_name && !skip_word(&tried, row->second_name, true))) {
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

/* Judge what follows the name, and leave `rest` on the argument. */
static enum command_fault
judge_argument(struct rest *rest, enum argument_form form)
{
	if (form == NO_ARGUMENT) {
		return rest->at == rest->end ? COMMAND_FINE : COMMAND_SYNTAX;
	}
	if (form == COLON_ADDRESS) {
		if (rest->at == rest->end || *rest->at != ':') {
			return COMMAND_SYNTAX;
		}
		rest->at++;
		skip_white(rest);
	}
	if (rest->at == rest->end) {
		return COMMAND_SYNTAX;
	}
	if (!is_graphic(rest)) {
		return form == HOST ? COMMAND_SYNTAX : COMMAND_BAD_ADDRESS;
	}
	return COMMAND_FINE;
}

struct command
command_parse(const char *line, size_t length)
{
	struct rest rest = {line, line + length};

	skip_white(&rest);
	trim_end(&rest);
	for (size_t i = 0; i < sizeof grammar / sizeof grammar[0]; i++) {
		if (skip_name(&rest, &grammar[i])) {
			enum command_fault fault = judge_argument(&rest, grammar[i].form);

			return (struct command){
			    .verb = grammar[i].verb,
			    .fault = fault,
			    .argument = rest.at,
			    .length = (size_t)(rest.end - rest.at),
			};
		}
	}
	return (struct command){.verb = VERB_UNRECOGNIZED, .fault = COMMAND_FINE, .argument = line};
}
