/*
 * NAME
 *	check_faulty_server - multiclient against a server with one defect
 *
 * DESCRIPTION
 *	Each defect is tested by a whole run of multiclient, which must end with status 1 (3 for a
 *	server that sends nothing) and report the defect. The first two runs are against the server
 *	without a defect: they must pass, so that a failure is due to the defect alone.
 *
 *	Several servers run at once, each with a client of its own, because they spend most of their
 *	time waiting. The values of --patience are long enough that a busy machine causes no false
 *	report and hides no defect.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faulty_server.h"
#include "files.h"
#include "params.h"
#include "run.h"
#include "suite.h"

/* Seconds that one test may take. */
#define TEST_SECONDS 60

/* The server's T in these tests, in seconds, as number and as text. */
#define TIMEOUT      0.3
#define TIMEOUT_TEXT "0.3"

/* A defect, and what multiclient prints when it detects it. */
struct defect_case {
	const char *name;
	enum defect defect;
	enum reply_type reply_type;
	enum mailbox_defect mailbox_defect;
	const char *printed;
};

/* What the client checks. */
enum checks {
	CHECK_REPLIES,
	CHECK_TIMEOUTS, /* and replies */
	CHECK_FILES,    /* and replies */
	CHECK_ALL,
	CHECK_LONG_RUN /* replies, in 100000 operations instead of 1000 */
};

/* A faulty server, and the run of multiclient against it. */
struct defect_run {
	struct faulty_server faulty_server;
	struct path directory;
	struct program program; /* multiclient */
	struct outcome client;  /* what came of it, after finish() */
};

/* Runs at once. */
#define RUNS_MAX 6

/* Start both. `patience` is the client's limit in seconds for a reply and for the files. */
static void
begin(struct defect_run *defect_run, const struct defect_case *defect_case, const char *patience,
    enum checks checks)
{
	bool timeouts = checks == CHECK_TIMEOUTS || checks == CHECK_ALL;
	bool files = checks == CHECK_FILES || checks == CHECK_ALL;

	defect_run->directory = files_directory();
	defect_run->faulty_server = (struct faulty_server){.defect = defect_case->defect,
	    .reply_type = defect_case->reply_type,
	    /* Without timeout tests it must not expire. */
	    .timeout = timeouts ? TIMEOUT : TEST_SECONDS,
	    .netid = "netid"};
	faulty_server_start(
	    &defect_run->faulty_server, defect_case->mailbox_defect, defect_run->directory.name);
	/*
	 * In a long run -t only extends the wait for a greeting. "-c32" is the default: it takes
	 * the place of --no-timeouts. NULL ends the list before the directory.
	 */
	defect_run->program = run_begin((const char *[]){"-p", defect_run->faulty_server.port,
	    "--patience", patience, "-s", "7", "-n", checks == CHECK_LONG_RUN ? "100000" : "1000",
	    "-t", timeouts || checks == CHECK_LONG_RUN ? TIMEOUT_TEXT : "10",
	    timeouts ? "-c32" : "--no-timeouts", files ? "-d" : NULL, defect_run->directory.name,
	    NULL});
}

static void
finish(struct defect_run *defect_run)
{
	defect_run->client = run_finish(&defect_run->program);
	faulty_server_stop(&defect_run->faulty_server);
}

static void
run_case(struct defect_run *defect_run, const struct defect_case *defect_case, const char *patience,
    enum checks checks)
{
	begin(defect_run, defect_case, patience, checks);
	finish(defect_run);
}

/* Return the number of failures in the last line. */
static long
count_failed(const struct outcome *client)
{
	long passed, failed;
	char rest[2];

	/* NOLINTNEXTLINE(cert-err34-c): numbers that this project printed. */
	REQUIRE(sscanf(outcome_last_line(client), "%ld passed, %ld failed%1[\n]", &passed, &failed,
		    rest) == 3,
	    "last line: %s", outcome_last_line(client));
	return failed;
}

