/*
 * NAME
 *	check_limits - the longest that is accepted and the next that is not
 *
 * DESCRIPTION
 *	Lengths of command lines and of replies, numbers of recipients, sizes of messages.
 */

#include <string.h>

#include "client.h"
#include "ledger.h"
#include "stream.h"
#include "suite.h"

/* Bytes of a command line before its ending, and of a reply without its CRLF. */
#define LINE_LIMIT  ((size_t)2048)
#define REPLY_LIMIT ((size_t)510)

#define RECIPIENTS_LIMIT 1000

/* Default size limit: bytes of a body as stored. */
#define DEFAULT_MAX_SIZE 10485760

/* ---- lines ---- */

/* Each line is `start`, then x up to the limit or beyond it, then `end`. */
static const struct {
	const char *start;
	const char *end;
	const char *fits; /* the reply to a line of the limit */
} lines[] = {
    {"HELO ", "\r\n", HELO_OK},
    {"HELO ", "\n", HELO_OK},
    {"MAIL FROM:", "\r\n", NEED_HELO},
    {"", "\r\n", UNKNOWN},
    {"", "\n", UNKNOWN},
};

/* Add a line of `length` bytes before its ending. */
static void
add_line(struct bytes *sent, const char *start, size_t length, const char *end)
{
	bytes_add_string(sent, start);
	bytes_add_repeated(sent, 'x', length - strlen(start));
	bytes_add_string(sent, end);
}

START_TEST(a_line_over_the_limit_is_refused)
{
	struct server *server = server_start("");
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&expected, GREETING);
	for (size_t excess = 1; excess <= 4; excess++) {
		add_line(&sent, lines[_i].start, LINE_LIMIT + excess, lines[_i].end);
		bytes_add_string(&expected, TOO_LONG);
	}
	add_line(&sent, lines[_i].start, LINE_LIMIT, lines[_i].end);
	add_line(&sent, lines[_i].start, LINE_LIMIT * LINE_LIMIT, lines[_i].end);
	bytes_add_string(&expected, lines[_i].fits);
	bytes_add_string(&expected, TOO_LONG);
	converse_compare(server, &sent, &expected);
	server_stop(server);
}
END_TEST

/* The CR of the ending is not counted; a CR before it is. */
START_TEST(the_cr_of_a_line_ending_is_not_counted)
{
	struct server *server = server_start("");
	struct bytes sent = {0};
	struct bytes expected = {0};

	add_line(&sent, "", LINE_LIMIT, "\r\r\n");
	add_line(&sent, "", LINE_LIMIT, "\rx\r\n");
	add_line(&sent, "", LINE_LIMIT - 1, "\r\r\n");
	add_line(&sent, "HELO ", LINE_LIMIT - 1, "\r\r\n");
	add_line(&sent, " \t ", LINE_LIMIT, "\r\n");
	add_line(&sent, "HELO ", LINE_LIMIT, "\r\n");
	bytes_add_string(&expected, GREETING TOO_LONG TOO_LONG UNKNOWN HELO_SYNTAX UNKNOWN HELO_OK);
	converse_compare(server, &sent, &expected);
	server_stop(server);
}
END_TEST

/* A line that is too long changes nothing in any state between commands. */
START_TEST(a_long_line_changes_no_state)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, (enum state)_i);
	struct bytes line = {0};

	add_line(&line, "HELO x MAIL FROM:x RCPT TO:x DATA", LINE_LIMIT + 1, "\r\n");
	client_command(&client, line.at, TOO_LONG);
	bytes_free(&line);
	if (_i < STATE_GREETED) {
		client_command(&client, "HELO client\r\n", HELO_OK);
	}
	if (_i < STATE_SENDER) {
		client_command(&client, "MAIL FROM:a@b\r\n", OK);
	}
	if (_i < STATE_RECIPIENT) {
		client_command(&client, "RCPT TO:c@d\r\n", OK);
	}
	client_command(&client, "DATA\r\n", START_DATA);
	client_command(&client, ".\r\n", "250 OK:  delivered message 1\r\n");
	client_close(&client);
	server_stop(server);
}
END_TEST

/* Seconds to wait for a reply that must not come. */
#define SILENCE 0.2

