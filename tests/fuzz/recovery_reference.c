/*
 * NAME
 *	recovery_reference - a second implementation of recovery, slow and simple
 */

#include "recovery_reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Messages in a backup; digits of a number in the commit file, and bytes of the file. */
#define GROUP        32
#define DIGITS       20
#define COMMIT_BYTES (DIGITS + 1 + DIGITS + 1)

/* The largest number with a next one; the largest file size. */
#define NUMBER_LAST (UINT64_MAX - 1)
#define LENGTH_LAST INT64_MAX

const struct other *
recovery_other(const struct directory_state *directory_state, const char *name)
{
	for (size_t i = 0; i < directory_state->other_count; i++) {
		if (strcmp(directory_state->others[i].name, name) == 0) {
			return &directory_state->others[i];
		}
	}
	return NULL;
}

void
recovery_backup_name(uint64_t last, char name[static sizeof((struct other *)0)->name])
{
	uint64_t first = (last - 1) / GROUP * GROUP + 1;

	snprintf(
	    name, sizeof((struct other *)0)->name, "mailbox.%" PRIu64 "-%" PRIu64, first, last);
}

/*
 * Parse at most `count` decimal digits and remove them from the front. Returns false if there are none,
 * or if the number is above `largest`.
 */
static bool
parse_number(struct bytes *text, size_t count, uint64_t largest, uint64_t *number)
{
	size_t taken = 0;

	*number = 0;
	while (taken < count && taken < text->length && text->at[taken] >= '0' &&
	       text->at[taken] <= '9') {
		uint64_t digit = (uint64_t)(text->at[taken] - '0');

		if (*number > largest / 10 || *number * 10 > largest - digit) {
			return false;
		}
		*number = *number * 10 + digit;
		taken++;
	}
	text->at += taken;
	text->length -= taken;
	return taken > 0;
}

/* Parse a number from 1 on without leading zeros. */
static bool
parse_plain_number(struct bytes *text, uint64_t *number)
{
	return !bytes_begin(text, "0") && parse_number(text, text->length, NUMBER_LAST, number);
}

/* Remove a text from the front. Returns whether it was there. */
static bool
parse_text(struct bytes *from, const char *text)
{
	if (!bytes_begin(from, text)) {
		return false;
	}
	from->at += strlen(text);
	from->length -= strlen(text);
	return true;
}

static bool
parse_commit(const struct bytes *content, uint64_t *length, uint64_t *number)
{
	struct bytes rest = *content;

	return content->length == COMMIT_BYTES &&
	       parse_number(&rest, DIGITS, LENGTH_LAST, length) && parse_text(&rest, " ") &&
	       parse_number(&rest, DIGITS, NUMBER_LAST, number) && bytes_are(&rest, "\n") &&
	       (*number > 0 || *length == 0);
}

/* Return the number of the last record of the mailbox, or 0. */
static uint64_t
last_record(const struct directory_state *directory_state)
{
	struct bytes trace = {.at = NULL}, before = {.at = NULL};
	uint64_t last = 0;
	size_t start = 0;

	bytes_add_format(&trace, " by %s (CS4410MP3)\n", directory_state->netid);
	bytes_add(&trace, "", 1);
	for (size_t i = 0; i < directory_state->mailbox.length; i++) {
		struct bytes line = {directory_state->mailbox.at + start, i + 1 - start, 0};
		struct bytes rest = line;
		uint64_t number;

		if (directory_state->mailbox.at[i] != '\n') {
			continue;
		}
		if (parse_text(&before, "Received: from ") && bytes_end(&before, trace.at) &&
		    parse_text(&rest, "Number: ") && parse_plain_number(&rest, &number) &&
		    bytes_are(&rest, "\n")) {
			last = number;
		}
		before = line;
		start = i + 1;
	}
	bytes_free(&trace);
	return last;
}

/* Return the highest number in the name of a backup, or 0. */
static uint64_t
last_backup(const struct directory_state *directory_state)
{
	uint64_t highest = 0;

	for (size_t i = 0; i < directory_state->other_count; i++) {
		const char *name = directory_state->others[i].name;
		struct bytes rest = {.at = (char *)name, .length = strlen(name)};
		uint64_t first, last;

		if (parse_text(&rest, "mailbox.") && parse_plain_number(&rest, &first) &&
		    parse_text(&rest, "-") && parse_plain_number(&rest, &last) &&
		    rest.length == 0 && first <= last && last > highest) {
			highest = last;
		}
	}
	return highest;
}

/* Return the backup of this length that ends with this message, or NULL. */
static const struct other *
find_backup(const struct directory_state *directory_state, uint64_t last, uint64_t length)
{
	char name[sizeof directory_state->others[0].name];
	const struct other *other;

	recovery_backup_name(last, name);
	other = recovery_other(directory_state, name);
	return other != NULL && other->kind == TEMPDIR_FILE && other->content.length == length
		   ? other
		   : NULL;
}

/* Compute the result with a commit file. */
static bool
follow(const struct directory_state *directory_state, struct resume_point *start)
{
	uint64_t length, number;

	if (directory_state->commit_kind != TEMPDIR_FILE ||
	    !parse_commit(&directory_state->commit, &length, &number)) {
		return false;
	}
	start->number = number;
	if (length <= directory_state->mailbox.length) {
		start->length = (off_t)length;
		return true;
	}
	/* It was truncated after a backup, or it does not belong to this commit file. */
	return number % GROUP == 0 && find_backup(directory_state, number, length) != NULL;
}

bool
recovery_reference(const struct directory_state *directory_state, struct resume_point *start)
{
	*start = (struct resume_point){.length = 0};
	if (directory_state->commit_kind != TEMPDIR_NOTHING) {
		if (!follow(directory_state, start)) {
			return false;
		}
	} else if (directory_state->mailbox.length > 0) {
		start->length = (off_t)directory_state->mailbox.length;
		start->number = last_record(directory_state);
		if (start->number == 0) {
			return false;
		}
	} else {
		start->number = last_backup(directory_state);
	}
	start->torn = (off_t)directory_state->mailbox.length - start->length;
	start->backup_due = start->length > 0 && start->number % GROUP == 0;
	if (start->backup_due) {
		const struct other *backup =
		    find_backup(directory_state, start->number, (uint64_t)start->length);

		start->copy_done =
		    backup != NULL && memcmp(backup->content.at, directory_state->mailbox.at,
					  (size_t)start->length) == 0;
	}
	return true;
}
