/*
 * NAME
 *	spell - one command line of a given kind
 *
 * DESCRIPTION
 *	Most kinds are a command with one of a few sorts of argument: a table says which. The others
 *	have a function each.
 *
 * DIAGNOSTICS
 *	Out of memory shows as `failed` in the buffer.
 */

#include "spell.h"

#include <ctype.h>
#include <string.h>

/* Longest ordinary host name, address part, and odd run of white space, in bytes. */
#define NAME_MOST    24
#define STRANGE_MOST 300
#define SPACES_MOST  5

/* Refused addresses: around where a 555 is cut, and as long as a line allows. */
#define CUT_LEAST 470
#define CUT_MOST  490
#define LONG_MOST 1900

/* A line too long: mostly just so, and now and then by far. */
#define TOO_LONG_NEAR 4096
#define TOO_LONG_FAR  65536

#define SPAN(literal)                          \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_GOOD,
	ARGUMENT_MISSING,
	ARGUMENT_SPACE, /* white space inside */
	ARGUMENT_BYTE,  /* a byte that is not printable ASCII inside */
	ARGUMENT_LONG,  /* refused, and longer than a reply */
	ARGUMENT_EXTRA, /* where none belongs */
	ARGUMENT_ANY    /* good or bad: the reply does not look at it */
};

struct form {
	const char *first;
	const char *second; /* followed by a colon; NULL: the name is one word */
	enum argument argument;
};

static const struct form forms[KINDS] = {
    [KIND_HELO] = {"HELO", NULL, ARGUMENT_GOOD},
    [KIND_HELO_AGAIN] = {"HELO", NULL, ARGUMENT_GOOD},
    [KIND_HELO_MISSING] = {"HELO", NULL, ARGUMENT_MISSING},
    [KIND_HELO_SPACE] = {"HELO", NULL, ARGUMENT_SPACE},
    [KIND_HELO_BYTE] = {"HELO", NULL, ARGUMENT_BYTE},
    [KIND_MAIL] = {"MAIL", "FROM", ARGUMENT_GOOD},
    [KIND_MAIL_EARLY] = {"MAIL", "FROM", ARGUMENT_ANY},
    [KIND_MAIL_NESTED] = {"MAIL", "FROM", ARGUMENT_GOOD},
    [KIND_MAIL_SYNTAX] = {"MAIL", "FROM", ARGUMENT_MISSING},
    [KIND_MAIL_SPACE] = {"MAIL", "FROM", ARGUMENT_SPACE},
    [KIND_MAIL_BYTE] = {"MAIL", "FROM", ARGUMENT_BYTE},
    [KIND_MAIL_LONG] = {"MAIL", "FROM", ARGUMENT_LONG},
    [KIND_RCPT] = {"RCPT", "TO", ARGUMENT_GOOD},
    [KIND_RCPT_BEFORE_HELO] = {"RCPT", "TO", ARGUMENT_ANY},
    [KIND_RCPT_BEFORE_MAIL] = {"RCPT", "TO", ARGUMENT_ANY},
    [KIND_RCPT_SYNTAX] = {"RCPT", "TO", ARGUMENT_MISSING},
    [KIND_RCPT_SPACE] = {"RCPT", "TO", ARGUMENT_SPACE},
    [KIND_RCPT_BYTE] = {"RCPT", "TO", ARGUMENT_BYTE},
    [KIND_RCPT_LONG] = {"RCPT", "TO", ARGUMENT_LONG},
    [KIND_DATA] = {"DATA", NULL, ARGUMENT_NONE},
    [KIND_DATA_BEFORE_HELO] = {"DATA", NULL, ARGUMENT_NONE},
    [KIND_DATA_BEFORE_MAIL] = {"DATA", NULL, ARGUMENT_EXTRA},
    [KIND_DATA_BEFORE_RCPT] = {"DATA", NULL, ARGUMENT_NONE},
    [KIND_DATA_SYNTAX] = {"DATA", NULL, ARGUMENT_EXTRA},
};