START_TEST(a_long_line_has_one_reply_at_its_end)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_CONNECTED);
	struct bytes line = {0};

	add_line(&line, "", LINE_LIMIT * 3, "");
	client_send(&client, line.at);
	client_expect_silence(&client, SILENCE);
	client_send(&client, line.at);
	client_command(&client, "\r\n", TOO_LONG);
	client_half_close(&client);
	client_expect_end(&client);
	bytes_free(&line);
	server_stop(server);
}
END_TEST

/* ---- replies ---- */

static const struct {
	const char *command;
	const char *error_text;
} address_cases[] = {
    {"MAIL FROM:", "Sender address rejected"},
    {"RCPT TO:", "Recipient address invalid"},
};

/* Add an address of `length` bytes whose last one is invalid, and its reply. */
static void
add_bad_address(struct bytes *sent, struct bytes *expected, size_t which, size_t length)
{
	const char *error_text = address_cases[which].error_text;
	size_t space = REPLY_LIMIT - strlen("555 <>: ") - strlen(error_text);

	bytes_add_string(sent, address_cases[which].command);
	bytes_add_repeated(sent, 'x', length - 1);
	bytes_add_string(sent, "\377\r\n");
	bytes_add_string(expected, "555 <");
	bytes_add_repeated(expected, 'x', length <= space ? length - 1 : space);
	bytes_add_format(expected, "%s>: %s\r\n", length <= space ? "?" : "", error_text);
}

/* At every length of the address. */
START_TEST(the_reply_to_a_bad_address_keeps_its_form)
{
	struct server *server = server_start("");
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO a\r\nMAIL FROM:a\r\n");
	bytes_add_string(&expected, GREETING HELO_OK OK);
	for (size_t which = 0; which < ARRAY_LENGTH(address_cases); which++) {
		size_t longest = LINE_LIMIT - strlen(address_cases[which].command);

		for (size_t length = 1; length <= longest; length++) {
			add_bad_address(&sent, &expected, which, length);
		}
	}
	converse_compare(server, &sent, &expected);
	server_stop(server);
}
END_TEST

/* ---- recipients ---- */

#define TOO_MANY "452 Error: too many recipients\r\n"

/* Add RCPT TO lines up to and with the limit, their replies, and their lines in the mailbox. */
static void
add_recipients(struct bytes *sent, struct bytes *expected, struct bytes *list)
{
	for (unsigned i = 1; i <= RECIPIENTS_LIMIT; i++) {
		bytes_add_format(sent, "RCPT TO:r%u\r\n", i);
		bytes_add_string(expected, OK);
		bytes_add_format(list, i == 1 ? "r%u" : "\nTo: r%u", i);
	}
}

/* Beyond the limit they are refused, after the check of the syntax; the next message has none. */
START_TEST(recipients_are_limited)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct bytes list = {0};
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO client\r\nMAIL FROM:a@b\r\n");
	bytes_add_string(&expected, GREETING HELO_OK OK);
	add_recipients(&sent, &expected, &list);
	bytes_add_string(&sent, "RCPT TO:z\r\nRCPT TO\r\nRCPT TO:a b\r\nRCPT TO:z\r\n"
				"MAIL FROM:a\r\nDATA\r\n.\r\n");
	bytes_add_string(&expected, TOO_MANY RCPT_SYNTAX
	    "555 <a b>: Recipient address invalid\r\n" TOO_MANY NESTED START_DATA
	    "250 OK:  delivered message 1\r\n");
	ledger_add(&ledger, "client", "a@b", list.at, "", 0);
	bytes_add_string(&sent, "MAIL FROM:a@b\r\n");
	bytes_add_string(&expected, OK);
	bytes_free(&list);
	add_recipients(&sent, &expected, &list);
	bytes_add_string(&sent, "DATA\r\n.\r\n");
	bytes_add_string(&expected, START_DATA "250 OK:  delivered message 2\r\n");
	ledger_add(&ledger, "client", "a@b", list.at, "", 0);
	converse_compare(server, &sent, &expected);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	bytes_free(&list);
	server_stop(server);
}
END_TEST

/* ---- messages ---- */

/* Bodies for a size limit of 50 bytes: as sent without the line of the dot, and as stored. */
#define SMALL_MAX_SIZE "--max-size 50"

