/*
 * NAME
 *	recovery_reference - a second implementation of recovery, slow and simple
 */

#include "recovery_reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Messages in a backup; digits of a number in the commit file, and bytes of the file. */
#define BACKUP_MESSAGES 32
#define DIGITS          20
#define COMMIT_BYTES    (DIGITS + 1 + DIGITS + 1)

/* The largest message number; the largest length of a file. */
#define NUMBER_LAST INT64_MAX
#define LENGTH_LAST INT64_MAX

/* Bytes of a torn tail that are looked at: the first two lines of a record have no more. */
#define HEAD_BYTES (2048 + 256)

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
	uint64_t first = (last - 1) / BACKUP_MESSAGES * BACKUP_MESSAGES + 1;

	snprintf(
	    name, sizeof((struct other *)0)->name, "mailbox.%" PRIu64 "-%" PRIu64, first, last);
}

/*
 * Parse at most `count` decimal digits and remove them from the front. Returns false if there are
 * none, or if the number is above `largest`; what is removed is then undefined.
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
	return !bytes_start_with(text, "0") &&
	       parse_number(text, text->length, NUMBER_LAST, number);
}

/* Remove a text from the front. Returns whether it was there. */
static bool
parse_text(struct bytes *from, const char *text)
{
	if (!bytes_start_with(from, text)) {
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
	       parse_number(&rest, DIGITS, NUMBER_LAST, number) && bytes_equal(&rest, "\n");
}

/* Return the text from `offset` on up to its first line feed, and with it if there is one. */
static struct bytes
line_at(const struct bytes *text, size_t offset)
{
	const char *at = text->at + offset;
	size_t left = text->length - offset;
	const char *end = left > 0 ? memchr(at, '\n', left) : NULL;

	return (struct bytes){(char *)at, end != NULL ? (size_t)(end - at) + 1 : left, 0};
}

/* Return whether the line is the first one of a record, with its line feed. */
static bool
is_first_line(const struct bytes *line)
{
	struct bytes rest = *line;

	if (!parse_text(&rest, "Received: from ") || !bytes_end_with(&rest, " (CS4410MP3)\n")) {
		return false;
	}
	rest.length -= strlen(" (CS4410MP3)\n");
	while (rest.length > 0 && !bytes_start_with(&rest, " by ")) {
		rest.at++;
		rest.length--;
	}
	return rest.length > 0;
}

/* Return the number of the record that begins at `offset`, or 0. */
static uint64_t
record_at(const struct bytes *text, size_t offset)
{
	struct bytes first = line_at(text, offset), second;
	uint64_t number;

	if (!is_first_line(&first)) {
		return 0;
	}
	second = line_at(text, offset + first.length);
	return parse_text(&second, "Number: ") && parse_plain_number(&second, &number) &&
		       bytes_equal(&second, "\n")
		   ? number
		   : 0;
}

/* Return the greatest number of a record that begins before `limit`, or 0. */
static uint64_t
greatest_number(const struct bytes *text, size_t limit)
{
	uint64_t greatest = 0;

	for (size_t offset = 0; offset < limit; offset += line_at(text, offset).length) {
		uint64_t number = record_at(text, offset);

		if (number > greatest) {
			greatest = number;
		}
	}
	return greatest;
}

/* Return the end of the last empty line that is not the one before the body of a record, or 0. */
static size_t
last_end(const struct bytes *text)
{
	size_t end = 0;
	bool before_body = false;

	for (size_t at = 0; at < text->length; at += line_at(text, at).length) {
		if (text->at[at] != '\n') {
			before_body = before_body || record_at(text, at) != 0;
		} else if (before_body) {
			before_body = false;
		} else {
			end = at + 1;
		}
	}
	return end;
}

/* Return the highest number of a last message in the name of a backup, or 0. */
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

/* Return the regular file with the name of the backup whose last message is `last`, or NULL. */
static const struct other *
find_backup(const struct directory_state *directory_state, uint64_t last)
{
	char name[sizeof directory_state->others[0].name];
	const struct other *other;

	recovery_backup_name(last, name);
	other = recovery_other(directory_state, name);
	return other != NULL && other->kind == TEMPDIR_FILE ? other : NULL;
}

/*
 * Return whether the bytes from `offset` on begin like a record with a number from `least` to
 * `greatest`.
 */
static bool
is_torn(const struct bytes *text, size_t offset, uint64_t least, uint64_t greatest)
{
	struct bytes rest = {text->at + offset, text->length - offset, 0}, line, next;
	size_t compared;
	uint64_t found;

	rest.length = rest.length < HEAD_BYTES ? rest.length : HEAD_BYTES;
	if (parse_text(&rest, "\n")) {
		parse_text(&rest, "\n");
	}
	if (rest.length == 0) {
		return false;
	}
	if (rest.at[0] == '\0') {
		return true;
	}
	/* What is after a NUL has not been written. */
	rest.length = strnlen(rest.at, rest.length);
	line = line_at(&rest, 0);
	/* A part of the first line. */
	if (line.at[line.length - 1] != '\n') {
		compared = strlen("Received: from ");
		compared = line.length < compared ? line.length : compared;
		return line.length < HEAD_BYTES &&
		       memcmp(line.at, "Received: from ", compared) == 0;
	}
	next = (struct bytes){line.at + line.length, rest.length - line.length, 0};
	if (!is_first_line(&line)) {
		return false;
	}
	/* The first line, and a part of the number line. */
	if (next.length == 0 || memchr(next.at, '\n', next.length) == NULL) {
		compared = strlen("Number: ");
		if (next.length < compared) {
			return memcmp(next.at, "Number: ", next.length) == 0;
		}
		if (!parse_text(&next, "Number: ")) {
			return false;
		}
		while (next.length > 0 && *next.at >= '0' && *next.at <= '9') {
			next.at++;
			next.length--;
		}
		return next.length == 0;
	}
	next = line_at(&next, 0);
	return parse_text(&next, "Number: ") && parse_plain_number(&next, &found) &&
	       bytes_equal(&next, "\n") && found >= least && found <= greatest;
}

/* Compute the result with a commit file. Returns false if that is invalid. */
static bool
follow(const struct directory_state *directory_state, struct resume_point *start)
{
	size_t size = directory_state->mailbox.length;
	uint64_t length, number, least;
	const struct other *backup;

	if (directory_state->commit_kind != TEMPDIR_FILE ||
	    !parse_commit(&directory_state->commit, &length, &number)) {
		return false;
	}
	start->number = number;
	backup = number > 0 && number % BACKUP_MESSAGES == 0 ? find_backup(directory_state, number)
							     : NULL;
	least = number + 1;
	start->length = (off_t)size;
	if (length > size) {
		/* Bytes are missing, unless the backup has them: the mailbox was truncated. */
		if (backup == NULL || backup->content.length < length) {
			return true;
		}
		length = 0;
	} else if (length == 0 && backup != NULL) {
		/* The first message of this backup. */
		least = number - BACKUP_MESSAGES + 1;
	}
	if (is_torn(&directory_state->mailbox, (size_t)length, least, number + 1)) {
		start->length = (off_t)length;
	}
	return true;
}

/* Compute the result without a commit file: nothing is removed. */
static void
examine(const struct directory_state *directory_state, struct resume_point *start)
{
	const struct bytes *text = &directory_state->mailbox;
	size_t end = last_end(text);

	start->length = (off_t)text->length;
	start->number = greatest_number(text, text->length);
	start->unended_length = (off_t)(text->length - end);
	start->incomplete = end < text->length && is_torn(text, end, 1, NUMBER_LAST);
	if (start->number == 0) {
		start->number = last_backup(directory_state);
	}
}

bool
recovery_reference(const struct directory_state *directory_state, struct resume_point *start)
{
	const struct bytes *text = &directory_state->mailbox;
	const struct other *backup;

	*start = (struct resume_point){.length = 0};
	if (directory_state->commit_kind == TEMPDIR_NOTHING) {
		examine(directory_state, start);
	} else if (!follow(directory_state, start)) {
		return false;
	}
	start->torn_length = (off_t)text->length - start->length;
	start->backup_due = start->length > 0 && start->number > 0 &&
			    start->number % BACKUP_MESSAGES == 0 &&
			    greatest_number(text, (size_t)start->length) == start->number;
	backup = start->backup_due ? find_backup(directory_state, start->number) : NULL;
	if (backup != NULL && backup->content.length <= (size_t)start->length &&
	    memcmp(backup->content.at, text->at, backup->content.length) == 0) {
		start->copied_length = (off_t)backup->content.length;
	}
	return true;
}
