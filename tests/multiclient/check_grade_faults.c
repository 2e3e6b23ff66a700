/*
 * NAME
 *	check_grade_faults - multiclient --grade against servers with one fault
 *
 * DESCRIPTION
 *	Each fault must fail exactly the demand that it breaks, and those that depend on it, which
 *	the table lists. Several servers run at once, each with a client of its own.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faulty_server.h"
#include "files.h"
#include "grade_state.h"
#include "params.h"
#include "run.h"
#include "suite.h"

/* Seconds that one test may take. */
#define TEST_SECONDS 60

/* The T of multiclient, and of the server where timeouts are judged: in seconds, and as text. */
#define TIMEOUT      3.0
#define TIMEOUT_TEXT "3"

/* Servers at once. */
#define RUNS_MAX 12

/* Bytes of a list of demands. */
#define LIST_SIZE 256

/* A fault, the demands that fail, and those that are not seen because of that: " Rnn" each. */
struct fault_case {
	const char *name;
	enum defect defect;
	enum reply_type reply_type;
	enum mailbox_defect mailbox_defect;
	const char *failed;
	const char *not_seen;
};

enum timeouts {
	WITHOUT_TIMEOUTS, /* --no-timeouts */
	WITH_TIMEOUTS
};

/* A faulty server, and the run of multiclient against it. */
struct fault_run {
	struct faulty_server server;
	struct path directory;
	struct program program; /* multiclient */
	struct outcome client;  /* what came of it, after finish() */
};

static void
begin(struct fault_run *run, const struct fault_case *fault_case, enum timeouts timeouts)
{
	run->directory = files_directory();
	run->server = (struct faulty_server){.defect = fault_case->defect,
	    .reply_type = fault_case->reply_type,
	    .timeout = timeouts == WITH_TIMEOUTS ? TIMEOUT : TEST_SECONDS,
	    .netid = "netid"};
	faulty_server_start(&run->server, fault_case->mailbox_defect, run->directory.name);
	run->program = run_begin(
	    (const char *[]){"--grade=machine", "-p", run->server.port, "-d", run->directory.name,
		"-t", TIMEOUT_TEXT, timeouts == WITH_TIMEOUTS ? NULL : "--no-timeouts", NULL});
}

static void
finish(struct fault_run *run)
{
	run->client = run_finish(&run->program);
	faulty_server_stop(&run->server);
}

/* List the demands with this verdict, with a space before each. */
static void
list_demands(const struct outcome *client, const char *verdict, char list[LIST_SIZE])
{
	const char *line = bytes_string(&client->output);
	size_t length = strlen(verdict);

	*list = '\0';
	for (; *line == 'R'; line = strchr(line, '\n') + 1) {
		if (strncmp(line + 4, verdict, length) == 0 && line[4 + length] == '\t') {
			snprintf(list + strlen(list), LIST_SIZE - strlen(list), " %.3s", line);
		}
	}
}

static void
require_verdicts(
    const struct fault_run *run, const struct fault_case *fault_case, enum timeouts timeouts)
{
	char failed[LIST_SIZE], not_seen[LIST_SIZE], expected[LIST_SIZE];

	list_demands(&run->client, "FAILED", failed);
	list_demands(&run->client, "not seen", not_seen);
	snprintf(expected, sizeof expected, "%s%s",
	    timeouts == WITH_TIMEOUTS ? "" : " R19 R20 R21 R22", fault_case->not_seen);
	REQUIRE(strcmp(failed, fault_case->failed) == 0 && strcmp(not_seen, expected) == 0,
	    "%s: failed%s, not seen%s\n%.1000s%.6000s", fault_case->name, failed, not_seen,
	    bytes_string(&run->client.errors), bytes_string(&run->client.output));
	ck_assert_int_eq(outcome_status(&run->client), *failed != '\0');
	ck_assert_uint_eq(bytes_count(&run->client.output, '\n'), DEMANDS_COUNT);
}

