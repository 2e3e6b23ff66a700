/*
 * NAME
 *	check_session - the SMTP conversation, without a socket
 *
 * DESCRIPTION
 *	The fixture is a session with the work of a connection: it collects the replies, stores the
 *	messages and passes the results to the session. Every command is tried in every state, and
 *	the same conversation in every split.
 */

#include "environment.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bytes.h"
#include "rules.h"
#include "suite.h"

#define FIRST_LINE "Received: from client by netid (CS4410MP3)\n"

/* The commands of a transaction, after HELO and before the body; and the replies to them. */
#define TRANSACTION "MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\n"
#define ACCEPTED    "250 OK\r\n250 OK\r\n354 End data with <CR><LF>.<CR><LF>\r\n"

struct fixture {
	struct session session;
	struct bytes replies;
	struct bytes stored;  /* the records, with their numbers */
	uint64_t number;      /* of the last message */
	size_t message_count; /* in the last delivery */
	int error;            /* with which storing fails, or 0 */
	unsigned flush_count; /* how often the session wanted SESSION_FLUSH */
	bool ended;           /* the session has ended */
};

static struct fixture fixture;

static void
begin(size_t max_size)
{
	session_init(&fixture.session, "netid", max_size, PROTOCOL_SMTP);
}

/* Replace the session by one of ESMTP. */
static void
begin_esmtp(size_t max_size)
{
	session_destroy(&fixture.session);
	session_init(&fixture.session, "netid", max_size, PROTOCOL_ESMTP);
}

static void
begin_with_default(void)
{
	begin(MAX_SIZE_DEFAULT);
}

static void
end(void)
{
	session_destroy(&fixture.session);
	bytes_free(&fixture.replies);
	bytes_free(&fixture.stored);
}

static void
take_replies(void)
{
	REQUIRE(fixture.session.output.length <= OUTPUT_SIZE, "output has overflowed");
	bytes_add(&fixture.replies, fixture.session.output.bytes, fixture.session.output.length);
	output_sent(&fixture.session.output, fixture.session.output.length);
	REQUIRE(fixture.session.output.length == 0, "a sent reply is kept");
}

/* Store a complete message, unless storing fails. */
static struct delivery_result
deliver_one(size_t index)
{
	struct record record = session_record(&fixture.session, index);
	int error = session_message_error(&fixture.session, index);

	if (error == 0) {
		error = fixture.error;
	}
	if (error == 0) {
		fixture.number++;
		bytes_add(&fixture.stored, record.received, record.received_length);
		bytes_add_format(
		    &fixture.stored, "Number: %llu\n", (unsigned long long)fixture.number);
		bytes_add(&fixture.stored, record.rest, record.rest_length);
	}
	return (struct delivery_result){.error = error, .number = fixture.number};
}

static void
deliver(void)
{
	struct delivery_result deliveries[COMPLETED_MAX];
	size_t count = session_messages(&fixture.session);

	REQUIRE(count > 0 && count <= COMPLETED_MAX, "%zu messages", count);
	fixture.message_count = count;
	for (size_t i = 0; i < count; i++) {
		deliveries[i] = deliver_one(i);
	}
	session_delivered(&fixture.session, deliveries);
	REQUIRE(session_messages(&fixture.session) == 0, "the delivered messages are kept");
}

/*
 * Feed one piece of input, in memory of exactly its size, and do what the session asks for. Bytes
 * after the end of the session are ignored.
 */
static void
feed(const char *bytes, size_t length)
{
	char *copy = malloc(length ? length : 1);
	size_t taken = 0;
	enum session_want want;

	REQUIRE(copy != NULL, "out of memory");
	memcpy(copy, bytes, length);
	do {
		size_t consumed =
		    session_feed(&fixture.session, copy + taken, length - taken, &want);

		REQUIRE(consumed <= length - taken, "more was consumed than there is");
		taken += consumed;
		if (want == SESSION_DELIVERY) {
			deliver();
		} else if (want == SESSION_FLUSH) {
			REQUIRE(fixture.session.output.length > OUTPUT_SIZE - REPLY_SIZE,
			    "a flush at %zu bytes", fixture.session.output.length);
			fixture.flush_count++;
			take_replies();
		}
	} while (want != SESSION_INPUT && want != SESSION_CLOSE);
	fixture.ended = want == SESSION_CLOSE;
	REQUIRE(taken == length || fixture.ended, "%zu of %zu bytes were consumed", taken, length);
	take_replies();
	free(copy);
}

static void
feed_string(const char *string)
{
	feed(string, strlen(string));
}

/* Feed a piece of `first` bytes and then pieces of `step` bytes. */
static void
feed_in_pieces(const struct bytes *input, size_t first, size_t step)
{
	size_t fed = 0, piece = first;

	while (fed < input->length) {
		piece = piece < input->length - fed ? piece : input->length - fed;
		feed(input->at + fed, piece);
		fed += piece;
		piece = step;
	}
}

/* Fail unless these are the replies since the last call. */
static void
expect_replies(const char *what, const char *replies)
{
	bytes_assert_string(what, &fixture.replies, replies);
	bytes_clear(&fixture.replies);
}

/* Feed the input; fail unless these are the replies since the last call. */
static void
expect(const char *input, const char *replies)
{
	feed_string(input);
	expect_replies(input, replies);
}

/* Reset the session, with nothing stored yet. */
static void
begin_again(void)
{
	session_reset(&fixture.session);
	bytes_clear(&fixture.replies);
	bytes_clear(&fixture.stored);
	fixture.number = 0;
}

/* ---- the assignment ---- */

START_TEST(the_first_example_is_delivered)
{
	session_greet(&fixture.session);
	expect("", "220 netid SMTP CS4410MP3\r\n");
	expect("HELO client\r\n", "250 netid\r\n");
	expect("MAIL FROM: student@CS4410\r\n", "250 OK\r\n");
	expect("RCPT TO: TA@CS4410\r\n", "250 OK\r\n");
	expect("DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n");
	expect("I made an awesome submission!\r\n", "");
	expect("Network programming is fun.\r\n", "");
	expect(".\r\n", "250 OK:  delivered message 1\r\n");
	bytes_assert_string("mailbox", &fixture.stored,
	    FIRST_LINE "Number: 1\nFrom: student@CS4410\nTo: TA@CS4410\n\n"
		       "I made an awesome submission!\nNetwork programming is fun.\n\n");
}
END_TEST

static const char second_example[] = "HELO\r\n"
				     "HELO clienthostname\r\n"
				     "mkdir\r\n"
				     "MAIL FROM: student @CS4410\r\n"
				     "MAIL FROM: student@CS4410\r\n"
				     "MAIL FROM: professor@CS4410\r\n"
				     "RCPT TO: TA @CS4410\r\n"
				     "RCPT TO: TA@CS4410\r\n"
				     "DATA\r\n"
				     "I'm going to send and wait\r\n";

static const char second_replies[] = "501 Syntax:  HELO yourhostname\r\n"
				     "250 netid\r\n"
				     "500 Error: command not recognized\r\n"
				     "555 <student @CS4410>: Sender address rejected\r\n"
				     "250 OK\r\n"
				     "503 Error: nested MAIL command\r\n"
				     "555 <TA @CS4410>: Recipient address invalid\r\n"
				     "250 OK\r\n"
				     "354 End data with <CR><LF>.<CR><LF>\r\n";

START_TEST(the_second_example_times_out)
{
	expect(second_example, second_replies);
	ck_assert(session_in_data(&fixture.session));
	session_abort(&fixture.session, REPLY_TIMEOUT);
	expect("", "421 4.4.2 netid Error: timeout exceeded\r\n");
	bytes_assert_string("mailbox", &fixture.stored, "");
}
END_TEST

START_TEST(the_second_example_with_its_end_is_delivered)
{
	expect(second_example, second_replies);
	expect(".\r\n", "250 OK:  delivered message 1\r\n");
	bytes_assert_string("mailbox", &fixture.stored,
	    "Received: from clienthostname by netid (CS4410MP3)\n"
	    "Number: 1\nFrom: student@CS4410\nTo: TA@CS4410\n\n"
	    "I'm going to send and wait\n\n");
}
END_TEST

START_TEST(replies_name_the_server)
{
	session_destroy(&fixture.session);
	session_init(&fixture.session, "mail.example", MAX_SIZE_DEFAULT, PROTOCOL_SMTP);
	session_greet(&fixture.session);
	session_abort(&fixture.session, REPLY_SHUTTING_DOWN);
	expect("HELO evil\r\n" TRANSACTION ".\r\n",
	    "220 mail.example SMTP CS4410MP3\r\n"
	    "421 4.3.2 mail.example Error: shutting down\r\n"
	    "250 mail.example\r\n" ACCEPTED "250 OK:  delivered message 1\r\n");
	bytes_assert_string("mailbox", &fixture.stored,
	    "Received: from evil by mail.example (CS4410MP3)\nNumber: 1\nFrom: a\nTo: b\n\n\n");
}
END_TEST

/* ---- every command in every state ---- */

/* The commands that lead to a state, and those that complete a transaction from there. */
static const struct approach {
	enum state state;
	const char *commands;
	const char *completion;
} approaches[] = {
    {STATE_HELO, "", "HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nz\r\n.\r\n"},
    {STATE_MAIL, "HELO client\r\n", "MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nz\r\n.\r\n"},
    {STATE_RCPT, "HELO client\r\nMAIL FROM:a\r\n", "RCPT TO:b\r\nDATA\r\nz\r\n.\r\n"},
    {STATE_RCPT_OR_DATA, "HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\n", "DATA\r\nz\r\n.\r\n"},
    /* After a message: the same as after HELO. */
    {STATE_MAIL, "HELO client\r\n" TRANSACTION "x\r\n.\r\n",
	"MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nz\r\n.\r\n"},
    {STATE_MAIL, "HELO client\r\n" TRANSACTION "more than fits\r\n.\r\n",
	"MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nz\r\n.\r\n"},
};

/* The limit of a body in bytes, which only the message of the last approach exceeds. */
#define SMALL_LIMIT 5

