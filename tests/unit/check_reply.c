/*
 * NAME
 *	check_reply - the text of every reply, to the byte
 *
 * DESCRIPTION
 *	The table has each reply a second time, as the assignment and the protocol state it. Bytes
 *	from a client are inserted into replies with every value and every length.
 */

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "reply.h"
#include "suite.h"

/* A byte after the reply that must not be changed. */
#define GUARD '#'

static const struct row {
	enum reply reply;
	bool accepts;
	const char *insert;
	const char *text;
} rows[] = {
    {REPLY_GREETING, true, "netid", "220 netid SMTP CS4410MP3\r\n"},
    {REPLY_HELO, true, "netid", "250 netid\r\n"},
    {REPLY_OK, true, NULL, "250 OK\r\n"},
    {REPLY_START_DATA, true, NULL, "354 End data with <CR><LF>.<CR><LF>\r\n"},
    {REPLY_DELIVERED, true, "1", "250 OK:  delivered message 1\r\n"},
    {REPLY_SHUTTING_DOWN, false, "netid", "421 4.3.2 netid Error: shutting down\r\n"},
    {REPLY_TIMEOUT, false, "netid", "421 4.4.2 netid Error: timeout exceeded\r\n"},
    {REPLY_LOCAL_ERROR, false, NULL, "451 Error: local error in processing\r\n"},
    {REPLY_STORAGE_FULL, false, NULL, "452 Error: insufficient system storage\r\n"},
    {REPLY_TOO_MANY_RECIPIENTS, false, NULL, "452 Error: too many recipients\r\n"},
    {REPLY_UNRECOGNIZED, false, NULL, "500 Error: command not recognized\r\n"},
    {REPLY_LINE_TOO_LONG, false, NULL, "500 Error: line too long\r\n"},
    {REPLY_SYNTAX_HELO, false, NULL, "501 Syntax:  HELO yourhostname\r\n"},
    {REPLY_SYNTAX_MAIL, false, NULL, "501 Syntax:  MAIL FROM: address\r\n"},
    {REPLY_SYNTAX_RCPT, false, NULL, "501 Syntax:  RCPT TO: address\r\n"},
    {REPLY_SYNTAX_DATA, false, NULL, "501 Syntax:  DATA\r\n"},
    {REPLY_NEED_HELO, false, NULL, "503 Error: need HELO command\r\n"},
    {REPLY_NEED_MAIL, false, NULL, "503 Error: need MAIL FROM command\r\n"},
    {REPLY_NEED_RCPT, false, NULL, "503 Error: need RCPT TO command\r\n"},
    {REPLY_DUPLICATE_HELO, false, NULL, "503 Error: duplicate HELO\r\n"},
    {REPLY_NESTED_MAIL, false, NULL, "503 Error: nested MAIL command\r\n"},
    {REPLY_MESSAGE_TOO_BIG, false, NULL, "552 Error: message too big\r\n"},
    {REPLY_SENDER_REJECTED, false, "student @CS4410",
	"555 <student @CS4410>: Sender address rejected\r\n"},
    {REPLY_RECIPIENT_INVALID, false, "TA @CS4410",
	"555 <TA @CS4410>: Recipient address invalid\r\n"},
    /* ESMTP. */
    {REPLY_HELP, true, NULL, "214 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n"},
    {REPLY_CLOSING, true, "netid", "221 netid closing connection\r\n"},
    {REPLY_EHLO, true, "netid", "250-netid\r\n"},
    {REPLY_EHLO_PIPELINING, true, NULL, "250-PIPELINING\r\n"},
    {REPLY_EHLO_SIZE, true, "10485760", "250-SIZE 10485760\r\n"},
    {REPLY_EHLO_8BITMIME, true, NULL, "250-8BITMIME\r\n"},
    {REPLY_EHLO_AUTH, true, NULL, "250-AUTH PLAIN LOGIN\r\n"},
    {REPLY_EHLO_SMTPUTF8, true, NULL, "250 SMTPUTF8\r\n"},
    {REPLY_ESMTP_GREETING, true, "netid", "220 netid ESMTP CS4410MP3\r\n"},
    {REPLY_HELP_LOGIN, true, NULL,
	"214 HELO EHLO AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n"},
    {REPLY_LOGGED_IN, true, NULL, "235 OK\r\n"},
    {REPLY_ASK_CREDENTIALS, true, NULL, "334 \r\n"},
    {REPLY_ASK_USERNAME, true, NULL, "334 VXNlcm5hbWU6\r\n"},
    {REPLY_ASK_PASSWORD, true, NULL, "334 UGFzc3dvcmQ6\r\n"},
    {REPLY_SYNTAX_AUTH, false, NULL, "501 Syntax:  AUTH\r\n"},
    {REPLY_NESTED_AUTH, false, NULL, "503 Error: AUTH within a transaction\r\n"},
    {REPLY_DUPLICATE_AUTH, false, NULL, "503 Error: duplicate AUTH\r\n"},
    {REPLY_UNKNOWN_MECHANISM, false, NULL, "504 Error: unknown mechanism\r\n"},
    {REPLY_NOT_A_MAIL_CLIENT, false, NULL, "554 Error: not a mail client\r\n"},
    {REPLY_CANNOT_VERIFY, true, NULL, "252 Error: cannot verify, send some mail\r\n"},
    {REPLY_TOO_MANY_COMMANDS, false, "netid", "421 4.7.0 netid Error: too many commands\r\n"},
    {REPLY_SYNTAX_RSET, false, NULL, "501 Syntax:  RSET\r\n"},
    {REPLY_SYNTAX_VRFY, false, NULL, "501 Syntax:  VRFY address\r\n"},
    {REPLY_SYNTAX_QUIT, false, NULL, "501 Syntax:  QUIT\r\n"},
    {REPLY_UNSUPPORTED_PARAMETER, false, NULL, "555 Error: unsupported option\r\n"},
};

