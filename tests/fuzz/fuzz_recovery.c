/*
 * NAME
 *	fuzz_recovery - the start in a directory with arbitrary contents
 *
 * DESCRIPTION
 *	The input describes the directory. Each character of its first line selects a setting: the
 *	netid (as in input_script.h), the types of `mailbox` and `mailbox.commit` (enum
 *	tempdir_kind, '0' for the first), and 's' for --sync. Then follow, separated by the byte
 *	0x1D and with the repetitions of input_script.h:
 *
 *	the content of `mailbox.commit`. "@DIFFERENCE NUMBER" stands for a valid one, with
 *	the length of the mailbox plus the difference, and with the number
 *
 *	the content of `mailbox`
 *
 *	other files, OTHERS_MAX at most. The first line has the type and the part of the name after
 *	"mailbox."; then follows the content. "=TEXT" stands for the content of the mailbox, up to
 *	the length in `mailbox.commit`, and the text
 *
 *	The mailbox is opened, the result of recovery_inspect() compared with that of a second
 *	implementation, and the mailbox resumed. A pending backup is made, a message delivered, and
 *	the mailbox recovered once more. After each step the directory is compared with the expected
 *	one.
 */

#include "target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "bytes.h"
#include "commit.h"
#include "fail.h"
#include "files.h"
#include "input_script.h"
#include "mailbox.h"
#include "recovery.h"
#include "recovery_reference.h"
#include "tempdir.h"

#define DECIMAL 10

/* Digits of the length in `mailbox.commit`. */
#define LENGTH_DIGITS 20

/* Bytes of the input that are used. */
#define INPUT_MAX 4096

/* Bytes parsed of the text after an '@'. */
#define COMMIT_TEXT_MAX 48

const char target_name[] = "recovery";

/* The message delivered after the start. */
#define RECEIVED "Received: from fuzz by another (CS4410MP3)\n"
#define REST     "From: a\nTo: b\n\nbody\n\n"

/* For expect_untouched(): no name may change. */
static const char *const nothing[] = {NULL};

static const struct record record = {RECEIVED, sizeof RECEIVED - 1, REST, sizeof REST - 1};

/* A test case. */
struct trial {
	struct directory_state directory_state;
	enum tempdir_kind mailbox_kind;
	bool sync;
	struct resume_point start; /* expected result of recovery_inspect() */
	struct mailbox mailbox;
};

/* ---- the directory ---- */

/* Return the type that the character at a position of a line selects. */
static enum tempdir_kind
kind_of(const struct bytes *line, size_t position)
{
	char choice = script_setting(line, position, '0');

	return (unsigned char)(choice - '0') % TEMPDIR_KINDS;
}

/* Remove the bytes up to the next 0x1D from the front of the text. Returns them, in the text. */
static struct bytes
section(struct bytes *text)
{
	const char *end =
	    text->length > 0 ? memchr(text->at, SCRIPT_NEXT_CLIENT, text->length) : NULL;
	size_t length = end != NULL ? (size_t)(end - text->at) : text->length;
	struct bytes cut = {.at = text->at, .length = length};

	text->at += end != NULL ? length + 1 : length;
	text->length -= end != NULL ? length + 1 : length;
	return cut;
}

/* Make the content of the commit file from a section; `size` is that of the mailbox. */
static void
write_commit(struct bytes *commit, const struct bytes *section_text, size_t size)
{
	char digits[COMMIT_TEXT_MAX] = "";
	char *rest;
	long long difference;

	if (!bytes_start_with(section_text, "@")) {
		bytes_add(commit, section_text->at, section_text->length);
		return;
	}
	snprintf(
	    digits, sizeof digits, "%.*s", (int)section_text->length - 1, section_text->at + 1);
	difference = strtoll(digits, &rest, DECIMAL);
	bytes_add_format(commit, "%020" PRIu64 " %020" PRIu64 "\n",
	    (uint64_t)size + (uint64_t)difference, (uint64_t)strtoull(rest, NULL, DECIMAL));
}

/*
 * Set type and name of another file from the first line of its section. The types of `mailbox` that
 * it cannot have are a file. Returns false if the name is impossible.
 */
