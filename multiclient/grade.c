/*
 * NAME
 *	grade - report on each demand of the assignment, for any server
 *
 * DESCRIPTION
 *	A table lists the demands. They are judged in stages, because some need the messages of
 *	others, or no other client at the same time.
 *
 *	Each demand has a time limit. The first stage also has one as a whole: when it is used up,
 *	each further demand of it has LIMIT_MIN. So the run ends within a minute with the default
 *	timeouts, whatever the server does. The limits are, in seconds: commands 6 + 19 * 0.3,
 *	records 2, timeouts 10 + 6, the backups 2 * (2 + 2), the 32 clients 3, the 33rd 2 * 2, no
 *	impact 3 + 4, the crowd 3 + 2, the order 2: 58.7.
 *
 * DIAGNOSTICS
 *	multiclient: HOST port PORT: what the system says
 *	multiclient: --directory 'PATH': what the system says
 */

#include "grade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error_text.h"
#include "grade_demands.h"
#include "mailbox_file.h"
#include "monotonic.h"
#include "probe.h"

/* Time for the first stage, and the least for each demand of it. */
#define COMMANDS_TIME (6 * SECOND)
#define LIMIT_MIN     (300 * MILLISECOND)

/* Time for the steps before a timeout; T, 2 s of lateness and 1 s for end of file follow. */
#define STEPS_TIME (3 * SECOND)

/* ---- the table ---- */

/* The stages, in the order of time. */
enum stage {
	STAGE_COMMANDS,
	STAGE_RECORDS,  /* before the first backup */
	STAGE_TIMEOUTS, /* all at once */
	STAGE_FIRST_BACKUP,
	STAGE_SERVED, /* delivers 32 messages */
	STAGE_SECOND_BACKUP,
	STAGE_POOL,
	STAGE_END, /* when all messages have been sent */
	STAGES_COUNT
};

/* What a demand needs. */
enum need {
	NEED_DIRECTORY = 1 << 0,
	NEED_TIMEOUTS = 1 << 1
};

static const struct demand {
	unsigned number;
	const char *words;
	demand_function *judge;
	unsigned needs;
	enum stage stage;
	int limit; /* seconds; 0: those of its stage */
} demands[] = {
    {1, "the greeting: 220 netid SMTP CS4410MP3", demand_greeting, 0, STAGE_COMMANDS, 0},
    {2, "each reply is one line that ends in CRLF", demand_line_end, 0, STAGE_COMMANDS, 0},
    {3, "HELO: 250 netid", demand_conversation, 0, STAGE_COMMANDS, 0},
    {4, "MAIL FROM: 250 OK", demand_conversation, 0, STAGE_COMMANDS, 0},
    {5, "RCPT TO: 250 OK", demand_conversation, 0, STAGE_COMMANDS, 0},
    {6, "DATA: 354 End data with <CR><LF>.<CR><LF>", demand_conversation, 0, STAGE_COMMANDS, 0},
    {7, "a message: 250 OK:  delivered message N", demand_delivery, 0, STAGE_COMMANDS, 0},
    {8, "several messages in one connection, HELO once", demand_several_messages, 0, STAGE_COMMANDS,
	0},
    {9, "several RCPT TO: one message with a To: line for each", demand_several_recipients, 0,
	STAGE_COMMANDS, 0},
    {10, "bad syntax: 501 Syntax:  proper syntax", demand_conversation, 0, STAGE_COMMANDS, 0},
    {11, "a command out of order: 503 Error: need XXX command", demand_order, 0, STAGE_COMMANDS, 0},
    {12, "an unrecognized command: 500 Error: command not recognized", demand_conversation, 0,
	STAGE_COMMANDS, 0},
    {13, "a second HELO: 503 Error: duplicate HELO", demand_conversation, 0, STAGE_COMMANDS, 0},
    {14, "a second MAIL FROM: 503 Error: nested MAIL command", demand_conversation, 0,
	STAGE_COMMANDS, 0},
    {15, "a sender with white space: 555 <bad email>: Sender address rejected", demand_conversation,
	0, STAGE_COMMANDS, 0},
    {16, "a recipient with white space: 555 <bad email>: Recipient address invalid",
	demand_conversation, 0, STAGE_COMMANDS, 0},
    {17, "any printable ASCII address is valid", demand_conversation, 0, STAGE_COMMANDS, 0},
    {18, "errors do not prevent a delivery", demand_errors, 0, STAGE_COMMANDS, 0},
    {19, "dormant in the command phase: 421 and the end, after 10 s", demand_timeout, NEED_TIMEOUTS,
	STAGE_TIMEOUTS, 0},
    {20, "dormant in the data phase: 421 and the end, after 10 s", demand_timeout, NEED_TIMEOUTS,
	STAGE_TIMEOUTS, 0},
    {21, "only invalid commands: 421 and the end, after 10 s", demand_timeout, NEED_TIMEOUTS,
	STAGE_TIMEOUTS, 0},
    {22, "a line without end: 421 and the end, after 10 s", demand_timeout, NEED_TIMEOUTS,
	STAGE_TIMEOUTS, 0},
    {23, "32 clients are served at once", demand_32_served, 0, STAGE_SERVED, 3},
    {24, "the 33rd client is served when one of 32 leaves", demand_33rd_waits, 0, STAGE_POOL, 2},
    {25, "the 33rd client waits in the operating system", demand_33rd_in_backlog, 0, STAGE_POOL, 2},
    {26, "no client impacts others: each is served at once", demand_no_impact, 0, STAGE_POOL, 3},
    {27, "numbers begin with 1 and rise by 1", demand_numbers, 0, STAGE_END, 1},
    {28, "mailbox holds each record to the byte", demand_records, NEED_DIRECTORY, STAGE_RECORDS, 2},
    {29, "records are in the order of their numbers", demand_record_order, NEED_DIRECTORY,
	STAGE_END, 2},
    {30, "a line that begins with a dot does not end the data", demand_dots, 0, STAGE_COMMANDS, 0},
    {31, "after message 32: mailbox.1-32 holds messages 1 to 32, mailbox none", demand_backup,
	NEED_DIRECTORY, STAGE_FIRST_BACKUP, 2},
    {32, "after message 64: mailbox.33-64 likewise, both remain", demand_backup, NEED_DIRECTORY,
	STAGE_SECOND_BACKUP, 2},
    {33, "32 clients deliver at once: each message is there once, whole", demand_crowd,
	NEED_DIRECTORY, STAGE_POOL, 3},
};