/* What a person or a mail program may send, and this server does not know. */
static const char *const unknown_words[] = {"mkdir", "EHLO localhost", "QUIT", "RSET", "NOOP",
    "HELP", "VRFY root", "EXPN all", "STARTTLS", "AUTH PLAIN", "BDAT 5 LAST", "SEND FROM:<a@b>",
    ".", "..", "Subject: hello", "GET / HTTP/1.1", "250 OK",
    "421 4.4.2 netid Error: timeout exceeded"};

/* One step beside a command: a word too many, a letter, a colon, a byte that is no white space. */
static const struct span near_misses[] = {SPAN("HELO:x"), SPAN("HELOX y"), SPAN("HEL x"),
    SPAN("HELO\0x"), SPAN("HELO\vx"), SPAN("HELO\fx"), SPAN("HELO\rx"), SPAN("\"HELO\" x"),
    SPAN("HELO\xa0x"), SPAN("MAIL"), SPAN("MAIL TO:x"), SPAN("MAIL x"), SPAN("MAILFROM:x"),
    SPAN("MAIL:FROM:x"), SPAN("MAIL FROMX:a"), SPAN("MAIL FR OM:x"), SPAN("MAIL\vFROM:x"),
    SPAN("MAIL FROM\r:x"), SPAN("MAIL FROM\0:x"), SPAN("MAIL :FROM x"), SPAN("FROM:x"),
    SPAN("RCPT"), SPAN("RCPT FROM:x"), SPAN("RCPT x"), SPAN("RCPTTO:x"), SPAN("RCPT:TO:x"),
    SPAN("RCPT TOO:x"), SPAN("RCPT T O:x"), SPAN("RCPT\fTO:x"), SPAN("TO:x"), SPAN("DATA:"),
    SPAN("DATAX"), SPAN("DATA\r"), SPAN("DATA\0"), SPAN("DATA;"), SPAN("DAT"), SPAN("\177DATA"),
    SPAN("\b")};

void
spell_printable(struct chance *chance, size_t length, struct buffer *line)
{
	size_t i;

	for (i = 0; i < length; i++) {
		buffer_byte(line, (char)chance_between(chance, 0x21, 0x7e));
	}
}

static void
write_letters(struct chance *chance, size_t least, size_t most, struct buffer *line)
{
	size_t length = chance_between(chance, least, most);

	while (length-- > 0) {
		buffer_byte(line, "abcdefghijklmnopqrstuvwxyz0123456789"[chance_below(chance, 36)]);
	}
}

static void
write_host(struct chance *chance, struct buffer *line)
{
	write_letters(chance, 1, NAME_MOST, line);
	while (!chance_one_in(chance, 3)) {
		buffer_byte(line, chance_one_in(chance, 8) ? '-' : '.');
		write_letters(chance, 1, 8, line);
	}
}

/* An address or a host: mostly what people have, now and then all that the protocol allows. */
static void
write_name(struct chance *chance, bool address, struct buffer *line)
{
	bool brackets = address && !chance_one_in(chance, 3);

	if (chance_one_in(chance, 64)) {
		spell_printable(chance, chance_between(chance, 1, STRANGE_MOST), line);
		return;
	}
	if (chance_one_in(chance, 16)) {
		spell_printable(chance, chance_between(chance, 1, NAME_MOST), line);
		return;
	}
	if (brackets) {
		buffer_byte(line, '<');
	}
	if (address) {
		write_letters(chance, 1, NAME_MOST, line);
		buffer_byte(line, '@');
	}
	write_host(chance, line);
	if (brackets) {
		buffer_byte(line, '>');
	}
}

/* White space of `least` bytes at least: one space, or a handful of spaces and tabs if odd. */
static void
write_gap(struct chance *chance, unsigned how, size_t least, struct buffer *line)
{
	size_t length = least;

	if ((how & HOW_SPACES) == 0) {
		buffer_fill(line, ' ', least);
		return;
	}
	length = chance_between(chance, least, SPACES_MOST);
	while (length-- > 0) {
		buffer_byte(line, chance_one_in(chance, 3) ? '\t' : ' ');
	}
}

