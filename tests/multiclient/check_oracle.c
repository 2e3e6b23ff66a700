/*
 * NAME
 *	check_oracle - the replies and records of multiclient, against smtpd(8), PROTOCOL
 */

#include <stdio.h>
#include <string.h>

#include "oracle.h"
#include "params.h"
#include "suite.h"

/* A string literal with its length, in a table and elsewhere. */
#define SPAN(literal)                          \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}
#define TEXT(literal) ((struct span)SPAN(literal))

/* The commands to reach each state. */
static const char *const approaches[STATES] = {
    [STATE_START] = "",
    [STATE_GREETED] = "HELO client\n",
    [STATE_SENDER] = "HELO client\nMAIL FROM: student@CS4410\n",
    [STATE_RECIPIENT] = "HELO client\nMAIL FROM: student@CS4410\nRCPT TO: TA@CS4410\n",
};

static void
feed(struct oracle *oracle, const char *lines)
{
	struct reply reply;

	while (*lines != '\0') {
		size_t length = strcspn(lines, "\n") + 1;

		oracle_line(oracle, (struct span){lines, length}, &reply);
		lines += length;
	}
}

/* Write the reply of a new oracle in `state` to `line`. Returns whether the line is accepted. */
static bool
reply_in_state(enum state state, struct span line, struct reply *reply)
{
	struct oracle oracle = {0};
	bool accepted;

	oracle_init(&oracle, "netid");
	feed(&oracle, approaches[state]);
	REQUIRE(
	    oracle.state == state, "the way to state %d ends in %d", (int)state, (int)oracle.state);
	accepted = oracle_line(&oracle, line, reply);
	oracle_destroy(&oracle);
	return accepted;
}

static void
require_reply(enum state state, struct span line, const char *expected)
{
	struct reply reply;

	reply_in_state(state, line, &reply);
	REQUIRE(reply.length == strlen(expected) + 2 &&
		    memcmp(reply.bytes, expected, reply.length - 2) == 0 &&
		    memcmp(reply.bytes + reply.length - 2, "\r\n", 2) == 0,
	    "state %d, %.60s: expected %s, got %.*s", (int)state, line.bytes, expected,
	    (int)reply.length, reply.bytes);
}

