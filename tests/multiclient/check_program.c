/*
 * NAME
 *	check_program - multiclient as a program, with the real server
 */

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loopback.h"
#include "proc.h"
#include "run.h"
#include "server.h"
#include "suite.h"

#define LINE_SIZE 256

static void
require_passed(const struct outcome *client, const char *last_line)
{
	REQUIRE(outcome_status(client) == 0, "status %d\n%.1000s%.2000s", outcome_status(client),
	    bytes_string(&client->errors), bytes_string(&client->output));
	bytes_assert_string("standard error", &client->errors, "");
	ck_assert_str_eq(outcome_last_line(client), last_line);
}

/* All operations, timeouts and files, with a random seed. */
START_TEST(server_passes_all_operations)
{
	struct server *server;
	struct outcome client;

	server = server_start("-h 127.0.0.1 -t 1");
	client = run_multiclient((const char *[]){
	    "-p", server->port_text, "-t", "1", "-d", server->directory.name, NULL});
	require_passed(&client, "1000 passed, 0 failed\n");
	ck_assert_ptr_nonnull(strstr(bytes_string(&client.output),
	    "every kind of operation occurred in every state where it can\n"));
	outcome_free(&client);
	server_stop(server);
}
END_TEST

/* Twice against the same server: the second run ignores older messages, and numbers continue. */
START_TEST(a_server_passes_twice)
{
	struct server *server;
	struct outcome client;

	server = server_start("-h 127.0.0.1 -t 10");
	for (int i = 0; i < 2; i++) {
		client = run_multiclient((const char *[]){"--no-timeouts", "-n", "700", "-c", "5",
		    "-d", server->directory.name, "127.0.0.1", server->port_text, NULL});
		require_passed(&client, "700 passed, 0 failed\n");
		outcome_free(&client);
	}
	server_stop(server);
}
END_TEST

/* With more connections than the server has threads, the clients wait for their greetings. */
START_TEST(server_passes_with_waiting_clients)
{
	struct server *server;
	struct outcome client;

	server = server_start("-h 127.0.0.1 -t 1");
	client = run_multiclient((const char *[]){"-p", server->port_text, "-c", "100", "-n",
	    "3000", "-t", "1", "-d", server->directory.name, "--netid", "netid", NULL});
	require_passed(&client, "3000 passed, 0 failed\n");
	outcome_free(&client);
	server_stop(server);
}
END_TEST

START_TEST(server_passes_over_ipv6)
{
	struct server *server;
	struct outcome client;

	server = server_start("-h ::1 -t 10");
	client = run_multiclient(
	    (const char *[]){"-h", "::1", "-p", server->port_text, "--no-timeouts", "-q", NULL});
	require_passed(&client, "1000 passed, 0 failed\n");
	/* -q: the last line only. */
	bytes_assert_string("standard output", &client.output, "1000 passed, 0 failed\n");
	outcome_free(&client);
	server_stop(server);
}
END_TEST

/* Leave only the table of the report, which is the same in each run with one seed. */
static void
cut_table(struct outcome *client)
{
	char *end = strstr(client->output.at, "\nlatency ");
	char *begin = strstr(client->output.at, "\noperation ");

	REQUIRE(begin != NULL && end > begin, "no table in %s", client->output.at);
	*end = '\0';
	memmove(client->output.at, begin, (size_t)(end - begin) + 1);
}

START_TEST(a_seed_repeats_the_run)
{
	struct server *server;
	struct outcome one, other;
	const char *arguments[] = {"-p", NULL, "--no-timeouts", "-s", "77", "-n", "5000", NULL};

	server = server_start("-h 127.0.0.1 -t 10");
	arguments[1] = server->port_text;
	one = run_multiclient(arguments);
	other = run_multiclient(arguments);
	ck_assert_ptr_nonnull(strstr(bytes_string(&one.output), "seed 77,"));
	cut_table(&one);
	cut_table(&other);
	ck_assert_str_eq(one.output.at, other.output.at);
	outcome_free(&one);
	outcome_free(&other);
	server_stop(server);
}
END_TEST

