/*
 * NAME
 *	check_message - line ends, dots, quoting and limits of a message, in any split
 *
 * DESCRIPTION
 *	The scanner gets most bodies whole, byte by byte, and in two chunks split at every position;
 *	the result must be the same. The expected result is in tables. For generated inputs decode()
 *	computes it: decode() sees the whole input, and uses regexec() instead of an automaton.
 */

#define _GNU_SOURCE

#include "environment.h"
#include "message.h"

#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bytes.h"
#include "suite.h"

#define RECEIVED "Received: from client by netid (CS4410MP3)\n"
#define ENVELOPE "From: student@CS4410\nTo: TA@CS4410\n\n"

/* A line that looks like the first of a record. */
#define FORGERY "Received: from x by netid (CS4410MP3)"

/* The end of the data after a line's end, and bytes after it that belong to no message. */
#define END   ".\r\n"
#define AFTER "x\r\n.\r\n"

/* ---- the expected body ---- */

static regex_t record_line;

static void
prepare_decoding(void)
{
	ck_assert_int_eq(regcomp(&record_line, "^>*Received: from .* by .* \\(CS4410MP3\\)$",
			     REG_EXTENDED | REG_NOSUB),
	    0);
}

static void
end_decoding(void)
{
	regfree(&record_line);
}

/* Add the lines of `plain` to `body`, and quote those that need it. */
static void
quote(const struct bytes *plain, struct bytes *body)
{
	const char *line = plain->at, *end = plain->at + plain->length;

	while (line < end) {
		const char *line_feed = memchr(line, '\n', (size_t)(end - line));
		regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)(line_feed - line)};

		if (regexec(&record_line, line, 1, &range, REG_STARTEND) == 0) {
			bytes_add_string(body, ">");
		}
		bytes_add(body, line, (size_t)(line_feed - line) + 1);
		line = line_feed + 1;
	}
}

/*
 * Find the end of the data and compute the stored body. Returns how many bytes of the input belong
 * to the message; 0 if it has no end. The input must not contain a NUL.
 */
static size_t
decode(const struct bytes *input, struct bytes *body)
{
	const char *line = input->at, *end = input->at + input->length, *line_end;
	struct bytes plain = {.at = NULL};
	size_t used = 0;

	while (used == 0 && (line_end = memmem(line, (size_t)(end - line), "\r\n", 2)) != NULL) {
		if (line_end == line + 1 && *line == '.') {
			used = (size_t)(line_end + 2 - input->at);
		} else {
			if (*line == '.') {
				line++;
			}
			bytes_add(&plain, line, (size_t)(line_end - line));
			bytes_add_string(&plain, "\n");
		}
		line = line_end + 2;
	}
	if (used > 0 && plain.length > 0) {
		quote(&plain, body);
	}
	bytes_free(&plain);
	return used;
}

/* ---- the actual body ---- */

static void
begin(struct message_buffer *message, size_t max_size)
{
	message_init(message, "netid", max_size);
	REQUIRE(message_set_host(message, LITERAL("client")) == 0, "no host");
}

/* Discard all messages, and start one up to its body. */
static void
begin_body(struct message_buffer *message)
{
	message_discard_completed(message);
	message_reset(message);
	REQUIRE(message_set_sender(message, LITERAL("student@CS4410")) == 0 &&
		    message_add_recipient(message, LITERAL("TA@CS4410")) == 0,
	    "the envelope was refused");
	message_start_body(message);
}

/*
 * Scan `input` in a chunk of `first` bytes and then chunks of `step`, each in memory of exactly its
 * size, up to the end of the data or of the input. Returns how many bytes were consumed.
 */
static size_t
feed(struct message_buffer *message, const struct bytes *input, size_t first, size_t step)
{
	size_t taken = 0, chunk = first;

	while (taken < input->length && !message_is_complete(message)) {
		size_t left = input->length - taken, got;
		char *copy;

		chunk = chunk < left ? chunk : left;
		copy = malloc(chunk);
		REQUIRE(copy != NULL, "out of memory");
		memcpy(copy, input->at + taken, chunk);
		got = message_scan(message, copy, chunk);
		free(copy);
		REQUIRE(got == chunk || (got < chunk && message_is_complete(message)),
		    "%zu bytes of %zu were consumed, and it is not the end: %s", got, chunk,
		    bytes_visible(input->at, input->length));
		taken += got;
		chunk = step;
	}
	return taken;
}

/* Fail, naming the input, unless the record has this body. */
static void
compare_body(
    const struct message_buffer *message, const struct bytes *input, const struct bytes *body)
{
	struct record record = message_record(message, 0);
	struct bytes rest = {.at = NULL};
	const char *what = bytes_visible(input->at, input->length);

	bytes_add_string(&rest, ENVELOPE);
	bytes_add(&rest, body->at, body->length);
	bytes_add_string(&rest, "\n");
	bytes_compare(what, record.received, record.received_length, LITERAL(RECEIVED));
	bytes_compare(what, record.rest, record.rest_length, rest.at, rest.length);
	bytes_free(&rest);
}

/* Feed with one split, and compare with the expected `used` (0 without an end) and `body`. */
static void
try_feeding(struct message_buffer *message, const struct bytes *input, size_t first, size_t step,
    size_t used, const struct bytes *body)
{
	size_t taken;

	begin_body(message);
	taken = feed(message, input, first, step);
	REQUIRE(
	    message_is_complete(message) == (used > 0) && taken == (used ? used : input->length),
	    "%s: %zu bytes taken instead of %zu, ended: %d",
	    bytes_visible(input->at, input->length), taken, used ? used : input->length,
	    message_is_complete(message));
	if (used > 0 && message->completed[0].error == 0) {
		compare_body(message, input, body);
	}
}