/* Run group `group` of a table of faults. */
static void
run_group(const struct fault_case *cases, size_t count, int group, enum timeouts timeouts)
{
	struct fault_run runs[RUNS_MAX];
	size_t first = (size_t)group * RUNS_MAX;
	size_t last = first + RUNS_MAX < count ? first + RUNS_MAX : count;

	for (size_t i = first; i < last; i++) {
		begin(&runs[i - first], &cases[i], timeouts);
	}
	for (size_t i = first; i < last; i++) {
		finish(&runs[i - first]);
	}
	for (size_t i = first; i < last; i++) {
		require_verdicts(&runs[i - first], &cases[i], timeouts);
		outcome_free(&runs[i - first].client);
	}
}

/* How many groups a table has. */
#define GROUPS(table) (((int)ARRAY_LENGTH(table) + RUNS_MAX - 1) / RUNS_MAX)

/* A wrong text: a space before CRLF. */
#define SPACED(type, failed)                                                      \
	{                                                                         \
#type " spaced", DEFECT_SPACED, type, MAILBOX_CORRECT, failed, "" \
	}

static const struct fault_case faults[] = {
    {"none", DEFECT_NONE, REPLY_NONE, MAILBOX_CORRECT, "", ""},
    SPACED(REPLY_GREETING, " R01"),
    {"slow greeting", DEFECT_SLOW_GREETING, REPLY_NONE, MAILBOX_CORRECT, " R01", ""},
    {"LF alone", DEFECT_BARE_LF, REPLY_OK, MAILBOX_CORRECT, " R02", ""},
    {"no line end", DEFECT_EXTRA, REPLY_UNRECOGNIZED, MAILBOX_CORRECT, " R02", ""},
    {"two lines", DEFECT_DOUBLED, REPLY_HELO, MAILBOX_CORRECT, " R02", ""},
    SPACED(REPLY_HELO, " R03"),
    /* MAIL FROM and RCPT TO have the same reply. */
    SPACED(REPLY_OK, " R04 R05"),
    SPACED(REPLY_START_DATA, " R06"),
    SPACED(REPLY_DELIVERED, " R07"),
    {"one message", DEFECT_ONE_MESSAGE, REPLY_NONE, MAILBOX_CORRECT, " R08", ""},
    {"one To: lost", DEFECT_NONE, REPLY_NONE, MAILBOX_RECIPIENT_LOST, " R09", ""},
    SPACED(REPLY_SYNTAX_HELO, " R10"),
    SPACED(REPLY_NEED_HELO, " R11"),
    SPACED(REPLY_NEED_MAIL, " R11"),
    SPACED(REPLY_NEED_RCPT, " R11"),
    SPACED(REPLY_UNRECOGNIZED, " R12"),
    SPACED(REPLY_DUPLICATE_HELO, " R13"),
    SPACED(REPLY_NESTED_MAIL, " R14"),
    SPACED(REPLY_BAD_SENDER, " R15"),
    SPACED(REPLY_BAD_RECIPIENT, " R16"),
    {"% in an address", DEFECT_PERCENT, REPLY_NONE, MAILBOX_CORRECT, " R17", ""},
    {"five errors", DEFECT_FIVE_ERRORS, REPLY_NONE, MAILBOX_CORRECT, " R18", ""},
    /* Unless 32 clients are served at once, the demands about the 33rd are not judged. */
    {"serves 31", DEFECT_SERVES_31, REPLY_NONE, MAILBOX_CORRECT, " R23", " R24 R25"},
    /* A client that is served was accepted. */
    {"serves 33", DEFECT_SERVES_33, REPLY_NONE, MAILBOX_CORRECT, " R24 R25", ""},
    {"accepts 33", DEFECT_ACCEPTS_33, REPLY_NONE, MAILBOX_CORRECT, " R25", ""},
    {"stalls", DEFECT_STALLS, REPLY_NONE, MAILBOX_CORRECT, " R26", ""},
    {"repeated", DEFECT_NONE, REPLY_NONE, MAILBOX_REPEATED, " R27", ""},
    {"skipped", DEFECT_NONE, REPLY_NONE, MAILBOX_SKIPPED, " R27", ""},
    /* There is no message 1, which the backups need. */
    {"from two", DEFECT_NONE, REPLY_NONE, MAILBOX_FROM_TWO, " R27", " R31 R32"},
    /* R33 recognizes whole records by their form. */
    {"no empty line", DEFECT_NONE, REPLY_NONE, MAILBOX_NO_EMPTY_LINE, " R28", " R33"},
    {"body line lost", DEFECT_NONE, REPLY_NONE, MAILBOX_LINE_LOST, " R28", " R33"},
    {"swapped", DEFECT_NONE, REPLY_NONE, MAILBOX_SWAPPED, " R29", ""},
    {"a dot line ends", DEFECT_DOT_ENDS, REPLY_NONE, MAILBOX_CORRECT, " R30", ""},
    {"a dot too many", DEFECT_NONE, REPLY_NONE, MAILBOX_DOT, " R30", ""},
    /* The message that is left goes into the next backup. */
    {"31 in the backup", DEFECT_NONE, REPLY_NONE, MAILBOX_FIRST_SHORT, " R31 R32", ""},
    {"first backup removed", DEFECT_NONE, REPLY_NONE, MAILBOX_FIRST_REMOVED, " R32", ""},
    /* Every backup has the fault. */
    {"no backup", DEFECT_NONE, REPLY_NONE, MAILBOX_NO_BACKUP, " R31 R32", ""},
    {"not emptied", DEFECT_NONE, REPLY_NONE, MAILBOX_NOT_EMPTIED, " R31 R32 R33", ""},
    {"backup's name", DEFECT_NONE, REPLY_NONE, MAILBOX_BACKUP_NAME, " R31 R32", ""},
    {"100 lost", DEFECT_NONE, REPLY_NONE, MAILBOX_100_LOST, " R33", ""},
};

