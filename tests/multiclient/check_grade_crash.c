/*
 * NAME
 *	check_grade_crash - multiclient --grade against servers that crash or hang during the run
 *
 * DESCRIPTION
 *	The run must end in time, no demand may pass that was not judged, and only R26 (no client
 *	impacts others) and what was being judged may fail: one demand, or R19 to R22 at once.
 */

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "faulty_server.h"
#include "files.h"
#include "grade.h"
#include "monotonic.h"
#include "params.h"
#include "run.h"
#include "server.h"
#include "suite.h"

/* Seconds that one test may take. */
#define TEST_SECONDS 60

/* The server's T, in seconds, as number and as text. */
#define TIMEOUT      0.5
#define TIMEOUT_TEXT "0.5"

/* Replies of the server before the one to `MAIL FROM:`, which is sent for R10. */
#define REPLIES 51

/* Bytes of a report. */
#define REPORT_SIZE 16384

START_TEST(a_run_takes_at_most_a_minute)
{
	ck_assert_int_le(grade_time_max(monotonic_seconds(DEFAULT_TIMEOUT)), 60 * SECOND);
}
END_TEST

/* Copy a report, with each time such as `0.4 s` written as `N s`. */
static void
normalize(const char *text, char report[REPORT_SIZE])
{
	size_t length = 0;

	for (; *text != '\0' && length < REPORT_SIZE - 1; text++) {
		if (isdigit((unsigned char)text[0]) && text[1] == '.' &&
		    isdigit((unsigned char)text[2]) && text[3] == ' ' && text[4] == 's') {
			report[length++] = 'N';
			text += 2;
		} else {
			report[length++] = *text;
		}
	}
	report[length] = '\0';
}

/*
 * The demands that have not passed, and the last line: what was received for R10, and why no later
 * connection is greeted.
 */
#define REPORT(received, reason)                                                               \
	"R10  FAILED    bad syntax: 501 Syntax:  proper syntax\n"                              \
	"    < 220 netid SMTP CS4410MP3\\r\\n\n"                                               \
	"    > HELO\\r\\n\n"                                                                   \
	"    < 501 Syntax:  HELO yourhostname\\r\\n\n"                                         \
	"    > HELO client\\r\\n\n"                                                            \
	"    < 250 netid\\r\\n\n"                                                              \
	"    > MAIL FROM:\\r\\n\n"                                                             \
	"    expected: 501 Syntax:...\n"                                                       \
	"    received: " received "\n"                                                         \
	"R11  not seen  a command out of order: 503 Error: need XXX command\n"                 \
	"    no greeting: " reason "\n"                                                        \
	"R12  not seen  an unrecognized command: 500 Error: command not recognized\n"          \
	"    no greeting: " reason "\n"                                                        \
	"R13  not seen  a second HELO: 503 Error: duplicate HELO\n"                            \
	"    no greeting: " reason "\n"                                                        \
	"R14  not seen  a second MAIL FROM: 503 Error: nested MAIL command\n"                  \
	"    no greeting: " reason "\n"                                                        \
	"R15  not seen  a sender with white space: 555 <bad email>: Sender address rejected\n" \
	"    no greeting: " reason "\n"                                                        \
	"R16  not seen  a recipient with white space: 555 <bad email>: Recipient address "     \
	"invalid\n"                                                                            \
	"    no greeting: " reason "\n"                                                        \
	"R17  not seen  any printable ASCII address is valid\n"                                \
	"    no greeting: " reason "\n"                                                        \
	"R18  not seen  errors do not prevent a delivery\n"                                    \
	"    no greeting: " reason "\n"                                                        \
	"R19  not seen  dormant in the command phase: 421 and the end, after 10 s\n"           \
	"    no greeting: " reason "\n"                                                        \
	"R20  not seen  dormant in the data phase: 421 and the end, after 10 s\n"              \
	"    no greeting: " reason "\n"                                                        \
	"R21  not seen  only invalid commands: 421 and the end, after 10 s\n"                  \
	"    no greeting: " reason "\n"                                                        \
	"R22  not seen  a line without end: 421 and the end, after 10 s\n"                     \
	"    no greeting: " reason "\n"                                                        \
	"R23  not seen  32 clients are served at once\n"                                       \
	"    no greeting: " reason "\n"                                                        \
	"R24  not seen  the 33rd client is served when one of 32 leaves\n"                     \
	"    that 32 clients are served at once was not seen (R23)\n"                          \
	"R25  not seen  the 33rd client waits in the operating system\n"                       \
	"    that 32 clients are served at once was not seen (R23)\n"                          \
	"R26  FAILED    no client impacts others: each is served at once\n"                    \
	"    expected: a greeting for a client at the end of the run\n"                        \
	"    received: " reason "\n"                                                           \
	"R30  not seen  a line that begins with a dot does not end the data\n"                 \
	"    no greeting: " reason "\n"                                                        \
	"R31  not seen  after message 32: mailbox.1-32 holds messages 1 to 32, mailbox none\n" \
	"    no greeting: " reason "\n"                                                        \
	"R32  not seen  after message 64: mailbox.33-64 likewise, both remain\n"               \
	"    no greeting: " reason "\n"                                                        \
	"R33  not seen  32 clients deliver at once: each message is there once, whole\n"       \
	"    no greeting: " reason "\n"                                                        \
	"12 passed, 2 failed, 19 not seen\n"