/* An argument of try_all_feedings(). */
#define SPLIT true

/* Feed whole, byte by byte and, if `split`, in two chunks split at every position. */
static void
try_all_feedings(struct message_buffer *message, const struct bytes *input, bool split, size_t used,
    const struct bytes *body)
{
	size_t last = split ? input->length : 1;

	try_feeding(message, input, input->length, input->length, used, body);
	REQUIRE(
	    used == 0 || message->completed[0].error == 0, "error %d", message->completed[0].error);
	try_feeding(message, input, 1, 1, used, body);
	for (size_t first = 1; first < last; first++) {
		try_feeding(message, input, first, input->length, used, body);
	}
}

/* Complete a message whose body is one line of `length` bytes. */
static void
fill(struct message_buffer *message, size_t length)
{
	struct bytes input = {.at = NULL};

	bytes_add_repeated(&input, 'x', length);
	bytes_add_string(&input, "\r\n" END);
	begin_body(message);
	ck_assert_uint_eq(message_scan(message, input.at, input.length), input.length);
	ck_assert_int_eq(message->completed[0].error, 0);
	bytes_free(&input);
}

/* ---- record ---- */

START_TEST(a_record_is_exact)
{
	struct message_buffer message;
	struct record record;

	begin(&message, MAX_SIZE_DEFAULT);
	ck_assert_int_eq(message_set_sender(&message, LITERAL("<a@b>")), 0);
	ck_assert_int_eq(message_add_recipient(&message, LITERAL("c")), 0);
	ck_assert_int_eq(message_add_recipient(&message, LITERAL("d")), 0);
	ck_assert_int_eq(message_add_recipient(&message, LITERAL("c")), 0);
	ck_assert_uint_eq(message.current.recipient_count, 3);
	message_start_body(&message);
	ck_assert(!message_is_complete(&message));
	ck_assert_uint_eq(message_scan(&message, LITERAL("Hello.\r\n.\r\n")), 11);
	ck_assert(message_is_complete(&message));
	ck_assert_int_eq(message.completed[0].error, 0);
	record = message_record(&message, 0);
	bytes_compare("received", record.received, record.received_length, LITERAL(RECEIVED));
	bytes_compare("rest", record.rest, record.rest_length,
	    LITERAL("From: <a@b>\nTo: c\nTo: d\nTo: c\n\nHello.\n\n"));
	/* Later bytes belong to no message. */
	ck_assert_uint_eq(message_scan(&message, LITERAL("x\r\n")), 0);
	ck_assert(message_is_complete(&message));
	message_destroy(&message);
}
END_TEST

START_TEST(the_netid_is_in_the_trace)
{
	char netid[NETID_MAX + 1], received[NETID_MAX + 64];
	struct message_buffer message;
	struct record record;

	memset(netid, 'n', NETID_MAX);
	netid[NETID_MAX] = '\0';
	snprintf(received, sizeof received, "Received: from h by %s (CS4410MP3)\n", netid);
	message_init(&message, netid, MAX_SIZE_DEFAULT);
	ck_assert_int_eq(message_set_host(&message, LITERAL("h")), 0);
	fill(&message, 1);
	record = message_record(&message, 0);
	bytes_compare(
	    "received", record.received, record.received_length, received, strlen(received));
	message_destroy(&message);
}
END_TEST

/* ---- the automaton ---- */

/* Every transition, with an input that takes it. END is added. */
static const struct transition {
	const char *input;
	const char *body;
} transitions[] = {
    /* BODY_LINE_START */
    {"", ""},
    {"\r\n", "\n"},
    {"\nx\r\n", "\nx\n"},
    {"x\r\n", "x\n"},
    /* BODY_TEXT */
    {"x.\r\n", "x.\n"},
    {"x\nx\r\n", "x\nx\n"},
    {"xy\r\n", "xy\n"},
    /* BODY_CR */
    {"x\r.\r\n", "x\r.\n"},
    {"x\r\rx\r\n", "x\r\rx\n"},
    {"x\r\r\n", "x\r\n"},
    {"x\rx\r\n", "x\rx\n"},
    {"\r\r\r\n", "\r\r\n"},
    /* BODY_DOT */
    {"..\r\n", ".\n"},
    {"...\r\n", "..\n"},
    {".\nx\r\n", "\nx\n"},
    {".x\r\n", "x\n"},
    {". \r\n", " \n"},
    /* BODY_DOT_CR */
    {".\r.\r\n", "\r.\n"},
    {".\r\rx\r\n", "\r\rx\n"},
    {".\r\r\n", "\r\n"},
    {".\rx\r\n", "\rx\n"},
    /* A dot matters only at the start of a line, and only CRLF starts a line. */
    {"x\n.\r\n", "x\n.\n"},
    {"x\n..\r\n", "x\n..\n"},
    {"x\r.\r\n", "x\r.\n"},
    {"\n.\r\n", "\n.\n"},
    {"x\r\n..x\r\n", "x\n.x\n"},
    /* Inputs that other servers take for the end of data (SMTP smuggling). */
    {"x\n.\nQUIT\r\n", "x\n.\nQUIT\n"},
    {"x\r\n.\nQUIT\r\n", "x\n\nQUIT\n"},
    {"x\r.\rQUIT\r\n", "x\r.\rQUIT\n"},
    {"x\r\n.\rQUIT\r\n", "x\n\rQUIT\n"},
    {"x\r\n.\r\r\n", "x\n\r\n"},
    {"x\n\r.\r\n", "x\n\r.\n"},
    {"x\r\n\n.\r\n", "x\n\n.\n"},
    {"\r\n\r\n\r\n", "\n\n\n"},
};

