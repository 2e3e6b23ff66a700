/*
 * NAME
 *	reference_command - the command lines of the second implementation
 *
 * DESCRIPTION
 *	A line gets the first reply that applies, in the order of smtpd(8), PROTOCOL: too long,
 *	unrecognized, out of order, bad syntax, bad address, duplicate or nested, too many
 *	recipients, accepted. With ESMTP a path and parameters follow the colon; with SMTP all bytes
 *	after it are the address.
 */

#include "reference.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "fail.h"

/* Bytes of a command line without its ending; recipients; bytes of a reply without its CRLF. */
#define LINE_BYTES_MAX  2048
#define RECIPIENTS_MAX  1000
#define REPLY_BYTES_MAX 510

/* Bytes at the end of a longer line in which "HTTP/" is looked for. */
#define TAIL_BYTES 64

/* Junk commands between messages. */
#define JUNK_COMMANDS_MAX 100

/* Whose path: of MAIL FROM or of RCPT TO (RFC 5321 section 4.1.1). */
enum path {
	REVERSE_PATH,
	FORWARD_PATH
};

/* Part of a line. */
struct fragment {
	const char *at;
	size_t length;
};

/* The error in the bytes after the colon. */
enum address_error {
	NO_ERROR,
	NO_ADDRESS,
	BAD_ADDRESS,
	BAD_OPTION,
	BAD_SYNTAX
};

/* The bytes after the colon. */
struct address {
	enum address_error error;
	struct fragment shown;  /* all of them, which the reply shows if they are bad */
	struct fragment stored; /* the address */
	uint64_t size;          /* as declared by SIZE= */
	bool utf8;              /* SMTPUTF8 */
};

/* ---- replies ---- */

static void
accept_with(struct reference *reference, const char *text)
{
	reference->accepted++;
	reference_reply(reference, text);
}

/* Reply that an address is bad, with as much of it as fits. */
static void
reject(struct reference *reference, struct fragment address, const char *why)
{
	size_t length = strlen("555 <") + strlen(why);

	bytes_add_string(&reference->replies, "555 <");
	for (size_t i = 0; i < address.length && length < REPLY_BYTES_MAX; i++, length++) {
		bool printable = address.at[i] >= 0x20 && address.at[i] < 0x7f;

		bytes_add(&reference->replies, printable ? &address.at[i] : "?", 1);
	}
	reference_reply(reference, why);
}

/* Count a junk command. Returns false, and closes after a reply, if there are too many. */
static bool
count_junk(struct reference *reference)
{
	if (reference->junk_commands < JUNK_COMMANDS_MAX) {
		reference->junk_commands++;
		return true;
	}
	reference_reply_netid(reference, "421 4.7.0 ", " Error: too many commands");
	reference->closing = true;
	return false;
}

/* ---- parts of lines ---- */

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

static void
skip(struct fragment *text, size_t count)
{
	text->at += count;
	text->length -= count;
}

static void
strip(struct fragment *text)
{
	while (text->length > 0 && is_space(text->at[0])) {
		skip(text, 1);
	}
	while (text->length > 0 && is_space(text->at[text->length - 1])) {
		text->length--;
	}
}

/* Remove a word from the front: up to white space or the byte `end`. */
static struct fragment
cut_word(struct fragment *text, char end)
{
	struct fragment word = {text->at, 0};

	while (word.length < text->length && !is_space(text->at[word.length]) &&
	       text->at[word.length] != end) {
		word.length++;
	}
	skip(text, word.length);
	return word;
}

/* Return whether the text begins with this name, which is in capitals, in any letter case. */
static bool
begins_with(struct fragment text, const char *name)
{
	for (size_t i = 0; name[i]; i++) {
		if (i == text.length || toupper((unsigned char)text.at[i]) != name[i]) {
			return false;
		}
	}
	return true;
}

static bool
is_word(struct fragment text, const char *name)
{
	return text.length == strlen(name) && begins_with(text, name);
}

/*
 * Remove a command name of one or two words from the front. `second` is "" if it has one. Returns
 * whether the name was there; otherwise the line is not changed.
 */