static const struct crash {
	enum defect defect;
	const char *report; /* of the demands that have not passed, and the last line */
} crashes[] = {
    {DEFECT_CRASHES, REPORT("end of file", "cannot connect: Connection refused")},
    {DEFECT_STOPS, REPORT("nothing within N s", "nothing within N s")},
};

/* Remove the lines of demands that have passed. */
static void
remove_passed(char report[REPORT_SIZE])
{
	char *end = report;

	for (char *line = report; *line != '\0';) {
		size_t length = strcspn(line, "\n") + 1;

		if (strncmp(line + 3, "  passed  ", 10) != 0) {
			memmove(end, line, length);
			end += length;
		}
		line += length;
	}
	*end = '\0';
}

/* A server that ends its connections and refuses others, or that sends nothing more. */
START_TEST(report_after_a_crash_or_a_hang_is_exact)
{
	struct faulty_server server = {.defect = crashes[_i].defect,
	    .timeout = TIMEOUT,
	    .replies_before = REPLIES,
	    .netid = "netid"};
	struct path directory = files_directory();
	char report[REPORT_SIZE];
	struct program program;
	struct outcome client;

	faulty_server_start(&server, MAILBOX_CORRECT, directory.name);
	program = run_begin((const char *[]){"--grade", "-p", server.port, "-d", directory.name,
	    "-t", TIMEOUT_TEXT, "--patience", "0.4", NULL});
	client = program_finish(
	    &program, (double)grade_time_max(monotonic_seconds(TIMEOUT)) / (double)SECOND);
	faulty_server_stop(&server);
	ck_assert_int_eq(outcome_status(&client), 1);
	bytes_assert_string("standard error", &client.errors, "");
	normalize(bytes_string(&client.output), report);
	remove_passed(report);
	REQUIRE(strcmp(report, crashes[_i].report) == 0, "%s", report);
	outcome_free(&client);
}
END_TEST

/* Wait until all seven clients of R19 to R22 are connected: no earlier demand has so many. */
static void
await_timeouts(struct server *server)
{
	double deadline = clock_now() + PATIENCE;

	do {
		size_t lines = server_log_lines(server);

		REQUIRE(clock_now() < deadline, "the clients of R19 to R22 have not connected");
		server_signal(server, SIGUSR1);
		server_await_lines(server, lines + 1);
	} while (!server_log_has(server, ", in service 7, "));
}

/*
 * smtpd itself, while the timeouts are waited for: killed, or stopped. Some of R19 to R22 may still
 * be in the steps before the wait when it is stopped: they are not seen.
 */
static const struct {
	int number;           /* of the signal */
	const char *failed;   /* demands that may fail */
	const char *received; /* for R26 */
} signals[] = {
    {SIGKILL, "R26", "cannot connect: Connection refused"},
    {SIGSTOP, "R19 R20 R21 R22 R26", "nothing within N s"},
};

START_TEST(a_server_that_is_killed_or_stopped_fails_r26)
{
	struct server *server = server_start("-h 127.0.0.1 -t 3");
	char report[REPORT_SIZE], expected[REPORT_SIZE];
	struct program program = run_begin((const char *[]){
	    "--grade", "-t", "3", "-p", server->port_text, "-d", server->directory.name, NULL});
	struct outcome client;

	await_timeouts(server);
	server_signal(server, signals[_i].number);
	client =
	    program_finish(&program, (double)grade_time_max(monotonic_seconds(3)) / (double)SECOND);
	normalize(bytes_string(&client.output), report);
	ck_assert_int_eq(outcome_status(&client), 1);
	/* R01 to R18 and R27 to R30; the others fail or are not seen. */
	ck_assert_int_eq(strncmp(outcome_last_line(&client), "22 passed, ", 11), 0);
	for (const char *at = report; (at = strstr(at, "  FAILED  ")) != NULL; at++) {
		snprintf(expected, sizeof expected, "%.3s", at - 3);
		REQUIRE(strstr(signals[_i].failed, expected) != NULL, "%s", report);
	}
	snprintf(expected, sizeof expected,
	    "R26  FAILED    no client impacts others: each is served at once\n"
	    "    expected: a greeting for a client at the end of the run\n"
	    "    received: %s\n",
	    signals[_i].received);
	REQUIRE(strstr(report, expected) != NULL, "%s", report);
	outcome_free(&client);
	server_signal(server, SIGKILL);
	server_await_end(server);
	server_release(server);
}
END_TEST

/* A lack of descriptors is no fault of the server. */
START_TEST(too_few_descriptors_are_reported)
{
	const struct rlimit limit = {40, 40};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	run_and_expect((const char *[]){"--grade", "-p", "1", NULL}, 2,
	    "multiclient: --grade: only 40 descriptors are allowed (ulimit -n)\n", "");
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_set_timeout(tests, TEST_SECONDS);
	tcase_add_test(tests, a_run_takes_at_most_a_minute);
	tcase_add_loop_test(
	    tests, report_after_a_crash_or_a_hang_is_exact, 0, ARRAY_LENGTH(crashes));
	tcase_add_loop_test(
	    tests, a_server_that_is_killed_or_stopped_fails_r26, 0, ARRAY_LENGTH(signals));
	tcase_add_test(tests, too_few_descriptors_are_reported);
	return suite_run("grade_crash", tests);
}