START_TEST(every_transition_has_its_result)
{
	struct message_buffer message;

	begin(&message, MAX_SIZE_DEFAULT);
	for (size_t i = 0; i < ARRAY_LENGTH(transitions); i++) {
		struct bytes input = {.at = NULL}, body = {.at = NULL};
		size_t used;

		bytes_add_string(&input, transitions[i].input);
		bytes_add_string(&input, END);
		bytes_add_string(&body, transitions[i].body);
		used = input.length;
		bytes_add_string(&input, AFTER);
		try_all_feedings(&message, &input, SPLIT, used, &body);
		bytes_free(&input);
		bytes_free(&body);
	}
	message_destroy(&message);
}
END_TEST

/*
 * Set `input` to a concatenation of `length` of the `count` strings in `parts`: to the one with
 * index `number` in an enumeration of all.
 */
static void
enumerate(
    struct bytes *input, const char *const parts[], size_t count, unsigned length, size_t number)
{
	bytes_clear(input);
	for (unsigned i = 0; i < length; i++) {
		bytes_add_string(input, parts[number % count]);
		number /= count;
	}
}

/*
 * Try all inputs of up to `longest` parts, with and without an end of data added; with it those of
 * up to `longest_split` parts also split at every position.
 */
static void
try_all_inputs(const char *const parts[], size_t count, unsigned longest, unsigned longest_split)
{
	struct bytes input = {.at = NULL}, body = {.at = NULL};
	struct message_buffer message;
	size_t numbers = 1;

	begin(&message, MAX_SIZE_DEFAULT);
	for (unsigned length = 1; length <= longest; length++) {
		numbers *= count;
		for (size_t number = 0; number < numbers; number++) {
			enumerate(&input, parts, count, length, number);
			bytes_clear(&body);
			try_feeding(&message, &input, 1, 1, decode(&input, &body), &body);
			bytes_add_string(&input, "\r\n" END AFTER);
			bytes_clear(&body);
			try_all_feedings(&message, &input, length <= longest_split,
			    decode(&input, &body), &body);
		}
	}
	bytes_free(&input);
	bytes_free(&body);
	message_destroy(&message);
}

START_TEST(every_short_input_has_its_decoded_body)
{
	static const char *const parts[] = {".", "\r", "\n", "x"};

	try_all_inputs(parts, ARRAY_LENGTH(parts), 6, 6);
}
END_TEST

START_TEST(every_byte_is_stored)
{
	struct bytes input = {.at = NULL}, body = {.at = NULL};
	struct message_buffer message;

	for (unsigned value = 0; value < 256; value++) {
		bytes_add_string(&input, "a");
		bytes_add_repeated(&input, (char)(unsigned char)value, 1);
		bytes_add_string(&input, "b\r\n");
		bytes_add_string(&body, "a");
		bytes_add_repeated(&body, (char)(unsigned char)value, 1);
		bytes_add_string(&body, "b\n");
	}
	bytes_add_string(&input, END);
	begin(&message, MAX_SIZE_DEFAULT);
	try_all_feedings(&message, &input, SPLIT, input.length, &body);
	message_destroy(&message);
	bytes_free(&input);
	bytes_free(&body);
}
END_TEST

START_TEST(a_long_message_is_stored_from_chunks_of_any_size)
{
	static const char quoted[] = ">" FORGERY "\r\n";
	static const char *const parts[] = {"word ", "\r\n", "\r\n.", "\n", "\r", quoted, "."};
	struct bytes input = {.at = NULL}, body = {.at = NULL};
	struct message_buffer message;
	uint32_t state = 1;
	size_t used;

	while (input.length < 300000) {
		state = state * 1664525 + 1013904223;
		bytes_add_string(&input, parts[(state >> 16) % ARRAY_LENGTH(parts)]);
		if (state % 64 == 0) {
			bytes_add_repeated(&input, 'l', (state >> 8) % 5000);
		}
	}
	bytes_add_string(&input, "\r\n" END AFTER);
	used = decode(&input, &body);
	ck_assert_uint_gt(used, 0);
	begin(&message, MAX_SIZE_DEFAULT);
	for (size_t step = 1; step < 2 * input.length; step = step * 3 + 1) {
		try_feeding(&message, &input, step, step, used, &body);
		ck_assert_int_eq(message.completed[0].error, 0);
	}
	message_destroy(&message);
	bytes_free(&input);
	bytes_free(&body);
}
END_TEST

/* ---- quoting ---- */