/* A line, and the reply to it in each state before DATA. */
static const struct {
	struct span line;
	const char *replies[STATE_DATA];
} rows[] = {
#define HELO_OK      "250 netid"
#define OK           "250 OK"
#define START        "354 End data with <CR><LF>.<CR><LF>"
#define UNKNOWN      "500 Error: command not recognized"
#define NEED_HELO    "503 Error: need HELO command"
#define NEED_MAIL    "503 Error: need MAIL FROM command"
#define NEED_RCPT    "503 Error: need RCPT TO command"
#define BAD_HELO     "501 Syntax:  HELO yourhostname"
#define BAD_MAIL     "501 Syntax:  MAIL FROM: address"
#define BAD_RCPT     "501 Syntax:  RCPT TO: address"
#define BAD_DATA     "501 Syntax:  DATA"
#define DUPLICATE    "503 Error: duplicate HELO"
#define NESTED       "503 Error: nested MAIL command"
#define SENDER(x)    "555 <" x ">: Sender address rejected"
#define RECIPIENT(x) "555 <" x ">: Recipient address invalid"
#define ALL(reply)                         \
	{                                  \
		reply, reply, reply, reply \
	}
    {SPAN("HELO x\r\n"), {HELO_OK, DUPLICATE, DUPLICATE, DUPLICATE}},
    {SPAN("HELO x\n"), {HELO_OK, DUPLICATE, DUPLICATE, DUPLICATE}},
    {SPAN(" \thElO \t x \t\r\n"), {HELO_OK, DUPLICATE, DUPLICATE, DUPLICATE}},
    {SPAN("HELO :!~\r\n"), {HELO_OK, DUPLICATE, DUPLICATE, DUPLICATE}},
    {SPAN("HELO\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO \t\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO a b\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO a\tb\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO \x7f\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO \xc3\xa9\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO a\0\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO a\r\r\n"), ALL(BAD_HELO)},
    {SPAN("HELO:a\r\n"), ALL(UNKNOWN)},
    {SPAN("HELOa b\r\n"), ALL(UNKNOWN)},
    {SPAN("HELO\va\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL FROM:a\r\n"), {NEED_HELO, OK, NESTED, NESTED}},
    {SPAN("mail \t from \t : \t a \t\n"), {NEED_HELO, OK, NESTED, NESTED}},
    {SPAN("MAIL FROM::\r\n"), {NEED_HELO, OK, NESTED, NESTED}},
    {SPAN("MAIL FROM\r\n"), {NEED_HELO, BAD_MAIL, BAD_MAIL, BAD_MAIL}},
    {SPAN("MAIL FROM:\r\n"), {NEED_HELO, BAD_MAIL, BAD_MAIL, BAD_MAIL}},
    {SPAN("MAIL FROM : \t\r\n"), {NEED_HELO, BAD_MAIL, BAD_MAIL, BAD_MAIL}},
    {SPAN("MAIL FROM a\r\n"), {NEED_HELO, BAD_MAIL, BAD_MAIL, BAD_MAIL}},
    {SPAN("MAIL FROM a:b\r\n"), {NEED_HELO, BAD_MAIL, BAD_MAIL, BAD_MAIL}},
    {SPAN("MAIL FROM: student @CS4410\r\n"),
	{NEED_HELO, SENDER("student @CS4410"), SENDER("student @CS4410"),
	    SENDER("student @CS4410")}},
    {SPAN("MAIL FROM: a\tb \r\n"), {NEED_HELO, SENDER("a?b"), SENDER("a?b"), SENDER("a?b")}},
    {SPAN("MAIL FROM:a\r\r\n"), {NEED_HELO, SENDER("a?"), SENDER("a?"), SENDER("a?")}},
    {SPAN("MAIL FROM:\0\xff\x1f\x7f\r\n"),
	{NEED_HELO, SENDER("????"), SENDER("????"), SENDER("????")}},
    {SPAN("MAIL\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL x\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL TO:x\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL:FROM\r\n"), ALL(UNKNOWN)},
    {SPAN("MAILFROM:x\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL FROMX:a\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL FROM\r:a\r\n"), ALL(UNKNOWN)},
    {SPAN("MAIL\rFROM:a\r\n"), ALL(UNKNOWN)},
    {SPAN("RCPT TO:a\r\n"), {NEED_HELO, NEED_MAIL, OK, OK}},
    {SPAN("rCPT\ttO:<a@b>\r\n"), {NEED_HELO, NEED_MAIL, OK, OK}},
    {SPAN("RCPT TO\r\n"), {NEED_HELO, NEED_MAIL, BAD_RCPT, BAD_RCPT}},
    {SPAN("RCPT TO x\r\n"), {NEED_HELO, NEED_MAIL, BAD_RCPT, BAD_RCPT}},
    {SPAN("RCPT TO: \r\n"), {NEED_HELO, NEED_MAIL, BAD_RCPT, BAD_RCPT}},
    {SPAN("RCPT TO: TA @CS4410\r\n"),
	{NEED_HELO, NEED_MAIL, RECIPIENT("TA @CS4410"), RECIPIENT("TA @CS4410")}},
    {SPAN("RCPT TO:a\x80z\n"), {NEED_HELO, NEED_MAIL, RECIPIENT("a?z"), RECIPIENT("a?z")}},
    {SPAN("RCPT FROM:a\r\n"), ALL(UNKNOWN)},
    {SPAN("DATA\r\n"), {NEED_HELO, NEED_MAIL, NEED_RCPT, START}},
    {SPAN("\t data \n"), {NEED_HELO, NEED_MAIL, NEED_RCPT, START}},
    {SPAN("DATA x\r\n"), {NEED_HELO, NEED_MAIL, NEED_RCPT, BAD_DATA}},
    {SPAN("DATA:\r\n"), ALL(UNKNOWN)},
    {SPAN("DATA\r\r\n"), ALL(UNKNOWN)},
    {SPAN("DATA\0\r\n"), ALL(UNKNOWN)},
    {SPAN("\r\n"), ALL(UNKNOWN)},
    {SPAN("\n"), ALL(UNKNOWN)},
    {SPAN(" \t\r\n"), ALL(UNKNOWN)},
    {SPAN("mkdir\r\n"), ALL(UNKNOWN)},
    {SPAN("EHLO x\r\n"), ALL(UNKNOWN)},
    {SPAN("QUIT\r\n"), ALL(UNKNOWN)},
    {SPAN("RSET\r\n"), ALL(UNKNOWN)},
};