START_TEST(each_fault_fails_its_demand)
{
	run_group(faults, ARRAY_LENGTH(faults), _i, WITHOUT_TIMEOUTS);
}
END_TEST

static const struct fault_case time_faults[] = {
    {"none", DEFECT_NONE, REPLY_NONE, MAILBOX_CORRECT, "", ""},
    {"never in command", DEFECT_NEVER_IN_COMMAND, REPLY_NONE, MAILBOX_CORRECT, " R19", ""},
    {"never in data", DEFECT_NEVER_IN_DATA, REPLY_NONE, MAILBOX_CORRECT, " R20", ""},
    {"rejected extends", DEFECT_REJECTED_EXTENDS, REPLY_NONE, MAILBOX_CORRECT, " R21", ""},
    /* No demand sends data long after the 354: from which of them T counts is not judged. */
    {"data ignored", DEFECT_DATA_IGNORED, REPLY_NONE, MAILBOX_CORRECT, "", ""},
    /* An invalid command is input, too. */
    {"any input extends", DEFECT_PARTIAL_EXTENDS, REPLY_NONE, MAILBOX_CORRECT, " R21 R22", ""},
    {"partial line extends", DEFECT_PARTIAL_LINE_EXTENDS, REPLY_NONE, MAILBOX_CORRECT, " R22", ""},
    /* These concern each client that is too slow. */
    {"early", DEFECT_EARLY, REPLY_NONE, MAILBOX_CORRECT, " R19 R20 R21 R22", ""},
    {"very late", DEFECT_VERY_LATE, REPLY_NONE, MAILBOX_CORRECT, " R19 R20 R21 R22", ""},
    {"silent", DEFECT_SILENT_CLOSE, REPLY_NONE, MAILBOX_CORRECT, " R19 R20 R21 R22", ""},
    {"not closed", DEFECT_NOT_CLOSED, REPLY_NONE, MAILBOX_CORRECT, " R19 R20 R21 R22", ""},
    SPACED(REPLY_TIMEOUT, " R19 R20 R21 R22"),
};

START_TEST(each_time_fault_fails_its_demand)
{
	run_group(time_faults, ARRAY_LENGTH(time_faults), _i, WITH_TIMEOUTS);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_set_timeout(tests, TEST_SECONDS);
	tcase_add_loop_test(tests, each_fault_fails_its_demand, 0, GROUPS(faults));
	tcase_add_loop_test(tests, each_time_fault_fails_its_demand, 0, GROUPS(time_faults));
	return suite_run("grade_faults", tests);
}