_Static_assert(ARRAY_LENGTH(demands) == DEMANDS_MAX, "struct grade has a result for each demand");

/* ---- judge ---- */

struct judgement {
	pthread_t thread;
	bool started;
	struct grade *grade;
	const struct demand *demand;
};

/* Judge one demand, if what it needs is there. */
static void *
judge_main(void *argument)
{
	const struct judgement *judgement = argument;
	const struct demand *demand = judgement->demand;
	struct grade *grade = judgement->grade;

	if ((demand->needs & NEED_DIRECTORY) != 0 && grade->directory == -1) {
		grade_not_seen(grade, demand->number, "no --directory");
	} else if ((demand->needs & NEED_TIMEOUTS) != 0 && !grade->options->timeouts) {
		grade_not_seen(grade, demand->number, "--no-timeouts");
	} else {
		demand->judge(grade, demand->number);
	}
	return NULL;
}

/* Return when a demand of this stage must be done that begins now. */
static int64_t
demand_deadline(const struct grade *grade, const struct demand *demand, int64_t stage_end)
{
	int64_t now = monotonic_now();
	int64_t limit = demand->limit * SECOND;

	if (demand->stage == STAGE_COMMANDS) {
		limit = stage_end - now > LIMIT_MIN ? stage_end - now : LIMIT_MIN;
		if (limit > grade->options->patience) {
			limit = grade->options->patience;
		}
	}
	return now + limit;
}