static const struct {
	const char *sent;
	const char *stored; /* NULL if it is too big */
} bodies[] = {
    {"0123456789012345678901234567890123456789012345678\r\n",
	"0123456789012345678901234567890123456789012345678\n"},
    {"01234567890123456789012345678901234567890123456789\r\n", NULL},
    /* A line end counts as one byte. */
    {"01234567890123456789012\r\n0123456789012345678901234\r\n",
	"01234567890123456789012\n0123456789012345678901234\n"},
    {"01234567890123456789012\r\n01234567890123456789012345\r\n", NULL},
    /* Removed dots are not counted. */
    {".0123456789012345678901234567890123456789012345678\r\n",
	"0123456789012345678901234567890123456789012345678\n"},
    {"..0123456789012345678901234567890123456789012345678\r\n", NULL},
    /* A quote counts. */
    {"Received: from x by netid (CS4410MP3)\r\n01234567890\r\n", NULL /* 38 + 1 + 12 */},
    {"Received: from x by netid (CS4410MP3)\r\n0123456789\r\n",
	">Received: from x by netid (CS4410MP3)\n0123456789\n"},
    /* Fifty-one empty lines. */
    {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
     "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
     "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
	NULL},
};

START_TEST(a_body_over_max_size_is_refused)
{
	struct server *server = server_start(SMALL_MAX_SIZE);
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct ledger ledger = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		if (bodies[i].stored != NULL) {
			client_deliver(&client, bodies[i].sent,
			    ledger_add_delivered(&ledger, bodies[i].stored));
			continue;
		}
		client_command(&client, "MAIL FROM:x\r\n", OK);
		client_command(&client, "RCPT TO:x\r\n", OK);
		client_command(&client, "DATA\r\n", START_DATA);
		client_send(&client, bodies[i].sent);
		client_command(&client, ".\r\n", TOO_BIG);
		client_command(&client, "DATA\r\n", NEED_MAIL);
	}
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	client_close(&client);
	server_stop(server);
}
END_TEST

/*
 * Add a message with a body of `size` bytes as stored, and its record if that is within the limit.
 */
static void
add_big_message(struct bytes *sent, struct bytes *expected, struct ledger *ledger, size_t size)
{
	struct bytes body = {0};

	bytes_add_repeated(&body, 'x', size - 1);
	bytes_add_string(sent, "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n");
	bytes_add(sent, body.at, body.length);
	bytes_add_string(sent, "\r\n.\r\n");
	bytes_add_string(&body, "\n");
	bytes_add_string(expected, OK OK START_DATA);
	if (size <= DEFAULT_MAX_SIZE) {
		bytes_add_format(expected, DELIVERED, ledger_add_delivered(ledger, body.at));
	} else {
		bytes_add_string(expected, TOO_BIG);
	}
	bytes_free(&body);
}

/* Bytes of a body far above the limit. */
#define ELEVEN_MEGABYTES 11534336

START_TEST(a_body_over_the_default_max_size_is_refused)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO client\r\n");
	bytes_add_string(&expected, GREETING HELO_OK);
	add_big_message(&sent, &expected, &ledger, DEFAULT_MAX_SIZE);
	add_big_message(&sent, &expected, &ledger, DEFAULT_MAX_SIZE + 1);
	add_big_message(&sent, &expected, &ledger, ELEVEN_MEGABYTES);
	add_big_message(&sent, &expected, &ledger, 1);
	converse_compare(server, &sent, &expected);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, a_line_over_the_limit_is_refused, 0, ARRAY_LENGTH(lines));
	tcase_add_test(tests, the_cr_of_a_line_ending_is_not_counted);
	tcase_add_loop_test(tests, a_long_line_changes_no_state, STATE_CONNECTED, STATE_DATA);
	tcase_add_test(tests, a_long_line_has_one_reply_at_its_end);
	tcase_add_test(tests, the_reply_to_a_bad_address_keeps_its_form);
	tcase_add_test(tests, recipients_are_limited);
	tcase_add_test(tests, a_body_over_max_size_is_refused);
	tcase_add_test(tests, a_body_over_the_default_max_size_is_refused);
	return suite_run("limits", tests);
}