static void
write_word(struct chance *chance, unsigned how, const char *word, struct buffer *line)
{
	for (; *word != '\0'; word++) {
		if ((how & HOW_CASE) != 0 && chance_one_in(chance, 2)) {
			buffer_byte(line, (char)tolower((unsigned char)*word));
		} else {
			buffer_byte(line, *word);
		}
	}
}

/* A byte that is neither printable ASCII nor white space nor LF. */
static char
bad_byte(struct chance *chance)
{
	size_t byte = chance_between(chance, 0, 31 + 129);

	if (byte > 31) {
		return (char)(byte - 32 + 127);
	}
	return (char)(byte == '\t' || byte == '\n' ? '\r' : byte);
}

static void
write_refused(struct chance *chance, bool space, struct buffer *line)
{
	do {
		if (space) {
			buffer_byte(line, chance_one_in(chance, 4) ? '\t' : ' ');
		} else {
			buffer_byte(line, bad_byte(chance));
		}
		write_letters(chance, 1, NAME_MOST, line);
	} while (chance_one_in(chance, 4));
}

static void
write_long(struct chance *chance, struct buffer *line)
{
	size_t most = chance_one_in(chance, 2) ? CUT_MOST : LONG_MOST;
	size_t length = chance_between(chance, CUT_LEAST, most);
	size_t before = chance_between(chance, 1, length - 2);

	spell_printable(chance, before, line);
	if (chance_one_in(chance, 2)) {
		buffer_byte(line, ' ');
	} else {
		buffer_byte(line, bad_byte(chance));
	}
	spell_printable(chance, length - before - 1, line);
}

static void
write_argument(struct chance *chance, enum argument argument, bool address, struct buffer *line)
{
	if (argument == ARGUMENT_LONG) {
		write_long(chance, line);
		return;
	}
	write_name(chance, address, line);
	if (argument == ARGUMENT_SPACE || argument == ARGUMENT_BYTE) {
		write_refused(chance, argument == ARGUMENT_SPACE, line);
	}
}

/* What follows `MAIL FROM` or `RCPT TO`. */
static void
write_path(struct chance *chance, unsigned how, enum argument argument, struct buffer *line)
{
	if (argument == ARGUMENT_MISSING && chance_one_in(chance, 2)) {
		/* No colon: nothing at all, or an address without it. */
		if (chance_one_in(chance, 2)) {
			write_gap(chance, how, 1, line);
			write_letters(chance, 1, NAME_MOST, line);
		}
		return;
	}
	write_gap(chance, how, 0, line);
	buffer_byte(line, ':');
	write_gap(chance, how, chance_below(chance, 2), line);
	if (argument != ARGUMENT_MISSING) {
		write_argument(chance, argument, true, line);
	}
}

static void
write_form(const struct form *form, unsigned how, struct chance *chance, struct buffer *line)
{
	enum argument argument = form->argument;

	if (argument == ARGUMENT_ANY) {
		argument = (enum argument)chance_between(chance, ARGUMENT_GOOD, ARGUMENT_LONG);
	}
	write_gap(chance, how, 0, line);
	write_word(chance, how, form->first, line);
	if (form->second != NULL) {
		write_gap(chance, how, 1, line);
		write_word(chance, how, form->second, line);
		write_path(chance, how, argument, line);
	} else if (argument != ARGUMENT_NONE && argument != ARGUMENT_MISSING) {
		write_gap(chance, how, 1, line);
		write_argument(chance, argument, false, line);
	}
	write_gap(chance, how, 0, line);
}

static void
write_unknown(struct chance *chance, unsigned how, struct buffer *line)
{
	if (chance_one_in(chance, 4)) {
		/* Noise: a byte that no command begins with, anything, then no CR before the end. */
		buffer_byte(line, (char)chance_between(chance, 0x80, 0xff));
		write_refused(chance, false, line);
	} else {
		const char *word = unknown_words[chance_below(chance, COUNT(unknown_words))];

		write_gap(chance, how, 0, line);
		write_word(chance, how, word, line);
	}
}

