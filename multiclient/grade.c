/*
 * NAME
 *	grade - report on each demand of the assignment, for any server
 *
 * DESCRIPTION
 *	The demands of the table (grade_demands.h) are judged in stages, because some need the
 *	messages of others, or no other client at the same time. At the end a client must still be
 *	served: otherwise the server has crashed or hangs, and R26 has failed.
 *
 *	Each demand has a time limit. STAGE_COMMANDS has one as a whole: when it is used up, each
 *	further demand of it has LIMIT_MIN. So the run ends in the time of grade_time_max(),
 *	whatever the server does.
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
#include "grade_talk.h"
#include "mailbox_file.h"
#include "monotonic.h"
#include "probe.h"

/* Time for STAGE_COMMANDS as a whole, and what each demand of it has at least. */
#define COMMANDS_TIME (5 * SECOND)
#define LIMIT_MIN     (250 * MILLISECOND)

/* How soon a client must be greeted at the end of the run. */
#define LAST_TIME (2 * SECOND)

/* ---- time ---- */

int64_t
grade_time_max(int64_t timeout)
{
	int64_t sum = COMMANDS_TIME + STEPS_TIME + timeout + LATE_MAX + END_TIME + LAST_TIME;

	for (size_t i = 0; i < DEMANDS_COUNT; i++) {
		sum += demand_table[i].stage == STAGE_COMMANDS ? LIMIT_MIN : demand_table[i].limit;
		sum += demand_table[i].more;
	}
	return sum;
}

/* ---- judge ---- */

struct judgement {
	pthread_t thread;
	bool started; /* `thread` runs; otherwise the main thread judges */
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
	} else if ((demand->needs & NEED_TIMEOUTS) != 0 && !grade->options->with_timeouts) {
		grade_not_seen(grade, demand->number, "--no-timeouts");
	} else {
		demand->judge(grade, demand->number);
	}
	return NULL;
}

/* Return the deadline of a demand that begins now; `stage_end` is that of STAGE_COMMANDS. */
static int64_t
demand_deadline(const struct grade *grade, const struct demand *demand, int64_t stage_end)
{
	int64_t now = monotonic_now();
	int64_t limit = demand->limit;

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
	struct judgement judgements[DEMANDS_COUNT] = {0};
	int64_t stage_end = monotonic_now() + COMMANDS_TIME;

	/* For STAGE_TIMEOUTS: set before there are threads. */
	grade->deadline = monotonic_now() + STEPS_TIME;
	for (size_t i = 0; i < DEMANDS_COUNT; i++) {
		struct judgement *judgement = &judgements[i];

		if (demand_table[i].stage != stage) {
			continue;
		}
		*judgement = (struct judgement){.grade = grade, .demand = &demand_table[i]};
		if (stage != STAGE_TIMEOUTS) {
			grade->deadline = demand_deadline(grade, &demand_table[i], stage_end);
		}
		judgement->started =
		    stage == STAGE_TIMEOUTS &&
		    pthread_create(&judgement->thread, NULL, judge_main, judgement) == 0;
		if (!judgement->started) {
			judge_main(judgement);
		}
	}
	for (size_t i = 0; i < DEMANDS_COUNT; i++) {
		if (judgements[i].started) {
			pthread_join(judgements[i].thread, NULL);
		}
	}
}

/*
 * Judge whether a client is still greeted at the end, if one ever was. If not, the server has
 * crashed or hangs, so that some client has impacted all later ones.
 */
static void
judge_last_client(struct grade *grade)
{
	struct talk talk;

	if (!grade->greeted) {
		return;
	}
	grade->deadline = monotonic_now() + LAST_TIME;
	talk_init(&talk, grade, DEMAND_IMPACT);
	if (!talk_connect(&talk) || !talk_receive(&talk, talk.deadline)) {
		talk_fail(&talk, "a greeting for a client at the end of the run");
	}
	talk_close(&talk);
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

/* Print a demand as the fields of --grade=machine. */
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

	for (size_t i = 0; i < DEMANDS_COUNT; i++) {
		const struct result *result = &grade->results[demand_table[i].number];

		counts[result->verdict]++;
		if (grade->options->machine) {
			print_fields(&demand_table[i], result, file);
		} else if (!grade->options->quiet) {
			print_demand(&demand_table[i], result, file);
		}
	}
	if (!grade->options->machine) {
		fprintf(file, "%u passed, %u failed, %u not seen\n", counts[VERDICT_PASSED],
		    counts[VERDICT_FAILED], counts[VERDICT_NOT_SEEN]);
	}
	return counts[VERDICT_FAILED];
}

/* ---- the run ---- */

static enum grade_result
run(struct grade *grade, FILE *file)
{
	if (!open_directory(grade)) {
		return GRADE_USAGE;
	}
	if (!find_server(grade)) {
		for (size_t i = 0; i < DEMANDS_COUNT; i++) {
			grade_not_seen(grade, demand_table[i].number, "no server");
		}
		print_report(grade, file);
		return GRADE_NO_SERVER;
	}
	for (enum stage stage = 0; stage < STAGES_COUNT; stage++) {
		judge_stage(grade, stage);
	}
	judge_last_client(grade);
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