/* The timeouts and the last operation are far away: the signal ends the run. */
START_TEST(an_interrupted_run_prints_its_report)
{
	struct server *server;
	struct program program;
	struct outcome client;
	struct pollfd nothing = {.fd = -1};
	struct path path;

	server = server_start("-h 127.0.0.1 -t 60");
	path = server_path(server, "mailbox.1-32");
	program = run_begin((const char *[]){"-p", server->port_text, "-t", "60", "-n",
	    "1000000000", "-d", server->directory.name, NULL});
	/* Signals are blocked before the first message is sent. */
	do {
		poll(&nothing, 1, 5);
	} while (!files_exists(path.name));
	ck_assert_int_eq(kill(program.process, SIGINT), 0);
	client = run_finish(&program);
	ck_assert_int_eq(outcome_status(&client), 0);
	ck_assert_ptr_nonnull(
	    strstr(bytes_string(&client.output), "interrupted: this is what was done so far\n"));
	ck_assert_ptr_nonnull(strstr(bytes_string(&client.output), " operations were not done\n"));
	ck_assert_ptr_nonnull(strstr(outcome_last_line(&client), " passed, 0 failed\n"));
	outcome_free(&client);
	server_stop(server);
}
END_TEST

/*
 * The files of another server are never correct, so the client verifies them until --patience has
 * passed. A signal ends the verification before.
 */
START_TEST(a_second_interrupt_ends_the_verification)
{
	struct server *server, *other;
	struct program program;
	struct outcome client;
	struct pollfd nothing = {.fd = -1};
	siginfo_t ended = {0};
	struct path path;

	server = server_start("-h 127.0.0.1 -t 60");
	other = server_start("-h 127.0.0.1 -t 60");
	program = run_begin((const char *[]){"-p", server->port_text, "-t", "60", "-n", "2000",
	    "-s", "1", "--no-timeouts", "--patience", "20", "-d", other->directory.name, NULL});
	path = server_path(server, "mailbox.1-32");
	while (!files_exists(path.name)) {
		poll(&nothing, 1, 5);
	}
	/* The main thread, and one of ThreadSanitizer's. */
	while (proc_threads(program.process) > 2) {
		poll(&nothing, 1, 5);
	}
	while (ended.si_pid == 0) {
		ck_assert_int_eq(kill(program.process, SIGINT), 0);
		poll(&nothing, 1, 5);
		ck_assert_int_eq(
		    waitid(P_PID, (id_t)program.process, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
	}
	client = run_finish(&program);
	ck_assert_int_eq(outcome_status(&client), -1);
	outcome_free(&client);
	server_stop(other);
	server_stop(server);
}
END_TEST

START_TEST(wrong_netid_is_reported)
{
	struct server *server = server_start("-h 127.0.0.1 -t 10");

	run_and_expect((const char *[]){"-p", server->port_text, "--netid", "other", NULL}, 1,
	    "mismatch: the banner is wrong\n"
	    "    expected: 220 other SMTP CS4410MP3\\r\\n\n"
	    "    found:    220 netid SMTP CS4410MP3\\r\\n\n",
	    "0 passed, 1 failed\n");
	server_stop(server);
}
END_TEST

START_TEST(wrong_directory_is_reported)
{
	struct server *server = server_start("-h 127.0.0.1 -t 10");

	run_and_expect((const char *[]){"-p", server->port_text, "-d", "/nonexistent", NULL}, 2,
	    "multiclient: --directory '/nonexistent': no mailbox to read there (is the server "
	    "running in it?): "
	    "No such file or directory\n",
	    "");
	server_stop(server);
}
END_TEST

/* A port that is bound, so that no other process takes it, and on which no socket listens. */
START_TEST(refused_connection_is_reported)
{
	unsigned number;
	int descriptor = loopback_bind(&number);
	char port[PORT_SIZE], expected[LINE_SIZE];

	snprintf(port, sizeof port, "%" PRIu16, (uint16_t)number);
	snprintf(expected, sizeof expected, "multiclient: 127.0.0.1 port %s: Connection refused\n",
	    port);
	run_and_expect(
	    (const char *[]){"127.0.0.1", port, NULL}, 3, expected, "0 passed, 0 failed\n");
	close(descriptor);
}
END_TEST

START_TEST(wrong_usage_is_reported)
{
	run_and_expect((const char *[]){"-n", "many", NULL}, 2,
	    "multiclient: --operations 'many': must be a number from 1 to 1000000000\n"
	    "multiclient: see multiclient --help\n",
	    "");
}
END_TEST

/* In the child: make standard output a full device. */
static bool
fill_output(const void *context)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)context;
	return full != -1 && dup2(full, STDOUT_FILENO) != -1;
}