static const struct quoting {
	const char *input;
	size_t length;
	const char *body;
	size_t body_length;
} quotings[] = {
    {LITERAL(FORGERY "\r\n"), LITERAL(">" FORGERY "\n")},
    {LITERAL(FORGERY "\r\n" FORGERY "\r\n"), LITERAL(">" FORGERY "\n>" FORGERY "\n")},
    {LITERAL(">" FORGERY "\r\n"), LITERAL(">>" FORGERY "\n")},
    {LITERAL(">>>>>>>>" FORGERY "\r\n"), LITERAL(">>>>>>>>>" FORGERY "\n")},
    {LITERAL("." FORGERY "\r\n"), LITERAL(">" FORGERY "\n")},
    {LITERAL(".>" FORGERY "\r\n"), LITERAL(">>" FORGERY "\n")},
    {LITERAL("x\n" FORGERY "\r\n"), LITERAL("x\n>" FORGERY "\n")},
    {LITERAL("\n" FORGERY "\nx\r\n"), LITERAL("\n>" FORGERY "\nx\n")},
    {LITERAL(FORGERY "\n" FORGERY "\r\n"), LITERAL(">" FORGERY "\n>" FORGERY "\n")},
    {LITERAL("Received: from  by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from  by netid (CS4410MP3)\n")},
    {LITERAL("Received: from a b c by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from a b c by netid (CS4410MP3)\n")},
    {LITERAL("Received: from \0\377\r by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from \0\377\r by netid (CS4410MP3)\n")},
    {LITERAL("Received: from x by netid (CS4410MP3) by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from x by netid (CS4410MP3) by netid (CS4410MP3)\n")},
    /* Lines that resemble the first line of a record: one of another netid, and others. */
    {LITERAL("Received: from by netid (CS4410MP3)\r\n"),
	LITERAL("Received: from by netid (CS4410MP3)\n")},
    {LITERAL("Received: from x by netid (CS4410MP3)\r\r\n"),
	LITERAL("Received: from x by netid (CS4410MP3)\r\n")},
    {LITERAL("Received: from x by netid (CS4410MP3) \r\n"),
	LITERAL("Received: from x by netid (CS4410MP3) \n")},
    {LITERAL("Received: from x by netid (CS4410MP3\r\n"),
	LITERAL("Received: from x by netid (CS4410MP3\n")},
    {LITERAL("Received: from x by netid (CS4410MP2)\r\n"),
	LITERAL("Received: from x by netid (CS4410MP2)\n")},
    {LITERAL("Received: from x by other netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from x by other netid (CS4410MP3)\n")},
    {LITERAL("received: from x by netid (CS4410MP3)\r\n"),
	LITERAL("received: from x by netid (CS4410MP3)\n")},
    {LITERAL(" " FORGERY "\r\n"), LITERAL(" " FORGERY "\n")},
    {LITERAL("> " FORGERY "\r\n"), LITERAL("> " FORGERY "\n")},
    {LITERAL("x>" FORGERY "\r\n"), LITERAL("x>" FORGERY "\n")},
    {LITERAL("\r" FORGERY "\r\n"), LITERAL("\r" FORGERY "\n")},
    {LITERAL("\0" FORGERY "\r\n"), LITERAL("\0" FORGERY "\n")},
    {LITERAL(".." FORGERY "\r\n"), LITERAL("." FORGERY "\n")},
    {LITERAL("Received: from \r\n by netid (CS4410MP3)\r\n"),
	LITERAL("Received: from \n by netid (CS4410MP3)\n")},
    {LITERAL("Received: from \n by netid (CS4410MP3)\r\n"),
	LITERAL("Received: from \n by netid (CS4410MP3)\n")},
    {LITERAL("From x\r\nNumber: 1\r\n>\r\n>>\r\n"), LITERAL("From x\nNumber: 1\n>\n>>\n")},
};

START_TEST(record_like_lines_are_quoted)
{
	struct message_buffer message;

	begin(&message, MAX_SIZE_DEFAULT);
	for (size_t i = 0; i < ARRAY_LENGTH(quotings); i++) {
		struct bytes input = {.at = NULL}, body = {.at = NULL};

		bytes_add(&input, quotings[i].input, quotings[i].length);
		bytes_add_string(&input, END);
		bytes_add(&body, quotings[i].body, quotings[i].body_length);
		try_all_feedings(&message, &input, SPLIT, input.length, &body);
		bytes_free(&input);
		bytes_free(&body);
	}
	message_destroy(&message);
}
END_TEST

START_TEST(quoting_does_not_depend_on_the_netid)
{
	struct message_buffer message;
	struct record record;

	message_init(&message, "mail.example", MAX_SIZE_DEFAULT);
	ck_assert_int_eq(message_set_host(&message, LITERAL("h")), 0);
	begin_body(&message);
	message_scan(
	    &message, LITERAL(FORGERY "\r\nReceived: from x by mail.example (CS4410MP3)\r\n" END));
	record = message_record(&message, 0);
	bytes_compare("rest", record.rest, record.rest_length,
	    LITERAL(ENVELOPE ">" FORGERY "\n>Received: from x by mail.example (CS4410MP3)\n\n"));
	message_destroy(&message);
}
END_TEST

START_TEST(record_like_lines_are_quoted_in_every_arrangement)
{
	static const char *const parts[] = {FORGERY, ">", "\r\n", "\n", ".", "\r", "x"};

	try_all_inputs(parts, ARRAY_LENGTH(parts), 4, 2);
}
END_TEST

