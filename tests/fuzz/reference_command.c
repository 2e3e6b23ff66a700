/*
 * NAME
 *	reference_command - the command lines of the second implementation
 *
 * DESCRIPTION
 *	A line is checked in the order of the protocol's table. With ESMTP a path and parameters
 *	follow the colon; with SMTP all bytes after it are the address.
 */

#include "reference.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* Bytes of a command line without its ending; recipients; bytes of a reply without its CRLF. */
#define LINE_BYTES_MAX  2048
#define RECIPIENTS_MAX  1000
#define REPLY_BYTES_MAX 510

/* Junk commands between messages. */
#define JUNK_COMMANDS_MAX 100

/* Part of a line. */
struct fragment {
	const char *at;
	size_t length;
};

/* The error in the bytes after the colon. */
enum wrong {
	NOTHING_WRONG,
	NO_ADDRESS,
	BAD_ADDRESS,
	BAD_OPTION,
	BAD_SIZE
};

/* The bytes after the colon. */
struct address {
	enum wrong wrong;
	struct fragment shown;  /* all of it: shown if it is bad */
	struct fragment stored; /* the address */
	uint64_t size;          /* as declared by SIZE= */
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

	bytes_add_text(&reference->replies, "555 <");
	for (size_t i = 0; i < address.length && length < REPLY_BYTES_MAX; i++, length++) {
		bool shown = address.at[i] >= 0x20 && address.at[i] < 0x7f;

		bytes_add(&reference->replies, shown ? &address.at[i] : "?", 1);
	}
	reference_reply(reference, why);
}

/* Accept a junk command, or close after too many. */
static bool
allows_junk(struct reference *reference)
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

/* Remove a word from the front: up to white space or, with `colon`, a colon. */
static struct fragment
cut_word(struct fragment *text, bool colon)
{
	struct fragment word = {text->at, 0};

	while (word.length < text->length && !is_space(text->at[word.length]) &&
	       !(colon && text->at[word.length] == ':')) {
		word.length++;
	}
	skip(text, word.length);
	return word;
}

/* Return whether the part begins with this name, in any letter case. */
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