START_TEST(each_line_has_its_reply_in_each_state)
{
	for (unsigned state = STATE_START; state < STATE_DATA; state++) {
		require_reply((enum state)state, rows[_i].line, rows[_i].replies[state]);
	}
}
END_TEST

/* The longest valid line, and one byte more. */
START_TEST(a_line_has_its_limit)
{
	static const char *const endings[] = {"\r\n", "\n"};
	struct buffer line = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
		buffer_clear(&line);
		buffer_add_string(&line, "HELO ");
		buffer_fill(&line, 'x', LINE_MAX - line.length);
		buffer_add_string(&line, endings[i]);
		require_reply(STATE_START, (struct span){line.bytes, line.length}, HELO_OK);
		buffer_clear(&line);
		buffer_add_string(&line, "HELO x");
		buffer_fill(&line, ' ', LINE_MAX + 1 - line.length);
		buffer_add_string(&line, endings[i]);
		require_reply(STATE_START, (struct span){line.bytes, line.length},
		    "500 Error: line too long");
	}
	buffer_destroy(&line);
}
END_TEST

/* A refused address is cut so that the reply has at most 510 bytes and CRLF. */
START_TEST(a_refused_address_is_cut)
{
	static const char frame[] = "555 <>: Sender address rejected";
	const size_t fits = REPLY_MAX - (sizeof frame - 1);
	struct buffer line = {0};
	struct reply reply;

	for (size_t length = fits - 2; length < fits + 3; length++) {
		size_t shown = length < fits ? length : fits;

		buffer_clear(&line);
		buffer_add_string(&line, "MAIL FROM:\x80");
		buffer_fill(&line, 'x', length - 1);
		buffer_add_string(&line, "\r\n");
		ck_assert(
		    !reply_in_state(STATE_GREETED, (struct span){line.bytes, line.length}, &reply));
		ck_assert_uint_eq(reply.length, sizeof frame - 1 + shown + 2);
		ck_assert(memcmp(reply.bytes, "555 <?xxx", 9) == 0);
		ck_assert(
		    memcmp(reply.bytes + 5 + shown, ">: Sender address rejected\r\n", 28) == 0);
		ck_assert(reply.bytes[4 + shown] == 'x');
	}
	buffer_destroy(&line);
}
END_TEST

START_TEST(recipients_are_limited)
{
	struct oracle oracle = {0};
	struct reply reply;

	oracle_init(&oracle, "netid");
	feed(&oracle, approaches[STATE_SENDER]);
	for (int i = 0; i < 1000; i++) {
		ck_assert(oracle_line(&oracle, TEXT("RCPT TO:a\r\n"), &reply));
	}
	ck_assert(!oracle_line(&oracle, TEXT("RCPT TO:a\r\n"), &reply));
	ck_assert_int_eq(reply.reply_type, REPLY_TOO_MANY);
	ck_assert(memcmp(reply.bytes, "452 Error: too many recipients\r\n", reply.length) == 0);
	oracle_line(&oracle, TEXT("RCPT TO:a b\r\n"), &reply);
	ck_assert_int_eq(reply.reply_type, REPLY_BAD_RECIPIENT);
	ck_assert(oracle_line(&oracle, TEXT("DATA\r\n"), &reply));
	oracle_destroy(&oracle);
}
END_TEST