static bool
cut_name(struct fragment *line, const char *first, const char *second)
{
	struct fragment rest = *line;

	if (!is_word(cut_word(&rest, ' '), first)) {
		return false;
	}
	strip(&rest);
	if (*second && !is_word(cut_word(&rest, ':'), second)) {
		return false;
	}
	strip(&rest);
	*line = rest;
	return true;
}

static bool
is_graphic(struct fragment text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < 0x21 || text.at[i] > 0x7e) {
			return false;
		}
	}
	return true;
}

/* Remove the colon after a name. Returns whether something is left. */
static bool
cut_colon(struct fragment *rest)
{
	if (rest->length == 0 || rest->at[0] != ':') {
		return false;
	}
	skip(rest, 1);
	strip(rest);
	return rest->length > 0;
}

/* ---- paths and parameters ---- */

/* Return the length of the character at the front if it is UTF-8 but not ASCII, or 0. */
static size_t
utf8_length(struct fragment text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)text.at[0];
	size_t length = first >= 0xf8   ? 0
			: first >= 0xf0 ? 4
			: first >= 0xe0 ? 3
			: first >= 0xc0 ? 2
					: 0;
	uint32_t value = length > 0 ? first & (0x7fU >> length) : 0;

	for (size_t i = 1; i < length; i++) {
		if (i == text.length || ((unsigned char)text.at[i] & 0xc0) != 0x80) {
			return 0;
		}
		value = value << 6 | ((unsigned char)text.at[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
		return 0;
	}
	return length;
}

/*
 * Return how many bytes of the text, which is not empty, are a path. One that begins with '<' ends
 * with '>', another one before white space; in quotes both are part of it. Returns 0 if there is no
 * path.
 */
static size_t
path_length(struct fragment text)
{
	bool bracketed = text.at[0] == '<', quoted = false, escaped = false;

	for (size_t i = bracketed ? 1 : 0; i < text.length; i++) {
		char byte = text.at[i];
		size_t wide = utf8_length((struct fragment){text.at + i, text.length - i});

		if (!quoted && !bracketed && is_space(byte)) {
			return i;
		}
		if (wide > 0) {
			escaped = false;
			i += wide - 1;
			continue;
		}
		if (byte < 0x20 || byte > 0x7e || (byte == ' ' && !quoted)) {
			return 0;
		}
		if (!quoted && bracketed && byte == '>') {
			bool ends = i + 1 == text.length || is_space(text.at[i + 1]);

			return ends ? i + 1 : 0;
		}
		if (!quoted && (byte == '<' || byte == '>')) {
			return 0;
		}
		if (escaped) {
			escaped = false;
		} else if (quoted && byte == '\\') {
			escaped = true;
		} else if (byte == '"') {
			quoted = !quoted;
		}
	}
	return bracketed || quoted ? 0 : text.length;
}

static bool
has_utf8(struct fragment text)
{
	for (size_t i = 0; i < text.length; i++) {
		if ((unsigned char)text.at[i] >= 0x80) {
			return true;
		}
	}
	return false;
}

/* Remove "@a,@b:" from the front, if all of it is there. */
static void
cut_route(struct fragment *path)
{
	struct fragment rest = *path;

	while (rest.length > 0 && rest.at[0] == '@') {
		bool literal = false;
		size_t length = 0;
		char end;

		skip(&rest, 1);
		while (length < rest.length && (literal || !strchr(",:\"@", rest.at[length]))) {
			literal = rest.at[length] == '[' || (literal && rest.at[length] != ']');
			if (literal && strchr("\"@", rest.at[length])) {
				return;
			}
			length++;
		}
		if (length == 0 || length == rest.length) {
			return;
		}
		end = rest.at[length];
		skip(&rest, length + 1);
		if (end == ':') {
			*path = rest;
		}
		if (end != ',') {
			return;
		}
	}
}

/* Return whether every word has the form of a parameter, KEYWORD or KEYWORD=VALUE. */
static bool
are_options(struct fragment rest)
{
	while (rest.length > 0) {
		struct fragment option = cut_word(&rest, ' ');
		size_t i = 0;

		while (i < option.length &&
		       (isalnum((unsigned char)option.at[i]) || (i > 0 && option.at[i] == '-'))) {
			i++;
		}
		if (i < option.length && (i == 0 || option.at[i] != '=')) {
			return false;
		}
		strip(&rest);
	}
	return true;
}

/* Check the value of SIZE. */
static enum address_error
check_size(struct fragment value, uint64_t *size)
{
	*size = 0;
	for (size_t i = 0; i < value.length; i++) {
		if (!isdigit((unsigned char)value.at[i])) {
			return BAD_SYNTAX;
		}
		/* After this it is above every limit: more digits make no difference. */
		if (*size < UINT32_MAX) {
			*size = *size * 10 + (uint64_t)(value.at[i] - '0');
		}
	}
	return NO_ERROR;
}

/* The parameters of MAIL FROM, which the reply calls options. */
enum option {
	OPTION_SIZE,
	OPTION_BODY,
	OPTION_AUTH,
	OPTION_SMTPUTF8,
	OPTIONS
};

/* Check one parameter of MAIL FROM. `seen` has those before it. */
static enum address_error
check_option(struct fragment option, bool any_login, bool seen[OPTIONS], struct address *address)
{
	static const char *const names[OPTIONS] = {"SIZE", "BODY", "AUTH", "SMTPUTF8"};
	struct fragment value = option, name = option;
	int which = 0;

	while (value.length > 0 && value.at[0] != '=') {
		skip(&value, 1);
	}
	name.length = option.length - value.length;
	while (which < OPTIONS && !is_word(name, names[which])) {
		which++;
	}
	if (which == OPTIONS || (which == OPTION_AUTH && !any_login)) {
		return BAD_OPTION;
	}
	if (seen[which] || (which == OPTION_SMTPUTF8 ? value.length > 0 : value.length < 2)) {
		return BAD_SYNTAX;
	}
	seen[which] = true;
	if (which == OPTION_SMTPUTF8) {
		address->utf8 = true;
		return NO_ERROR;
	}
	skip(&value, 1);
	if (which == OPTION_SIZE) {
		return check_size(value, &address->size);
	}
	return which == OPTION_AUTH || is_word(value, "7BIT") || is_word(value, "8BITMIME")
		   ? NO_ERROR
		   : BAD_OPTION;
}

/* Check the parameters after a path, and whether the path may have UTF-8. */
static void
check_options(const struct reference *reference, struct fragment rest, enum path path,
    struct address *address)
{
	bool seen[OPTIONS] = {false};

	if (path == FORWARD_PATH) {
		address->utf8 = reference->utf8;
		if (has_utf8(address->stored) && !address->utf8) {
			address->error = BAD_ADDRESS;
		} else if (rest.length > 0) {
			address->error = BAD_OPTION;
		}
		return;
	}
	while (rest.length > 0 && address->error == NO_ERROR) {
		address->error =
		    check_option(cut_word(&rest, ' '), reference->any_login, seen, address);
		strip(&rest);
	}
	if (address->error == NO_ERROR && has_utf8(address->stored) && !address->utf8) {
		address->error = BAD_ADDRESS;
	}
}

/* Parse a path and its parameters. */
static void
parse_path(const struct reference *reference, struct fragment rest, enum path path,
    struct address *address)
{
	size_t length = path_length(rest);
	bool bracketed = rest.at[0] == '<', null = length == strlen("<>") && bracketed;

	if (length == 0 || (null && path == FORWARD_PATH)) {
		address->error = BAD_ADDRESS;
		return;
	}
	address->stored = (struct fragment){rest.at, length};
	if (bracketed && !null) {
		address->stored = (struct fragment){rest.at + 1, length - strlen("<>")};
	}
	skip(&rest, length);
	strip(&rest);
	if (!bracketed && !are_options(rest)) {
		address->error = BAD_ADDRESS;
		return;
	}
	check_options(reference, rest, path, address);
	cut_route(&address->stored);
	if (address->stored.length == 0) {
		address->error = BAD_ADDRESS;
	}
}

/* Parse the bytes after MAIL FROM or RCPT TO. */
static struct address
parse_address(const struct reference *reference, struct fragment rest, enum path path)
{
	struct address address = {.error = NO_ADDRESS};

	if (!cut_colon(&rest)) {
		return address;
	}
	address = (struct address){.error = NO_ERROR, .shown = rest, .stored = rest};
	if (reference->extended) {
		parse_path(reference, rest, path, &address);
	} else if (!is_graphic(rest)) {
		address.error = BAD_ADDRESS;
	}
	return address;
}

/* ---- commands ---- */

static void
greet(struct reference *reference, struct fragment host)
{
	reference_reset(reference);
	bytes_clear(&reference->received);
	bytes_add_string(&reference->received, "Received: from ");
	for (size_t i = 0; i < host.length; i++) {
		bool kept = is_graphic((struct fragment){host.at + i, 1});

		bytes_add(&reference->received, kept ? host.at + i : "?", 1);
	}
	bytes_add_string(&reference->received, host.length == 0 ? "unknown" : "");
	bytes_add_format(&reference->received, " by %s (CS4410MP3)\n", reference->netid);
	reference->greeted = true;
	reference->accepted++;
}

static void
check_helo(struct reference *reference, struct fragment host)
{
	if (!reference->extended && (host.length == 0 || !is_graphic(host))) {
		reference_reply(reference, "501 Syntax:  HELO yourhostname");
	} else if (reference->greeted && !reference->extended) {
		reference_reply(reference, "503 Error: duplicate HELO");
	} else if (!reference->greeted || count_junk(reference)) {
		greet(reference, host);
		reference_reply_netid(reference, "250 ", "");
	}
}

static void
check_ehlo(struct reference *reference, struct fragment host)
{
	if (!reference->greeted || count_junk(reference)) {
		greet(reference, host);
		reference_reply_netid(reference, "250-", "");
		reference_reply(reference, "250-PIPELINING");
		bytes_add_format(&reference->replies, "250-SIZE %zu\r\n", reference->max_size);
		reference_reply(reference, "250-8BITMIME");
		if (reference->any_login) {
			reference_reply(reference, "250-AUTH PLAIN LOGIN");
		}
		reference_reply(reference, "250 SMTPUTF8");
	}
}

static void
check_mail(struct reference *reference, struct fragment rest)
{
	struct address address = parse_address(reference, rest, REVERSE_PATH);

	if (!reference->greeted) {
		reference_reply(reference, "503 Error: need HELO command");
	} else if (address.error == NO_ADDRESS || address.error == BAD_SYNTAX) {
		reference_reply(reference, "501 Syntax:  MAIL FROM: address");
	} else if (address.error == BAD_ADDRESS) {
		reject(reference, address.shown, ">: Sender address rejected");
	} else if (address.error == BAD_OPTION) {
		reference_reply(reference, "555 Error: unsupported option");
	} else if (reference->mail_open) {
		reference_reply(reference, "503 Error: nested MAIL command");
	} else if (address.size > reference->max_size) {
		reference_reply(reference, "552 Error: message too big");
	} else {
		bytes_add_string(&reference->rest, "From: ");
		bytes_add(&reference->rest, address.stored.at, address.stored.length);
		bytes_add_string(&reference->rest, "\n");
		reference->mail_open = true;
		reference->utf8 = address.utf8;
		accept_with(reference, "250 OK");
	}
}

/* Return whether the envelope still has space for the line of this recipient. */
static bool
has_space(const struct reference *reference, struct fragment recipient)
{
	size_t length = reference->received.length + reference->rest.length + strlen("To: ") +
			recipient.length + 1 + REFERENCE_LINE_FEEDS;

	return reference->recipients < RECIPIENTS_MAX &&
	       length <= reference->max_size + REFERENCE_ENVELOPE_MAX;
}

static void
check_rcpt(struct reference *reference, struct fragment rest)
{
	struct address address = parse_address(reference, rest, FORWARD_PATH);

	if (!reference->greeted) {
		reference_reply(reference, "503 Error: need HELO command");
	} else if (!reference->mail_open) {
		reference_reply(reference, "503 Error: need MAIL FROM command");
	} else if (address.error == NO_ADDRESS) {
		reference_reply(reference, "501 Syntax:  RCPT TO: address");
	} else if (address.error == BAD_ADDRESS) {
		reject(reference, address.shown, ">: Recipient address invalid");
	} else if (address.error == BAD_OPTION) {
		reference_reply(reference, "555 Error: unsupported option");
	} else if (!has_space(reference, address.stored)) {
		reference_reply(reference, "452 Error: too many recipients");
	} else {
		bytes_add_string(&reference->rest, "To: ");
		bytes_add(&reference->rest, address.stored.at, address.stored.length);
		bytes_add_string(&reference->rest, "\n");
		reference->recipients++;
		accept_with(reference, "250 OK");
	}
}

static void
check_data(struct reference *reference, struct fragment rest)
{
	if (!reference->greeted) {
		reference_reply(reference, "503 Error: need HELO command");
	} else if (!reference->mail_open) {
		reference_reply(reference, "503 Error: need MAIL FROM command");
	} else if (reference->recipients == 0) {
		reference_reply(reference, "503 Error: need RCPT TO command");
	} else if (rest.length > 0) {
		reference_reply(reference, "501 Syntax:  DATA");
	} else {
		reference->in_data = true;
		accept_with(reference, "354 End data with <CR><LF>.<CR><LF>");
	}
}

static void
check_rset(struct reference *reference, struct fragment rest)
{
	if (rest.length > 0) {
		reference_reply(reference, "501 Syntax:  RSET");
	} else if (count_junk(reference)) {
		reference_reset(reference);
		accept_with(reference, "250 OK");
	}
}

static void
check_noop(struct reference *reference, struct fragment rest)
{
	(void)rest;
	if (count_junk(reference)) {
		accept_with(reference, "250 OK");
	}
}

static void
check_vrfy(struct reference *reference, struct fragment rest)
{
	if (rest.length == 0) {
		reference_reply(reference, "501 Syntax:  VRFY address");
	} else if (count_junk(reference)) {
		accept_with(reference, "252 Error: cannot verify, send some mail");
	}
}

static void
check_help(struct reference *reference, struct fragment rest)
{
	(void)rest;
	if (count_junk(reference)) {
		accept_with(
		    reference, reference->any_login
				   ? "214 HELO EHLO AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"
				   : "214 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
	}
}

static void
check_quit(struct reference *reference, struct fragment rest)
{
	if (rest.length > 0) {
		reference_reply(reference, "501 Syntax:  QUIT");
	} else {
		reference_reply_netid(reference, "221 ", " closing connection");
		reference->accepted++;
		reference->closing = true;
	}
}

/* ---- AUTH ---- */

static bool
is_base64(struct fragment text)
{
	size_t data = text.length;

	if (text.length % 4 != 0) {
		return false;
	}
	for (int i = 0; i < 2 && data > 0 && text.at[data - 1] == '='; i++) {
		data--;
	}
	for (size_t i = 0; i < data; i++) {
		if (!isalnum((unsigned char)text.at[i]) && text.at[i] != '+' && text.at[i] != '/') {
			return false;
		}
	}
	return true;
}

/* Ask for the next response of AUTH, or accept the login if all are here. */
static void
ask(struct reference *reference, bool plain)
{
	if (reference->responses == 0) {
		reference->logged_in = true;
		accept_with(reference, "235 OK");
	} else if (plain) {
		accept_with(reference, "334 ");
	} else {
		accept_with(
		    reference, reference->responses == 2 ? "334 VXNlcm5hbWU6" : "334 UGFzc3dvcmQ6");
	}
}

static void
check_auth(struct reference *reference, struct fragment rest)
{
	struct fragment mechanism = cut_word(&rest, ':');
	bool plain = is_word(mechanism, "PLAIN"), known = plain || is_word(mechanism, "LOGIN");

	strip(&rest);
	if (!reference->greeted) {
		reference_reply(reference, "503 Error: need HELO command");
	} else if ((mechanism.length == 0 && rest.length == 0) ||
		   (known && !is_word(rest, "=") && !is_base64(rest))) {
		reference_reply(reference, "501 Syntax:  AUTH");
	} else if (reference->mail_open) {
		reference_reply(reference, "503 Error: AUTH within a transaction");
	} else if (!known) {
		reference_reply(reference, "504 Error: unknown mechanism");
	} else if (count_junk(reference)) {
		if (reference->logged_in) {
			reference_reply(reference, "503 Error: duplicate AUTH");
			return;
		}
		reference->responses = (plain ? 1U : 2U) - (rest.length > 0 ? 1U : 0U);
		ask(reference, plain);
	}
}

static void
check_response(struct reference *reference, struct fragment line)
{
	strip(&line);
	if (is_base64(line)) {
		reference->responses--;
		/* One that is still to come is of LOGIN, because PLAIN has only one. */
		ask(reference, false);
	} else {
		reference->responses = 0;
		reference_reply(reference, "501 Syntax:  AUTH");
	}
}

/* ---- HTTP ---- */

/* Return whether the last word of a text begins with "HTTP/", and white space is before it. */
static bool
ends_as_http(struct fragment line)
{
	size_t start;

	while (line.length > 0 && is_space(line.at[line.length - 1])) {
		line.length--;
	}
	for (start = line.length; start > 0 && !is_space(line.at[start - 1]); start--) {
	}
	skip(&line, start);
	return start > 0 && line.length >= strlen("HTTP/") &&
	       memcmp(line.at, "HTTP/", strlen("HTTP/")) == 0;
}

static bool
is_http(struct fragment line)
{
	struct fragment rest = line;
	struct fragment method = cut_word(&rest, ' ');

	for (size_t i = 0; i < method.length; i++) {
		if (!isalnum((unsigned char)method.at[i]) && method.at[i] != '-') {
			return false;
		}
	}
	strip(&rest);
	return ends_as_http(rest);
}

/* With ESMTP, refuse a first line that `is_request` of HTTP, and close. Returns whether it did. */
static bool
check_http(struct reference *reference, bool is_request)
{
	if (!reference->extended || !reference->first_line || !is_request) {
		return false;
	}
	reference_reply(reference, "554 Error: not a mail client");
	reference->closing = true;
	return true;
}

/* Check a line that is too long. Only its last bytes count. */
static void
check_long(struct reference *reference, struct fragment line)
{
	struct fragment tail = {line.at + line.length - TAIL_BYTES, TAIL_BYTES};

	if (tail.at[tail.length - 1] == '\r') {
		tail.length--;
	}
	reference->responses = 0;
	if (!check_http(reference, ends_as_http(tail))) {
		reference_reply(reference, "500 Error: line too long");
	}
}

/* ---- all commands ---- */

static const struct name {
	const char *first;
	const char *second;
	bool extended;  /* only with ESMTP */
	bool any_login; /* only if AUTH is accepted */
	void (*check)(struct reference *reference, struct fragment rest);
} names[] = {
    {"HELO", "", false, false, check_helo},
    {"EHLO", "", true, false, check_ehlo},
    {"MAIL", "FROM", false, false, check_mail},
    {"RCPT", "TO", false, false, check_rcpt},
    {"DATA", "", false, false, check_data},
    {"RSET", "", true, false, check_rset},
    {"NOOP", "", true, false, check_noop},
    {"VRFY", "", true, false, check_vrfy},
    {"HELP", "", true, false, check_help},
    {"QUIT", "", true, false, check_quit},
    {"AUTH", "", true, true, check_auth},
};

void
reference_command(struct reference *reference)
{
	struct fragment line;

	bytes_add(&reference->line, "", 0);
	line = (struct fragment){reference->line.at, reference->line.length};
	if (bytes_end_with(&reference->line, "\r")) {
		line.length--;
	}
	if (line.length > LINE_BYTES_MAX) {
		check_long(
		    reference, (struct fragment){reference->line.at, reference->line.length});
		return;
	}
	if (reference->responses > 0) {
		check_response(reference, line);
		return;
	}
	strip(&line);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if ((reference->extended || !names[i].extended) &&
		    (reference->any_login || !names[i].any_login) &&
		    cut_name(&line, names[i].first, names[i].second)) {
			names[i].check(reference, line);
			return;
		}
	}
	if (!check_http(reference, is_http(line))) {
		reference_reply(reference, "500 Error: command not recognized");
	}
}
