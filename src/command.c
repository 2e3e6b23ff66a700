/*
 * DESCRIPTION
 *	A command is a name of one or two words, and an argument. The table below is the grammar.
 *	The name alone decides whether a line is recognized; errors after it are syntax errors.
 */

#include "command.h"

#include <stdbool.h>
#include <string.h>

#include "cursor.h"
#include "path.h"

/* Parses the line after the name of the command, and sets the argument of `command`. */
typedef enum command_error parse_function(struct cursor *cursor, struct command *command);

static parse_function parse_end, parse_optional_text, parse_text, parse_host, parse_address,
    parse_sender, parse_sender_with_auth, parse_recipient, parse_response;

#define EXTENDED (PROTOCOL_ESMTP | PROTOCOL_ESMTP_LOGIN)
#define ALL      (PROTOCOL_SMTP | EXTENDED)

static const struct grammar {
	const char *name;
	const char *second_name; /* or NULL */
	unsigned protocols;
	enum verb verb;
	parse_function *parse;
} grammar[] = {
    {"HELO", NULL, PROTOCOL_SMTP, VERB_HELO, parse_host},
    {"HELO", NULL, EXTENDED, VERB_HELO, parse_optional_text},
    {"EHLO", NULL, EXTENDED, VERB_EHLO, parse_optional_text},
    {"MAIL", "FROM", PROTOCOL_SMTP, VERB_MAIL, parse_address},
    {"MAIL", "FROM", PROTOCOL_ESMTP, VERB_MAIL, parse_sender},
    {"MAIL", "FROM", PROTOCOL_ESMTP_LOGIN, VERB_MAIL, parse_sender_with_auth},
    {"RCPT", "TO", PROTOCOL_SMTP, VERB_RCPT, parse_address},
    {"RCPT", "TO", EXTENDED, VERB_RCPT, parse_recipient},
    {"DATA", NULL, ALL, VERB_DATA, parse_end},
    {"RSET", NULL, EXTENDED, VERB_RSET, parse_end},
    {"NOOP", NULL, EXTENDED, VERB_NOOP, parse_optional_text},
    {"VRFY", NULL, EXTENDED, VERB_VRFY, parse_text},
    {"HELP", NULL, EXTENDED, VERB_HELP, parse_optional_text},
    {"QUIT", NULL, EXTENDED, VERB_QUIT, parse_end},
    {"AUTH", "PLAIN", PROTOCOL_ESMTP_LOGIN, VERB_AUTH_PLAIN, parse_response},
    {"AUTH", "LOGIN", PROTOCOL_ESMTP_LOGIN, VERB_AUTH_LOGIN, parse_response},
    {"AUTH", NULL, PROTOCOL_ESMTP_LOGIN, VERB_AUTH, parse_text},
};

/*
 * Skip the name of a command, of which only a second word may be followed by a colon. Returns
 * false, and skips nothing, if it is another one.
 */
static bool
skip_name(struct cursor *cursor, const struct grammar *row)
{
	struct cursor tried = *cursor;

	if (!cursor_skip_word(&tried, row->name, false) ||
	    (row->second_name != NULL && !cursor_skip_word(&tried, row->second_name, true))) {
		return false;
	}
	*cursor = tried;
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
	return command->length > 0 && cursor_is_graphic(cursor) ? COMMAND_OK : COMMAND_SYNTAX;
}

/* Skip a colon and the white space after it. Returns whether it was found with more after it. */
static bool
skip_colon(struct cursor *cursor)
{
	if (cursor->at == cursor->end || *cursor->at != ':') {
		return false;
	}
	cursor->at++;
	cursor_skip_white(cursor);
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
	return cursor_is_graphic(cursor) ? COMMAND_OK : COMMAND_BAD_ADDRESS;
}

/* ---- paths: ESMTP ---- */

/* Return whether a word is KEYWORD or KEYWORD=VALUE (RFC 5321 4.1.2). */
static bool
is_parameter(const struct cursor *word)
{
	for (const char *at = word->at; at < word->end; at++) {
		bool first = at == word->at;

		if (!first && *at == '=') {
			return true;
		}
		if (!is_alphanumeric(*at) && (first || *at != '-')) {
			return false;
		}
	}
	return true;
}

/* Return whether the rest of the line is nothing but parameters. */
static bool
is_parameters(struct cursor rest)
{
	while (rest.at < rest.end) {
		struct cursor word = cursor_next_word(&rest);

		if (!is_parameter(&word)) {
			return false;
		}
	}
	return true;
}