/* Format a reply, compare it, and fail if a byte after it was written. */
static void
compare(enum reply reply, const char *insert, size_t length, const struct bytes *expected)
{
	char out[REPLY_SIZE + 1];
	size_t written;

	memset(out, GUARD, sizeof out);
	written = reply_format(reply, insert, length, out);
	bytes_compare("reply", out, written, expected->at, expected->length);
	for (size_t i = written; i < sizeof out; i++) {
		REQUIRE(out[i] == GUARD, "byte %zu after %zu was written", i, written);
	}
}

START_TEST(every_text_is_exact)
{
	struct bytes expected = {.at = NULL};

	for (const struct row *row = rows; row < rows + ARRAY_LENGTH(rows); row++) {
		/* An insertion that is not used is not read: NULL, with a length. */
		size_t length = row->insert != NULL ? strlen(row->insert) : 1000;

		bytes_clear(&expected);
		bytes_add_string(&expected, row->text);
		compare(row->reply, row->insert, length, &expected);
		ck_assert_msg(reply_is_positive(row->reply) == row->accepts, "%s", row->text);
		ck_assert_msg(reply_takes_netid(row->reply) ==
				  (row->insert != NULL && strcmp(row->insert, "netid") == 0),
		    "%s", row->text);
	}
	bytes_free(&expected);
}
END_TEST

START_TEST(the_table_is_complete)
{
	bool seen[REPLIES] = {false};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		ck_assert(!seen[rows[i].reply]);
		seen[rows[i].reply] = true;
	}
	ck_assert(!seen[REPLY_NONE]);
	ck_assert_uint_eq(ARRAY_LENGTH(rows), REPLIES - 1);
}
END_TEST

/* The two replies that show bytes from a client. */
static const struct address_reply {
	enum reply reply;
	const char *before;
	const char *after;
} address_replies[] = {
    {REPLY_SENDER_REJECTED, "555 <", ">: Sender address rejected\r\n"},
    {REPLY_RECIPIENT_INVALID, "555 <", ">: Recipient address invalid\r\n"},
};