/* The data sent, and the body stored. */
static const struct {
	struct span data;
	struct span stored;
} bodies[] = {
    {SPAN(".\r\n"), SPAN("")},
    {SPAN("\r\n.\r\n"), SPAN("\n")},
    {SPAN("a\r\nb\r\n.\r\n"), SPAN("a\nb\n")},
    {SPAN("..\r\n...\r\n.a\r\n. \r\n.\r\n"), SPAN(".\n..\na\n \n")},
    {SPAN("a\n.\nb\r\n.\r\n"), SPAN("a\n.\nb\n")},
    {SPAN("a\n.\r\nb\r\n.\r\n"), SPAN("a\n.\nb\n")},
    {SPAN("a\r.\r\nb\r\n.\r\n"), SPAN("a\r.\nb\n")},
    {SPAN("a\r\n.\nb\r\n.\r\n"), SPAN("a\n\nb\n")},
    {SPAN("a\r\n.\rb\r\n.\r\n"), SPAN("a\n\rb\n")},
    {SPAN("a\r\n.\r\r\nb\r\n.\r\n"), SPAN("a\n\r\nb\n")},
    {SPAN("a\r\r\n.\r\n"), SPAN("a\r\n")},
    {SPAN(".\n.\r\n\r\n.\r\n"), SPAN("\n.\n\n")},
    {SPAN("\0\x80\xff\r\n.\r\n"), SPAN("\0\x80\xff\n")},
    {SPAN("Received: from x by netid (CS4410MP3)\r\n.\r\n"),
	SPAN(">Received: from x by netid (CS4410MP3)\n")},
    {SPAN(">>Received: from  by netid (CS4410MP3)\r\n.\r\n"),
	SPAN(">>>Received: from  by netid (CS4410MP3)\n")},
    {SPAN(".Received: from x by y by netid (CS4410MP3)\r\n.\r\n"),
	SPAN(">Received: from x by y by netid (CS4410MP3)\n")},
    {SPAN("a\nReceived: from \xff\r by netid (CS4410MP3)\nb\r\n.\r\n"),
	SPAN("a\n>Received: from \xff\r by netid (CS4410MP3)\nb\n")},
    {SPAN("Received: from by netid (CS4410MP3)\r\n.\r\n"),
	SPAN("Received: from by netid (CS4410MP3)\n")},
    {SPAN("Received: from x by netid (CS4410MP3)\r\r\n.\r\n"),
	SPAN("Received: from x by netid (CS4410MP3)\r\n")},
    {SPAN("Received: from x by netid (CS4410MP3) \r\n.\r\n"),
	SPAN("Received: from x by netid (CS4410MP3) \n")},
    {SPAN(" Received: from x by netid (CS4410MP3)\r\n.\r\n"),
	SPAN(" Received: from x by netid (CS4410MP3)\n")},
    {SPAN("Received: from x by other (CS4410MP3)\r\n.\r\n"),
	SPAN(">Received: from x by other (CS4410MP3)\n")},
    {SPAN("received: from x by netid (CS4410MP3)\r\n.\r\n"),
	SPAN("received: from x by netid (CS4410MP3)\n")},
    {SPAN("> Received: from x by netid (CS4410MP3)\r\n.\r\n"),
	SPAN("> Received: from x by netid (CS4410MP3)\n")},
};