START_TEST(long_record_like_lines_are_quoted)
{
	static const size_t lengths[] = {1, 1000, MESSAGE_BUFFER_INITIAL, 200000};
	struct message_buffer message;

	begin(&message, MAX_SIZE_DEFAULT);
	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct bytes input = {.at = NULL}, body = {.at = NULL};

		bytes_add_repeated(&input, '>', lengths[i]);
		bytes_add_string(&input, "Received: from ");
		bytes_add_repeated(&input, 'h', lengths[i]);
		bytes_add_string(&input, " by netid (CS4410MP3)\r\n" END);
		ck_assert_uint_eq(decode(&input, &body), input.length);
		ck_assert_int_eq(body.at[lengths[i]], '>');
		try_feeding(&message, &input, input.length, 1, input.length, &body);
		try_feeding(&message, &input, 1, 1, input.length, &body);
		ck_assert_int_eq(message.completed[0].error, 0);
		bytes_free(&input);
		bytes_free(&body);
	}
	message_destroy(&message);
}
END_TEST

/* With one of these lengths the memory must grow for exactly the '>' or the line feed added. */
START_TEST(quoting_enlarges_full_memory)
{
	for (size_t text = MESSAGE_BUFFER_INITIAL - 200; text < MESSAGE_BUFFER_INITIAL + 10;
	     text++) {
		struct bytes input = {.at = NULL}, body = {.at = NULL};
		struct message_buffer message;

		bytes_add_repeated(&input, 'x', text);
		bytes_add_string(&input, "\r\n" FORGERY "\r\n" END);
		bytes_add_repeated(&body, 'x', text);
		bytes_add_string(&body, "\n>" FORGERY "\n");
		begin(&message, MAX_SIZE_DEFAULT);
		try_feeding(&message, &input, input.length, 1, input.length, &body);
		message_destroy(&message);
		bytes_free(&input);
		bytes_free(&body);
	}
}
END_TEST

/* ---- limits ---- */

static const char *const sized_inputs[] = {
    "\r\n" END,
    "x\r\n" END,
    "..\r\n...\r\n.x\r\n" END,
    "x\ry\r\r\r\n\r\r\n" END,
    "\n\n.\n.\r\n" END,
    ".\r.\r\r\n" END,
    FORGERY "\r\n" END,
    ">" FORGERY "\n" FORGERY "\r\nx\r\n" END,
};

/*
 * Feed the input with one split to a message with this limit. Fail unless it is stored or, if not
 * `fits`, refused with EMSGSIZE.
 */
static void
try_limit(size_t max_size, const struct bytes *input, size_t first, size_t step, bool fits,
    const struct bytes *body)
{
	struct message_buffer message;
	int error;

	begin(&message, max_size);
	try_feeding(&message, input, first, step, input->length, body);
	error = message.completed[0].error;
	REQUIRE(error == (fits ? 0 : EMSGSIZE),
	    "%s: stored it has %zu bytes, and the limit is %zu: error %d",
	    bytes_visible(input->at, input->length), body->length, max_size, error);
	message_destroy(&message);
}

START_TEST(the_limit_counts_the_body_as_stored)
{
	for (size_t i = 0; i < ARRAY_LENGTH(sized_inputs); i++) {
		struct bytes input = {.at = NULL}, body = {.at = NULL};

		bytes_add_string(&input, sized_inputs[i]);
		ck_assert_uint_eq(decode(&input, &body), input.length);
		for (size_t max_size = 1; max_size < body.length + 4; max_size++) {
			bool fits = body.length <= max_size;

			for (size_t first = 1; first <= input.length; first++) {
				try_limit(max_size, &input, first, input.length, fits, &body);
			}
			try_limit(max_size, &input, 1, 1, fits, &body);
		}
		bytes_free(&input);
		bytes_free(&body);
	}
}
END_TEST

START_TEST(nothing_is_stored_over_the_limit)
{
	struct bytes input = {.at = NULL}, body = {.at = NULL};
	struct message_buffer message;
	const size_t max_size = 1000;

	bytes_add_repeated(&input, 'x', 4 * (size_t)ENVELOPE_ALLOWANCE);
	begin(&message, max_size);
	begin_body(&message);
	ck_assert_uint_eq(feed(&message, &input, 1, 100), input.length);
	ck_assert_int_eq(message.current.error, EMSGSIZE);
	ck_assert_uint_le(message.current.length, message.current.body + max_size);
	ck_assert_uint_le(
	    message.capacity, max_size + ENVELOPE_ALLOWANCE + message.current.received_length);
	ck_assert(!message_is_complete(&message));
	/* The end is still found, and the next message is not affected. */
	ck_assert_uint_eq(message_scan(&message, LITERAL("\r\n.\r\nx")), 5);
	ck_assert(message_is_complete(&message));
	ck_assert_int_eq(message.completed[0].error, EMSGSIZE);
	bytes_clear(&input);
	bytes_add_string(&input, "x\r\n" END);
	bytes_add_string(&body, "x\n");
	try_all_feedings(&message, &input, SPLIT, input.length, &body);
	message_destroy(&message);
	bytes_free(&input);
	bytes_free(&body);
}
END_TEST

