/*
 * NAME
 *	command - write one command line of a given type
 *
 * DESCRIPTION
 *	Most types are a command with one of a few types of argument: `forms` lists them. Each other
 *	type has a function.
 *
 * DIAGNOSTICS
 *	Out of memory shows as `failed` in the buffer.
 */

#include "command.h"

#include <ctype.h>
#include <string.h>

/* Longest usual word of a name, unusual name, and odd run of white space, in bytes. */
#define WORD_MAX    24
#define UNUSUAL_MAX 300
#define SPACES_MAX  5

/* Bytes of ARGUMENT_LONG: around the longest that fits into a 555 reply; nearly a line. */
#define CUT_MIN  470
#define CUT_MAX  490
#define LONG_MAX 1900

/* Greatest length of a line that is too long, in bytes: often the first, rarely the second. */
#define TOO_LONG_NEAR 4096
#define TOO_LONG_FAR  65536

#define SPAN(literal)                          \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

/* What a command has as its host or address. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_GOOD,
	ARGUMENT_MISSING,
	ARGUMENT_SPACE, /* white space inside */
	ARGUMENT_BYTE,  /* a byte that is not printable ASCII inside */
	ARGUMENT_LONG,  /* refused, and long: the reply may have to cut it */
	ARGUMENT_EXTRA, /* where none belongs */
	ARGUMENT_ANY    /* valid or not: the reply does not depend on it */
};

/* A command: the words of its name, and its argument. */
struct form {
	const char *first;  /* NULL: not a form; see command_write() */
	const char *second; /* followed by a colon; NULL: the name is one word */
	enum argument argument;
};

static const struct form forms[OP_COUNT] = {
    [OP_HELO] = {"HELO", NULL, ARGUMENT_GOOD},
    [OP_HELO_AGAIN] = {"HELO", NULL, ARGUMENT_GOOD},
    [OP_HELO_MISSING] = {"HELO", NULL, ARGUMENT_MISSING},
    [OP_HELO_SPACE] = {"HELO", NULL, ARGUMENT_SPACE},
    [OP_HELO_BYTE] = {"HELO", NULL, ARGUMENT_BYTE},
    [OP_MAIL] = {"MAIL", "FROM", ARGUMENT_GOOD},
    [OP_MAIL_EARLY] = {"MAIL", "FROM", ARGUMENT_ANY},
    [OP_MAIL_NESTED] = {"MAIL", "FROM", ARGUMENT_GOOD},
    [OP_MAIL_SYNTAX] = {"MAIL", "FROM", ARGUMENT_MISSING},
    [OP_MAIL_SPACE] = {"MAIL", "FROM", ARGUMENT_SPACE},
    [OP_MAIL_BYTE] = {"MAIL", "FROM", ARGUMENT_BYTE},
    [OP_MAIL_LONG] = {"MAIL", "FROM", ARGUMENT_LONG},
    [OP_RCPT] = {"RCPT", "TO", ARGUMENT_GOOD},
    [OP_RCPT_BEFORE_HELO] = {"RCPT", "TO", ARGUMENT_ANY},
    [OP_RCPT_BEFORE_MAIL] = {"RCPT", "TO", ARGUMENT_ANY},
    [OP_RCPT_SYNTAX] = {"RCPT", "TO", ARGUMENT_MISSING},
    [OP_RCPT_SPACE] = {"RCPT", "TO", ARGUMENT_SPACE},
    [OP_RCPT_BYTE] = {"RCPT", "TO", ARGUMENT_BYTE},
    [OP_RCPT_LONG] = {"RCPT", "TO", ARGUMENT_LONG},
    [OP_DATA] = {"DATA", NULL, ARGUMENT_NONE},
    [OP_DATA_BEFORE_HELO] = {"DATA", NULL, ARGUMENT_NONE},
    [OP_DATA_BEFORE_MAIL] = {"DATA", NULL, ARGUMENT_EXTRA},
    [OP_DATA_BEFORE_RCPT] = {"DATA", NULL, ARGUMENT_NONE},
    [OP_DATA_SYNTAX] = {"DATA", NULL, ARGUMENT_EXTRA},
};

