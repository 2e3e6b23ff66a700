/*
 * NAME
 *	check_extended - conversations of ESMTP, to the byte
 *
 * DESCRIPTION
 *	Each is sent at once, and byte by byte; then the mailbox must have the record.
 */

#include <string.h>

#include "client.h"
#include "stream.h"
#include "suite.h"

#define ESMTP_GREETING "220 netid ESMTP CS4410MP3\r\n"
#define EHLO_OK                                                                \
	"250-netid\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n" \
	"250 SMTPUTF8\r\n"
#define EHLO_LOGIN_OK                                                          \
	"250-netid\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n" \
	"250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n"
#define CLOSING    "221 netid closing connection\r\n"
#define DELIVERED1 "250 OK:  delivered message 1\r\n"
#define BODY       "RCPT TO:<c@d>\r\nDATA\r\nbody\r\n.\r\n"
#define NOT_MAIL   "554 Error: not a mail client\r\n"
#define LOGGED_IN  "235 OK\r\n"

/* A conversation, and the record that it leaves, or NULL. */
static const struct conversation {
	const char *options;
	const char *sent;
	const char *received;
	const char *record;
} conversations[] = {
    {"--extended", "EHLO client\r\nMAIL FROM:<a@b> SIZE=6 BODY=8BITMIME\r\n" BODY "QUIT\r\n",
	ESMTP_GREETING EHLO_OK OK OK START_DATA DELIVERED1 CLOSING,
	"Received: from client by netid (CS4410MP3)\nNumber: 1\nFrom: a@b\nTo: c@d\n\nbody\n\n"},
    {"--extended", "HELO\r\nMAIL FROM:<>\r\n" BODY,
	ESMTP_GREETING HELO_OK OK OK START_DATA DELIVERED1,
	"Received: from unknown by netid (CS4410MP3)\nNumber: 1\nFrom: <>\nTo: c@d\n\nbody\n\n"},
    {"--extended", "EHLO M\334LLER PC\r\nMAIL FROM:<@one,@two:\303\274@b> SMTPUTF8\r\n" BODY,
	ESMTP_GREETING EHLO_OK OK OK START_DATA DELIVERED1,
	"Received: from M?LLER?PC by netid (CS4410MP3)\nNumber: 1\nFrom: \303\274@b\nTo: c@d\n\n"
	"body\n\n"},
    {"--extended",
	"EHLO client\r\nMAIL FROM:Printer <p@h>\r\nMAIL FROM:<\303\274@b>\r\n"
	"MAIL FROM:<a@b> SIZE=1 SIZE=1\r\nMAIL FROM:<a@b> BODY=\r\nMAIL FROM:<a@b> X=1\r\n"
	"MAIL FROM:<a@b> AUTH=<>\r\nAUTH PLAIN eHg=\r\n",
	ESMTP_GREETING EHLO_OK
	"555 <Printer <p@h>>: Sender address rejected\r\n"
	"555 <<\?\?@b>>: Sender address rejected\r\n" MAIL_SYNTAX MAIL_SYNTAX
	"555 Error: unsupported option\r\n555 Error: unsupported option\r\n" UNKNOWN,
	NULL},
    {"--extended", "POST / HTTP/1.1\r\nHost: x\r\n\r\nHELO x\r\nMAIL FROM:<a@b>\r\n" BODY,
	ESMTP_GREETING NOT_MAIL, NULL},
    {"--extended --any-login",
	"EHLO client\r\nAUTH LOGIN\r\n*\r\nAUTH X\r\nAUTH LOGIN\r\nc2VjcmV0\r\nc2VjcmV0\r\n"
	"AUTH PLAIN AHNlY3JldA==\r\nMAIL FROM:<a@b> AUTH=<>\r\n" BODY,
	ESMTP_GREETING EHLO_LOGIN_OK
	"334 VXNlcm5hbWU6\r\n501 Syntax:  AUTH\r\n504 Error: unknown mechanism\r\n"
	"334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" LOGGED_IN
	"503 Error: duplicate AUTH\r\n" OK OK START_DATA DELIVERED1,
	"Received: from client by netid (CS4410MP3)\nNumber: 1\nFrom: a@b\nTo: c@d\n\nbody\n\n"},
    /* Without the option none of it is recognized. */
    {"",
	"EHLO client\r\nGET / HTTP/1.1\r\nHELO\r\nHELO M\334LLER\r\nHELO client\r\n"
	"AUTH PLAIN eHg=\r\nMAIL FROM:<a@b> SMTPUTF8\r\nMAIL FROM:<@one:a@b>\r\n" BODY,
	GREETING UNKNOWN UNKNOWN HELO_SYNTAX HELO_SYNTAX HELO_OK UNKNOWN
	"555 <<a@b> SMTPUTF8>: Sender address rejected\r\n" OK OK START_DATA DELIVERED1,
	"Received: from client by netid (CS4410MP3)\nNumber: 1\nFrom: <@one:a@b>\nTo: <c@d>\n\n"
	"body\n\n"},
};

/* Run a conversation with a new server, at once or byte by byte. */
static void
run_conversation(const struct conversation *conversation, bool bytewise)
{
	struct server *server = server_start(conversation->options);
	struct path mailbox = server_mailbox(server);
	struct bytes sent = {.at = NULL}, received = {.at = NULL};

	bytes_add_string(&sent, conversation->sent);
	bytes_add_string(&received, conversation->received);
	if (bytewise) {
		converse_compare_bytewise(server, &sent, &received);
	} else {
		converse_compare(server, &sent, &received);
	}
	files_expect_string(mailbox.name, conversation->record != NULL ? conversation->record : "");
	server_stop(server);
}

START_TEST(conversations_are_exact_to_the_byte)
{
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		run_conversation(&conversations[i], _i == 1);
	}
}
END_TEST

/* Neither the credentials nor a byte that is not printable is in the log. */
START_TEST(credentials_are_not_logged)
{
	static const char *const secrets[] = {"c2VjcmV0", "AHNlY3JldA", "secret", "\303"};
	struct server *server = server_start("--extended --any-login --keep --verbose");

	converse_expect(server, "EHLO client\r\nAUTH PLAIN AHNlY3JldABzZWNyZXQ=\r\nQUIT\r\n",
	    ESMTP_GREETING EHLO_LOGIN_OK LOGGED_IN CLOSING);
	converse_expect(server,
	    "EHLO client\r\nAUTH LOGIN c2VjcmV0\r\nc2VjcmV0\r\n"
	    "MAIL FROM:<\303\274@b> SMTPUTF8\r\n" BODY "QUIT\r\n",
	    ESMTP_GREETING EHLO_LOGIN_OK
	    "334 UGFzc3dvcmQ6\r\n" LOGGED_IN OK OK START_DATA DELIVERED1 CLOSING);
	server_end(server);
	ck_assert(server_log_has(server, "from \?\?@b"));
	ck_assert(server_log_has(server, " QUIT after "));
	for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
		ck_assert_msg(!server_log_has(server, secrets[i]), "%s", secrets[i]);
	}
	server_release(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, conversations_are_exact_to_the_byte, 0, 2);
	tcase_add_test(tests, credentials_are_not_logged);
	return suite_run("extended", tests);
}