/*
 * Parse and skip a path, and set the argument to its mailbox. A bare path that is followed by
 * anything but parameters is no path: "Printer <printer@host>".
 */
static enum command_error
parse_path(struct cursor *cursor, struct command *command, struct path *path)
{
	const char *start = cursor->at;
	size_t length = path_parse(start, cursor_length(cursor), path);

	cursor->at += length;
	if (length == 0 || (cursor->at < cursor->end && !is_white(*cursor->at))) {
		return COMMAND_BAD_ADDRESS;
	}
	cursor_skip_white(cursor);
	command->argument = path->mailbox;
	command->length = path->length;
	return *start == '<' || is_parameters(*cursor) ? COMMAND_OK : COMMAND_BAD_ADDRESS;
}

static enum command_error
parse_recipient(struct cursor *cursor, struct command *command)
{
	enum command_error error;
	struct cursor whole;
	struct path path;

	if (!skip_colon(cursor)) {
		return COMMAND_SYNTAX;
	}
	whole = *cursor;
	error = parse_path(cursor, command, &path);
	if (error == COMMAND_OK && (path.is_null || (path.has_utf8 && !command->smtputf8))) {
		error = COMMAND_BAD_ADDRESS;
	}
	if (error == COMMAND_OK && cursor->at < cursor->end) {
		error = COMMAND_BAD_PARAMETER;
	}
	if (error != COMMAND_OK) {
		set_argument(&whole, command);
	}
	return error;
}

/* ---- parameters of MAIL FROM: ESMTP ---- */

/* Parses the value of a parameter. */
typedef enum command_error parse_value_function(
    const struct cursor *value, struct command *command);

static parse_value_function parse_size, parse_body, parse_any_value, parse_smtputf8;

static const struct parameter {
	const char *name;
	unsigned protocols;
	bool has_value;
	parse_value_function *parse;
} parameters[] = {
    {"SIZE", EXTENDED, true, parse_size},                  /* RFC 1870 */
    {"BODY", EXTENDED, true, parse_body},                  /* RFC 6152 */
    {"SMTPUTF8", EXTENDED, false, parse_smtputf8},         /* RFC 6531 */
    {"AUTH", PROTOCOL_ESMTP_LOGIN, true, parse_any_value}, /* RFC 4954 5 */
};

#define PARAMETERS (sizeof parameters / sizeof parameters[0])

/* Parse a decimal number; UINT64_MAX if it is larger. */
static enum command_error
parse_size(const struct cursor *value, struct command *command)
{
	uint64_t size = 0;

	for (const char *at = value->at; at < value->end; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (digit > 9) {
			return COMMAND_SYNTAX;
		}
		size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : size * 10 + digit;
	}
	command->size = size;
	return COMMAND_OK;
}

static enum command_error
parse_body(const struct cursor *value, struct command *command)
{
	(void)command;
	return cursor_is_word(value, "7BIT") || cursor_is_word(value, "8BITMIME")
		   ? COMMAND_OK
		   : COMMAND_BAD_PARAMETER;
}

static enum command_error
parse_smtputf8(const struct cursor *value, struct command *command)
{
	(void)value;
	command->smtputf8 = true;
	return COMMAND_OK;
}

static enum command_error
parse_any_value(const struct cursor *value, struct command *command)
{
	(void)value;
	(void)command;
	return COMMAND_OK;
}

/*
 * Parse a parameter. `seen` has a bit for each row of parameters[] that came before it. A parameter
 * is a syntax error if it comes twice (RFC 5321 4.1.1.11), lacks its value, or has a value though
 * it takes none.
 */
static enum command_error
parse_parameter(
    const struct cursor *word, enum protocol protocol, unsigned *seen, struct command *command)
{
	const char *equals = memchr(word->at, '=', cursor_length(word));
	const struct cursor name = {word->at, equals != NULL ? equals : word->end};
	const struct cursor value = {equals != NULL ? equals + 1 : word->end, word->end};

	for (unsigned i = 0; i < PARAMETERS; i++) {
		const struct parameter *row = &parameters[i];

		if (!(row->protocols & protocol) || !cursor_is_word(&name, row->name)) {
			continue;
		}
		if ((*seen & 1U << i) ||
		    (row->has_value ? cursor_length(&value) == 0 : equals != NULL)) {
			return COMMAND_SYNTAX;
		}
		*seen |= 1U << i;
		return row->parse(&value, command);
	}
	return COMMAND_BAD_PARAMETER;
}

/*
 * Parse a path and its parameters. The first error from the left counts. UTF-8 in the path is an
 * error only if SMTPUTF8 is not among the parameters.
 */