/* Lines that people, mail programs and other clients send, and that are not recognized. */
static const char *const unknown_words[] = {"mkdir", "EHLO localhost", "QUIT", "RSET", "NOOP",
    "HELP", "VRFY root", "EXPN all", "STARTTLS", "AUTH PLAIN", "BDAT 5 LAST", "SEND FROM:<a@b>",
    ".", "..", "Subject: hello", "GET / HTTP/1.1", "250 OK",
    "421 4.4.2 netid Error: timeout exceeded"};

/*
 * Lines close to a command: with one more word, letter or colon, or a byte that is not white space.
 */
static const struct span near_misses[] = {SPAN("HELO:x"), SPAN("HELOX y"), SPAN("HEL x"),
    SPAN("HELO\0x"), SPAN("HELO\vx"), SPAN("HELO\fx"), SPAN("HELO\rx"), SPAN("\"HELO\" x"),
    SPAN("HELO\xa0x"), SPAN("MAIL"), SPAN("MAIL TO:x"), SPAN("MAIL x"), SPAN("MAILFROM:x"),
    SPAN("MAIL:FROM:x"), SPAN("MAIL FROMX:a"), SPAN("MAIL FR OM:x"), SPAN("MAIL\vFROM:x"),
    SPAN("MAIL FROM\r:x"), SPAN("MAIL FROM\0:x"), SPAN("MAIL :FROM x"), SPAN("FROM:x"),
    SPAN("RCPT"), SPAN("RCPT FROM:x"), SPAN("RCPT x"), SPAN("RCPTTO:x"), SPAN("RCPT:TO:x"),
    SPAN("RCPT TOO:x"), SPAN("RCPT T O:x"), SPAN("RCPT\fTO:x"), SPAN("TO:x"), SPAN("DATA:"),
    SPAN("DATAX"), SPAN("DATA\r"), SPAN("DATA\0"), SPAN("DATA;"), SPAN("DAT"), SPAN("\177DATA"),
    SPAN("\b")};

/* ---- parts of a line ---- */

void
command_write_printable(struct prng *prng, size_t length, struct buffer *line)
{
	for (size_t i = 0; i < length; i++) {
		buffer_add_byte(line, (char)prng_between(prng, 0x21, 0x7e));
	}
}

static void
write_letters(struct prng *prng, size_t min, size_t max, struct buffer *line)
{
	size_t length = prng_between(prng, min, max);

	while (length-- > 0) {
		buffer_add_byte(line, "abcdefghijklmnopqrstuvwxyz0123456789"[prng_below(prng, 36)]);
	}
}

static void
write_host(struct prng *prng, struct buffer *line)
{
	write_letters(prng, 1, WORD_MAX, line);
	while (!prng_one_in(prng, 3)) {
		buffer_add_byte(line, prng_one_in(prng, 8) ? '-' : '.');
		write_letters(prng, 1, 8, line);
	}
}

enum name_type {
	NAME_HOST,
	NAME_ADDRESS
};

/* Write a name: most are usual ones, some are unusual, of any characters that are allowed. */
static void
write_name(struct prng *prng, enum name_type name_type, struct buffer *line)
{
	bool brackets = name_type == NAME_ADDRESS && !prng_one_in(prng, 3);

	if (prng_one_in(prng, 64)) {
		command_write_printable(prng, prng_between(prng, 1, UNUSUAL_MAX), line);
		return;
	}
	if (prng_one_in(prng, 16)) {
		command_write_printable(prng, prng_between(prng, 1, WORD_MAX), line);
		return;
	}
	if (brackets) {
		buffer_add_byte(line, '<');
	}
	if (name_type == NAME_ADDRESS) {
		write_letters(prng, 1, WORD_MAX, line);
		buffer_add_byte(line, '@');
	}
	write_host(prng, line);
	if (brackets) {
		buffer_add_byte(line, '>');
	}
}

/* Write `min` spaces; with VARIANT_SPACES, `min` to SPACES_MAX spaces and tabs. */
static void
write_space(struct prng *prng, unsigned variant, size_t min, struct buffer *line)
{
	size_t length = min;

	if ((variant & VARIANT_SPACES) == 0) {
		buffer_fill(line, ' ', min);
		return;
	}
	length = prng_between(prng, min, SPACES_MAX);
	while (length-- > 0) {
		buffer_add_byte(line, prng_one_in(prng, 3) ? '\t' : ' ');
	}
}