/* In the child: close one of the standard descriptors. */
static bool
close_descriptor(const void *context)
{
	const int *descriptor = context;

	return close(*descriptor) == 0;
}

static struct outcome
run_prepared(const char *const list[], bool (*prepare)(const void *context), const void *context)
{
	struct arguments arguments;

	arguments_begin(&arguments, "MULTICLIENT");
	arguments_add_list(&arguments, list);
	arguments.prepare = prepare;
	arguments.context = context;
	return program_run(".", &arguments);
}

static const char *const printing[] = {"--help", "--version"};

START_TEST(help_into_a_full_device_fails)
{
	struct outcome client =
	    run_prepared((const char *[]){printing[_i], NULL}, fill_output, NULL);

	ck_assert_int_eq(outcome_status(&client), 2);
	bytes_assert_string("standard error", &client.errors,
	    "multiclient: standard output: No space left on device\n");
	outcome_free(&client);
}
END_TEST

START_TEST(help_into_closed_output_fails)
{
	const int descriptor = STDOUT_FILENO;
	struct outcome client =
	    run_prepared((const char *[]){printing[_i], NULL}, close_descriptor, &descriptor);

	ck_assert_int_eq(outcome_status(&client), 2);
	bytes_assert_string("standard error", &client.errors,
	    "multiclient: standard output: Bad file descriptor\n");
	outcome_free(&client);
}
END_TEST

/* Accept one connection, send a wrong greeting, and read until the end of file. */
static void *
send_wrong_greeting(void *context)
{
	static const char greeting[] = "220 other\r\n";
	const int *listener = context;
	struct bytes *received = calloc(1, sizeof *received);
	int connection = accept(*listener, NULL, NULL);
	char byte;

	if (received != NULL && connection != -1 &&
	    send(connection, greeting, strlen(greeting), MSG_NOSIGNAL) ==
		(ssize_t)strlen(greeting)) {
		while (read(connection, &byte, 1) == 1) {
			bytes_add(received, &byte, 1);
		}
	}
	close(connection);
	return received;
}

/* The first connection must not become standard error, or the server receives the report. */
START_TEST(closed_standard_error_is_no_connection)
{
	const int descriptor = STDERR_FILENO;
	unsigned number;
	int listener = loopback_listen(&number);
	struct outcome client;
	pthread_t thread;
	void *received;
	char port[PORT_SIZE];

	snprintf(port, sizeof port, "%" PRIu16, (uint16_t)number);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_wrong_greeting, &listener), 0);
	client = run_prepared((const char *[]){"-p", port, NULL}, close_descriptor, &descriptor);
	ck_assert_int_eq(pthread_join(thread, &received), 0);
	ck_assert_ptr_nonnull(received);
	bytes_assert_string("received by the server", received, "");
	ck_assert_int_eq(outcome_status(&client), 1);
	bytes_assert_string("standard output", &client.output, "0 passed, 1 failed\n");
	outcome_free(&client);
	bytes_free(received);
	free(received);
	close(listener);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, server_passes_all_operations);
	tcase_add_test(tests, a_server_passes_twice);
	tcase_add_test(tests, server_passes_with_waiting_clients);
	tcase_add_test(tests, server_passes_over_ipv6);
	tcase_add_test(tests, a_seed_repeats_the_run);
	tcase_add_test(tests, an_interrupted_run_prints_its_report);
	tcase_add_test(tests, a_second_interrupt_ends_the_verification);
	tcase_add_test(tests, wrong_netid_is_reported);
	tcase_add_test(tests, wrong_directory_is_reported);
	tcase_add_test(tests, refused_connection_is_reported);
	tcase_add_test(tests, wrong_usage_is_reported);
	tcase_add_loop_test(tests, help_into_a_full_device_fails, 0, ARRAY_LENGTH(printing));
	tcase_add_loop_test(tests, help_into_closed_output_fails, 0, ARRAY_LENGTH(printing));
	tcase_add_test(tests, closed_standard_error_is_no_connection);
	return suite_run("program", tests);
}