START_TEST(each_body_is_converted)
{
	struct span data = bodies[_i].data, stored = bodies[_i].stored;
	struct buffer scratch = {0}, body = {0};

	ck_assert_uint_eq(data_end(data), data.length);
	record_body(data, &scratch, &body);
	REQUIRE(body.length == stored.length &&
		    (stored.length == 0 || memcmp(body.bytes, stored.bytes, stored.length) == 0),
	    "body %d: stored %.*s", _i, (int)body.length, body.bytes);
	buffer_destroy(&scratch);
	buffer_destroy(&body);
}
END_TEST

START_TEST(no_beginning_of_a_body_is_complete)
{
	struct span data = bodies[_i].data;

	for (size_t length = 0; length < data.length; length++) {
		REQUIRE(data_end((struct span){data.bytes, length}) == 0, "body %d ends at %zu", _i,
		    length);
	}
}
END_TEST

/* The second session of the assignment, with one more recipient and the end of the data. */
START_TEST(the_record_is_that_of_the_assignment)
{
	static const char expected[] = "Received: from clienthostname by netid (CS4410MP3)\n"
				       "From: student@CS4410\nTo: TA@CS4410\nTo: b\n\n"
				       "I'm going to send and wait\n\n";
	struct oracle oracle = {0};
	struct buffer record = {0};
	struct reply reply;
	size_t head = 0;

	oracle_init(&oracle, "netid");
	feed(&oracle,
	    "HELO\nHELO clienthostname\nmkdir\nMAIL FROM: student @CS4410\n"
	    "MAIL FROM: student@CS4410\nMAIL FROM: professor@CS4410\nRCPT TO: TA @CS4410\n"
	    "RCPT TO: TA@CS4410\nRCPT TO: b\nDATA\n");
	ck_assert_int_eq(oracle.state, STATE_DATA);
	oracle_message(
	    &oracle, TEXT("I'm going to send and wait\r\n.\r\n"), &reply, &record, &head);
	ck_assert_int_eq(oracle.state, STATE_GREETED);
	ck_assert_int_eq(reply.reply_type, REPLY_DELIVERED);
	ck_assert_uint_eq(record.length, sizeof expected - 1);
	ck_assert(memcmp(record.bytes, expected, record.length) == 0);
	ck_assert_uint_eq(head, strcspn(expected, "\n") + 1);
	buffer_destroy(&record);
	oracle_destroy(&oracle);
}
END_TEST

/* The next message of a connection has another sender and recipients, and the same host. */
START_TEST(a_second_message_has_its_own_envelope)
{
	static const char expected[] = "Received: from client by netid (CS4410MP3)\n"
				       "From: c\nTo: d\n\n\n";
	struct oracle oracle = {0};
	struct buffer record = {0};
	struct reply reply;
	size_t head;

	oracle_init(&oracle, "netid");
	feed(&oracle, approaches[STATE_RECIPIENT]);
	feed(&oracle, "DATA\n");
	oracle_message(&oracle, TEXT(".\r\n"), &reply, NULL, NULL);
	feed(&oracle, "MAIL FROM:c\nRCPT TO:d\nDATA\n");
	oracle_message(&oracle, TEXT(".\r\n"), &reply, &record, &head);
	ck_assert_uint_eq(record.length, sizeof expected - 1);
	ck_assert(memcmp(record.bytes, expected, record.length) == 0);
	buffer_destroy(&record);
	oracle_destroy(&oracle);
}
END_TEST

static const struct {
	const char *received;
	enum match match;
	size_t used;
	uint64_t number;
} deliveries[] = {
    {"", MATCH_PART, 0, 0},
    {"250 OK:  deliv", MATCH_PART, 0, 0},
    {"250 OK:  delivered message ", MATCH_PART, 0, 0},
    {"250 OK:  delivered message 1", MATCH_PART, 0, 0},
    {"250 OK:  delivered message 10\r", MATCH_PART, 0, 0},
    {"250 OK:  delivered message 1\r\n", MATCH_FULL, 30, 1},
    {"250 OK:  delivered message 107\r\n250", MATCH_FULL, 32, 107},
    {"250 OK:  delivered message 999999999999999999\r\n", MATCH_FULL, 47,
	UINT64_C(999999999999999999)},
    {"250 OK:  delivered message 1000000000000000000\r\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message 0\r\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message 01\r\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message \r\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message -1\r\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message 1 \r\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message 1\n", MATCH_NONE, 0, 0},
    {"250 OK:  delivered message 1\rx", MATCH_NONE, 0, 0},
    {"250 OK: delivered message 1\r\n", MATCH_NONE, 0, 0},
    {"250 OK\r\n", MATCH_NONE, 0, 0},
};