START_TEST(recipients_are_limited)
{
	struct bytes rest = {.at = NULL};
	struct message_buffer message;
	struct record record;

	begin(&message, MAX_SIZE_DEFAULT);
	ck_assert_int_eq(message_set_sender(&message, LITERAL("s")), 0);
	bytes_add_string(&rest, "From: s\n");
	for (unsigned i = 1; i <= RECIPIENTS_MAX; i++) {
		char address[16];
		int length = snprintf(address, sizeof address, "r%u", i);

		REQUIRE(message_add_recipient(&message, address, (size_t)length) == 0,
		    "recipient %u was refused", i);
		bytes_add_format(&rest, "To: %s\n", address);
	}
	ck_assert_int_eq(message_add_recipient(&message, LITERAL("one too many")), EMSGSIZE);
	ck_assert_uint_eq(message.current.recipient_count, RECIPIENTS_MAX);
	message_start_body(&message);
	ck_assert_uint_eq(message_scan(&message, LITERAL("x\r\n" END)), 6);
	ck_assert_int_eq(message.completed[0].error, 0);
	bytes_add_string(&rest, "\nx\n\n");
	record = message_record(&message, 0);
	bytes_compare("rest", record.rest, record.rest_length, rest.at, rest.length);
	/* The next message may have RECIPIENTS_MAX again. */
	ck_assert_uint_eq(message.current.recipient_count, 0);
	ck_assert_int_eq(message_add_recipient(&message, LITERAL("x")), 0);
	message_destroy(&message);
	bytes_free(&rest);
}
END_TEST

/* An envelope may use its allowance and the limit of the body, and no more. */
START_TEST(the_envelope_is_limited)
{
	const size_t limit = 1 + ENVELOPE_ALLOWANCE;
	struct message_buffer message;
	char *address = malloc(limit);
	size_t before, space;

	ck_assert_ptr_nonnull(address);
	memset(address, 'a', limit);
	begin(&message, 1);
	before = message.current.length;
	/* Not for the address: the rest of the From line, and three reserved line feeds. */
	space = limit - before - strlen("From: ") - 1 - 3;
	ck_assert_int_eq(message_set_sender(&message, address, space + 1), EMSGSIZE);
	ck_assert_uint_eq(message.current.length, before);
	ck_assert_int_eq(message_set_sender(&message, address, space), 0);
	before = message.current.length;
	ck_assert_int_eq(message_add_recipient(&message, address, 1), EMSGSIZE);
	ck_assert_uint_eq(message.current.length, before);
	ck_assert_uint_eq(message.current.recipient_count, 0);
	/* Beside the limit there is space for one Received line. */
	ck_assert_uint_le(message.capacity, limit + message.current.received_length);
	/* An empty body still fits, and nothing else. */
	message_start_body(&message);
	ck_assert_uint_eq(message_scan(&message, LITERAL(END)), 3);
	ck_assert_int_eq(message.completed[0].error, 0);
	ck_assert_uint_eq(message.completed[0].length, limit - 1);
	free(address);
	message_destroy(&message);
}
END_TEST

/* Set RLIMIT_AS and return the previous limit. With 0 a large allocation fails. */
static rlim_t
limit_memory(rlim_t limit)
{
	struct rlimit limits;
	rlim_t before;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limits), 0);
	before = limits.rlim_cur;
	limits.rlim_cur = limit;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limits), 0);
	return before;
}

START_TEST(a_failed_allocation_is_an_error)
{
	struct message_buffer message;
	struct bytes input = {.at = NULL}, body = {.at = NULL};
	size_t before;
	rlim_t memory;

	if (environment_sanitized()) {
		return;
	}
	begin(&message, SIZE_MAX / 2);
	before = message.current.length;
	memory = limit_memory(0);
	ck_assert_int_eq(message_set_sender(&message, "a", SIZE_MAX / 4), ENOMEM);
	ck_assert_int_eq(message_add_recipient(&message, "a", SIZE_MAX / 4), ENOMEM);
	limit_memory(memory);
	ck_assert_uint_eq(message.current.length, before);
	ck_assert_uint_eq(message.current.recipient_count, 0);
	bytes_add_string(&input, "x\r\n" END);
	bytes_add_string(&body, "x\n");
	try_all_feedings(&message, &input, SPLIT, input.length, &body);
	memory = limit_memory(0);
	ck_assert_int_eq(message_set_host(&message, "a", SIZE_MAX / 8), ENOMEM);
	limit_memory(memory);
	ck_assert_uint_eq(message.current.received_length, 0);
	message_destroy(&message);
	bytes_free(&input);
	bytes_free(&body);
}
END_TEST

/* ---- one after the other ---- */

START_TEST(a_reset_keeps_only_the_host)
{
	struct bytes input = {.at = NULL}, body = {.at = NULL};
	struct message_buffer message;

	begin(&message, 100);
	ck_assert_int_eq(message_set_sender(&message, LITERAL("old")), 0);
	ck_assert_int_eq(message_add_recipient(&message, LITERAL("old")), 0);
	message_start_body(&message);
	message_scan(&message, LITERAL("old\r"));
	bytes_add_string(&input, "new\r\n" END);
	bytes_add_string(&body, "new\n");
	try_all_feedings(&message, &input, SPLIT, input.length, &body);
	message_destroy(&message);
	bytes_free(&input);
	bytes_free(&body);
}
END_TEST

START_TEST(a_host_discards_the_current_message)
{
	struct message_buffer message;
	struct record record;

	begin(&message, 100);
	begin_body(&message);
	message_scan(&message, LITERAL("old\r\n"));
	ck_assert_int_eq(message_set_host(&message, LITERAL("other")), 0);
	ck_assert_uint_eq(message.current.recipient_count, 0);
	ck_assert_uint_eq(message.current.length, message.current.received_length);
	fill(&message, 1);
	record = message_record(&message, 0);
	bytes_compare("received", record.received, record.received_length,
	    LITERAL("Received: from other by netid (CS4410MP3)\n"));
	bytes_compare("rest", record.rest, record.rest_length, LITERAL(ENVELOPE "x\n\n"));
	message_destroy(&message);
}
END_TEST