static bool
name_other(struct other *other, struct bytes *line)
{
	if (line->length < 2) {
		return false;
	}
	other->kind = kind_of(line, 0);
	if (other->kind == TEMPDIR_NOTHING || other->kind == TEMPDIR_LINK) {
		other->kind = TEMPDIR_FILE;
	}
	snprintf(
	    other->name, sizeof other->name, "mailbox.%.*s", (int)line->length - 1, line->at + 1);
	return strchr(other->name, '/') == NULL && strcmp(other->name, COMMIT_NAME) != 0;
}

/* Add another file to the directory from its section, unless its name is impossible or taken. */
static void
add_other(struct directory_state *directory_state, struct bytes text)
{
	struct other *other = &directory_state->others[directory_state->other_count];
	const uint8_t *rest = (const uint8_t *)text.at;
	size_t size = text.length;
	struct bytes line = script_line(&rest, &size);
	struct bytes digits = {
	    .at = directory_state->commit.at, .length = directory_state->commit.length};
	size_t length = directory_state->mailbox.length;

	*other = (struct other){.kind = TEMPDIR_FILE};
	if (!name_other(other, &line)) {
		return;
	}
	bytes_add(&other->content, "", 0);
	if (size > 0 && *rest == '=') {
		char number[LENGTH_DIGITS + 1] = "";
		unsigned long long committed;

		snprintf(number, sizeof number, "%.*s", (int)digits.length, digits.at);
		committed = strtoull(number, NULL, DECIMAL);
		length = digits.length > 0 && committed < length ? (size_t)committed : length;
		bytes_add(&other->content, directory_state->mailbox.at, length);
		rest++;
		size--;
	}
	bytes_add(&other->content, rest, size);
	if (tempdir_make(other->kind, other->name, &other->content)) {
		directory_state->other_count++;
	} else {
		bytes_free(&other->content);
	}
}

/* Create the directory described by the input. */
static void
make_directory(struct trial *trial, const uint8_t *input, size_t size)
{
	struct bytes line = script_line(&input, &size);
	struct bytes text = {.at = NULL}, rest, commit, mailbox;

	tempdir_enter();
	trial->directory_state.netid = script_netid(script_setting(&line, 0, '0'));
	trial->mailbox_kind = kind_of(&line, 1);
	trial->directory_state.commit_kind = kind_of(&line, 2);
	trial->sync = script_setting(&line, 3, '0') == 's';
	bytes_add(&text, "", 0);
	script_expand(&text, input, size, SCRIPT_TEXT_MAX);
	rest = text;
	commit = section(&rest);
	mailbox = section(&rest);
	bytes_add(&trial->directory_state.mailbox, mailbox.at,
	    trial->mailbox_kind == TEMPDIR_FILE ? mailbox.length : 0);
	bytes_add(&trial->directory_state.commit, "", 0);
	write_commit(
	    &trial->directory_state.commit, &commit, trial->directory_state.mailbox.length);
	tempdir_make(trial->mailbox_kind, MAILBOX_NAME, &trial->directory_state.mailbox);
	tempdir_make(
	    trial->directory_state.commit_kind, COMMIT_NAME, &trial->directory_state.commit);
	while (rest.length > 0 && trial->directory_state.other_count < OTHERS_MAX) {
		add_other(&trial->directory_state, section(&rest));
	}
	bytes_free(&text);
}

static void
free_trial(struct trial *trial)
{
	for (size_t i = 0; i < trial->directory_state.other_count; i++) {
		bytes_free(&trial->directory_state.others[i].content);
	}
	bytes_free(&trial->directory_state.mailbox);
	bytes_free(&trial->directory_state.commit);
}

/* ---- the steps ---- */

/* Check that the directory, except for the names in `but`, is as described in `before`. */
static void
expect_untouched(const char *when, const struct bytes *before, const char *const but[])
{
	struct bytes now = {.at = NULL};

	tempdir_describe(&now, but);
	bytes_assert(when, &now, before);
	bytes_free(&now);
}

/* Check the content of `mailbox.commit`. */
static void
expect_commit(size_t length, uint64_t number)
{
	struct bytes expected = {.at = NULL};

	bytes_add_format(&expected, "%020zu %020" PRIu64 "\n", length, number);
	files_expect(COMMIT_NAME, &expected);
	bytes_free(&expected);
}

static bool
is_file_or_missing(enum tempdir_kind kind)
{
	return kind == TEMPDIR_FILE || kind == TEMPDIR_NOTHING;
}