static enum command_error
parse_mail(struct cursor *cursor, struct command *command, enum protocol protocol)
{
	enum command_error error;
	struct cursor whole;
	struct path path;
	unsigned seen = 0;

	if (!skip_colon(cursor)) {
		return COMMAND_SYNTAX;
	}
	whole = *cursor;
	command->smtputf8 = false;
	error = parse_path(cursor, command, &path);
	while (error == COMMAND_OK && cursor->at < cursor->end) {
		struct cursor word = cursor_next_word(cursor);

		error = parse_parameter(&word, protocol, &seen, command);
	}
	if (error == COMMAND_OK && path.has_utf8 && !command->smtputf8) {
		error = COMMAND_BAD_ADDRESS;
	}
	if (error != COMMAND_OK) {
		set_argument(&whole, command);
	}
	return error;
}

static enum command_error
parse_sender(struct cursor *cursor, struct command *command)
{
	return parse_mail(cursor, command, PROTOCOL_ESMTP);
}

static enum command_error
parse_sender_with_auth(struct cursor *cursor, struct command *command)
{
	return parse_mail(cursor, command, PROTOCOL_ESMTP_LOGIN);
}

/* ---- AUTH: ESMTP ---- */

/* Return whether the rest of the line is base64 with its padding (RFC 4648 4). */
static bool
is_base64(struct cursor text)
{
	size_t length = cursor_length(&text);

	for (int padding = 0; padding < 2 && text.at < text.end && text.end[-1] == '='; padding++) {
		text.end--;
	}
	for (; text.at < text.end; text.at++) {
		if (!is_alphanumeric(*text.at) && *text.at != '+' && *text.at != '/') {
			return false;
		}
	}
	return length % 4 == 0;
}

/* Parse an initial response: none at all, "=" for an empty one (RFC 4954 4), or base64. */
static enum command_error
parse_response(struct cursor *cursor, struct command *command)
{
	set_argument(cursor, command);
	return cursor_is_word(cursor, "=") || is_base64(*cursor) ? COMMAND_OK : COMMAND_SYNTAX;
}

/* ---- HTTP ---- */

static bool
is_http_version(const struct cursor *word)
{
	static const char name[] = "HTTP/";

	return cursor_length(word) >= sizeof name - 1 &&
	       memcmp(word->at, name, sizeof name - 1) == 0;
}

/* Return whether a line is METHOD TARGET HTTP/VERSION (RFC 9112 3). A target may contain spaces. */
static bool
is_http_request(struct cursor line)
{
	struct cursor method = cursor_next_word(&line), last = method;
	unsigned words = 1;

	for (const char *at = method.at; at < method.end; at++) {
		if (!is_alphanumeric(*at) && *at != '-') {
			return false;
		}
	}
	for (; line.at < line.end; words++) {
		last = cursor_next_word(&line);
	}
	return words >= 3 && is_http_version(&last);
}

/* ---- public functions ---- */

struct command
command_parse(const char *line, size_t length, enum protocol protocol, bool smtputf8)
{
	struct command command = {
	    .verb = VERB_UNRECOGNIZED, .argument = line, .smtputf8 = smtputf8};
	struct cursor cursor = {line, line + length};

	cursor_skip_white(&cursor);
	cursor_trim_end(&cursor);
	for (size_t i = 0; i < sizeof grammar / sizeof grammar[0]; i++) {
		if ((grammar[i].protocols & protocol) && skip_name(&cursor, &grammar[i])) {
			command.verb = grammar[i].verb;
			command.error = grammar[i].parse(&cursor, &command);
			return command;
		}
	}
	if ((EXTENDED & protocol) && is_http_request(cursor)) {
		command.verb = VERB_HTTP_REQUEST;
	}
	return command;
}

bool
command_ends_http_request(const char *tail, size_t length)
{
	struct cursor cursor = {tail, tail + length}, last = cursor;

	if (length > 0 && tail[length - 1] == '\r') {
		cursor.end--;
	}
	cursor_trim_end(&cursor);
	/* The first word may be the rest of one that began before the tail. */
	cursor_next_word(&cursor);
	last.end = last.at;
	while (cursor.at < cursor.end) {
		last = cursor_next_word(&cursor);
	}
	return is_http_version(&last);
}

bool
command_is_response(const char *line, size_t length)
{
	struct cursor cursor = {line, line + length};

	cursor_skip_white(&cursor);
	cursor_trim_end(&cursor);
	return is_base64(cursor);
}