/* Write a word; with VARIANT_CASE, about half of its letters in lower case. */
static void
write_word(struct prng *prng, unsigned variant, const char *word, struct buffer *line)
{
	for (; *word != '\0'; word++) {
		if ((variant & VARIANT_CASE) != 0 && prng_one_in(prng, 2)) {
			buffer_add_byte(line, (char)tolower((unsigned char)*word));
		} else {
			buffer_add_byte(line, *word);
		}
	}
}

/* Return a byte that is neither printable ASCII nor white space nor LF. */
static char
bad_byte(struct prng *prng)
{
	size_t byte = prng_between(prng, 0, 31 + 129);

	if (byte > 31) {
		return (char)(byte - 32 + 127);
	}
	return (char)(byte == '\t' || byte == '\n' ? '\r' : byte);
}

/* Write what makes a name invalid, once or several times, with letters after it. */
static void
write_invalid(struct prng *prng, enum argument argument, struct buffer *line)
{
	do {
		if (argument == ARGUMENT_SPACE) {
			buffer_add_byte(line, prng_one_in(prng, 4) ? '\t' : ' ');
		} else {
			buffer_add_byte(line, bad_byte(prng));
		}
		write_letters(prng, 1, WORD_MAX, line);
	} while (prng_one_in(prng, 4));
}

/* Write printable characters with one space or bad byte among them. */
static void
write_long(struct prng *prng, struct buffer *line)
{
	size_t max = prng_one_in(prng, 2) ? CUT_MAX : LONG_MAX;
	size_t length = prng_between(prng, CUT_MIN, max);
	size_t before = prng_between(prng, 1, length - 2);

	command_write_printable(prng, before, line);
	if (prng_one_in(prng, 2)) {
		buffer_add_byte(line, ' ');
	} else {
		buffer_add_byte(line, bad_byte(prng));
	}
	command_write_printable(prng, length - before - 1, line);
}

static void
write_argument(
    struct prng *prng, enum argument argument, enum name_type name_type, struct buffer *line)
{
	if (argument == ARGUMENT_LONG) {
		write_long(prng, line);
		return;
	}
	write_name(prng, name_type, line);
	if (argument == ARGUMENT_SPACE || argument == ARGUMENT_BYTE) {
		write_invalid(prng, argument, line);
	}
}

/* ---- lines ---- */

/* Write what follows `MAIL FROM` or `RCPT TO`. */
static void
write_path(struct prng *prng, unsigned variant, enum argument argument, struct buffer *line)
{
	if (argument == ARGUMENT_MISSING && prng_one_in(prng, 2)) {
		/* Without a colon: nothing, or an address. */
		if (prng_one_in(prng, 2)) {
			write_space(prng, variant, 1, line);
			write_letters(prng, 1, WORD_MAX, line);
		}
		return;
	}
	write_space(prng, variant, 0, line);
	buffer_add_byte(line, ':');
	write_space(prng, variant, prng_below(prng, 2), line);
	if (argument != ARGUMENT_MISSING) {
		write_argument(prng, argument, NAME_ADDRESS, line);
	}
}

static void
write_form(const struct form *form, unsigned variant, struct prng *prng, struct buffer *line)
{
	enum argument argument = form->argument;

	if (argument == ARGUMENT_ANY) {
		argument = (enum argument)prng_between(prng, ARGUMENT_GOOD, ARGUMENT_LONG);
	}
	write_space(prng, variant, 0, line);
	write_word(prng, variant, form->first, line);
	if (form->second != NULL) {
		write_space(prng, variant, 1, line);
		write_word(prng, variant, form->second, line);
		write_path(prng, variant, argument, line);
	} else if (argument != ARGUMENT_NONE && argument != ARGUMENT_MISSING) {
		write_space(prng, variant, 1, line);
		write_argument(prng, argument, NAME_HOST, line);
	}
	write_space(prng, variant, 0, line);
}

static void
write_unknown(struct prng *prng, unsigned variant, struct buffer *line)
{
	if (prng_one_in(prng, 4)) {
		/* Random bytes: the first begins no command, and the last is not CR. */
		buffer_add_byte(line, (char)prng_between(prng, 0x80, 0xff));
		write_invalid(prng, ARGUMENT_BYTE, line);
	} else {
		const char *word = unknown_words[prng_below(prng, ARRAY_LENGTH(unknown_words))];

		write_space(prng, variant, 0, line);
		write_word(prng, variant, word, line);
	}
}

