/*
 * NAME
 *	check_log - the lines of the log
 *
 * DESCRIPTION
 *	Each event is one line. No line contains a control character, whatever clients send.
 */

#include <signal.h>
#include <string.h>

#include "client.h"
#include "stream.h"
#include "suite.h"

/* Check that every byte of the log is printable ASCII or LF. */
static void
expect_printable(const struct server *server)
{
	for (size_t i = 0; i < server->log.length; i++) {
		char byte = server->log.at[i];

		ck_assert_msg(byte == '\n' || (byte >= ' ' && byte <= '~'), "%s",
		    bytes_visible(server->log.at + i, server->log.length - i));
	}
}

/* Run six clients; the first delivers two messages, and the last but one times out. */
#define SESSIONS   6
#define DELIVERIES 2

static void
run_sessions(const struct server *server)
{
	struct client client;

	converse_expect(server,
	    "HELO %s%n\r\nMAIL FROM:%n\r\nRCPT TO:%s\r\nDATA\r\n\033[2J\r\n.\r\n"
	    "MAIL FROM:a\r\nRCPT TO:a\r\nDATA\r\n.\r\n",
	    GREETING HELO_OK OK OK START_DATA "250 OK:  delivered message 1\r\n" OK OK START_DATA
					      "250 OK:  delivered message 2\r\n");
	converse_expect(server, "\033]0;title\a\r\nHELO \033[2J\r\nMAIL FROM:\033[2J\r\n",
	    GREETING UNKNOWN HELO_SYNTAX NEED_HELO);
	converse_expect(server, "HELO a\r\nMAIL FROM:\033\302\233\177 x\r\n",
	    GREETING HELO_OK "555 <???? x>: Sender address rejected\r\n");
	client = client_connect_in_state(server, STATE_DATA);
	client_send(&client, "\033[2J\r\n");
	client_reset(&client);
	client = client_connect_in_state(server, STATE_RECIPIENT);
	client_expect(&client, TIMED_OUT);
	client_expect_end(&client);
	client = client_connect_in_state(server, STATE_CONNECTED);
	client_half_close(&client);
	client_expect_end(&client);
}

/* With -v each delivery and each end of a session is logged; without it, none. */
START_TEST(deliveries_and_ends_are_logged_if_verbose)
{
	static const struct {
		const char *options;
		size_t lines;
	} cases[] = {{"--timeout 1", 0}, {"--timeout 1 -v", DELIVERIES + SESSIONS}};
	struct server *server = server_start(cases[_i].options);

	run_sessions(server);
	server_await_lines(server, cases[_i].lines);
	server_end(server);
	ck_assert_uint_eq(server_log_lines(server), cases[_i].lines + 1);
	ck_assert(server_log_has(server, "smtpd: shutting down\n"));
	expect_printable(server);
	server_release(server);
}
END_TEST

/* Each SIGUSR1 causes one line of counters. */
START_TEST(each_sigusr1_logs_the_counters)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_GREETED);

	client_deliver(&client, "a\r\n", 1);
	for (size_t i = 1; i <= 3; i++) {
		server_signal(server, SIGUSR1);
		server_await_lines(server, i);
	}
	client_deliver(&client, "a\r\n", 2);
	client_close(&client);
	server_end(server);
	ck_assert_uint_eq(server_log_lines(server), 4);
	ck_assert(
	    server_log_has(server, " s; connections served 1, in service 1, queued 0, timed out 0; "
				   "messages delivered 1 ("));
	expect_printable(server);
	server_release(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, deliveries_and_ends_are_logged_if_verbose, 0, 2);
	tcase_add_test(tests, each_sigusr1_logs_the_counters);
	return suite_run("log", tests);
}