/* Just over the limit, or far over it; of a command that would be fine, of letters, of spaces. */
static void
write_too_long(struct chance *chance, struct buffer *line)
{
	static const char *const beginnings[] = {
	    "HELO ", "MAIL FROM:", "RCPT TO:", "DATA ", "", " "};
	size_t length = LINE_MOST + 1;
	size_t begin = line->length;

	if (chance_one_in(chance, 2)) {
		length = chance_between(chance, length, TOO_LONG_NEAR);
	} else if (chance_one_in(chance, 16)) {
		length = chance_between(chance, length, TOO_LONG_FAR);
	}
	buffer_text(line, beginnings[chance_below(chance, COUNT(beginnings))]);
	buffer_fill(line, chance_one_in(chance, 3) ? ' ' : 'x', length - (line->length - begin));
}

/* Lengthen an acceptable line to the limit: its argument, or white space at its end. */
static void
fill_line(enum kind kind, struct chance *chance, size_t begin, struct buffer *line)
{
	size_t length = line->length - begin;

	if (line->failed || length >= LINE_MOST) {
		return;
	}
	if (kind == KIND_DATA || chance_one_in(chance, 4)) {
		buffer_fill(line, ' ', LINE_MOST - length);
	} else {
		spell_printable(chance, LINE_MOST - length, line);
	}
}

unsigned
spell_hows(enum kind kind)
{
	switch (kind) {
	case KIND_HELO:
	case KIND_MAIL:
	case KIND_RCPT:
	case KIND_DATA:
		return HOW_SPACES | HOW_CASE | HOW_BARE_LF | HOW_FULL_LINE;
	case KIND_EMPTY:
		return HOW_SPACES | HOW_BARE_LF;
	case KIND_NEAR_MISS:
		/* One of them ends in CR, which would belong to a bare LF. */
		return 0;
	case KIND_TOO_LONG:
		return HOW_BARE_LF;
	default:
		return HOW_SPACES | HOW_CASE | HOW_BARE_LF;
	}
}

void
spell_line(enum kind kind, unsigned how, struct chance *chance, struct buffer *line)
{
	size_t begin = line->length;

	if ((how & HOW_FULL_LINE) != 0) {
		/* White space after the argument would end it, and the filling would be another. */
		write_form(&forms[kind], how & ~(unsigned)HOW_SPACES, chance, line);
		fill_line(kind, chance, begin, line);
	} else if (forms[kind].first != NULL) {
		write_form(&forms[kind], how, chance, line);
	} else if (kind == KIND_EMPTY) {
		write_gap(chance, how, 0, line);
	} else if (kind == KIND_NEAR_MISS) {
		const struct span *miss = &near_misses[chance_below(chance, COUNT(near_misses))];

		buffer_add(line, miss->bytes, miss->length);
	} else if (kind == KIND_TOO_LONG) {
		write_too_long(chance, line);
	} else {
		write_unknown(chance, how, line);
	}
	buffer_text(line, (how & HOW_BARE_LF) != 0 ? "\n" : "\r\n");
}

void
spell_half_line(struct chance *chance, struct buffer *line)
{
	static const enum kind kinds[] = {KIND_HELO, KIND_MAIL, KIND_RCPT, KIND_DATA, KIND_UNKNOWN};
	size_t begin = line->length;
	size_t length;

	spell_line(kinds[chance_below(chance, COUNT(kinds))], 0, chance, line);
	/* The CR may be there; without the LF it is no line ending. */
	length = line->length - begin - 1;
	line->length = begin + chance_between(chance, 1, length);
}

void
spell_short_rcpt(struct chance *chance, struct buffer *line)
{
	buffer_text(line, "RCPT TO:");
	write_letters(chance, 1, 6, line);
	buffer_text(line, "@b\r\n");
}