/* Judge the demands of a stage: the timeouts all at once, others one after the other. */
static void
judge_stage(struct grade *grade, enum stage stage)
{
	struct judgement judgements[ARRAY_LENGTH(demands)] = {0};
	int64_t stage_end = monotonic_now() + COMMANDS_TIME;

	/* Set before there are threads. */
	grade->deadline = monotonic_now() + STEPS_TIME;
	for (size_t i = 0; i < ARRAY_LENGTH(demands); i++) {
		struct judgement *judgement = &judgements[i];

		if (demands[i].stage != stage) {
			continue;
		}
		*judgement = (struct judgement){.grade = grade, .demand = &demands[i]};
		if (stage != STAGE_TIMEOUTS) {
			grade->deadline = demand_deadline(grade, &demands[i], stage_end);
		}
		judgement->started =
		    stage == STAGE_TIMEOUTS &&
		    pthread_create(&judgement->thread, NULL, judge_main, judgement) == 0;
		if (!judgement->started) {
			judge_main(judgement);
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(demands); i++) {
		if (judgements[i].started) {
			pthread_join(judgements[i].thread, NULL);
		}
	}
}

/* ---- start ---- */

/* Open the directory, if there is one. Returns false, having reported why, if that fails. */
static bool
open_directory(struct grade *grade)
{
	const char *path = grade->options->directory;
	struct backup_file *backups = NULL;
	struct buffer mailbox = {0};
	char reason[ERROR_TEXT_SIZE];
	size_t count = 0;

	if (path == NULL) {
		return true;
	}
	grade->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (grade->directory == -1) {
		fprintf(
		    stderr, "multiclient: --directory '%s': %s\n", path, error_text(errno, reason));
		return false;
	}
	grade->is_new =
	    mailbox_list_backups(grade->directory, &backups, &count) == 0 && count == 0 &&
	    mailbox_read_file(grade->directory, "mailbox", &mailbox) == 0 && mailbox.length == 0;
	buffer_destroy(&mailbox);
	free(backups);
	return true;
}

/* Find the server. Returns false, having reported why, if it does not accept a connection. */
static bool
find_server(struct grade *grade)
{
	const struct grade_options *options = grade->options;
	char reason[ERROR_TEXT_SIZE];
	struct conn conn;
	bool found;

	conn_init(&conn, &grade->stop);
	found = probe_connect(
	    options->host, options->port, options->patience, &conn, &grade->address, reason);
	conn_close(&conn);
	if (!found) {
		fprintf(
		    stderr, "multiclient: %s port %s: %s\n", options->host, options->port, reason);
	}
	return found;
}

/* ---- report ---- */

static const char *const verdict_words[] = {
    [VERDICT_PASSED] = "passed", [VERDICT_FAILED] = "FAILED", [VERDICT_NOT_SEEN] = "not seen"};

static const char *
text_or_nothing(const char *text)
{
	return text != NULL ? text : "";
}

static void
print_demand(const struct demand *demand, const struct result *result, FILE *file)
{
	fprintf(file, "R%02u  %-8s  %s\n", demand->number, verdict_words[result->verdict],
	    demand->words);
	if (result->verdict == VERDICT_FAILED) {
		fprintf(file, "%s    expected: %s\n    received: %s\n",
		    text_or_nothing(result->dialogue), text_or_nothing(result->expected),
		    text_or_nothing(result->received));
	} else if (result->verdict == VERDICT_NOT_SEEN) {
		fprintf(file, "    %s\n", text_or_nothing(result->received));
	}
}

/* Print a demand as fields: number, verdict, words, expected, received. */
static void
print_fields(const struct demand *demand, const struct result *result, FILE *file)
{
	fprintf(file, "R%02u\t%s\t%s\t%s\t%s\n", demand->number, verdict_words[result->verdict],
	    demand->words, text_or_nothing(result->expected), text_or_nothing(result->received));
}

/* Print the report. Returns how many demands have failed. */
static unsigned
print_report(const struct grade *grade, FILE *file)
{
	unsigned counts[ARRAY_LENGTH(verdict_words)] = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(demands); i++) {
		const struct result *result = &grade->results[demands[i].number];

		counts[result->verdict]++;
		if (grade->options->machine) {
			print_fields(&demands[i], result, file);
		} else if (!grade->options->quiet) {
			print_demand(&demands[i], result, file);
		}
	}
	if (!grade->options->machine) {
		fprintf(file, "%u passed, %u failed, %u not seen\n", counts[VERDICT_PASSED],
		    counts[VERDICT_FAILED], counts[VERDICT_NOT_SEEN]);
	}
	return counts[VERDICT_FAILED];
}

/* ---- the whole ---- */

static enum grade_result
run(struct grade *grade, FILE *file)
{
	if (!open_directory(grade)) {
		return GRADE_USAGE;
	}
	if (!find_server(grade)) {
		for (size_t i = 0; i < ARRAY_LENGTH(demands); i++) {
			grade_not_seen(grade, demands[i].number, "no server");
		}
		print_report(grade, file);
		return GRADE_NO_SERVER;
	}
	for (enum stage stage = 0; stage < STAGES_COUNT; stage++) {
		judge_stage(grade, stage);
	}
	return print_report(grade, file) > 0 ? GRADE_FAILED : GRADE_OK;
}

enum grade_result
grade_server(const struct grade_options *options, FILE *file)
{
	struct grade *grade = malloc(sizeof *grade);
	enum grade_result result;

	if (grade == NULL) {
		fputs("multiclient: out of memory\n", stderr);
		return GRADE_FAILED;
	}
	grade_init(grade, options);
	result = run(grade, file);
	if (grade->directory != -1) {
		close(grade->directory);
	}
	grade_destroy(grade);
	free(grade);
	return result;
}
