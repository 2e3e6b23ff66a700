/*
 * NAME
 *	grade_stored - read the server's files, and find messages in them
 */

#include "grade_stored.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error_text.h"
#include "mailbox_file.h"
#include "monotonic.h"

/* Time between two readings of the files, while they are not right. */
#define RETRY_INTERVAL (50 * MILLISECOND)

/* How much of a record is shown, in bytes. */
#define SHOWN_MAX 400

/* ---- texts ---- */

size_t
stored_find(const struct buffer *text, size_t from, struct span wanted)
{
	while (wanted.length > 0 && from + wanted.length <= text->length) {
		const char *at = memchr(
		    text->bytes + from, wanted.bytes[0], text->length - from - wanted.length + 1);

		if (at == NULL) {
			break;
		}
		from = (size_t)(at - text->bytes);
		if (memcmp(at, wanted.bytes, wanted.length) == 0) {
			return from;
		}
		from++;
	}
	return SIZE_MAX;
}

size_t
stored_find_sender(const struct buffer *text, size_t from, const struct message *message)
{
	char line[NAME_SIZE + 16];
	int length = snprintf(line, sizeof line, "\nFrom: %s\n", message->sender);

	return stored_find(text, from, (struct span){line, (size_t)length});
}

void
stored_show(char text[FINDING_SIZE], struct span bytes)
{
	char *visible = grade_visible(bytes, SHOWN_MAX);

	snprintf(text, FINDING_SIZE, "%s", visible != NULL ? visible : "");
	free(visible);
}

void
stored_show_found(
    char text[FINDING_SIZE], const struct buffer *files, const struct message *message)
{
	size_t at = stored_find_sender(files, 0, message);
	size_t begin, line_ends = 0, end;

	if (at == SIZE_MAX) {
		snprintf(text, FINDING_SIZE, "no line \"From: %s\"", message->sender);
		return;
	}
	/* From the beginning of the second line before it. */
	for (begin = at; begin > 0; begin--) {
		line_ends += files->bytes[begin - 1] == '\n';
		if (line_ends == 2) {
			break;
		}
	}
	end = stored_find(files, at + 1, (struct span){"\nReceived:", strlen("\nReceived:")});
	end = end != SIZE_MAX ? end + 1 : files->length;
	stored_show(text, (struct span){files->bytes + begin, end - begin});
}

/* ---- files ---- */

/* Set the finding to what cannot be read, and why. */
static void
set_unreadable(struct finding *finding, const char *type, const char *name, int error)
{
	char reason[ERROR_TEXT_SIZE];

	finding->wrong = true;
	snprintf(finding->expected, FINDING_SIZE, "%s %s", type, name);
	snprintf(finding->received, FINDING_SIZE, "%s", error_text(error, reason));
}

bool
stored_read_file(
    const struct grade *grade, const char *name, struct buffer *text, struct finding *finding)
{
	int error = mailbox_read_file(grade->directory, name, text);

	if (error != 0) {
		set_unreadable(finding, "a file", name, error);
	}
	return error == 0;
}

bool
stored_read_files(const struct grade *grade, struct buffer *text, struct finding *finding)
{
	struct backup_file *backups;
	struct buffer file = {0};
	char name[64];
	size_t count;
	int error = mailbox_list_backups(grade->directory, &backups, &count);
	bool complete = error == 0;

	buffer_clear(text);
	if (!complete) {
		set_unreadable(finding, "a directory", "that can be listed", error);
	}
	for (size_t i = 0; i < count && complete; i++) {
		snprintf(name, sizeof name, "mailbox.%" PRIu64 "-%" PRIu64, backups[i].first,
		    backups[i].last);
		complete = stored_read_file(grade, name, &file, finding);
		buffer_add(text, file.bytes, file.length);
	}
	complete = complete && stored_read_file(grade, "mailbox", &file, finding);
	buffer_add(text, file.bytes, file.length);
	if (complete && text->failed) {
		set_unreadable(finding, "files", "that fit into memory", ENOMEM);
		complete = false;
	}
	buffer_destroy(&file);
	free(backups);
	return complete;
}

void
stored_judge(struct grade *grade, unsigned demand, check_function *check)
{
	struct finding finding;

	for (;;) {
		finding = (struct finding){.wrong = false};
		check(grade, demand, &finding);
		if (!finding.wrong) {
			return;
		}
		if (monotonic_now() >= grade->deadline) {
			break;
		}
		sleep_until(monotonic_now() + RETRY_INTERVAL);
	}
	grade_fail(grade, demand, NULL, finding.expected, finding.received);
}