/* Check that the client has reported the defect. */
static void
require_detected(const struct defect_run *defect_run, const struct defect_case *defect_case)
{
	REQUIRE(outcome_status(&defect_run->client) == 1, "%s: status %d\n%.1000s%.1000s",
	    defect_case->name, outcome_status(&defect_run->client),
	    bytes_string(&defect_run->client.errors), bytes_string(&defect_run->client.output));
	REQUIRE(count_failed(&defect_run->client) > 0, "%s: nothing failed", defect_case->name);
	REQUIRE(strstr(bytes_string(&defect_run->client.errors), defect_case->printed) != NULL,
	    "%s: no '%s' in\n%.2000s", defect_case->name, defect_case->printed,
	    bytes_string(&defect_run->client.errors));
	REQUIRE(
	    defect_case->defect != DEFECT_NONE || strstr(bytes_string(&defect_run->client.errors),
						      "the connection was not closed") == NULL,
	    "%s: a connection did not end\n%.2000s", defect_case->name,
	    bytes_string(&defect_run->client.errors));
	REQUIRE(defect_case->mailbox_defect == MAILBOX_CORRECT ||
		    defect_run->faulty_server.faulty_mailbox.applied_count > 0,
	    "%s: never applied", defect_case->name);
}

/* Run group `group` of a table of defects. */
static void
run_group(const struct defect_case *cases, size_t count, int group, const char *patience,
    enum checks checks)
{
	struct defect_run runs[RUNS_MAX];
	size_t first = (size_t)group * RUNS_MAX;
	size_t last = first + RUNS_MAX < count ? first + RUNS_MAX : count;

	for (size_t i = first; i < last; i++) {
		begin(&runs[i - first], &cases[i], patience, checks);
	}
	for (size_t i = first; i < last; i++) {
		finish(&runs[i - first]);
	}
	for (size_t i = first; i < last; i++) {
		require_detected(&runs[i - first], &cases[i]);
		outcome_free(&runs[i - first].client);
	}
}

/* Return the number of groups of a table. */
#define GROUPS(table) (((int)ARRAY_LENGTH(table) + RUNS_MAX - 1) / RUNS_MAX)

START_TEST(no_defect_passes)
{
	const struct defect_case none = {.name = "none"};
	struct defect_run defect_run;

	run_case(&defect_run, &none, "10", _i == 0 ? CHECK_FILES : CHECK_ALL);
	REQUIRE(outcome_status(&defect_run.client) == 0, "status %d\n%.1000s%.1000s",
	    outcome_status(&defect_run.client), bytes_string(&defect_run.client.errors),
	    bytes_string(&defect_run.client.output));
	bytes_assert_string("standard error", &defect_run.client.errors, "");
	ck_assert_str_eq(outcome_last_line(&defect_run.client), "1000 passed, 0 failed\n");
	ck_assert_ptr_nonnull(strstr(bytes_string(&defect_run.client.output),
	    "every kind of operation occurred in every state where it can\n"));
	outcome_free(&defect_run.client);
}
END_TEST

/* Each reply of the server with one character changed, another one in each occurrence. */
START_TEST(each_changed_reply_is_detected)
{
	enum reply_type reply_type = (enum reply_type)_i;
	char expected[REPLY_MAX];
	const struct defect_case changed = {
	    "changed", DEFECT_CHANGED, reply_type, MAILBOX_CORRECT, expected};
	struct defect_run defect_run;
	struct reply reply;

	run_case(&defect_run, &changed, "10",
	    reply_type == REPLY_TIMEOUT ? CHECK_TIMEOUTS : CHECK_REPLIES);
	reply_write(&reply, reply_type, "netid", (struct span){NULL, 0});
	/* A refused address is in the text: compare the part before it. */
	snprintf(expected, sizeof expected, "expected: %.*s", (int)strcspn(reply.bytes, ">\r"),
	    reply.bytes);
	if (reply_type == REPLY_START_DATA || reply_type == REPLY_DELIVERED) {
		snprintf(expected, sizeof expected, "expected: %.20s", reply.bytes);
	} else if (reply_type == REPLY_GREETING) {
		snprintf(expected, sizeof expected, "expected: 220 NETID SMTP");
	}
	require_detected(&defect_run, &changed);
	outcome_free(&defect_run.client);
}
END_TEST