#define UNRECOGNIZED "500 Error: command not recognized\r\n"
#define SYNTAX_HELO  "501 Syntax:  HELO yourhostname\r\n"
#define SYNTAX_MAIL  "501 Syntax:  MAIL FROM: address\r\n"
#define SYNTAX_RCPT  "501 Syntax:  RCPT TO: address\r\n"
#define SYNTAX_DATA  "501 Syntax:  DATA\r\n"
#define NEED_HELO    "503 Error: need HELO command\r\n"
#define NEED_MAIL    "503 Error: need MAIL FROM command\r\n"
#define NEED_RCPT    "503 Error: need RCPT TO command\r\n"
#define DUPLICATE    "503 Error: duplicate HELO\r\n"
#define NESTED       "503 Error: nested MAIL command\r\n"
#define BAD_SENDER   "555 <a b>: Sender address rejected\r\n"
#define BAD_RCPT     "555 <a b>: Recipient address invalid\r\n"
#define OK           "250 OK\r\n"

/* A line, and the reply to it in each state up to STATE_RCPT_OR_DATA. */
static const struct expectation {
	const char *line;
	const char *replies[STATE_DATA];
} expectations[] = {
    {"HELO x", {"250 netid\r\n", DUPLICATE, DUPLICATE, DUPLICATE}},
    {"HELO", {SYNTAX_HELO, SYNTAX_HELO, SYNTAX_HELO, SYNTAX_HELO}},
    {"HELO a b", {SYNTAX_HELO, SYNTAX_HELO, SYNTAX_HELO, SYNTAX_HELO}},
    {"HELO \001", {SYNTAX_HELO, SYNTAX_HELO, SYNTAX_HELO, SYNTAX_HELO}},
    {"MAIL FROM:x", {NEED_HELO, OK, NESTED, NESTED}},
    {"MAIL FROM:", {NEED_HELO, SYNTAX_MAIL, SYNTAX_MAIL, SYNTAX_MAIL}},
    {"MAIL FROM", {NEED_HELO, SYNTAX_MAIL, SYNTAX_MAIL, SYNTAX_MAIL}},
    {"MAIL FROM:a b", {NEED_HELO, BAD_SENDER, BAD_SENDER, BAD_SENDER}},
    {"RCPT TO:x", {NEED_HELO, NEED_MAIL, OK, OK}},
    {"RCPT TO:", {NEED_HELO, NEED_MAIL, SYNTAX_RCPT, SYNTAX_RCPT}},
    {"RCPT TO x", {NEED_HELO, NEED_MAIL, SYNTAX_RCPT, SYNTAX_RCPT}},
    {"RCPT TO:a b", {NEED_HELO, NEED_MAIL, BAD_RCPT, BAD_RCPT}},
    {"DATA", {NEED_HELO, NEED_MAIL, NEED_RCPT, "354 End data with <CR><LF>.<CR><LF>\r\n"}},
    {"DATA x", {NEED_HELO, NEED_MAIL, NEED_RCPT, SYNTAX_DATA}},
    {"", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {" \t", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {".", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {"mkdir", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {"MAIL", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {"MAIL TO:x", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {"EHLO x", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {"QUIT", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
    {"RSET", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED}},
};

/* Send a line in a state, and check reply, next state and progress. */
static void
try_line(const struct approach *approach, const struct expectation *expectation, const char *ending)
{
	const char *reply = expectation->replies[approach->state];
	bool accepted = reply[0] < '4';
	struct bytes line = {.at = NULL};
	enum state next = approach->state;

	bytes_add_string(&line, expectation->line);
	bytes_add_string(&line, ending);
	begin_again();
	feed_string(approach->commands);
	session_progressed(&fixture.session);
	bytes_clear(&fixture.replies);
	feed(line.at, line.length);
	expect_replies(line.at, reply);
	/* In STATE_RCPT_OR_DATA, RCPT is accepted with 250, and DATA, which leads on, with 354. */
	if (accepted && !(approach->state == STATE_RCPT_OR_DATA && reply[0] == '2')) {
		next = approach->state + 1;
	}
	REQUIRE(fixture.session.state == next, "%s leads from state %d to %d", expectation->line,
	    (int)approach->state, (int)fixture.session.state);
	REQUIRE(
	    session_progressed(&fixture.session) == accepted, "%s: progress", expectation->line);
	if (!accepted) {
		/* A rejected line changes nothing. */
		bytes_clear(&fixture.stored);
		fixture.number = 0;
		feed_string(approach->completion);
		bytes_assert_string(expectation->line, &fixture.stored,
		    FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\nz\n\n");
	}
	bytes_free(&line);
}

START_TEST(every_command_has_its_reply_in_every_state)
{
	session_destroy(&fixture.session);
	begin(SMALL_LIMIT);
	for (size_t i = 0; i < ARRAY_LENGTH(approaches); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(expectations); j++) {
			try_line(&approaches[i], &expectations[j], "\r\n");
			try_line(&approaches[i], &expectations[j], "\n");
		}
	}
}
END_TEST

/* Return whether command_parse() can find this error in the arguments of a command. */
static bool
can_have_error(enum verb verb, enum command_error error)
{
	bool has_path = verb == VERB_MAIL || verb == VERB_RCPT;
	bool takes_any_text = verb == VERB_EHLO || verb == VERB_NOOP || verb == VERB_HELP ||
			      verb == VERB_HTTP_REQUEST;

	switch (error) {
	case COMMAND_SYNTAX:
		return !takes_any_text;
	case COMMAND_BAD_ADDRESS:
	case COMMAND_BAD_PARAMETER:
		return has_path;
	case COMMAND_OK:
		break;
	}
	return true;
}

/* Fail if a rule has no reply to a command with each error that it can have, in this state. */
static void
require_replies(const struct approach *approach, enum protocol protocol, enum verb verb)
{
	for (enum command_error error = COMMAND_OK; error <= COMMAND_BAD_PARAMETER; error++) {
		const struct command command = {.verb = verb, .error = error, .argument = ""};

		if (can_have_error(verb, error)) {
			session_destroy(&fixture.session);
			session_init(&fixture.session, "netid", MAX_SIZE_DEFAULT, protocol);
			feed_string(approach->commands);
			REQUIRE(rules_apply(&fixture.session, &command) != REPLY_NONE,
			    "protocol %d, verb %d, state %d, error %d: no reply", (int)protocol,
			    (int)verb, (int)approach->state, (int)error);
		}
	}
}

START_TEST(every_rule_has_its_replies)
{
	static const enum protocol protocols[] = {
	    PROTOCOL_SMTP, PROTOCOL_ESMTP, PROTOCOL_ESMTP_LOGIN};

	for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(approaches); j++) {
			for (enum verb verb = VERB_UNRECOGNIZED; verb < VERBS; verb++) {
				require_replies(&approaches[j], protocols[i], verb);
			}
		}
	}
}
END_TEST

START_TEST(an_over_long_line_is_rejected_in_every_state)
{
	char line[COMMAND_LINE_MAX + 2];
	struct expectation expectation = {.line = line};

	memset(line, 'x', COMMAND_LINE_MAX + 1);
	line[COMMAND_LINE_MAX + 1] = '\0';
	for (int state = 0; state < STATE_DATA; state++) {
		expectation.replies[state] = "500 Error: line too long\r\n";
	}
	session_destroy(&fixture.session);
	begin(SMALL_LIMIT);
	for (size_t i = 0; i < ARRAY_LENGTH(approaches); i++) {
		try_line(&approaches[i], &expectation, "\r\n");
	}
}
END_TEST

START_TEST(the_bytes_of_a_bad_address_are_masked)
{
	struct bytes input = {.at = NULL}, reply = {.at = NULL};

	feed_string("HELO client\r\n");
	bytes_clear(&fixture.replies);
	bytes_add(&input, LITERAL("MAIL FROM: \t a\tb\r\001\0\177\377 c \r\n"));
	feed(input.at, input.length);
	expect_replies("bad address", "555 <a?b????? c>: Sender address rejected\r\n");
	/* The address is cut so that the line stays within its limit. */
	bytes_clear(&input);
	bytes_add_string(&input, "MAIL FROM:a ");
	bytes_add_repeated(&input, 'a', COMMAND_LINE_MAX - input.length);
	bytes_add_string(&input, "\r\n");
	bytes_add_string(&reply, "555 <a ");
	bytes_add_repeated(
	    &reply, 'a', REPLY_TEXT_MAX - reply.length - strlen(">: Sender address rejected"));
	bytes_add_string(&reply, ">: Sender address rejected\r\n");
	ck_assert_uint_eq(reply.length, REPLY_SIZE);
	feed(input.at, input.length);
	expect_replies("long address", reply.at);
	bytes_free(&input);
	bytes_free(&reply);
}
END_TEST

START_TEST(recipients_are_limited)
{
	struct bytes input = {.at = NULL}, replies = {.at = NULL}, record = {.at = NULL};

	feed_string("HELO client\r\nMAIL FROM:a\r\n");
	bytes_add_string(&record, FIRST_LINE "Number: 1\nFrom: a\n");
	for (unsigned i = 1; i <= RECIPIENTS_MAX; i++) {
		bytes_add_format(&input, "RCPT TO:r%u\r\n", i);
		bytes_add_string(&replies, "250 OK\r\n");
		bytes_add_format(&record, "To: r%u\n", i);
	}
	bytes_clear(&fixture.replies);
	feed(input.at, input.length);
	expect_replies("recipients", replies.at);
	session_progressed(&fixture.session);
	expect("RCPT TO:x\r\n", "452 Error: too many recipients\r\n");
	ck_assert(!session_progressed(&fixture.session));
	/* Other errors take precedence, and the message can still be sent. */
	expect("RCPT TO:a b\r\n", "555 <a b>: Recipient address invalid\r\n");
	expect("RCPT TO:\r\n", "501 Syntax:  RCPT TO: address\r\n");
	expect("RCPT TO:x\r\n", "452 Error: too many recipients\r\n");
	expect("DATA\r\nx\r\n.\r\n",
	    "354 End data with <CR><LF>.<CR><LF>\r\n250 OK:  delivered message 1\r\n");
	bytes_add_string(&record, "\nx\n\n");
	bytes_assert("mailbox", &fixture.stored, &record);
	/* The next message may have RECIPIENTS_MAX again. */
	expect("MAIL FROM:a\r\nRCPT TO:x\r\n", "250 OK\r\n250 OK\r\n");
	bytes_free(&input);
	bytes_free(&replies);
	bytes_free(&record);
}
END_TEST

/* ---- split lines ---- */

/* The ends of a line, and how many of their bytes belong to the line. */
static const struct ending {
	const char *bytes;
	size_t in_line;
} endings[] = {{"\r\n", 0}, {"\n", 0}, {"\r\r\n", 1}};

/* Make a HELO line of `length` bytes with this ending, and another line after it. */
static void
make_line(struct bytes *input, size_t length, const struct ending *ending)
{
	bytes_clear(input);
	bytes_add_string(input, "HELO ");
	bytes_add_repeated(input, 'h', length - ending->in_line - input->length);
	bytes_add_string(input, ending->bytes);
	bytes_add_string(input, "mkdir\r\n");
}

/* Return the replies to such a line and the one after it. */
static const char *
line_replies(size_t length, const struct ending *ending)
{
	if (length > COMMAND_LINE_MAX) {
		return "500 Error: line too long\r\n" UNRECOGNIZED;
	}
	return ending->in_line > 0 ? SYNTAX_HELO UNRECOGNIZED : "250 netid\r\n" UNRECOGNIZED;
}

START_TEST(a_line_has_its_limit_in_every_split)
{
	static const size_t lengths[] = {COMMAND_LINE_MAX - 1, COMMAND_LINE_MAX,
	    COMMAND_LINE_MAX + 1, COMMAND_LINE_MAX + 2, 2 * (size_t)COMMAND_LINE_MAX,
	    2 * (size_t)COMMAND_LINE_MAX + 1, 2 * (size_t)COMMAND_LINE_MAX + 2,
	    3 * (size_t)INPUT_SIZE};
	struct bytes input = {.at = NULL};

	for (size_t i = 0; i < ARRAY_LENGTH(lengths) * ARRAY_LENGTH(endings); i++) {
		const struct ending *ending = &endings[i / ARRAY_LENGTH(lengths)];
		size_t length = lengths[i % ARRAY_LENGTH(lengths)];
		const char *replies = line_replies(length, ending);

		make_line(&input, length, ending);
		for (size_t first = length - 5; first < input.length; first++) {
			begin_again();
			feed_in_pieces(&input, first, input.length);
			expect_replies("in two pieces", replies);
		}
		for (size_t step = 1; step <= input.length; step = step * 7 + 1) {
			begin_again();
			feed_in_pieces(&input, step, step);
			expect_replies("in many pieces", replies);
		}
	}
	bytes_free(&input);
}
END_TEST

START_TEST(a_long_host_is_kept_whole)
{
	struct bytes input = {.at = NULL}, record = {.at = NULL};

	make_line(&input, COMMAND_LINE_MAX, &endings[0]);
	bytes_add_string(&input, TRANSACTION ".\r\n");
	bytes_add_string(&record, "Received: from ");
	bytes_add_repeated(&record, 'h', COMMAND_LINE_MAX - strlen("HELO "));
	bytes_add_string(&record, " by netid (CS4410MP3)\nNumber: 1\nFrom: a\nTo: b\n\n\n");
	feed_in_pieces(&input, 1000, 1000);
	bytes_assert("mailbox", &fixture.stored, &record);
	bytes_free(&input);
	bytes_free(&record);
}
END_TEST

START_TEST(an_over_long_line_is_answered_at_its_end)
{
	struct bytes chunk = {.at = NULL};

	bytes_add_repeated(&chunk, 'x', INPUT_SIZE);
	for (unsigned i = 0; i < 100; i++) {
		feed(chunk.at, chunk.length);
		expect_replies("a chunk", "");
	}
	expect("HELO client\r", "");
	expect("\n", "500 Error: line too long\r\n");
	ck_assert(!session_progressed(&fixture.session));
	expect("HELO client\r\n", "250 netid\r\n");
	bytes_free(&chunk);
}
END_TEST

/* ---- splits ---- */

static const char conversation[] =
    "HELO\r\nHELO client\r\n\r\n\n MAIL  FROM : a \nRCPT TO:b\rc\r\nRCPT TO:b\r\nDATA x\r\n"
    "DATA\r\n..one\r\n.two\r\n\r\n. \r\nReceived: from x by netid (CS4410MP3)\r\n\rthree\n.\r\n"
    ".\r\nDATA\r\n" TRANSACTION "a second text\r\n.\r\nmail from:c\r\nrcpt to:d\r\ndata\r\n"
    ".\r\nHELO again\r\n";

static const char conversation_replies[] = SYNTAX_HELO
    "250 netid\r\n" UNRECOGNIZED UNRECOGNIZED OK
    "555 <b?c>: Recipient address invalid\r\n" OK SYNTAX_DATA
    "354 End data with <CR><LF>.<CR><LF>\r\n250 OK:  delivered message 1\r\n" NEED_MAIL ACCEPTED
    "250 OK:  delivered message 2\r\n" ACCEPTED "250 OK:  delivered message 3\r\n" DUPLICATE;

static const char conversation_stored[] = FIRST_LINE
    "Number: 1\nFrom: a\nTo: b\n\n.one\ntwo\n\n \n"
    ">Received: from x by netid (CS4410MP3)\n\rthree\n.\n\n" FIRST_LINE
    "Number: 2\nFrom: a\nTo: b\n\na second text\n\n" FIRST_LINE "Number: 3\nFrom: c\nTo: d\n\n\n";

START_TEST(a_conversation_is_the_same_in_every_split)
{
	struct bytes input = {.at = NULL};

	bytes_add_string(&input, conversation);
	for (size_t first = 1; first <= input.length; first++) {
		begin_again();
		feed_in_pieces(&input, first, input.length);
		expect_replies("in two pieces", conversation_replies);
		bytes_assert_string("in two pieces", &fixture.stored, conversation_stored);
		begin_again();
		feed_in_pieces(&input, first, first);
		expect_replies("in equal pieces", conversation_replies);
		bytes_assert_string("in equal pieces", &fixture.stored, conversation_stored);
	}
	bytes_free(&input);
}
END_TEST

START_TEST(no_reply_before_a_line_ends)
{
	expect("HELO client", "");
	expect("\r", "");
	expect("\n", "250 netid\r\n");
	expect("", "");
}
END_TEST

/* ---- requests to the caller ---- */

START_TEST(replies_are_flushed_when_there_are_many)
{
	struct bytes input = {.at = NULL}, replies = {.at = NULL};

	bytes_add_string(&input, "HELO client\r\n");
	bytes_add_string(&replies, "250 netid\r\n");
	for (unsigned i = 0; i < 2000; i++) {
		bytes_add_format(&input, "MAIL FROM:%u %u\r\n", i, i);
		bytes_add_format(&replies, "555 <%u %u>: Sender address rejected\r\n", i, i);
	}
	bytes_add_string(&input, TRANSACTION "x\r\n.\r\n");
	bytes_add_string(&replies, ACCEPTED "250 OK:  delivered message 1\r\n");
	feed(input.at, input.length);
	bytes_assert("replies", &fixture.replies, &replies);
	/* At each counted flush less than REPLY_SIZE is free, on average a half: see feed(). */
	ck_assert_uint_eq(fixture.flush_count, replies.length / (OUTPUT_SIZE - REPLY_SIZE / 2));
	bytes_free(&input);
	bytes_free(&replies);
}
END_TEST

/* Fill the output with replies. Returns how many bytes of `input` were consumed. */
static size_t
fill_output(const struct bytes *input)
{
	enum session_want want;
	size_t consumed = session_feed(&fixture.session, input->at, input->length, &want);

	ck_assert_int_eq(want, SESSION_FLUSH);
	ck_assert_uint_gt(fixture.session.output.length, OUTPUT_SIZE - REPLY_SIZE);
	ck_assert_uint_le(fixture.session.output.length, OUTPUT_SIZE);
	return consumed;
}

START_TEST(full_output_consumes_no_input)
{
	struct bytes input = {.at = NULL};
	enum session_want want;
	size_t consumed, length;

	/* More lines than there is space for their replies. */
	for (unsigned i = 0; i < OUTPUT_SIZE / sizeof UNRECOGNIZED + REPLY_SIZE; i++) {
		bytes_add_string(&input, "\r\n");
	}
	consumed = fill_output(&input);
	length = fixture.session.output.length;
	ck_assert_uint_eq(length, consumed / 2 * strlen(UNRECOGNIZED));
	ck_assert_uint_eq(session_feed(&fixture.session, input.at, 2, &want), 0);
	ck_assert_int_eq(want, SESSION_FLUSH);
	ck_assert_uint_eq(fixture.session.output.length, length);
	/* Nothing is consumed before there is space for a whole reply. */
	output_sent(&fixture.session.output, length - (OUTPUT_SIZE - REPLY_SIZE + 1));
	ck_assert_uint_eq(session_feed(&fixture.session, input.at, 2, &want), 0);
	ck_assert_int_eq(want, SESSION_FLUSH);
	output_sent(&fixture.session.output, 1);
	ck_assert_uint_eq(session_feed(&fixture.session, input.at, 2, &want), 2);
	ck_assert_int_eq(want, SESSION_INPUT);
	bytes_free(&input);
}
END_TEST

START_TEST(there_is_space_for_a_final_reply)
{
	static const char last[] = "421 4.4.2 netid Error: timeout exceeded\r\n";
	struct bytes input = {.at = NULL};
	enum session_want want;

	/* The longest replies, as many as fit. */
	for (unsigned i = 0; i < OUTPUT_SIZE / REPLY_SIZE; i++) {
		bytes_add_string(&input, "MAIL FROM: a ");
		bytes_add_repeated(&input, 'a', REPLY_SIZE);
		bytes_add_string(&input, "\r\n");
	}
	feed_string("HELO client\r\n");
	ck_assert_uint_eq(
	    session_feed(&fixture.session, input.at, input.length, &want), input.length);
	ck_assert_uint_eq(fixture.session.output.length, OUTPUT_SIZE);
	session_abort(&fixture.session, REPLY_TIMEOUT);
	ck_assert_uint_eq(fixture.session.output.length, OUTPUT_SIZE + sizeof last - 1);
	bytes_compare("the final reply", fixture.session.output.bytes + OUTPUT_SIZE,
	    sizeof last - 1, LITERAL(last));
	bytes_free(&input);
}
END_TEST

START_TEST(unsent_replies_are_kept)
{
	feed_string("HELO client\r\n");
	bytes_clear(&fixture.replies);
	session_abort(&fixture.session, REPLY_SHUTTING_DOWN);
	output_sent(&fixture.session.output, 4);
	output_sent(&fixture.session.output, 0);
	take_replies();
	expect_replies("the rest", "4.3.2 netid Error: shutting down\r\n");
}
END_TEST

START_TEST(a_delivery_does_not_interrupt_pipelined_commands)
{
	static const char input[] = "HELO client\r\n" TRANSACTION "x\r\n.\r\nMAIL FROM:c\r\nRCPT";
	const struct delivery_result stored = {.number = UINT64_MAX};
	enum session_want want;
	struct record record;

	ck_assert_uint_eq(session_feed(&fixture.session, LITERAL(input), &want), sizeof input - 1);
	ck_assert_int_eq(want, SESSION_DELIVERY);
	ck_assert_uint_eq(session_messages(&fixture.session), 1);
	ck_assert_int_eq(session_message_error(&fixture.session, 0), 0);
	record = session_record(&fixture.session, 0);
	bytes_compare("received", record.received, record.received_length, LITERAL(FIRST_LINE));
	bytes_compare("rest", record.rest, record.rest_length, LITERAL("From: a\nTo: b\n\nx\n\n"));
	session_delivered(&fixture.session, &stored);
	ck_assert_uint_eq(session_feed(&fixture.session, "", 0, &want), 0);
	ck_assert_int_eq(want, SESSION_INPUT);
	take_replies();
	expect_replies("stored", "250 netid\r\n" ACCEPTED
				 "250 OK:  delivered message 18446744073709551615\r\n250 OK\r\n");
	expect(" TO:d\r\n", "250 OK\r\n");
}
END_TEST

START_TEST(pipelined_messages_are_delivered_together)
{
	expect("HELO client\r\n" TRANSACTION "1\r\n.\r\n" TRANSACTION
	       "2\r\n.\r\nmkdir\r\n" TRANSACTION "3\r\n.\r\nMAIL FROM:a\r\n",
	    "250 netid\r\n" ACCEPTED "250 OK:  delivered message 1\r\n" ACCEPTED
	    "250 OK:  delivered message 2\r\n"
	    "500 Error: command not recognized\r\n" ACCEPTED
	    "250 OK:  delivered message 3\r\n250 OK\r\n");
	ck_assert_uint_eq(fixture.message_count, 3);
	bytes_assert_string("mailbox", &fixture.stored,
	    FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\n1\n\n" FIRST_LINE
		       "Number: 2\nFrom: a\nTo: b\n\n2\n\n" FIRST_LINE
		       "Number: 3\nFrom: a\nTo: b\n\n3\n\n");
	expect("RCPT TO:b\r\nDATA\r\n4\r\n.\r\n", "250 OK\r\n"
						  "354 End data with <CR><LF>.<CR><LF>\r\n"
						  "250 OK:  delivered message 4\r\n");
	ck_assert_uint_eq(fixture.message_count, 1);
}
END_TEST

START_TEST(each_of_several_messages_has_its_reply)
{
	static const int errors[] = {0, ENOSPC, 0, EIO, EFBIG};
	static const char *const replies[] = {"250 OK:  delivered message 7\r\n",
	    "452 Error: insufficient system storage\r\n", "250 OK:  delivered message 10\r\n",
	    "451 Error: local error in processing\r\n",
	    "452 Error: insufficient system storage\r\n"};
	struct delivery_result deliveries[ARRAY_LENGTH(errors)];
	struct bytes input = {.at = NULL}, expected = {.at = NULL};
	enum session_want want;

	feed_string("HELO client\r\n");
	bytes_clear(&fixture.replies);
	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		deliveries[i] =
		    (struct delivery_result){.error = errors[i], .number = i == 0 ? 7 : 10};
		bytes_add_string(&input, TRANSACTION "x\r\n.\r\n");
		bytes_add_string(&expected, ACCEPTED);
		bytes_add_string(&expected, replies[i]);
	}
	bytes_add_string(&input, "RSET\r\n");
	bytes_add_string(&expected, UNRECOGNIZED);
	ck_assert_uint_eq(
	    session_feed(&fixture.session, input.at, input.length, &want), input.length);
	ck_assert_int_eq(want, SESSION_DELIVERY);
	ck_assert_uint_eq(session_messages(&fixture.session), ARRAY_LENGTH(errors));
	session_delivered(&fixture.session, deliveries);
	take_replies();
	expect_replies("delivered", expected.at);
	bytes_free(&input);
	bytes_free(&expected);
}
END_TEST

START_TEST(completed_messages_are_limited)
{
	struct bytes input = {.at = NULL}, expected = {.at = NULL};
	enum session_want want;

	feed_string("HELO client\r\n");
	bytes_clear(&fixture.replies);
	for (unsigned i = 0; i < COMPLETED_MAX; i++) {
		bytes_add_string(&input, TRANSACTION ".\r\n");
		bytes_add_format(&expected, ACCEPTED "250 OK:  delivered message %u\r\n", i + 1);
	}
	bytes_add_string(&input, "MAIL FROM:a\r\n");
	bytes_add_string(&expected, "250 OK\r\n");
	/* The line after the last message is not consumed. */
	ck_assert_uint_eq(session_feed(&fixture.session, input.at, input.length, &want),
	    input.length - strlen("MAIL FROM:a\r\n"));
	ck_assert_int_eq(want, SESSION_DELIVERY);
	ck_assert_uint_eq(session_messages(&fixture.session), COMPLETED_MAX);
	deliver();
	feed_string("MAIL FROM:a\r\n");
	expect_replies("all", expected.at);
	bytes_free(&input);
	bytes_free(&expected);
}
END_TEST

START_TEST(there_is_space_for_the_replies_to_pipelined_messages)
{
	struct bytes input = {.at = NULL}, expected = {.at = NULL};

	feed_string("HELO client\r\n");
	bytes_clear(&fixture.replies);
	fixture.number = UINT64_MAX - COMPLETED_MAX;
	for (unsigned i = 1; i < COMPLETED_MAX; i++) {
		bytes_add_string(&input, TRANSACTION ".\r\n");
		bytes_add_format(&expected, ACCEPTED "250 OK:  delivered message %" PRIu64 "\r\n",
		    fixture.number + i);
	}
	for (size_t i = 0; i < OUTPUT_SIZE; i += strlen(UNRECOGNIZED)) {
		bytes_add_string(&input, "?\r\n");
		bytes_add_string(&expected, UNRECOGNIZED);
	}
	feed(input.at, input.length);
	ck_assert_uint_eq(fixture.message_count, COMPLETED_MAX - 1);
	ck_assert_uint_eq(fixture.flush_count, 1);
	expect_replies("all", expected.at);
	bytes_free(&input);
	bytes_free(&expected);
}
END_TEST

START_TEST(the_reply_to_a_message_is_never_too_long)
{
	static const int errors[] = {0, EMSGSIZE, ENOSPC, EIO};
	enum session_want want;

	feed_string("HELO client\r\n");
	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		struct delivery_result delivery = {.error = errors[i], .number = UINT64_MAX};
		size_t before;

		session_feed(&fixture.session, LITERAL(TRANSACTION ".\r\n"), &want);
		ck_assert_uint_eq(session_messages(&fixture.session), 1);
		before = fixture.session.output.length;
		session_delivered(&fixture.session, &delivery);
		ck_assert_uint_gt(fixture.session.output.length, before);
		ck_assert_uint_le(fixture.session.output.length - before, DELIVERY_REPLY_SIZE);
		take_replies();
	}
}
END_TEST

/* Add a line to which the reply, with its CRLF, has this length, up to REPLY_SIZE. */
static void
add_line_with_reply(struct bytes *input, size_t length)
{
	static const char around[] = "555 <a >: Sender address rejected\r\n";

	bytes_add_string(input, "MAIL FROM:a ");
	bytes_add_repeated(input, 'a', length - (sizeof around - 1));
	bytes_add_string(input, "\r\n");
}

/* The output is filled, up to the bytes that are reserved for the replies to the messages. */
START_TEST(there_is_space_for_the_longest_replies_to_pipelined_messages)
{
	const size_t several = COMPLETED_MAX - 1, reserved = several * DELIVERY_REPLY_SIZE;
	struct delivery_result deliveries[COMPLETED_MAX];
	struct bytes input = {.at = NULL};
	enum session_want want;
	size_t left;

	bytes_add_string(&input, "HELO client\r\n");
	left = OUTPUT_SIZE - reserved - strlen("250 netid\r\n");
	for (size_t i = 0; i < several; i++) {
		deliveries[i] = (struct delivery_result){.number = UINT64_MAX};
		bytes_add_string(&input, TRANSACTION ".\r\n");
		left -= strlen(ACCEPTED);
	}
	/* The last reply has the maximum length, and just fits. */
	for (left -= REPLY_SIZE; left >= REPLY_SIZE; left -= REPLY_SIZE / 2) {
		add_line_with_reply(&input, REPLY_SIZE / 2);
	}
	add_line_with_reply(&input, left);
	add_line_with_reply(&input, REPLY_SIZE);
	bytes_add_string(&input, "?\r\n");
	ck_assert_uint_eq(session_feed(&fixture.session, input.at, input.length, &want),
	    input.length - strlen("?\r\n"));
	ck_assert_uint_eq(session_messages(&fixture.session), several);
	ck_assert_uint_eq(fixture.session.output.length, OUTPUT_SIZE - reserved);
	session_delivered(&fixture.session, deliveries);
	ck_assert_uint_le(fixture.session.output.length, OUTPUT_SIZE);
	bytes_free(&input);
}
END_TEST

START_TEST(in_data_is_true_in_the_data_phase)
{
	enum session_want want;

	ck_assert(!session_in_data(&fixture.session));
	feed_string("HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r");
	ck_assert(!session_in_data(&fixture.session));
	feed_string("\n");
	ck_assert(session_in_data(&fixture.session));
	feed_string("x\r\n.\r");
	ck_assert(session_in_data(&fixture.session));
	session_feed(&fixture.session, "\n", 1, &want);
	ck_assert(!session_in_data(&fixture.session));
	session_delivered(&fixture.session, &(struct delivery_result){.error = EIO});
	ck_assert(!session_in_data(&fixture.session));
}
END_TEST

START_TEST(progress_is_reported_once)
{
	static const struct {
		const char *input;
		bool progress;
	} steps[] = {
	    {"HELO", false},
	    {" client", false},
	    {"\r\n", true},
	    {"mkdir\r\n", false},
	    {"HELO again\r\n", false},
	    {"MAIL FROM:a\r\nmkdir\r\n", true},
	    {"mkdir\r\nRCPT TO:b\r\n", true},
	    {"DATA\r\n", true},
	    {"x\r\n", false},
	    {".", false},
	    {"\r\n", true},
	    {"DATA\r\n", false},
	};

	ck_assert(!session_progressed(&fixture.session));
	for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
		feed_string(steps[i].input);
		ck_assert_msg(session_progressed(&fixture.session) == steps[i].progress,
		    "step %zu: %s", i, steps[i].input);
		ck_assert(!session_progressed(&fixture.session));
	}
}
END_TEST

/* ---- refused messages ---- */

START_TEST(a_message_that_is_too_big_is_refused_at_its_end)
{
	session_destroy(&fixture.session);
	begin(SMALL_LIMIT);
	expect("HELO client\r\n" TRANSACTION "12345\r\n", "250 netid\r\n" ACCEPTED);
	expect("more\r\n.\r", "");
	session_progressed(&fixture.session);
	expect("\n", "552 Error: message too big\r\n");
	ck_assert(session_progressed(&fixture.session));
	bytes_assert_string("mailbox", &fixture.stored, "");
	expect("RCPT TO:b\r\n", NEED_MAIL);
	/* A message of exactly the maximum size, in the same connection. */
	expect(TRANSACTION "1234\r\n.\r\n", ACCEPTED "250 OK:  delivered message 1\r\n");
	bytes_assert_string(
	    "mailbox", &fixture.stored, FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\n1234\n\n");
}
END_TEST

START_TEST(the_error_of_storing_decides_the_reply)
{
	static const struct {
		int error;
		const char *reply;
	} failures[] = {
	    {ENOSPC, "452 Error: insufficient system storage\r\n"},
	    {EDQUOT, "452 Error: insufficient system storage\r\n"},
	    {EFBIG, "452 Error: insufficient system storage\r\n"},
	    {EIO, "451 Error: local error in processing\r\n"},
	    {EACCES, "451 Error: local error in processing\r\n"},
	    {EPERM, "451 Error: local error in processing\r\n"},
	    {EROFS, "451 Error: local error in processing\r\n"},
	    {ENOMEM, "451 Error: local error in processing\r\n"},
	    {EBADF, "451 Error: local error in processing\r\n"},
	    {EMFILE, "451 Error: local error in processing\r\n"},
	    {EISDIR, "451 Error: local error in processing\r\n"},
	};

	expect("HELO client\r\n", "250 netid\r\n");
	for (size_t i = 0; i < ARRAY_LENGTH(failures); i++) {
		fixture.error = failures[i].error;
		expect(TRANSACTION, ACCEPTED);
		session_progressed(&fixture.session);
		expect("x\r\n.\r\n", failures[i].reply);
		ck_assert(session_progressed(&fixture.session));
		/* The transaction has ended; HELO is still valid. */
		expect("DATA\r\nHELO x\r\n", NEED_MAIL DUPLICATE);
	}
	fixture.error = 0;
	expect(TRANSACTION "y\r\n.\r\n", ACCEPTED "250 OK:  delivered message 1\r\n");
	bytes_assert_string(
	    "mailbox", &fixture.stored, FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\ny\n\n");
}
END_TEST

START_TEST(a_message_has_its_envelope)
{
	static const char input[] =
	    "HELO client\r\nMAIL FROM:a@b\r\nRCPT TO:<c>\r\nRCPT TO:d\r\nDATA\r\nFrom: x\r\n.\r\n";
	enum session_want want;
	struct envelope envelope;

	ck_assert_uint_eq(
	    session_feed(&fixture.session, input, sizeof input - 1, &want), sizeof input - 1);
	ck_assert_int_eq(want, SESSION_DELIVERY);
	envelope = session_envelope(&fixture.session, 0);
	bytes_compare("host", envelope.host, envelope.host_length, "client", 6);
	bytes_compare("sender", envelope.sender, envelope.sender_length, "a@b", 3);
	bytes_compare(
	    "recipients", envelope.recipients, envelope.recipients_length, "To: <c>\nTo: d\n", 14);
	ck_assert_uint_eq(envelope.recipient_count, 2);
}
END_TEST

/* ---- one client after the other ---- */

/* What a client has sent when it closes the connection. */
static const char *const unfinished[] = {
    "",
    "MAIL FR",
    "HELO evil\r",
    "HELO evil\r\n",
    "HELO evil\r\nMAIL FROM:evil\r\n",
    "HELO evil\r\nMAIL FROM:evil\r\nRCPT TO:evil\r\nRCPT TO:evil\r\n",
    "HELO evil\r\n" TRANSACTION,
    "HELO evil\r\n" TRANSACTION "evil",
    "HELO evil\r\n" TRANSACTION "evil\r",
    "HELO evil\r\n" TRANSACTION "evil\r\n.",
    "HELO evil\r\n" TRANSACTION "evil\r\n.\r",
    "HELO evil\r\n" TRANSACTION "evil\r\n.\r\n",
    "HELO evil\r\n" TRANSACTION "evil\r\n.\r\nMAIL FROM:evil\r\nRC",
};

/* Reset the session, and fail unless it is then like a new one. */
static void
expect_new_session(const char *what)
{
	session_reset(&fixture.session);
	bytes_clear(&fixture.replies);
	bytes_clear(&fixture.stored);
	fixture.number = 0;
	REQUIRE(!session_progressed(&fixture.session), "%s: progress was inherited", what);
	REQUIRE(!session_in_data(&fixture.session), "%s: the data phase was inherited", what);
	take_replies();
	expect_replies(what, "");
	expect("DATA\r\nRCPT TO:x\r\nMAIL FROM:x\r\n", NEED_HELO NEED_HELO NEED_HELO);
	expect("HELO client\r\nRCPT TO:x\r\n" TRANSACTION "x\r\n.\r\n",
	    "250 netid\r\n" NEED_MAIL ACCEPTED "250 OK:  delivered message 1\r\n");
	bytes_assert_string(what, &fixture.stored, FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\nx\n\n");
}

START_TEST(the_next_client_inherits_nothing)
{
	enum session_want want;

	for (size_t i = 0; i < ARRAY_LENGTH(unfinished); i++) {
		/* Among the leftovers are unsent replies and a message that was not stored. */
		session_feed(&fixture.session, unfinished[i], strlen(unfinished[i]), &want);
		expect_new_session(unfinished[i]);
	}
}
END_TEST

START_TEST(the_next_client_does_not_inherit_an_over_long_line)
{
	struct bytes input = {.at = NULL};
	enum session_want want;

	bytes_add_repeated(&input, 'x', 2 * (size_t)COMMAND_LINE_MAX);
	session_feed(&fixture.session, input.at, input.length, &want);
	expect_new_session("an over-long line");
	bytes_free(&input);
}
END_TEST

START_TEST(the_next_client_does_not_inherit_an_error)
{
	enum session_want want;

	session_destroy(&fixture.session);
	begin(SMALL_LIMIT);
	session_feed(
	    &fixture.session, LITERAL("HELO evil\r\n" TRANSACTION "too much of it"), &want);
	expect_new_session("a message that is too big");
	session_feed(&fixture.session, LITERAL(TRANSACTION "too much of it\r\n.\r\n"), &want);
	expect_new_session("a message that was refused");
}
END_TEST

START_TEST(a_client_does_not_see_replies_meant_for_the_last)
{
	struct bytes input = {.at = NULL};

	for (unsigned i = 0; i < OUTPUT_SIZE; i++) {
		bytes_add_string(&input, "\r\n");
	}
	fill_output(&input);
	expect_new_session("full output");
	bytes_free(&input);
}
END_TEST

/* ---- ESMTP ---- */

#define EHLO_REPLY  "250-netid\r\n250-PIPELINING\r\n250-SIZE 5\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
#define HELP_REPLY  "214 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n"
#define VRFY_REPLY  "252 Error: cannot verify, send some mail\r\n"
#define QUIT_REPLY  "221 netid closing connection\r\n"
#define TOO_BIG     "552 Error: message too big\r\n"
#define UNSUPPORTED "555 Error: unsupported option\r\n"
#define TOO_MANY    "421 4.7.0 netid Error: too many commands\r\n"

/*
 * A line, the reply to it in each state up to STATE_RCPT_OR_DATA, and the state to which it leads.
 */
static const struct esmtp_expectation {
	const char *line;
	const char *replies[STATE_DATA];
	enum state next[STATE_DATA];
} esmtp_expectations[] = {
    {"HELO x", {"250 netid\r\n", "250 netid\r\n", "250 netid\r\n", "250 netid\r\n"},
	{STATE_MAIL, STATE_MAIL, STATE_MAIL, STATE_MAIL}},
    {"EHLO x", {EHLO_REPLY, EHLO_REPLY, EHLO_REPLY, EHLO_REPLY},
	{STATE_MAIL, STATE_MAIL, STATE_MAIL, STATE_MAIL}},
    {"EHLO", {EHLO_REPLY, EHLO_REPLY, EHLO_REPLY, EHLO_REPLY},
	{STATE_MAIL, STATE_MAIL, STATE_MAIL, STATE_MAIL}},
    {"HELO a b", {"250 netid\r\n", "250 netid\r\n", "250 netid\r\n", "250 netid\r\n"},
	{STATE_MAIL, STATE_MAIL, STATE_MAIL, STATE_MAIL}},
    {"MAIL FROM:Printer <a>",
	{NEED_HELO, "555 <Printer <a>>: Sender address rejected\r\n",
	    "555 <Printer <a>>: Sender address rejected\r\n",
	    "555 <Printer <a>>: Sender address rejected\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<x> SIZE=1 SIZE=1", {NEED_HELO, SYNTAX_MAIL, SYNTAX_MAIL, SYNTAX_MAIL},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"AUTH PLAIN", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<x>", {NEED_HELO, OK, NESTED, NESTED},
	{STATE_HELO, STATE_RCPT, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<> SIZE=5 BODY=8BITMIME", {NEED_HELO, OK, NESTED, NESTED},
	{STATE_HELO, STATE_RCPT, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<x> SIZE=6", {NEED_HELO, TOO_BIG, NESTED, NESTED},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<x> SIZE=x", {NEED_HELO, SYNTAX_MAIL, SYNTAX_MAIL, SYNTAX_MAIL},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<x> X=1", {NEED_HELO, UNSUPPORTED, UNSUPPORTED, UNSUPPORTED},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"MAIL FROM:<a b>",
	{NEED_HELO, "555 <<a b>>: Sender address rejected\r\n",
	    "555 <<a b>>: Sender address rejected\r\n", "555 <<a b>>: Sender address rejected\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"RCPT TO:<x>", {NEED_HELO, NEED_MAIL, OK, OK},
	{STATE_HELO, STATE_MAIL, STATE_RCPT_OR_DATA, STATE_RCPT_OR_DATA}},
    {"RCPT TO:<>",
	{NEED_HELO, NEED_MAIL, "555 <<>>: Recipient address invalid\r\n",
	    "555 <<>>: Recipient address invalid\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"RCPT TO:<x> X", {NEED_HELO, NEED_MAIL, UNSUPPORTED, UNSUPPORTED},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"DATA", {NEED_HELO, NEED_MAIL, NEED_RCPT, "354 End data with <CR><LF>.<CR><LF>\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_DATA}},
    {"RSET", {OK, OK, OK, OK}, {STATE_HELO, STATE_MAIL, STATE_MAIL, STATE_MAIL}},
    {"RSET x",
	{"501 Syntax:  RSET\r\n", "501 Syntax:  RSET\r\n", "501 Syntax:  RSET\r\n",
	    "501 Syntax:  RSET\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"NOOP x", {OK, OK, OK, OK}, {STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"HELP", {HELP_REPLY, HELP_REPLY, HELP_REPLY, HELP_REPLY},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"VRFY x", {VRFY_REPLY, VRFY_REPLY, VRFY_REPLY, VRFY_REPLY},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"VRFY",
	{"501 Syntax:  VRFY address\r\n", "501 Syntax:  VRFY address\r\n",
	    "501 Syntax:  VRFY address\r\n", "501 Syntax:  VRFY address\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"QUIT x",
	{"501 Syntax:  QUIT\r\n", "501 Syntax:  QUIT\r\n", "501 Syntax:  QUIT\r\n",
	    "501 Syntax:  QUIT\r\n"},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"QUIT", {QUIT_REPLY, QUIT_REPLY, QUIT_REPLY, QUIT_REPLY},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
    {"STARTTLS", {UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED, UNRECOGNIZED},
	{STATE_HELO, STATE_MAIL, STATE_RCPT, STATE_RCPT_OR_DATA}},
};

START_TEST(every_esmtp_command_has_its_reply_in_every_state)
{
	begin_esmtp(SMALL_LIMIT);
	for (size_t i = 0; i < ARRAY_LENGTH(approaches); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(esmtp_expectations); j++) {
			const struct esmtp_expectation *row = &esmtp_expectations[j];
			enum state state = approaches[i].state;
			const char *reply = row->replies[state];

			begin_again();
			feed_string(approaches[i].commands);
			session_progressed(&fixture.session);
			bytes_clear(&fixture.replies);
			feed_string(row->line);
			feed_string("\r\n");
			expect_replies(row->line, reply);
			REQUIRE(fixture.session.state == row->next[state],
			    "%s leads from state %d to %d", row->line, (int)state,
			    (int)fixture.session.state);
			REQUIRE(session_progressed(&fixture.session) == (reply[0] < '4'),
			    "%s: progress", row->line);
			REQUIRE(fixture.ended == (strcmp(reply, QUIT_REPLY) == 0), "%s: the end",
			    row->line);
		}
	}
}
END_TEST

START_TEST(an_esmtp_transaction_is_delivered)
{
	begin_esmtp(MAX_SIZE_DEFAULT);
	expect("EHLO client\r\n",
	    "250-netid\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
	expect("MAIL FROM:<> SIZE=5\r\nRCPT TO:<\"a b\"@c>\r\nRCPT TO:d@e\r\nDATA\r\nx\r\n.\r\n",
	    "250 OK\r\n250 OK\r\n250 OK\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
	    "250 OK:  delivered message 1\r\n");
	bytes_assert_string("mailbox", &fixture.stored,
	    FIRST_LINE "Number: 1\nFrom: <>\nTo: \"a b\"@c\nTo: d@e\n\nx\n\n");
}
END_TEST

/* RSET keeps the host, and another HELO or EHLO changes it. */
START_TEST(a_reset_discards_the_transaction)
{
	static const struct {
		const char *command;
		const char *received;
	} resets[] = {
	    {"RSET\r\n", FIRST_LINE},
	    {"HELO other\r\n", "Received: from other by netid (CS4410MP3)\n"},
	    {"EHLO other\r\n", "Received: from other by netid (CS4410MP3)\n"},
	};

	begin_esmtp(SMALL_LIMIT);
	for (size_t i = 0; i < ARRAY_LENGTH(resets); i++) {
		struct bytes record = {.at = NULL};

		begin_again();
		feed_string("HELO client\r\nMAIL FROM:<evil>\r\nRCPT TO:<evil>\r\n");
		feed_string(resets[i].command);
		bytes_clear(&fixture.replies);
		expect("DATA\r\nRCPT TO:<x>\r\n", NEED_MAIL NEED_MAIL);
		feed_string(TRANSACTION "z\r\n.\r\n");
		bytes_add_string(&record, resets[i].received);
		bytes_add_string(&record, "Number: 1\nFrom: a\nTo: b\n\nz\n\n");
		bytes_assert(resets[i].command, &fixture.stored, &record);
		bytes_free(&record);
	}
}
END_TEST

START_TEST(a_quit_ends_the_session_at_once)
{
	static const char input[] = "HELO client\r\nQUIT\r\nMAIL FROM:<a>\r\n";
	enum session_want want;

	begin_esmtp(SMALL_LIMIT);
	ck_assert_uint_eq(session_feed(&fixture.session, LITERAL(input), &want),
	    strlen("HELO client\r\nQUIT\r\n"));
	ck_assert_int_eq(want, SESSION_CLOSE);
	take_replies();
	expect_replies("QUIT", "250 netid\r\n" QUIT_REPLY);
	session_abort(&fixture.session, REPLY_TIMEOUT);
	ck_assert_uint_eq(fixture.session.output.length, 0);
	/* The next client is not affected. */
	begin_again();
	expect("HELO client\r\n", "250 netid\r\n");
	ck_assert(!fixture.ended);
}
END_TEST

START_TEST(the_end_comes_after_the_delivery)
{
	begin_esmtp(SMALL_LIMIT);
	expect("EHLO client\r\n" TRANSACTION "x\r\n.\r\nEHLO other\r\n" TRANSACTION
	       "y\r\n.\r\nQUIT\r\nNOOP\r\n",
	    EHLO_REPLY ACCEPTED "250 OK:  delivered message 1\r\n" EHLO_REPLY ACCEPTED
				"250 OK:  delivered message 2\r\n" QUIT_REPLY);
	ck_assert(fixture.ended);
	ck_assert_uint_eq(fixture.message_count, 2);
	bytes_assert_string("mailbox", &fixture.stored,
	    FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\nx\n\n"
		       "Received: from other by netid (CS4410MP3)\n"
		       "Number: 2\nFrom: a\nTo: b\n\ny\n\n");
}
END_TEST

START_TEST(a_message_too_big_does_not_affect_the_others)
{
	begin_esmtp(SMALL_LIMIT);
	expect("HELO client\r\n" TRANSACTION "x\r\n.\r\n" TRANSACTION
	       "too much of it\r\n.\r\n" TRANSACTION "y\r\n.\r\n",
	    "250 netid\r\n" ACCEPTED "250 OK:  delivered message 1\r\n" ACCEPTED TOO_BIG ACCEPTED
	    "250 OK:  delivered message 2\r\n");
	ck_assert_uint_eq(fixture.message_count, 3);
}
END_TEST

/* A block of used-up memory. It is smaller than any allocation that is tested. */
struct block {
	struct block *next;
	char bytes[1000];
};

/*
 * Set RLIMIT_AS so that this process gets no more memory, and allocate what is left as `blocks`.
 * Returns the previous limit.
 */
static struct rlimit
use_up_memory(struct block **blocks)
{
	struct rlimit before, now;
	struct block *block;

	REQUIRE(getrlimit(RLIMIT_AS, &before) == 0, "no limit");
	now = before;
	now.rlim_cur = 0;
	REQUIRE(setrlimit(RLIMIT_AS, &now) == 0, "the limit cannot be set");
	*blocks = NULL;
	while ((block = malloc(sizeof *block)) != NULL) {
		block->next = *blocks;
		*blocks = block;
	}
	return before;
}

static void
release_memory(const struct rlimit *before, struct block *blocks)
{
	REQUIRE(setrlimit(RLIMIT_AS, before) == 0, "the limit cannot be set");
	while (blocks != NULL) {
		struct block *next = blocks->next;

		free(blocks);
		blocks = next;
	}
}

START_TEST(a_host_for_which_there_is_no_memory_is_refused)
{
	/* The text of a message that leaves less initial memory than the host needs. */
	const size_t nearly_all = MESSAGE_BUFFER_INITIAL - 1000;
	struct bytes input = {.at = NULL}, record = {.at = NULL};
	struct rlimit before;
	enum session_want want;
	size_t consumed;
	struct block *blocks;

	if (environment_sanitized()) {
		return;
	}
	begin_esmtp(MAX_SIZE_DEFAULT);
	expect("HELO client\r\n", "250 netid\r\n");
	bytes_add_string(&record, FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\n");
	bytes_add_repeated(&record, 'x', nearly_all);
	bytes_add_string(&record, "\n\n");
	bytes_add_string(&input, TRANSACTION);
	bytes_add_repeated(&input, 'x', nearly_all);
	bytes_add_string(&input, "\r\n.\r\nMAIL FROM:c\r\nRCPT TO:d\r\nEHLO ");
	bytes_add_repeated(&input, 'h', 2000);
	bytes_add_string(&input, "\r\nDATA\r\n");
	before = use_up_memory(&blocks);
	consumed = session_feed(&fixture.session, input.at, input.length, &want);
	release_memory(&before, blocks);
	ck_assert_uint_eq(consumed, input.length);
	ck_assert_int_eq(want, SESSION_DELIVERY);
	deliver();
	take_replies();
	expect_replies("all", ACCEPTED "250 OK:  delivered message 1\r\n" OK OK
				       "451 Error: local error in processing\r\n" NEED_HELO);
	bytes_assert("mailbox", &fixture.stored, &record);
	/* HELO is needed again, and the transaction is discarded. */
	expect(TRANSACTION, NEED_HELO NEED_HELO NEED_HELO);
	expect("HELO client\r\nDATA\r\n", "250 netid\r\n" NEED_MAIL);
	bytes_free(&input);
	bytes_free(&record);
}
END_TEST

/* The junk commands after HELO, without AUTH. */
static const char *const junk_commands[] = {
    "NOOP\r\n", "RSET\r\n", "VRFY x\r\n", "HELP\r\n", "HELO x\r\n", "EHLO x\r\n"};

/* Send `count` junk commands, of all kinds. */
static void
send_junk(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		feed_string(junk_commands[i % ARRAY_LENGTH(junk_commands)]);
		REQUIRE(!fixture.ended, "closed at command %u", i + 1);
	}
	bytes_clear(&fixture.replies);
}

START_TEST(junk_commands_are_counted)
{
	begin_esmtp(SMALL_LIMIT);
	for (size_t i = 0; i < ARRAY_LENGTH(junk_commands); i++) {
		begin_again();
		/* The first HELO, rejected commands and those of a message are not junk. */
		feed_string("HELO client\r\nmkdir\r\nRSET x\r\nVRFY\r\n");
		feed_string("MAIL FROM:<a>\r\nRCPT TO:<b>\r\n");
		send_junk(JUNK_COMMANDS_MAX);
		session_progressed(&fixture.session);
		expect(junk_commands[i], TOO_MANY);
		ck_assert(fixture.ended);
		ck_assert(!session_progressed(&fixture.session));
	}
}
END_TEST

START_TEST(a_message_resets_the_junk_count)
{
	begin_esmtp(SMALL_LIMIT);
	feed_string("EHLO client\r\n");
	send_junk(JUNK_COMMANDS_MAX);
	feed_string(TRANSACTION "x\r\n.\r\n");
	send_junk(JUNK_COMMANDS_MAX);
	/* So does a message that cannot be stored: the client is not the cause. */
	fixture.error = EIO;
	feed_string(TRANSACTION "x\r\n.\r\n");
	send_junk(JUNK_COMMANDS_MAX);
	expect("NOOP\r\n", TOO_MANY);
	ck_assert(fixture.ended);
	/* The count of the next client starts at 0. */
	begin_again();
	feed_string("EHLO client\r\n");
	send_junk(JUNK_COMMANDS_MAX);
	expect("NOOP\r\n", TOO_MANY);
}
END_TEST

START_TEST(a_message_too_big_does_not_reset_the_junk_count)
{
	begin_esmtp(SMALL_LIMIT);
	feed_string("EHLO client\r\n");
	send_junk(JUNK_COMMANDS_MAX);
	expect(TRANSACTION "too much of it\r\n.\r\n", ACCEPTED TOO_BIG);
	ck_assert(!fixture.ended);
	expect("NOOP\r\n", TOO_MANY);
	ck_assert(fixture.ended);
	/* A delivered message resets the count, also before or after one that is too big. */
	begin_again();
	feed_string("EHLO client\r\n");
	send_junk(JUNK_COMMANDS_MAX);
	feed_string(TRANSACTION "x\r\n.\r\n" TRANSACTION "too much of it\r\n.\r\n");
	bytes_clear(&fixture.replies);
	expect("NOOP\r\n", OK);
	send_junk(JUNK_COMMANDS_MAX - 1);
	feed_string(TRANSACTION "too much of it\r\n.\r\n" TRANSACTION "x\r\n.\r\n");
	bytes_clear(&fixture.replies);
	expect("NOOP\r\n", OK);
	send_junk(JUNK_COMMANDS_MAX - 1);
	expect("NOOP\r\n", TOO_MANY);
}
END_TEST

START_TEST(smtp_has_no_junk_limit)
{
	feed_string("HELO client\r\n");
	for (unsigned i = 0; i < 2 * JUNK_COMMANDS_MAX; i++) {
		feed_string("NOOP\r\n");
		ck_assert(!fixture.ended);
	}
}
END_TEST

/* ---- ESMTP: names, addresses ---- */

START_TEST(any_host_name_is_accepted)
{
	static const struct {
		const char *command;
		size_t length;
		const char *stored;
	} names[] = {
	    {LITERAL("HELO\r\n"), "unknown"},
	    {LITERAL("EHLO \t \r\n"), "unknown"},
	    {LITERAL("EHLO M\334LLER-PC\r\n"), "M?LLER-PC"},
	    {LITERAL("HELO my pc\t1 \r\n"), "my?pc?1"},
	    {LITERAL("EHLO a\0\r\177!~\r\n"), "a\?\?\?!~"},
	    {LITERAL("HELO by netid (CS4410MP3)\r\n"), "by?netid?(CS4410MP3)"},
	};

	begin_esmtp(SMALL_LIMIT);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct bytes record = {.at = NULL};

		begin_again();
		feed(names[i].command, names[i].length);
		feed_string(TRANSACTION "z\r\n.\r\n");
		bytes_add_format(
		    &record, "Received: from %s by netid (CS4410MP3)\n", names[i].stored);
		bytes_add_string(&record, "Number: 1\nFrom: a\nTo: b\n\nz\n\n");
		bytes_assert(names[i].stored, &fixture.stored, &record);
		bytes_free(&record);
	}
}
END_TEST

#define BAD_UTF8 "555 <<\?\?@b>>: Recipient address invalid\r\n"

START_TEST(utf8_is_for_transactions_with_smtputf8)
{
	begin_esmtp(MAX_SIZE_DEFAULT);
	feed_string("EHLO client\r\n");
	bytes_clear(&fixture.replies);
	expect("MAIL FROM:<\303\274@b>\r\n", "555 <<\?\?@b>>: Sender address rejected\r\n");
	expect("MAIL FROM:<a>\r\nRCPT TO:<\303\274@b>\r\nRSET\r\n", OK BAD_UTF8 OK);
	expect(
	    "MAIL FROM:<\303\274@b> SMTPUTF8\r\nRCPT TO:<\303\274@b>\r\nRCPT TO:<@c:\303\244>\r\n",
	    OK OK OK);
	expect("DATA\r\n.\r\n",
	    "354 End data with <CR><LF>.<CR><LF>\r\n250 OK:  delivered message 1\r\n");
	bytes_assert_string("mailbox", &fixture.stored,
	    FIRST_LINE "Number: 1\nFrom: \303\274@b\nTo: \303\274@b\nTo: \303\244\n\n\n");
	/* SMTPUTF8 holds neither for the next transaction nor for the next client. */
	expect("MAIL FROM:<a>\r\nRCPT TO:<\303\274@b>\r\n", OK BAD_UTF8);
	expect("RSET\r\nMAIL FROM:<a> SMTPUTF8\r\n", OK OK);
	begin_again();
	expect("HELO x\r\nMAIL FROM:<a>\r\nRCPT TO:<\303\274@b>\r\n", "250 netid\r\n" OK BAD_UTF8);
}
END_TEST

START_TEST(esmtp_is_named_in_the_greeting)
{
	begin_esmtp(MAX_SIZE_DEFAULT);
	session_greet(&fixture.session);
	expect("", "220 netid ESMTP CS4410MP3\r\n");
}
END_TEST

/* ---- ESMTP: HTTP ---- */

#define NOT_MAIL "554 Error: not a mail client\r\n"

START_TEST(an_http_request_ends_the_session)
{
	static const char request[] =
	    "POST / HTTP/1.1\r\nHost: x\r\n\r\nHELO x\r\n" TRANSACTION ".\r\n";

	/* For SMTP a request is an unrecognized command. */
	expect("GET / HTTP/1.1\r\nHELO x\r\n", UNRECOGNIZED "250 netid\r\n");
	begin_esmtp(MAX_SIZE_DEFAULT);
	expect(request, NOT_MAIL);
	ck_assert(fixture.ended);
	ck_assert(!session_progressed(&fixture.session));
	ck_assert_uint_eq(fixture.stored.length, 0);
	/* Only the first line counts. */
	begin_again();
	expect("\r\nGET / HTTP/1.1\r\nHELO x\r\nGET / HTTP/1.1\r\n",
	    UNRECOGNIZED UNRECOGNIZED "250 netid\r\n" UNRECOGNIZED);
	ck_assert(!fixture.ended);
}
END_TEST

/*
 * Send a first line of `length` bytes, which ends in `end`, in pieces of `step` bytes. Fail unless
 * this is the reply, and the session has ended only with NOT_MAIL.
 */
static void
try_long_line(const char *end, size_t length, size_t step, const char *reply)
{
	struct bytes line = {.at = NULL};

	bytes_add_string(&line, "GET /");
	bytes_add_repeated(&line, 'a', length - line.length - strlen(end));
	bytes_add_string(&line, end);
	begin_again();
	feed_in_pieces(&line, step, step);
	expect_replies(end, reply);
	ck_assert(fixture.ended == (strcmp(reply, NOT_MAIL) == 0));
	bytes_free(&line);
}

START_TEST(a_long_http_request_ends_the_session)
{
	static const size_t steps[] = {1, 7, 63, 64, 65, 2048, 2049, 10000};
	static const size_t lengths[] = {2049, 2050, 2051, 2112, 2113, 2114, 5000};
	struct bytes line = {.at = NULL};

	begin_esmtp(MAX_SIZE_DEFAULT);
	for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(lengths); j++) {
			try_long_line(" HTTP/1.1\r\n", lengths[j], steps[i], NOT_MAIL);
			try_long_line(" HTTP/1.1\n", lengths[j] + 2, steps[i], NOT_MAIL);
			try_long_line(" HTTP/1.1 x\r\n", lengths[j] + 3, steps[i],
			    "500 Error: line too long\r\n");
		}
	}
	try_long_line(" HTTP/1.1\r\n", 20, 20, NOT_MAIL);
	/* Other lines, and SMTP, have no HTTP request. */
	begin_again();
	feed_string("HELO x\r\n");
	bytes_clear(&fixture.replies);
	bytes_add_repeated(&line, 'a', 3000);
	bytes_add_string(&line, " HTTP/1.1\r\n");
	feed(line.at, line.length);
	expect_replies("second line", "500 Error: line too long\r\n");
	session_destroy(&fixture.session);
	begin(MAX_SIZE_DEFAULT);
	feed(line.at, line.length);
	expect_replies("SMTP", "500 Error: line too long\r\n");
	ck_assert(!fixture.ended);
	bytes_free(&line);
}
END_TEST

/* ---- ESMTP: AUTH ---- */

#define SYNTAX_AUTH    "501 Syntax:  AUTH\r\n"
#define NESTED_AUTH    "503 Error: AUTH within a transaction\r\n"
#define DUPLICATE_AUTH "503 Error: duplicate AUTH\r\n"
#define LOGGED_IN      "235 OK\r\n"
#define ASK            "334 \r\n"
#define ASK_USERNAME   "334 VXNlcm5hbWU6\r\n"
#define ASK_PASSWORD   "334 UGFzc3dvcmQ6\r\n"

/* Replace the session by one of ESMTP that accepts any login. */
static void
begin_esmtp_with_login(void)
{
	session_destroy(&fixture.session);
	session_init(&fixture.session, "netid", SMALL_LIMIT, PROTOCOL_ESMTP_LOGIN);
}

static const struct exchange {
	const char *input;
	const char *replies;
} logins[] = {
    {"AUTH PLAIN AHgAeQ==\r\n", LOGGED_IN},
    {"AUTH PLAIN =\r\n", LOGGED_IN},
    {"AUTH PLAIN\r\nAHgAeQ==\r\n", ASK LOGGED_IN},
    {"AUTH PLAIN\r\n\r\n", ASK LOGGED_IN},
    {"AUTH LOGIN\r\neHg=\r\n eXk= \r\n", ASK_USERNAME ASK_PASSWORD LOGGED_IN},
    {"AUTH LOGIN\r\nQUIT\r\n\r\n", ASK_USERNAME ASK_PASSWORD LOGGED_IN},
    {"auth login eHg=\r\neXk=\n", ASK_PASSWORD LOGGED_IN},
    {"AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\n*\r\nAUTH LOGIN\r\neHg=\r\n*\r\nAUTH PLAIN eHg=\r\n",
	ASK SYNTAX_AUTH ASK_USERNAME SYNTAX_AUTH ASK_USERNAME ASK_PASSWORD SYNTAX_AUTH LOGGED_IN},
    {"AUTH PLAIN x\r\nAUTH PLAIN\r\nx\r\nAUTH\r\nAUTH CRAM-MD5\r\nAUTH PLAIN eHg=\r\n",
	SYNTAX_AUTH ASK SYNTAX_AUTH SYNTAX_AUTH "504 Error: unknown mechanism\r\n" LOGGED_IN},
};

START_TEST(any_login_is_accepted)
{
	begin_esmtp_with_login();
	for (size_t i = 0; i < ARRAY_LENGTH(logins); i++) {
		begin_again();
		feed_string("EHLO client\r\n");
		bytes_clear(&fixture.replies);
		session_progressed(&fixture.session);
		expect(logins[i].input, logins[i].replies);
		ck_assert(session_progressed(&fixture.session));
		/* A second login is refused, also after another EHLO. */
		expect("AUTH PLAIN eHg=\r\nAUTH LOGIN\r\n", DUPLICATE_AUTH DUPLICATE_AUTH);
		ck_assert(!session_progressed(&fixture.session));
		feed_string("EHLO client\r\n");
		bytes_clear(&fixture.replies);
		expect("AUTH PLAIN eHg=\r\n", DUPLICATE_AUTH);
		expect("MAIL FROM:<a> AUTH=<>\r\nRCPT TO:b\r\nDATA\r\nz\r\n.\r\n",
		    ACCEPTED "250 OK:  delivered message 1\r\n");
		bytes_assert_string(
		    "mailbox", &fixture.stored, FIRST_LINE "Number: 1\nFrom: a\nTo: b\n\nz\n\n");
	}
}
END_TEST

START_TEST(auth_is_accepted_only_between_transactions)
{
	static const char *const expected[STATE_DATA] = {
	    NEED_HELO, LOGGED_IN, NESTED_AUTH, NESTED_AUTH};

	begin_esmtp_with_login();
	for (size_t i = 0; i < ARRAY_LENGTH(approaches); i++) {
		begin_again();
		feed_string(approaches[i].commands);
		bytes_clear(&fixture.replies);
		expect("AUTH PLAIN eHg=\r\n", expected[approaches[i].state]);
		ck_assert_int_eq(fixture.session.state, approaches[i].state);
	}
	/* The next client must log in again, and its first line is a command. */
	begin_again();
	feed_string("EHLO client\r\nAUTH LOGIN\r\n");
	begin_again();
	expect("EHLO client\r\n",
	    "250-netid\r\n250-PIPELINING\r\n250-SIZE 5\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n"
	    "250 SMTPUTF8\r\n");
	expect("AUTH PLAIN eHg=\r\n", LOGGED_IN);
	expect("HELP\r\n", "214 HELO EHLO AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n");
	begin_again();
	feed_string("EHLO client\r\n");
	bytes_clear(&fixture.replies);
	expect("AUTH PLAIN eHg=\r\n", LOGGED_IN);
}
END_TEST

START_TEST(a_long_response_cancels_the_login)
{
	struct bytes line = {.at = NULL};

	begin_esmtp_with_login();
	feed_string("EHLO client\r\nAUTH PLAIN\r\n");
	bytes_clear(&fixture.replies);
	bytes_add_repeated(&line, 'a', COMMAND_LINE_MAX);
	bytes_add_string(&line, "a\r\n");
	feed(line.at, line.length);
	expect_replies("response", "500 Error: line too long\r\n");
	expect("NOOP\r\nAUTH PLAIN\r\n", OK ASK);
	/* One byte less is accepted. */
	bytes_clear(&line);
	bytes_add_repeated(&line, 'a', COMMAND_LINE_MAX);
	bytes_add_string(&line, "\r\n");
	feed(line.at, line.length);
	expect_replies("response", LOGGED_IN);
	bytes_free(&line);
}
END_TEST

START_TEST(logins_are_counted_as_junk)
{
	begin_esmtp_with_login();
	feed_string("EHLO client\r\n");
	for (unsigned i = 0; i < JUNK_COMMANDS_MAX; i++) {
		feed_string("AUTH LOGIN\r\n*\r\n");
		ck_assert(!fixture.ended);
	}
	bytes_clear(&fixture.replies);
	expect("AUTH LOGIN\r\n", TOO_MANY);
	ck_assert(fixture.ended);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin_with_default, end);
	tcase_add_test(tests, the_first_example_is_delivered);
	tcase_add_test(tests, the_second_example_times_out);
	tcase_add_test(tests, the_second_example_with_its_end_is_delivered);
	tcase_add_test(tests, replies_name_the_server);
	tcase_add_test(tests, every_rule_has_its_replies);
	tcase_add_test(tests, every_command_has_its_reply_in_every_state);
	tcase_add_test(tests, an_over_long_line_is_rejected_in_every_state);
	tcase_add_test(tests, the_bytes_of_a_bad_address_are_masked);
	tcase_add_test(tests, recipients_are_limited);
	tcase_add_test(tests, a_line_has_its_limit_in_every_split);
	tcase_add_test(tests, a_long_host_is_kept_whole);
	tcase_add_test(tests, an_over_long_line_is_answered_at_its_end);
	tcase_add_test(tests, a_conversation_is_the_same_in_every_split);
	tcase_add_test(tests, no_reply_before_a_line_ends);
	tcase_add_test(tests, replies_are_flushed_when_there_are_many);
	tcase_add_test(tests, full_output_consumes_no_input);
	tcase_add_test(tests, there_is_space_for_a_final_reply);
	tcase_add_test(tests, unsent_replies_are_kept);
	tcase_add_test(tests, a_delivery_does_not_interrupt_pipelined_commands);
	tcase_add_test(tests, pipelined_messages_are_delivered_together);
	tcase_add_test(tests, each_of_several_messages_has_its_reply);
	tcase_add_test(tests, completed_messages_are_limited);
	tcase_add_test(tests, there_is_space_for_the_replies_to_pipelined_messages);
	tcase_add_test(tests, the_reply_to_a_message_is_never_too_long);
	tcase_add_test(tests, there_is_space_for_the_longest_replies_to_pipelined_messages);
	tcase_add_test(tests, the_end_comes_after_the_delivery);
	tcase_add_test(tests, a_message_too_big_does_not_affect_the_others);
	tcase_add_test(tests, in_data_is_true_in_the_data_phase);
	tcase_add_test(tests, progress_is_reported_once);
	tcase_add_test(tests, a_message_has_its_envelope);
	tcase_add_test(tests, a_message_that_is_too_big_is_refused_at_its_end);
	tcase_add_test(tests, the_error_of_storing_decides_the_reply);
	tcase_add_test(tests, the_next_client_inherits_nothing);
	tcase_add_test(tests, the_next_client_does_not_inherit_an_over_long_line);
	tcase_add_test(tests, the_next_client_does_not_inherit_an_error);
	tcase_add_test(tests, a_client_does_not_see_replies_meant_for_the_last);
	tcase_add_test(tests, every_esmtp_command_has_its_reply_in_every_state);
	tcase_add_test(tests, an_esmtp_transaction_is_delivered);
	tcase_add_test(tests, a_reset_discards_the_transaction);
	tcase_add_test(tests, a_quit_ends_the_session_at_once);
	tcase_add_test(tests, a_host_for_which_there_is_no_memory_is_refused);
	tcase_add_test(tests, junk_commands_are_counted);
	tcase_add_test(tests, a_message_resets_the_junk_count);
	tcase_add_test(tests, a_message_too_big_does_not_reset_the_junk_count);
	tcase_add_test(tests, smtp_has_no_junk_limit);
	tcase_add_test(tests, any_host_name_is_accepted);
	tcase_add_test(tests, utf8_is_for_transactions_with_smtputf8);
	tcase_add_test(tests, esmtp_is_named_in_the_greeting);
	tcase_add_test(tests, an_http_request_ends_the_session);
	tcase_add_test(tests, a_long_http_request_ends_the_session);
	tcase_add_test(tests, any_login_is_accepted);
	tcase_add_test(tests, auth_is_accepted_only_between_transactions);
	tcase_add_test(tests, a_long_response_cancels_the_login);
	tcase_add_test(tests, logins_are_counted_as_junk);
	return suite_run("session", tests);
}
