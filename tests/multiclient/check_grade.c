/*
 * NAME
 *	check_grade - multiclient --grade against correct servers, and how it reads stored files
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grade_stored.h"
#include "params.h"
#include "run.h"
#include "server.h"
#include "suite.h"

static void
require_line(const struct outcome *client, int status, const char *last_line)
{
	REQUIRE(
	    outcome_status(client) == status && strcmp(outcome_last_line(client), last_line) == 0,
	    "status %d\n%.1000s%.6000s", outcome_status(client), bytes_string(&client->errors),
	    bytes_string(&client->output));
}

START_TEST(server_passes_all_demands)
{
	struct server *server = server_start("-h 127.0.0.1 -t 3");
	struct outcome client = run_multiclient((const char *[]){"--grade", "-t", "3", "-d",
	    server->directory.name, "127.0.0.1", server->port_text, NULL});

	require_line(&client, 0, "33 passed, 0 failed, 0 not seen\n");
	bytes_assert_string("standard error", &client.errors, "");
	outcome_free(&client);
	server_stop(server);
}
END_TEST

/*
 * Without timeouts R19 to R22 are not seen. The second time the server is not new, so that R31 and
 * R32 are not seen either; the third time, without a directory, R28, R29 and R33 are not.
 */
START_TEST(server_passes_again_with_fewer_demands_seen)
{
	struct server *server = server_start("-h ::1 -t 60 --netid other");
	static const struct {
		bool directory;
		const char *last_line;
	} runs[] = {{true, "29 passed, 0 failed, 4 not seen\n"},
	    {true, "27 passed, 0 failed, 6 not seen\n"},
	    {false, "24 passed, 0 failed, 9 not seen\n"}};

	for (size_t i = 0; i < ARRAY_LENGTH(runs); i++) {
		struct outcome client = run_multiclient((const char *[]){"--grade", "-q",
		    "--no-timeouts", "-h", "::1", "-p", server->port_text,
		    runs[i].directory ? "-d" : NULL, server->directory.name, NULL});

		require_line(&client, 0, runs[i].last_line);
		outcome_free(&client);
	}
	server_stop(server);
}
END_TEST

/* A server that was written from the assignment alone, and decides otherwise where that is open. */
START_TEST(plain_server_passes_all_demands)
{
	char path[PATH_SIZE];
	struct server *server;
	struct outcome client;

	/* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): a constant; no other thread. */
	if (system("python3 -c '' >/dev/null 2>&1") != 0) {
		suite_skip("there is no python3");
		return;
	}
	ck_assert_ptr_nonnull(realpath("tests/multiclient/plain_server.py", path));
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread. */
	ck_assert_int_eq(setenv("SMTPD", path, 1), 0);
	server = server_start("-t 3");
	client = run_multiclient((const char *[]){"--grade", "-t", "3", "-d",
	    server->directory.name, "127.0.0.1", server->port_text, NULL});
	require_line(&client, 0, "33 passed, 0 failed, 0 not seen\n");
	outcome_free(&client);
	server_stop(server);
}
END_TEST

/* A directory that cannot be listed is a finding: otherwise what is in it would pass. */
START_TEST(stored_files_that_cannot_be_listed_are_a_finding)
{
	struct grade grade = {.directory = open("/dev/null", O_RDONLY | O_CLOEXEC)};
	struct finding finding = {.wrong = false};
	struct buffer text = {0};

	ck_assert_int_ne(grade.directory, -1);
	ck_assert(!stored_read_files(&grade, &text, &finding));
	ck_assert(finding.wrong);
	ck_assert_str_eq(finding.expected, "a directory that can be listed");
	ck_assert_str_eq(finding.received, "Not a directory");
	buffer_destroy(&text);
	close(grade.directory);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, server_passes_all_demands);
	tcase_add_test(tests, server_passes_again_with_fewer_demands_seen);
	tcase_add_test(tests, plain_server_passes_all_demands);
	tcase_add_test(tests, stored_files_that_cannot_be_listed_are_a_finding);
	return suite_run("grade", tests);
}