/* ---- several messages ---- */

/* Complete a message from `sender` after the completed ones. */
static void
add_message(struct message_buffer *message, const char *sender, const char *body)
{
	size_t length = strlen(body);

	ck_assert_int_eq(message_set_sender(message, sender, strlen(sender)), 0);
	ck_assert_int_eq(message_add_recipient(message, LITERAL("r")), 0);
	message_start_body(message);
	ck_assert(!message_is_complete(message));
	ck_assert_uint_eq(message_scan(message, body, length), length);
	ck_assert(message_is_complete(message));
}

/* Fail unless the completed message has this host and this rest. */
static void
expect_record(
    const struct message_buffer *message, size_t index, const char *host, const char *rest)
{
	struct record record = message_record(message, index);
	struct bytes received = {.at = NULL};

	bytes_add_format(&received, "Received: from %s by netid (CS4410MP3)\n", host);
	ck_assert_int_eq(message->completed[index].error, 0);
	bytes_compare(
	    "received", record.received, record.received_length, received.at, received.length);
	bytes_compare("rest", record.rest, record.rest_length, rest, strlen(rest));
	bytes_free(&received);
}

START_TEST(messages_follow_each_other)
{
	struct message_buffer message;
	struct envelope envelope;

	begin(&message, 100);
	add_message(&message, "one", "first\r\n" END);
	add_message(&message, "two", END);
	ck_assert_int_eq(message_set_host(&message, LITERAL("other")), 0);
	add_message(&message, "three", "Received: from x by netid (CS4410MP3)\r\n" END);
	ck_assert_uint_eq(message.completed_count, 3);
	expect_record(&message, 0, "client", "From: one\nTo: r\n\nfirst\n\n");
	expect_record(&message, 1, "client", "From: two\nTo: r\n\n\n");
	expect_record(&message, 2, "other",
	    "From: three\nTo: r\n\n>Received: from x by netid (CS4410MP3)\n\n");
	envelope = message_envelope(&message, 1);
	bytes_compare("host", envelope.host, envelope.host_length, LITERAL("client"));
	bytes_compare("sender", envelope.sender, envelope.sender_length, LITERAL("two"));
	bytes_compare(
	    "recipients", envelope.recipients, envelope.recipients_length, LITERAL("To: r\n"));
	ck_assert_uint_eq(envelope.recipient_count, 1);
	envelope = message_envelope(&message, 2);
	bytes_compare("host", envelope.host, envelope.host_length, LITERAL("other"));
	bytes_compare("sender", envelope.sender, envelope.sender_length, LITERAL("three"));
	message_destroy(&message);
}
END_TEST

START_TEST(the_current_message_survives_a_discard)
{
	static const char body[] = "to be\r\nor not\r\n" END;

	/* Discard the completed messages at each position of the next body, and before it. */
	for (size_t position = 0; position < sizeof body - 1; position++) {
		struct message_buffer message;

		begin(&message, 100);
		add_message(&message, "one", "first\r\n" END);
		add_message(&message, "two", "second\r\n" END);
		ck_assert_int_eq(message_set_sender(&message, LITERAL("three")), 0);
		if (position == 0) {
			message_discard_completed(&message);
		}
		ck_assert_int_eq(message_add_recipient(&message, LITERAL("r")), 0);
		message_start_body(&message);
		message_scan(&message, body, position);
		message_discard_completed(&message);
		ck_assert_uint_eq(message.completed_count, 0);
		message_scan(&message, body + position, sizeof body - 1 - position);
		ck_assert_uint_eq(message.completed_count, 1);
		expect_record(&message, 0, "client", "From: three\nTo: r\n\nto be\nor not\n\n");
		add_message(&message, "four", END);
		expect_record(&message, 1, "client", "From: four\nTo: r\n\n\n");
		message_destroy(&message);
	}
}
END_TEST

START_TEST(an_error_concerns_one_message)
{
	struct message_buffer message;
	struct envelope envelope;

	begin(&message, 5);
	add_message(&message, "one", "1234\r\n" END);
	add_message(&message, "two", "too much\r\n" END);
	add_message(&message, "three", "5678\r\n" END);
	ck_assert_int_eq(message.completed[1].error, EMSGSIZE);
	envelope = message_envelope(&message, 1);
	bytes_compare("sender", envelope.sender, envelope.sender_length, LITERAL("two"));
	expect_record(&message, 0, "client", "From: one\nTo: r\n\n1234\n\n");
	expect_record(&message, 2, "client", "From: three\nTo: r\n\n5678\n\n");
	message_destroy(&message);
}
END_TEST

START_TEST(delivery_is_due_after_a_number_of_messages_or_bytes)
{
	struct message_buffer message;
	struct bytes body = {.at = NULL};

	begin(&message, MAX_SIZE_DEFAULT);
	for (unsigned i = 0; i < COMPLETED_MAX; i++) {
		ck_assert(!message_delivery_due(&message));
		add_message(&message, "s", END);
	}
	ck_assert(message_delivery_due(&message));
	for (unsigned i = 0; i < COMPLETED_MAX; i++) {
		expect_record(&message, i, "client", "From: s\nTo: r\n\n\n");
	}
	message_discard_completed(&message);
	ck_assert(!message_delivery_due(&message));
	bytes_add_repeated(&body, 'x', COMPLETED_BYTES - 200);
	bytes_add_string(&body, "\r\n" END);
	add_message(&message, "s", body.at);
	ck_assert(!message_delivery_due(&message));
	add_message(&message, "s", body.at);
	ck_assert(message_delivery_due(&message));
	message_discard_completed(&message);
	ck_assert(!message_delivery_due(&message));
	bytes_free(&body);
	message_destroy(&message);
}
END_TEST