/* Return whether a name of the server is free, or is that of a regular file. */
static bool
is_usable(const struct trial *trial, const char *name)
{
	const struct other *other = recovery_other(&trial->directory_state, name);

	return other == NULL || is_file_or_missing(other->kind);
}

/*
 * Open the mailbox. That must succeed if all files of the server are regular files or missing, and
 * otherwise fail. Returns whether it succeeded.
 */
static bool
open_mailbox(struct trial *trial)
{
	bool possible = is_file_or_missing(trial->mailbox_kind) &&
			is_file_or_missing(trial->directory_state.commit_kind) &&
			is_usable(trial, BACKUP_TEMP_NAME) && is_usable(trial, COMMIT_NEW_NAME);
	const char *const made[] = {possible ? MAILBOX_NAME : NULL, NULL};
	struct bytes before = {.at = NULL};

	tempdir_describe(&before, made);
	if (mailbox_open(&trial->mailbox, true, trial->sync) != possible) {
		test_fail("mailbox_open() is wrong about the kind of file");
	}
	expect_untouched("mailbox_open()", &before, made);
	bytes_free(&before);
	if (possible) {
		files_expect(MAILBOX_NAME, &trial->directory_state.mailbox);
	}
	return possible;
}

/* Run recovery, and compare the result. Returns whether the mailbox can be resumed. */
static bool
inspect(struct trial *trial)
{
	struct resume_point *expected = &trial->start;
	struct resume_point start;
	struct bytes before = {.at = NULL};
	bool possible = recovery_reference(&trial->directory_state, expected);

	tempdir_describe(&before, nothing);
	if (recovery_inspect(&start, &trial->mailbox) != possible) {
		test_fail("recovery_inspect() %s", possible ? "fails" : "does not fail");
	}
	expect_untouched("recovery_inspect()", &before, nothing);
	bytes_free(&before);
	if (possible &&
	    (start.length != expected->length || start.torn_length != expected->torn_length ||
		start.number != expected->number || start.backup_due != expected->backup_due ||
		start.copied_length != expected->copied_length ||
		start.unended_length != expected->unended_length ||
		start.incomplete != expected->incomplete)) {
		test_fail("found length %jd torn %jd number %" PRIu64
			  " due %d copied %jd unended %jd incomplete %d, expected "
			  "%jd %jd %" PRIu64 " %d %jd %jd %d",
		    (intmax_t)start.length, (intmax_t)start.torn_length, start.number,
		    start.backup_due, (intmax_t)start.copied_length, (intmax_t)start.unended_length,
		    start.incomplete, (intmax_t)expected->length, (intmax_t)expected->torn_length,
		    expected->number, expected->backup_due, (intmax_t)expected->copied_length,
		    (intmax_t)expected->unended_length, expected->incomplete);
	}
	return possible;
}

/* Resume the mailbox: only the torn tail is truncated, and `mailbox.commit` is updated. */
static void
resume(struct trial *trial)
{
	bool is_new = trial->directory_state.commit_kind == TEMPDIR_NOTHING;
	const char *const changed[] = {
	    MAILBOX_NAME, COMMIT_NAME, is_new ? COMMIT_NEW_NAME : NULL, NULL};
	struct bytes before = {.at = NULL};

	tempdir_describe(&before, changed);
	if (!mailbox_resume(&trial->mailbox, &trial->start)) {
		test_fail("mailbox_resume() fails");
	}
	expect_untouched("mailbox_resume()", &before, changed);
	bytes_free(&before);
	trial->directory_state.mailbox.length = (size_t)trial->start.length;
	files_expect(MAILBOX_NAME, &trial->directory_state.mailbox);
	expect_commit(trial->directory_state.mailbox.length, trial->start.number);
}

/* Check that a file with the name of the backup, if there was one, has the first free name now. */
static void
expect_kept(const struct directory_state *directory_state, const char *name)
{
	const struct other *old = recovery_other(directory_state, name);
	char kept[sizeof old->name + sizeof ".~99~"];

	if (old == NULL) {
		return;
	}
	for (unsigned number = 1;; number++) {
		snprintf(kept, sizeof kept, "%s.~%u~", name, number);
		if (recovery_other(directory_state, kept) == NULL) {
			break;
		}
	}
	if (old->kind == TEMPDIR_FILE) {
		files_expect(kept, &old->content);
	}
}