/* Other defects of a reply: for each common type, and for a rare one. */
static const struct defect_case reply_defects[] = {
#define REPLY_DEFECT(defect, printed)                                                   \
	{#defect " HELO", defect, REPLY_HELO, MAILBOX_CORRECT, printed},                \
	    {#defect " OK", defect, REPLY_OK, MAILBOX_CORRECT, printed},                \
	    {#defect " start", defect, REPLY_START_DATA, MAILBOX_CORRECT, printed},     \
	    {#defect " delivered", defect, REPLY_DELIVERED, MAILBOX_CORRECT, printed},  \
	    {#defect " unknown", defect, REPLY_UNRECOGNIZED, MAILBOX_CORRECT, printed}, \
	{                                                                               \
#defect " too many", defect, REPLY_TOO_MANY, MAILBOX_CORRECT, printed   \
	}
    REPLY_DEFECT(DEFECT_BARE_LF, "wrong reply"),
    REPLY_DEFECT(DEFECT_NO_LF, "mismatch"),
    REPLY_DEFECT(DEFECT_SPACED, "wrong reply"),
    REPLY_DEFECT(DEFECT_DROPPED, "mismatch"),
    REPLY_DEFECT(DEFECT_DOUBLED, "mismatch"),
    REPLY_DEFECT(DEFECT_EXTRA, "mismatch"),
    REPLY_DEFECT(DEFECT_HANG_UP, "connection closed instead of a reply"),
    REPLY_DEFECT(DEFECT_RESET, "connection lost"),
};

START_TEST(reply_defects_are_detected)
{
	run_group(reply_defects, ARRAY_LENGTH(reply_defects), _i, "1", CHECK_REPLIES);
}
END_TEST

START_TEST(late_reply_is_detected)
{
	static const struct defect_case late[] = {
	    {"delayed", DEFECT_DELAYED, REPLY_OK, MAILBOX_CORRECT, "no reply within 1"}};

	run_group(late, ARRAY_LENGTH(late), 0, "1", CHECK_REPLIES);
}
END_TEST

static const struct defect_case time_defects[] = {
    {"early", DEFECT_EARLY, REPLY_NONE, MAILBOX_CORRECT, "the 421 is too early"},
    {"late", DEFECT_LATE, REPLY_NONE, MAILBOX_CORRECT, "no 421 within "},
    {"never", DEFECT_NEVER, REPLY_NONE, MAILBOX_CORRECT, "no 421 within "},
    {"silent", DEFECT_SILENT_CLOSE, REPLY_NONE, MAILBOX_CORRECT,
	"connection closed instead of a reply"},
    {"not closed", DEFECT_NOT_CLOSED, REPLY_NONE, MAILBOX_CORRECT, "the connection was not closed"},
    {"rejected extends", DEFECT_REJECTED_EXTENDS, REPLY_NONE, MAILBOX_CORRECT,
	"\"invalid without end\""},
    {"partial extends", DEFECT_PARTIAL_EXTENDS, REPLY_NONE, MAILBOX_CORRECT,
	"\"a line byte by byte\""},
    {"accepted ignored", DEFECT_ACCEPTED_IGNORED, REPLY_NONE, MAILBOX_CORRECT,
	"\"dormant after a command\""},
    {"data ignored", DEFECT_DATA_IGNORED, REPLY_NONE, MAILBOX_CORRECT, "\"dormant in a message\""},
    {"421 with LF", DEFECT_BARE_LF, REPLY_TIMEOUT, MAILBOX_CORRECT, "wrong reply"},
    {"421 twice", DEFECT_DOUBLED, REPLY_TIMEOUT, MAILBOX_CORRECT,
	"extra bytes before the end of the connection"},
    {"421 and more", DEFECT_EXTRA, REPLY_TIMEOUT, MAILBOX_CORRECT,
	"extra bytes before the end of the connection"},
};

START_TEST(time_defects_are_detected)
{
	run_group(time_defects, ARRAY_LENGTH(time_defects), _i, "10", CHECK_TIMEOUTS);
}
END_TEST

static const struct defect_case protocol_defects[] = {
    {"case", DEFECT_CASE, REPLY_NONE, MAILBOX_CORRECT,
	"received: 500 Error: command not recognized"},
    {"needs CR", DEFECT_NEEDS_CR, REPLY_NONE, MAILBOX_CORRECT, "mismatch"},
    {"short lines", DEFECT_SHORT_LINES, REPLY_NONE, MAILBOX_CORRECT,
	"received: 500 Error: line too long"},
    {"half a line", DEFECT_HALF_LINE, REPLY_NONE, MAILBOX_CORRECT, "\"half-close in a line\""},
    {"smuggled", DEFECT_SMUGGLED, REPLY_NONE, MAILBOX_CORRECT, "smuggled@example.com"},
    {"smuggled with CRLF", DEFECT_SMUGGLED_CRLF, REPLY_NONE, MAILBOX_CORRECT,
	"smuggled@example.com"},
    {"half a message", DEFECT_HALF_DATA, REPLY_NONE, MAILBOX_CORRECT,
	"\"half-close in a message\""},
    {"vanished", DEFECT_VANISHED, REPLY_NONE, MAILBOX_CORRECT,
	"which was sent whole before the connection was closed"},
    {"waits for data", DEFECT_WAITS_FOR_DATA, REPLY_NONE, MAILBOX_CORRECT, "no reply within"},
};

START_TEST(protocol_defects_are_detected)
{
	run_group(protocol_defects, ARRAY_LENGTH(protocol_defects), _i, "1", CHECK_FILES);
}
END_TEST

static const struct defect_case mailbox_defects[] = {
    {"repeated", DEFECT_NONE, REPLY_NONE, MAILBOX_REPEATED, "mismatch"},
    {"skipped", DEFECT_NONE, REPLY_NONE, MAILBOX_SKIPPED, " are missing"},
    {"backwards", DEFECT_NONE, REPLY_NONE, MAILBOX_BACKWARDS,
	"message number is not greater than one acknowledged earlier"},
    {"from two", DEFECT_NONE, REPLY_NONE, MAILBOX_FROM_TWO,
	"holds other messages than its name says"},
    {"byte changed", DEFECT_NONE, REPLY_NONE, MAILBOX_BYTE_CHANGED, "is not what was sent"},
    {"lost", DEFECT_NONE, REPLY_NONE, MAILBOX_LOST, "was accepted and is in no file"},
    {"twice", DEFECT_NONE, REPLY_NONE, MAILBOX_TWICE, "duplicate of message"},
    {"renumbered", DEFECT_NONE, REPLY_NONE, MAILBOX_RENUMBERED, "was not sent"},
    {"no number", DEFECT_NONE, REPLY_NONE, MAILBOX_NO_NUMBER, "has no number"},
    {"invented", DEFECT_NONE, REPLY_NONE, MAILBOX_INVENTED, "was not sent"},
    {"junk", DEFECT_NONE, REPLY_NONE, MAILBOX_JUNK, "is not what was sent"},
    {"host", DEFECT_NONE, REPLY_NONE, MAILBOX_HOST, "is not what was sent"},
    {"sender", DEFECT_NONE, REPLY_NONE, MAILBOX_SENDER, "is not what was sent"},
    {"recipient lost", DEFECT_NONE, REPLY_NONE, MAILBOX_RECIPIENT_LOST, "is not what was sent"},
    {"recipients reversed", DEFECT_NONE, REPLY_NONE, MAILBOX_RECIPIENTS_REVERSED,
	"is not what was sent"},
    {"line lost", DEFECT_NONE, REPLY_NONE, MAILBOX_LINE_LOST, "is not what was sent"},
    {"unquoted", DEFECT_NONE, REPLY_NONE, MAILBOX_UNQUOTED, "is not what was sent"},
    {"quoted twice", DEFECT_NONE, REPLY_NONE, MAILBOX_QUOTED_TWICE, "is not what was sent"},
    {"dot", DEFECT_NONE, REPLY_NONE, MAILBOX_DOT, "is not what was sent"},
    {"CRLF", DEFECT_NONE, REPLY_NONE, MAILBOX_CRLF, "is not what was sent"},
    {"CR", DEFECT_NONE, REPLY_NONE, MAILBOX_CR, "is not what was sent"},
    {"NUL", DEFECT_NONE, REPLY_NONE, MAILBOX_NUL, "is not what was sent"},
    {"seven bits", DEFECT_NONE, REPLY_NONE, MAILBOX_SEVEN_BIT, "is not what was sent"},
    {"cut", DEFECT_NONE, REPLY_NONE, MAILBOX_CUT, "is not what was sent"},
    {"no empty line", DEFECT_NONE, REPLY_NONE, MAILBOX_NO_EMPTY_LINE, "is not what was sent"},
    {"no backup", DEFECT_NONE, REPLY_NONE, MAILBOX_NO_BACKUP,
	"mailbox holds a whole group that is not backed up"},
    {"not emptied", DEFECT_NONE, REPLY_NONE, MAILBOX_NOT_EMPTIED, "duplicate of message"},
    {"backup's name", DEFECT_NONE, REPLY_NONE, MAILBOX_BACKUP_NAME, "is not a group of 32"},
    {"backup short", DEFECT_NONE, REPLY_NONE, MAILBOX_BACKUP_SHORT,
	"holds other messages than its name says"},
    {"backup lost", DEFECT_NONE, REPLY_NONE, MAILBOX_BACKUP_LOST, "was accepted and is in no file"},
};

START_TEST(mailbox_defects_are_detected)
{
	run_group(mailbox_defects, ARRAY_LENGTH(mailbox_defects), _i, "2", CHECK_FILES);
}
END_TEST

/* A client ends after LOST_REPLIES_MAX replies that do not come, with operations left. */
START_TEST(silence_is_detected)
{
	const struct defect_case stops = {
	    "stops", DEFECT_STOPS, REPLY_NONE, MAILBOX_CORRECT, "no reply within"};
	struct defect_run defect_run;

	run_case(&defect_run, &stops, "0.3", CHECK_LONG_RUN);
	require_detected(&defect_run, &stops);
	/* Twice the limit, for other failures; each client has hundreds of sessions. */
	ck_assert_int_le(
	    count_failed(&defect_run.client), 2L * DEFAULT_CONNECTIONS * LOST_REPLIES_MAX);
	ck_assert_ptr_nonnull(
	    strstr(bytes_string(&defect_run.client.output), " operations were not done\n"));
	outcome_free(&defect_run.client);
}
END_TEST

START_TEST(end_of_the_server_is_detected)
{
	const struct defect_case crashes = {
	    "crashes", DEFECT_CRASHES, REPLY_NONE, MAILBOX_CORRECT, "instead of a reply"};
	struct defect_run defect_run;

	run_case(&defect_run, &crashes, "0.3", CHECK_TIMEOUTS);
	require_detected(&defect_run, &crashes);
	ck_assert_ptr_nonnull(
	    strstr(bytes_string(&defect_run.client.output), " operations were not done\n"));
	outcome_free(&defect_run.client);
}
END_TEST

/* A mismatch report has the position, the transcript, and the command that repeats the run. */
START_TEST(mismatch_report_is_complete)
{
	static const char *const parts[] = {"mismatch: connection ", ", operation ", "\"message, ",
	    " in state DATA: wrong reply\n", "\n    > ",
	    "\n    < 354 End data with <CR><LF>.<CR><LF>\\r\\n\n",
	    "\n    expected: 250 OK:  delivered message NUMBER\\r\\n\n",
	    "\n    received: ", "\n    repeat:   multiclient -h 127.0.0.1 -p ",
	    " -c 32 -n 1000 -s 7 -t 10 --no-timeouts --patience 10\n"};
	const struct defect_case spaced = {.defect = DEFECT_SPACED, .reply_type = REPLY_DELIVERED};
	struct defect_run defect_run;
	const char *at;

	run_case(&defect_run, &spaced, "10", CHECK_REPLIES);
	at = bytes_string(&defect_run.client.errors);
	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		at = strstr(at, parts[i]);
		REQUIRE(at != NULL, "no '%s' after that in\n%.2000s", parts[i],
		    bytes_string(&defect_run.client.errors));
	}
	outcome_free(&defect_run.client);
}
END_TEST

/* The command that repeats a run has each option that was given, as printed for the shell. */
START_TEST(the_command_of_a_report_has_the_options)
{
	struct faulty_server server = {.defect = DEFECT_SPACED,
	    .reply_type = REPLY_DELIVERED,
	    .timeout = TEST_SECONDS,
	    .netid = "it's"};
	struct path directory = files_directory();
	char expected[PATH_SIZE + 256];
	struct outcome client;

	faulty_server_start(&server, MAILBOX_CORRECT, directory.name);
	client = run_multiclient((const char *[]){"-p", server.port, "-s7", "-d", directory.name,
	    "--no-timeouts", "--netid", server.netid, NULL});
	ck_assert_int_eq(outcome_status(&client), 1);
	snprintf(expected, sizeof expected,
	    "\n    repeat:   multiclient -h 127.0.0.1 -p %s -c 32 -n 1000 -s 7 -t 10 -d %s "
	    "--netid 'it'\\''s' --no-timeouts --patience 5\n",
	    server.port, directory.name);
	REQUIRE(strstr(bytes_string(&client.errors), expected) != NULL, "no '%s' in\n%.2000s",
	    expected, bytes_string(&client.errors));
	outcome_free(&client);
	faulty_server_stop(&server);
}
END_TEST

START_TEST(silent_listener_is_no_server)
{
	const struct defect_case silent = {.defect = DEFECT_SENDS_NOTHING};
	struct defect_run defect_run;

	run_case(&defect_run, &silent, "0.3", CHECK_TIMEOUTS);
	ck_assert_int_eq(outcome_status(&defect_run.client), 3);
	ck_assert_ptr_nonnull(
	    strstr(bytes_string(&defect_run.client.errors), "sends nothing for 0.6 s\n"));
	ck_assert_ptr_nonnull(
	    strstr(bytes_string(&defect_run.client.errors), defect_run.faulty_server.port));
	ck_assert_str_eq(outcome_last_line(&defect_run.client), "0 passed, 0 failed\n");
	outcome_free(&defect_run.client);
}
END_TEST

START_TEST(another_service_is_a_mismatch)
{
	const struct defect_case other = {.defect = DEFECT_OTHER};
	struct defect_run defect_run;

	run_case(&defect_run, &other, "0.3", CHECK_TIMEOUTS);
	ck_assert_int_eq(outcome_status(&defect_run.client), 1);
	ck_assert_ptr_nonnull(strstr(
	    bytes_string(&defect_run.client.errors), "found:    SSH-2.0-OpenSSH_9.2\\r\\n\n"));
	ck_assert_str_eq(outcome_last_line(&defect_run.client), "0 passed, 1 failed\n");
	outcome_free(&defect_run.client);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, no_defect_passes, 0, 2);
	tcase_add_loop_test(
	    tests, each_changed_reply_is_detected, REPLY_GREETING, REPLY_TIMEOUT + 1);
	tcase_add_loop_test(tests, reply_defects_are_detected, 0, GROUPS(reply_defects));
	tcase_add_test(tests, late_reply_is_detected);
	tcase_add_loop_test(tests, time_defects_are_detected, 0, GROUPS(time_defects));
	tcase_add_loop_test(tests, protocol_defects_are_detected, 0, GROUPS(protocol_defects));
	tcase_add_loop_test(tests, mailbox_defects_are_detected, 0, GROUPS(mailbox_defects));
	tcase_add_test(tests, silence_is_detected);
	tcase_add_test(tests, end_of_the_server_is_detected);
	tcase_add_test(tests, mismatch_report_is_complete);
	tcase_add_test(tests, the_command_of_a_report_has_the_options);
	tcase_add_test(tests, silent_listener_is_no_server);
	tcase_add_test(tests, another_service_is_a_mismatch);
	return suite_run("faulty_server", tests);
}