/* Remove this command from the front. Returns whether it was there. `second` may be "". */
static bool
cut_name(struct fragment *line, const char *first, const char *second)
{
	struct fragment rest = *line;

	if (!is_word(cut_word(&rest, false), first)) {
		return false;
	}
	strip(&rest);
	if (*second && !is_word(cut_word(&rest, true), second)) {
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

/*
 * Return how many bytes of the text are a path: up to its '>', if it begins with '<', or to white
 * space; quoted ones are part of the path. Returns 0 if there is no path.
 */
static size_t
path_length(struct fragment text)
{
	bool bracketed = text.at[0] == '<', quoted = false, escaped = false;

	for (size_t i = bracketed ? 1 : 0; i < text.length; i++) {
		char byte = text.at[i];

		if (!quoted && !bracketed && is_space(byte)) {
			return i;
		}
		if (byte < 0x20 || byte > 0x7e || (byte == ' ' && !quoted)) {
			return 0;
		}
		if (!quoted && bracketed && byte == '>') {
			bool ends = i + 1 == text.length || is_space(text.at[i + 1]);

			return ends ? i + 1 : 0;
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

/* Check one parameter of MAIL FROM. */
static enum wrong
check_option(struct fragment option, uint64_t *size)
{
	if (begins_with(option, "SIZE=") && option.length > strlen("SIZE=")) {
		*size = 0;
		for (size_t i = strlen("SIZE="); i < option.length; i++) {
			if (!isdigit((unsigned char)option.at[i])) {
				return BAD_SIZE;
			}
			/* A number above every limit is enough. */
			if (*size < UINT32_MAX) {
				*size = *size * 10 + (uint64_t)(option.at[i] - '0');
			}
		}
		return NOTHING_WRONG;
	}
	return is_word(option, "BODY=7BIT") || is_word(option, "BODY=8BITMIME") ? NOTHING_WRONG
										: BAD_OPTION;
}

/* Parse a path and its parameters. */
static void
parse_path(struct fragment rest, bool sender, struct address *address)
{
	size_t length = path_length(rest);
	bool null = length == strlen("<>") && rest.at[0] == '<';

	if (length == 0 || (null && !sender)) {
		address->wrong = BAD_ADDRESS;
		/* If it is a path, only the path is shown. */
		address->shown.length = null ? length : rest.length;
		return;
	}
	address->stored = (struct fragment){rest.at, length};
	if (rest.at[0] == '<' && !null) {
		address->stored = (struct fragment){rest.at + 1, length - strlen("<>")};
	}
	skip(&rest, length);
	strip(&rest);
	if (rest.length > 0 && !sender) {
		address->wrong = BAD_OPTION;
	}
	while (rest.length > 0 && address->wrong == NOTHING_WRONG) {
		address->wrong = check_option(cut_word(&rest, false), &address->size);
		strip(&rest);
	}
}

/* Parse the bytes after MAIL FROM or RCPT TO. */
static struct address
parse_address(const struct reference *reference, struct fragment rest, bool sender)
{
	struct address address = {.wrong = NO_ADDRESS};

	if (!cut_colon(&rest)) {
		return address;
	}
	address = (struct address){.wrong = NOTHING_WRONG, .shown = rest, .stored = rest};
	if (reference->extended) {
		parse_path(rest, sender, &address);
	} else if (!is_graphic(rest)) {
		address.wrong = BAD_ADDRESS;
	}
	return address;
}

/* ---- commands ---- */

static void
greet(struct reference *reference, struct fragment host)
{
	reference_reset(reference);
	bytes_clear(&reference->received);
	bytes_add_text(&reference->received, "Received: from ");
	bytes_add(&reference->received, host.at, host.length);
	bytes_add_format(&reference->received, " by %s (CS4410MP3)\n", reference->netid);
	reference->greeted = true;
	reference->accepted++;
}

static void
check_helo(struct reference *reference, struct fragment host)
{
	if (host.length == 0 || !is_graphic(host)) {
		reference_reply(reference, "501 Syntax:  HELO yourhostname");
	} else if (reference->greeted && !reference->extended) {
		reference_reply(reference, "503 Error: duplicate HELO");
	} else if (!reference->greeted || allows_junk(reference)) {
		greet(reference, host);
		reference_reply_netid(reference, "250 ", "");
	}
}

static void
check_ehlo(struct reference *reference, struct fragment host)
{
	if (host.length == 0 || !is_graphic(host)) {
		reference_reply(reference, "501 Syntax:  EHLO yourhostname");
	} else if (!reference->greeted || allows_junk(reference)) {
		greet(reference, host);
		reference_reply_netid(reference, "250-", "");
		reference_reply(reference, "250-PIPELINING");
		bytes_add_format(&reference->replies, "250-SIZE %zu\r\n", reference->max_size);
		reference_reply(reference, "250 8BITMIME");
	}
}

static void
check_mail(struct reference *reference, struct fragment rest)
{
	struct address address = parse_address(reference, rest, true);

	if (!reference->greeted) {
		reference_reply(reference, "503 Error: need HELO command");
	} else if (address.wrong == NO_ADDRESS || address.wrong == BAD_SIZE) {
		reference_reply(reference, "501 Syntax:  MAIL FROM: address");
	} else if (address.wrong == BAD_ADDRESS) {
		reject(reference, address.shown, ">: Sender address rejected");
	} else if (address.wrong == BAD_OPTION) {
		reference_reply(reference, "555 Error: unsupported option");
	} else if (reference->mail_open) {
		reference_reply(reference, "503 Error: nested MAIL command");
	} else if (address.size > reference->max_size) {
		reference_reply(reference, "552 Error: message too big");
	} else {
		bytes_add_text(&reference->rest, "From: ");
		bytes_add(&reference->rest, address.stored.at, address.stored.length);
		bytes_add_text(&reference->rest, "\n");
		reference->mail_open = true;
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
	struct address address = parse_address(reference, rest, false);

	if (!reference->greeted) {
		reference_reply(reference, "503 Error: need HELO command");
	} else if (!reference->mail_open) {
		reference_reply(reference, "503 Error: need MAIL FROM command");
	} else if (address.wrong == NO_ADDRESS) {
		reference_reply(reference, "501 Syntax:  RCPT TO: address");
	} else if (address.wrong == BAD_ADDRESS) {
		reject(reference, address.shown, ">: Recipient address invalid");
	} else if (address.wrong == BAD_OPTION) {
		reference_reply(reference, "555 Error: unsupported option");
	} else if (!has_space(reference, address.stored)) {
		reference_reply(reference, "452 Error: too many recipients");
	} else {
		bytes_add_text(&reference->rest, "To: ");
		bytes_add(&reference->rest, address.stored.at, address.stored.length);
		bytes_add_text(&reference->rest, "\n");
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
	} else if (allows_junk(reference)) {
		reference_reset(reference);
		accept_with(reference, "250 OK");
	}
}

static void
check_noop(struct reference *reference, struct fragment rest)
{
	(void)rest;
	if (allows_junk(reference)) {
		accept_with(reference, "250 OK");
	}
}

static void
check_vrfy(struct reference *reference, struct fragment rest)
{
	if (rest.length == 0) {
		reference_reply(reference, "501 Syntax:  VRFY address");
	} else if (allows_junk(reference)) {
		accept_with(reference, "252 Error: cannot verify, send some mail");
	}
}

static void
check_help(struct reference *reference, struct fragment rest)
{
	(void)rest;
	if (allows_junk(reference)) {
		accept_with(reference, "214 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
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

static const struct name {
	const char *first;
	const char *second;
	bool extended; /* only */
	void (*judge)(struct reference *reference, struct fragment rest);
} names[] = {
    {"HELO", "", false, check_helo},
    {"EHLO", "", true, check_ehlo},
    {"MAIL", "FROM", false, check_mail},
    {"RCPT", "TO", false, check_rcpt},
    {"DATA", "", false, check_data},
    {"RSET", "", true, check_rset},
    {"NOOP", "", true, check_noop},
    {"VRFY", "", true, check_vrfy},
    {"HELP", "", true, check_help},
    {"QUIT", "", true, check_quit},
};

void
reference_check(struct reference *reference)
{
	struct fragment line;

	bytes_add(&reference->line, "", 0);
	line = (struct fragment){reference->line.at, reference->line.length};
	if (bytes_end(&reference->line, "\r")) {
		line.length--;
	}
	if (line.length > LINE_BYTES_MAX) {
		reference_reply(reference, "500 Error: line too long");
		return;
	}
	strip(&line);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if ((reference->extended || !names[i].extended) &&
		    cut_name(&line, names[i].first, names[i].second)) {
			names[i].judge(reference, line);
			return;
		}
	}
	reference_reply(reference, "500 Error: command not recognized");
}