START_TEST(every_byte_is_shown_or_replaced)
{
	const struct address_reply *row = &address_replies[_i];
	struct bytes expected = {.at = NULL};

	for (int value = 0; value < 256; value++) {
		char byte = (char)value;
		char insert[] = {'a', byte, 'b'};
		char shown[] = {'a', byte, 'b', '\0'};

		if (value < 0x20 || value > 0x7e) {
			shown[1] = '?';
		}
		bytes_clear(&expected);
		bytes_add_string(&expected, row->before);
		bytes_add_string(&expected, shown);
		bytes_add_string(&expected, row->after);
		compare(row->reply, insert, sizeof insert, &expected);
	}
	bytes_free(&expected);
}
END_TEST

START_TEST(every_length_fits)
{
	const struct address_reply *row = &address_replies[_i];
	size_t space = REPLY_SIZE - strlen(row->before) - strlen(row->after);
	struct bytes expected = {.at = NULL};

	for (size_t length = 0; length <= 3 * (size_t)REPLY_SIZE; length++) {
		size_t shown = length < space ? length : space;
		/* A copy of exactly this size, so that a sanitizer detects a read after it. */
		char *insert = malloc(length ? length : 1);

		REQUIRE(insert != NULL, "out of memory");
		memset(insert, 'a', length);
		bytes_clear(&expected);
		bytes_add_string(&expected, row->before);
		bytes_add_repeated(&expected, 'a', shown);
		bytes_add_string(&expected, row->after);
		REQUIRE(expected.length <= REPLY_SIZE, "the test itself is wrong");
		compare(row->reply, insert, length, &expected);
		free(insert);
	}
	bytes_free(&expected);
}
END_TEST

START_TEST(an_insertion_cannot_break_a_reply)
{
	static const struct {
		const char *insert;
		size_t length;
		const char *shown;
	} tries[] = {
	    {LITERAL("a\r\n250 OK"), "555 <a??250 OK>: Sender address rejected\r\n"},
	    {LITERAL("\0"), "555 <?>: Sender address rejected\r\n"},
	    {LITERAL("a\tb"), "555 <a?b>: Sender address rejected\r\n"},
	    {LITERAL("*"), "555 <*>: Sender address rejected\r\n"},
	    {LITERAL("@*@"), "555 <@*@>: Sender address rejected\r\n"},
	    {LITERAL("%s%n"), "555 <%s%n>: Sender address rejected\r\n"},
	    {LITERAL("\377\200"), "555 <?\?>: Sender address rejected\r\n"},
	};
	struct bytes expected = {.at = NULL};

	for (size_t i = 0; i < ARRAY_LENGTH(tries); i++) {
		bytes_clear(&expected);
		bytes_add_string(&expected, tries[i].shown);
		compare(REPLY_SENDER_REJECTED, tries[i].insert, tries[i].length, &expected);
	}
	bytes_free(&expected);
}
END_TEST

START_TEST(the_longest_name_and_number_fit)
{
	struct bytes expected = {.at = NULL};
	char netid[NETID_MAX];

	memset(netid, 'n', sizeof netid);
	bytes_add_string(&expected, "421 4.4.2 ");
	bytes_add_repeated(&expected, 'n', sizeof netid);
	bytes_add_string(&expected, " Error: timeout exceeded\r\n");
	compare(REPLY_TIMEOUT, netid, sizeof netid, &expected);
	bytes_clear(&expected);
	bytes_add_string(&expected, "250 OK:  delivered message 18446744073709551615\r\n");
	compare(REPLY_DELIVERED, LITERAL("18446744073709551615"), &expected);
	bytes_free(&expected);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, every_text_is_exact);
	tcase_add_test(tests, the_table_is_complete);
	tcase_add_loop_test(
	    tests, every_byte_is_shown_or_replaced, 0, ARRAY_LENGTH(address_replies));
	tcase_add_loop_test(tests, every_length_fits, 0, ARRAY_LENGTH(address_replies));
	tcase_add_test(tests, an_insertion_cannot_break_a_reply);
	tcase_add_test(tests, the_longest_name_and_number_fit);
	return suite_run("reply", tests);
}