/* Completed messages leave the later ones their full space, however long they are. */
START_TEST(each_message_has_its_own_limit)
{
	const size_t limit = 30000, most = limit + ENVELOPE_ALLOWANCE;
	struct bytes sender = {.at = NULL}, body = {.at = NULL};
	struct bytes first = {.at = NULL}, second = {.at = NULL};
	struct message_buffer message;
	size_t before;

	/* An envelope that leaves the body its limit and the two line feeds reserved after it. */
	bytes_add_repeated(
	    &sender, 's', ENVELOPE_ALLOWANCE - strlen(RECEIVED "From: \nTo: r\n\n") - 2);
	bytes_add_repeated(&body, 'x', limit - 1);
	bytes_add_string(&first, "From: s\nTo: r\n\n");
	bytes_add(&first, body.at, body.length);
	bytes_add_string(&first, "\n\n");
	bytes_add_string(&second, "From: ");
	bytes_add(&second, sender.at, sender.length);
	bytes_add_string(&second, "\nTo: r\n\n");
	bytes_add(&second, body.at, body.length);
	bytes_add_string(&second, "\n\n");
	bytes_add_string(&body, "\r\n" END);
	begin(&message, limit);
	add_message(&message, "s", body.at);
	ck_assert(!message_delivery_due(&message));
	before = message.current.begin;
	add_message(&message, sender.at, body.at);
	/* There is space for all of them and for the Received line of the next, and for no more. */
	ck_assert_uint_ge(message.capacity, message.current.begin + message.current.length);
	ck_assert_uint_le(message.capacity, before + message.current.received_length + most);
	expect_record(&message, 0, "client", first.at);
	expect_record(&message, 1, "client", second.at);
	message_destroy(&message);
	bytes_free(&sender);
	bytes_free(&body);
	bytes_free(&first);
	bytes_free(&second);
}
END_TEST

/* ---- memory ---- */

START_TEST(memory_is_kept_or_freed)
{
	struct message_buffer message;

	message_init(&message, "netid", MAX_SIZE_DEFAULT);
	ck_assert_ptr_null(message.bytes);
	ck_assert_int_eq(message_set_host(&message, LITERAL("client")), 0);
	fill(&message, 100);
	ck_assert_uint_eq(message.capacity, MESSAGE_BUFFER_INITIAL);
	message_clear(&message);
	ck_assert_uint_eq(message.capacity, MESSAGE_BUFFER_INITIAL);
	ck_assert_uint_eq(message.current.length, 0);
	ck_assert_uint_eq(message.current.received_length, 0);
	ck_assert_uint_eq(message.completed_count, 0);
	ck_assert_int_eq(message_set_host(&message, LITERAL("client")), 0);
	fill(&message, 2 * (size_t)MESSAGE_BUFFER_INITIAL);
	ck_assert_uint_gt(message.capacity, MESSAGE_BUFFER_INITIAL);
	message_clear(&message);
	ck_assert_uint_eq(message.capacity, 0);
	ck_assert_ptr_null(message.bytes);
	/* The buffer may be used again after message_destroy(). */
	ck_assert_int_eq(message_set_host(&message, LITERAL("client")), 0);
	fill(&message, 10);
	message_destroy(&message);
	ck_assert_ptr_null(message.bytes);
	ck_assert_uint_eq(message.current.length, 0);
	ck_assert_uint_eq(message.completed_count, 0);
	fill(&message, 10);
	message_destroy(&message);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_unchecked_fixture(tests, prepare_decoding, end_decoding);
	tcase_add_test(tests, a_record_is_exact);
	tcase_add_test(tests, the_netid_is_in_the_trace);
	tcase_add_test(tests, every_transition_has_its_result);
	tcase_add_test(tests, every_short_input_has_its_decoded_body);
	tcase_add_test(tests, every_byte_is_stored);
	tcase_add_test(tests, a_long_message_is_stored_from_chunks_of_any_size);
	tcase_add_test(tests, record_like_lines_are_quoted);
	tcase_add_test(tests, quoting_does_not_depend_on_the_netid);
	tcase_add_test(tests, record_like_lines_are_quoted_in_every_arrangement);
	tcase_add_test(tests, long_record_like_lines_are_quoted);
	tcase_add_test(tests, quoting_enlarges_full_memory);
	tcase_add_test(tests, the_limit_counts_the_body_as_stored);
	tcase_add_test(tests, nothing_is_stored_over_the_limit);
	tcase_add_test(tests, recipients_are_limited);
	tcase_add_test(tests, the_envelope_is_limited);
	tcase_add_test(tests, a_failed_allocation_is_an_error);
	tcase_add_test(tests, a_reset_keeps_only_the_host);
	tcase_add_test(tests, a_host_discards_the_current_message);
	tcase_add_test(tests, messages_follow_each_other);
	tcase_add_test(tests, the_current_message_survives_a_discard);
	tcase_add_test(tests, an_error_concerns_one_message);
	tcase_add_test(tests, delivery_is_due_after_a_number_of_messages_or_bytes);
	tcase_add_test(tests, each_message_has_its_own_limit);
	tcase_add_test(tests, memory_is_kept_or_freed);
	return suite_run("message", tests);
}