/* Check that the job of the backup thread is to back up the whole mailbox. */
static void
expect_job(const struct trial *trial, const struct backup_job *job)
{
	if (job->length != trial->start.length || job->last != trial->start.number ||
	    job->copied_length != trial->start.copied_length || job->sync != trial->sync ||
	    job->error != 0) {
		test_fail("the job is to back up %jd bytes up to message %" PRIu64,
		    (intmax_t)job->length, job->last);
	}
}

/* Make the pending backup. */
static void
back_up(struct trial *trial)
{
	char name[sizeof((struct other *)0)->name];
	struct backup_job job;
	int error;

	if (!mailbox_wait_for_job(&trial->mailbox, &job)) {
		test_fail("no attempt at the backup is requested");
	}
	expect_job(trial, &job);
	error = job.copied_length > 0 ? backup_extend(&job) : backup_create(&job);
	if (error != 0 || mailbox_finish_attempt(&trial->mailbox, &job, 0) != 0) {
		test_fail("the backup fails");
	}
	recovery_backup_name(trial->start.number, name);
	files_expect(name, &trial->directory_state.mailbox);
	if (trial->start.copied_length == 0) {
		expect_kept(&trial->directory_state, name);
	}
	trial->directory_state.mailbox.length = 0;
	files_expect(MAILBOX_NAME, &trial->directory_state.mailbox);
	expect_commit(0, trial->start.number);
}

/* Append what must come before a record: line feeds, unless the mailbox ends in an empty line. */
static void
add_separator(struct bytes *mailbox)
{
	if (mailbox->length > 0 && mailbox->at[mailbox->length - 1] != '\n') {
		bytes_add(mailbox, "\n\n", 2);
	} else if (mailbox->length > 1 && mailbox->at[mailbox->length - 2] != '\n') {
		bytes_add(mailbox, "\n", 1);
	}
}

/*
 * Deliver a message, which must be appended with the next number. Returns false if it must be
 * refused, because there is no next number.
 */
static bool
deliver(struct trial *trial)
{
	bool possible = trial->start.number < INT64_MAX;
	struct delivery_result delivery;
	uint64_t number;

	mailbox_deliver(&trial->mailbox, &record, 1, &delivery);
	number = delivery.number;
	if (!possible) {
		if (delivery.error != EOVERFLOW) {
			test_fail("delivery: error %d, number %" PRIu64, delivery.error, number);
		}
		return false;
	}
	if (delivery.error != 0 || number != trial->start.number + 1) {
		test_fail("delivery: error %d, number %" PRIu64, delivery.error, number);
	}
	add_separator(&trial->directory_state.mailbox);
	bytes_add(&trial->directory_state.mailbox, record.received, record.received_length);
	bytes_add_format(&trial->directory_state.mailbox, "Number: %" PRIu64 "\n", number);
	bytes_add(&trial->directory_state.mailbox, record.rest, record.rest_length);
	files_expect(MAILBOX_NAME, &trial->directory_state.mailbox);
	expect_commit(trial->directory_state.mailbox.length, number);
	return true;
}

/* Open the mailbox again; recovery must find the length and the number after the last delivery. */
static void
recover_again(struct trial *trial)
{
	struct resume_point start;
	uint64_t number = trial->start.number + 1;

	mailbox_destroy(&trial->mailbox);
	trial->mailbox_kind = TEMPDIR_FILE;
	trial->directory_state.commit_kind = TEMPDIR_FILE;
	open_mailbox(trial);
	if (!recovery_inspect(&start, &trial->mailbox)) {
		test_fail("the second recovery_inspect() fails");
	}
	if (start.number != number || start.torn_length != 0 ||
	    start.length != (off_t)trial->directory_state.mailbox.length) {
		test_fail("the second time: length %jd torn %jd number %" PRIu64,
		    (intmax_t)start.length, (intmax_t)start.torn_length, start.number);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct trial trial = {.mailbox_kind = TEMPDIR_FILE};

	make_directory(&trial, input, size < INPUT_MAX ? size : INPUT_MAX);
	if (open_mailbox(&trial)) {
		if (inspect(&trial)) {
			resume(&trial);
			if (trial.start.backup_due) {
				back_up(&trial);
			}
			if (deliver(&trial)) {
				recover_again(&trial);
			}
		}
		mailbox_destroy(&trial.mailbox);
	}
	free_trial(&trial);
	return 0;
}
