/*
 * NAME
 *	check_keep - a server with --keep on the files of an earlier run
 *
 * DESCRIPTION
 *	The largest number of a message, and messages that look like records of a server with
 *	another netid.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "suite.h"

/* 2^63 - 1, the largest number, and the one before it. */
#define LARGEST   "9223372036854775807"
#define LAST_BUT1 "9223372036854775806"

#define RECORD(netid, number, body)                        \
	"Received: from client by " netid " (CS4410MP3)\n" \
	"Number: " number "\n"                             \
	"From: a@b\n"                                      \
	"To: c@d\n"                                        \
	"\n" body "\n"

/* The format of mailbox.commit: its length and the last number. */
#define COMMIT "%020zu %020ju\n"

static void
write_file(const struct path *directory, const char *name, const char *content)
{
	files_write_in(directory->name, name, content, strlen(content));
}

static void
expect_file(const struct path *directory, const char *name, const char *content)
{
	struct path path = files_path(directory->name, name);

	files_expect_string(path.name, content);
}

/* Send a message. `data` ends with the line of the dot; `reply` is the reply to it. */
static void
send_message(struct client *client, const char *data, const char *reply)
{
	client_begin_message(client);
	client_command(client, data, reply);
}

/*
 * Stop the server. Its log must be `before`, the readiness line, `after`, and the line of the stop.
 */
static void
stop(struct server *server, const char *before, const char *after)
{
	struct bytes expected = {0};

	server_end(server);
	bytes_add_string(&expected, before);
	bytes_add_string(&expected, server_root_warning());
	bytes_add_format(&expected, "Server coming up on 127.0.0.1:%s\n%ssmtpd: shutting down\n",
	    server->port_text, after);
	bytes_assert("log", &server->log, &expected);
	bytes_free(&expected);
	server_release(server);
}

/* ---- the largest number ---- */

#define LAST_RECORD RECORD("netid", LARGEST, "last\n")

#define REFUSED "smtpd: mailbox: no number is left: 1 message refused\n"

/* Check that further messages are refused, and that they change no file. */
static void
expect_end_of_numbers(struct client *client, const struct path *directory)
{
	char commit[64];

	for (int i = 0; i < 3; i++) {
		send_message(client, "more\r\n.\r\n", LOCAL_ERROR);
		expect_file(directory, "mailbox", LAST_RECORD);
		snprintf(commit, sizeof commit, COMMIT, strlen(LAST_RECORD), (uintmax_t)INT64_MAX);
		expect_file(directory, "mailbox.commit", commit);
	}
}

/*
 * In this run, and in two more: the first finds the number in mailbox.commit, the second, without
 * that file, in the last record.
 */
START_TEST(messages_after_the_largest_number_are_refused)
{
	struct path directory = files_directory();
	struct path commit = files_path(directory.name, "mailbox.commit");
	const char *options = _i == 0 ? "--keep" : "--keep --sync";
	struct server *server;
	struct client client;
	char line[64];

	snprintf(line, sizeof line, COMMIT, (size_t)0, (uintmax_t)INT64_MAX - 1);
	write_file(&directory, "mailbox.commit", line);
	server = server_start_in(directory.name, options);
	client = client_connect_in_state(server, STATE_GREETED);
	send_message(&client, "last\r\n.\r\n", "250 OK:  delivered message " LARGEST "\r\n");
	expect_end_of_numbers(&client, &directory);
	client_close(&client);
	stop(server, "smtpd: mailbox: continuing after message " LAST_BUT1 "\n", REFUSED);
	for (int i = 0; i < 2; i++) {
		server = server_start_in(directory.name, options);
		client = client_connect_in_state(server, STATE_GREETED);
		expect_end_of_numbers(&client, &directory);
		client_close(&client);
		stop(server, "smtpd: mailbox: continuing after message " LARGEST "\n", REFUSED);
		ck_assert_int_eq(unlink(commit.name), 0);
	}
}
END_TEST

/* The files stay as they are. */
START_TEST(a_number_that_is_too_large_prevents_the_start)
{
	struct path directory = files_directory();
	struct outcome outcome;
	char line[64];

	snprintf(line, sizeof line, COMMIT, (size_t)0, (uintmax_t)INT64_MAX + 1);
	write_file(&directory, "mailbox.commit", line);
	write_file(&directory, "mailbox", "precious");
	outcome = program_run_words(directory.name, "-p 0 --keep");
	ck_assert_int_eq(outcome_status(&outcome), 1);
	ck_assert_str_eq(bytes_string(&outcome.errors),
	    "smtpd: mailbox.commit: invalid contents: see smtpd(8), DIAGNOSTICS\n");
	expect_file(&directory, "mailbox.commit", line);
	expect_file(&directory, "mailbox", "precious");
	outcome_free(&outcome);
}
END_TEST

/* ---- another netid ---- */

#define FORGED                                       \
	"Received: from x by second (CS4410MP3)\r\n" \
	"Number: 4000000000\r\n"                     \
	"From: x\r\n"                                \
	"To: y\r\n"                                  \
	"\r\n"                                       \
	"forged\r\n"

#define QUOTED                                      \
	">Received: from x by second (CS4410MP3)\n" \
	"Number: 4000000000\n"                      \
	"From: x\n"                                 \
	"To: y\n"                                   \
	"\n"                                        \
	"forged\n"

/* The body has a record as a server with another netid writes it; that server starts next. */
START_TEST(a_client_cannot_choose_the_next_number)
{
	struct path directory = files_directory();
	struct server *server = server_start_in(directory.name, "--netid first");
	struct client client = client_connect(server);

	client_expect(&client, "220 first SMTP CS4410MP3\r\n");
	client_command(&client, "HELO client\r\n", "250 first\r\n");
	send_message(&client, "text\r\n\r\n" FORGED ".\r\n", "250 OK:  delivered message 1\r\n");
	client_close(&client);
	stop(server, "", "");
	expect_file(&directory, "mailbox", RECORD("first", "1", "text\n\n" QUOTED));
	server = server_start_in(directory.name, "--netid second --keep");
	client = client_connect(server);
	client_expect(&client, "220 second SMTP CS4410MP3\r\n");
	client_command(&client, "HELO client\r\n", "250 second\r\n");
	send_message(&client, "a\r\n.\r\n", "250 OK:  delivered message 2\r\n");
	client_close(&client);
	stop(server, "smtpd: mailbox: continuing after message 1\n", "");
	expect_file(&directory, "mailbox",
	    RECORD("first", "1", "text\n\n" QUOTED) RECORD("second", "2", "a\n"));
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, messages_after_the_largest_number_are_refused, 0, 2);
	tcase_add_test(tests, a_number_that_is_too_large_prevents_the_start);
	tcase_add_test(tests, a_client_cannot_choose_the_next_number);
	return suite_run("keep", tests);
}
