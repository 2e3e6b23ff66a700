/*
 * NAME
 *	check_transcripts - the two sessions of the assignment, to the byte
 *
 * DESCRIPTION
 *	Each line of the assignment's tables is sent, and each reply compared; then the mailbox
 *	must be the one that the assignment prints.
 */

#include <string.h>

#include "client.h"
#include "stream.h"
#include "suite.h"

/* A line of the client with all replies to it. */
struct exchange {
	const char *line;
	const char *reply;
};

static const struct exchange first[] = {
    {"", "220 netid SMTP CS4410MP3\r\n"},
    {"HELO client\r\n", "250 netid\r\n"},
    {"MAIL FROM: student@CS4410\r\n", "250 OK\r\n"},
    {"RCPT TO: TA@CS4410\r\n", "250 OK\r\n"},
    {"DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n"},
    {"I made an awesome submission!\r\n", ""},
    {"Network programming is fun.\r\n", ""},
    {".\r\n", "250 OK:  delivered message 1\r\n"},
};

static const struct exchange second[] = {
    {"", "220 netid SMTP CS4410MP3\r\n"},
    {"HELO\r\n", "501 Syntax:  HELO yourhostname\r\n"},
    {"HELO clienthostname\r\n", "250 netid\r\n"},
    {"mkdir\r\n", "500 Error: command not recognized\r\n"},
    {"MAIL FROM: student @CS4410\r\n", "555 <student @CS4410>: Sender address rejected\r\n"},
    {"MAIL FROM: student@CS4410\r\n", "250 OK\r\n"},
    {"MAIL FROM: professor@CS4410\r\n", "503 Error: nested MAIL command\r\n"},
    {"RCPT TO: TA @CS4410\r\n", "555 <TA @CS4410>: Recipient address invalid\r\n"},
    {"RCPT TO: TA@CS4410\r\n", "250 OK\r\n"},
    {"DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n"},
    {"I'm going to send and wait\r\n", ""},
};

/* The end of the second session if the client does not wait, and if it does. */
static const struct exchange second_sent = {".\r\n", "250 OK:  delivered message 2\r\n"};
static const struct exchange second_waited = {"", "421 4.4.2 netid Error: timeout exceeded\r\n"};

static const char first_record[] = "Received: from client by netid (CS4410MP3)\n"
				   "Number: 1\n"
				   "From: student@CS4410\n"
				   "To: TA@CS4410\n"
				   "\n"
				   "I made an awesome submission!\n"
				   "Network programming is fun.\n"
				   "\n";

static const char second_record[] = "Received: from clienthostname by netid (CS4410MP3)\n"
				    "Number: 2\n"
				    "From: student@CS4410\n"
				    "To: TA@CS4410\n"
				    "\n"
				    "I'm going to send and wait\n"
				    "\n";

/* A timeout that expires in the test, but never within a step. */
#define TIMEOUT "2"

/* Run a session line by line. */
static void
run_exchanges(struct client *client, const struct exchange *exchanges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		client_command(client, exchanges[i].line, exchanges[i].reply);
	}
}

/* Append both sides of a session. */
static void
gather(struct bytes *lines, struct bytes *replies, const struct exchange *exchanges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bytes_add_string(lines, exchanges[i].line);
		bytes_add_string(replies, exchanges[i].reply);
	}
}

static void
expect_both_records(const struct server *server)
{
	struct path mailbox = server_mailbox(server);
	struct bytes expected = {0};

	bytes_add_string(&expected, first_record);
	bytes_add_string(&expected, second_record);
	files_expect(mailbox.name, &expected);
	bytes_free(&expected);
}

START_TEST(both_sessions_are_answered_line_by_line)
{
	struct server *server = server_start("");
	struct client client = client_connect(server);

	run_exchanges(&client, first, ARRAY_LENGTH(first));
	client_close(&client);
	client = client_connect(server);
	run_exchanges(&client, second, ARRAY_LENGTH(second));
	run_exchanges(&client, &second_sent, 1);
	client_close(&client);
	expect_both_records(server);
	server_stop(server);
}
END_TEST

/* As the assignment prints it: the timeout expires, and the incomplete message is discarded. */
START_TEST(the_second_session_times_out)
{
	struct server *server = server_start("--timeout " TIMEOUT);
	struct client client = client_connect(server);
	struct path mailbox = server_mailbox(server);

	run_exchanges(&client, first, ARRAY_LENGTH(first));
	client_close(&client);
	client = client_connect(server);
	run_exchanges(&client, second, ARRAY_LENGTH(second));
	run_exchanges(&client, &second_waited, 1);
	client_expect_end(&client);
	files_expect_string(mailbox.name, first_record);
	server_stop(server);
}
END_TEST

/* The same bytes without waiting for replies: in one segment, and each byte in a segment. */
START_TEST(both_sessions_are_answered_pipelined_and_bytewise)
{
	typedef void converse_function(const struct server *, struct bytes *, struct bytes *);
	converse_function *const ways[] = {converse_compare, converse_compare_bytewise};
	struct server *server = server_start("");
	struct bytes lines[2] = {0};
	struct bytes replies[2] = {0};

	gather(&lines[0], &replies[0], first, ARRAY_LENGTH(first));
	gather(&lines[1], &replies[1], second, ARRAY_LENGTH(second));
	gather(&lines[1], &replies[1], &second_sent, 1);
	for (int i = 0; i < 2; i++) {
		ways[_i](server, &lines[i], &replies[i]);
	}
	expect_both_records(server);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, both_sessions_are_answered_line_by_line);
	tcase_add_test(tests, the_second_session_times_out);
	tcase_add_loop_test(tests, both_sessions_are_answered_pipelined_and_bytewise, 0, 2);
	return suite_run("transcripts", tests);
}