/*
 * Write a line a little or far over the limit: the beginning of a command or nothing, then letters
 * or spaces.
 */
static void
write_too_long(struct prng *prng, struct buffer *line)
{
	static const char *const beginnings[] = {
	    "HELO ", "MAIL FROM:", "RCPT TO:", "DATA ", "", " "};
	size_t length = LINE_MAX + 1;
	size_t begin = line->length;

	if (prng_one_in(prng, 2)) {
		length = prng_between(prng, length, TOO_LONG_NEAR);
	} else if (prng_one_in(prng, 16)) {
		length = prng_between(prng, length, TOO_LONG_FAR);
	}
	buffer_add_string(line, beginnings[prng_below(prng, ARRAY_LENGTH(beginnings))]);
	buffer_fill(line, prng_one_in(prng, 3) ? ' ' : 'x', length - (line->length - begin));
}

/* Extend a valid line to the limit: its argument, or white space at its end. */
static void
fill_line(enum operation_type type, struct prng *prng, size_t begin, struct buffer *line)
{
	size_t length = line->length - begin;

	if (line->failed || length >= LINE_MAX) {
		return;
	}
	if (type == OP_DATA || prng_one_in(prng, 4)) {
		buffer_fill(line, ' ', LINE_MAX - length);
	} else {
		command_write_printable(prng, LINE_MAX - length, line);
	}
}

/* ---- public functions ---- */

unsigned
command_variants(enum operation_type type)
{
	switch (type) {
	case OP_HELO:
	case OP_MAIL:
	case OP_RCPT:
	case OP_DATA:
		return VARIANT_SPACES | VARIANT_CASE | VARIANT_BARE_LF | VARIANT_FULL_LINE;
	case OP_EMPTY:
		return VARIANT_SPACES | VARIANT_BARE_LF;
	case OP_NEAR_MISS:
		/* One of them ends in CR: with LF alone after it, that would be a CRLF. */
		return 0;
	case OP_TOO_LONG:
		return VARIANT_BARE_LF;
	default:
		return VARIANT_SPACES | VARIANT_CASE | VARIANT_BARE_LF;
	}
}

void
command_write(enum operation_type type, unsigned variant, struct prng *prng, struct buffer *line)
{
	size_t begin = line->length;

	if ((variant & VARIANT_FULL_LINE) != 0) {
		/* After white space at the end, fill_line() would begin a second argument. */
		write_form(&forms[type], variant & ~(unsigned)VARIANT_SPACES, prng, line);
		fill_line(type, prng, begin, line);
	} else if (forms[type].first != NULL) {
		write_form(&forms[type], variant, prng, line);
	} else if (type == OP_EMPTY) {
		write_space(prng, variant, 0, line);
	} else if (type == OP_NEAR_MISS) {
		const struct span *miss = &near_misses[prng_below(prng, ARRAY_LENGTH(near_misses))];

		buffer_add(line, miss->bytes, miss->length);
	} else if (type == OP_TOO_LONG) {
		write_too_long(prng, line);
	} else if (type == OP_UNKNOWN) {
		write_unknown(prng, variant, line);
	}
	buffer_add_string(line, (variant & VARIANT_BARE_LF) != 0 ? "\n" : "\r\n");
}

void
command_write_partial(struct prng *prng, struct buffer *line)
{
	static const enum operation_type types[] = {OP_HELO, OP_MAIL, OP_RCPT, OP_DATA, OP_UNKNOWN};
	size_t begin = line->length;
	size_t length;

	command_write(types[prng_below(prng, ARRAY_LENGTH(types))], 0, prng, line);
	/* The CR may be there; without the LF it is no line ending. */
	length = line->length - begin - 1;
	line->length = begin + prng_between(prng, 1, length);
}

void
command_write_short_rcpt(struct prng *prng, struct buffer *line)
{
	buffer_add_string(line, "RCPT TO:");
	write_letters(prng, 1, 6, line);
	buffer_add_string(line, "@b\r\n");
}