START_TEST(each_reply_to_a_message_is_matched)
{
	struct span received = {deliveries[_i].received, strlen(deliveries[_i].received)};
	struct reply reply;
	uint64_t number = 0;
	size_t used = 0;

	reply_write(&reply, REPLY_DELIVERED, "netid", (struct span){NULL, 0});
	ck_assert_int_eq(reply_match(&reply, received, &used, &number), deliveries[_i].match);
	ck_assert_uint_eq(used, deliveries[_i].used);
	ck_assert_uint_eq(number, deliveries[_i].number);
}
END_TEST

/* Each beginning of a reply matches in part; a reply with one byte changed does not match. */
START_TEST(each_byte_of_a_reply_is_compared)
{
	struct reply reply, received;
	uint64_t number;
	size_t used = 0, i;

	reply_write(&reply, (enum reply_type)_i, "netid", TEXT("a b"));
	for (i = 0; i < reply.length; i++) {
		received = reply;
		ck_assert_int_eq(
		    reply_match(&reply, (struct span){received.bytes, i}, &used, &number),
		    MATCH_PART);
		received.bytes[i] = (char)(received.bytes[i] ^ 1);
		ck_assert_int_eq(reply_match(&reply, (struct span){received.bytes, received.length},
				     &used, &number),
		    MATCH_NONE);
	}
	if (_i != REPLY_DELIVERED) {
		ck_assert_int_eq(
		    reply_match(&reply, (struct span){reply.bytes, reply.length}, &used, &number),
		    MATCH_FULL);
		ck_assert_uint_eq(used, reply.length);
	}
}
END_TEST

START_TEST(replies_have_the_netid)
{
	struct reply reply;

	reply_write(&reply, REPLY_GREETING, "x.example", (struct span){NULL, 0});
	ck_assert_uint_eq(reply.length, 30);
	ck_assert(memcmp(reply.bytes, "220 x.example SMTP CS4410MP3\r\n", 30) == 0);
	reply_write(&reply, REPLY_TIMEOUT, "x", (struct span){NULL, 0});
	ck_assert_uint_eq(reply.length, 37);
	ck_assert(memcmp(reply.bytes, "421 4.4.2 x Error: timeout exceeded\r\n", 37) == 0);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(
	    tests, each_line_has_its_reply_in_each_state, 0, (int)ARRAY_LENGTH(rows));
	tcase_add_test(tests, a_line_has_its_limit);
	tcase_add_test(tests, a_refused_address_is_cut);
	tcase_add_test(tests, recipients_are_limited);
	tcase_add_loop_test(tests, each_body_is_converted, 0, (int)ARRAY_LENGTH(bodies));
	tcase_add_loop_test(
	    tests, no_beginning_of_a_body_is_complete, 0, (int)ARRAY_LENGTH(bodies));
	tcase_add_test(tests, the_record_is_that_of_the_assignment);
	tcase_add_test(tests, a_second_message_has_its_own_envelope);
	tcase_add_loop_test(
	    tests, each_reply_to_a_message_is_matched, 0, (int)ARRAY_LENGTH(deliveries));
	tcase_add_loop_test(tests, each_byte_of_a_reply_is_compared, REPLY_GREETING, REPLY_EOF);
	tcase_add_test(tests, replies_have_the_netid);
	return suite_run("oracle", tests);
}
