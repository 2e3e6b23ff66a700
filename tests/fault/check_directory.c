/*
 * NAME
 *	check_directory - compare the files of a stopped server with the ledger
 */

#include "check_directory.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

/* Messages in a backup (assignment). */
#define BACKUP_EVERY 32

#define NAME_SIZE 512

/* State of a check. */
struct inspection {
	const char *directory;
	const struct ledger *ledger;
	const struct expectations *expectations;
	struct bytes *failures;
	uint64_t backed_up; /* number of the last message in a backup */
	uint64_t last;      /* number of the last message found */
	bool old_in_place;  /* mailbox.1-32 still has `old_backup` */
	bool found[MAILS_MAX];
};

/* Read a file of the directory. Returns false if it does not exist. */
static bool
read_file(const struct inspection *inspection, const char *name, struct bytes *content)
{
	struct path path = files_path(inspection->directory, name);

	bytes_add_string(content, "");
	return files_read_append(path.name, content);
}

/* Mark a message as found, and check that it may be there. */
static void
set_found(struct inspection *inspection, size_t identity, const char *file)
{
	const struct mail *mail = &inspection->ledger->mails[identity];
	const char *wrong = NULL;

	if (inspection->found[identity]) {
		wrong = "is there twice";
	} else if (mail->outcome == OUTCOME_REFUSED) {
		wrong = "is there, although it was refused";
	} else if (mail->outcome == OUTCOME_NOT_SENT) {
		wrong = "is there, although it was not sent to its end";
	} else if (mail->number != 0 && mail->number != inspection->last) {
		wrong = "was acknowledged under another number";
	}
	if (wrong != NULL) {
		bytes_add_format(inspection->failures, "%s: message %zu, number %" PRIu64 ", %s; ",
		    file, identity, inspection->last, wrong);
	}
	inspection->found[identity] = true;
}

/* Check the records of a file in order. Returns false if one is torn or unexpected. */
static bool
check_records(struct inspection *inspection, const char *file, const struct bytes *content)
{
	size_t at = 0;

	while (at < content->length) {
		struct bytes record = {0};
		size_t identity;
		bool equal = false;

		inspection->last++;
		if (mail_identify(content->at + at, &identity)) {
			mail_add_record(&record, inspection->ledger, identity, inspection->last);
			equal = content->length - at >= record.length &&
				memcmp(content->at + at, record.at, record.length) == 0;
		}
		if (!equal) {
			bytes_add_format(inspection->failures,
			    "%s: byte %zu of %zu begins no record of number %" PRIu64 ": ", file,
			    at, content->length, inspection->last);
			bytes_add_visible(
			    inspection->failures, content->at + at, content->length - at);
			bytes_add_string(inspection->failures, "; ");
			bytes_free(&record);
			return false;
		}
		set_found(inspection, identity, file);
		at += record.length;
		bytes_free(&record);
	}
	return true;
}

/* Return whether a file exists with exactly this content. */
static bool
is_file(const struct inspection *inspection, const char *name, const char *expected)
{
	struct bytes content = {0};
	bool equal = read_file(inspection, name, &content) && strcmp(content.at, expected) == 0;

	bytes_free(&content);
	return equal;
}

/* ---- names ---- */

#define FIRST_BACKUP     "mailbox.1-32"
#define FIRST_BACKUP_OLD FIRST_BACKUP ".~1~"

static bool
is_backup_name(const char *name, uint64_t *first, uint64_t *last)
{
	int length = 0;

	/* NOLINTNEXTLINE(cert-err34-c): the comparisons detect overflow. */
	return sscanf(name, "mailbox.%" SCNu64 "-%" SCNu64 "%n", first, last, &length) == 2 &&
	       name[length] == '\0';
}

/* Check one file name. Returns an error text, or NULL. */
static const char *
check_name(struct inspection *inspection, const char *name)
{
	const struct expectations *expectations = inspection->expectations;
	uint64_t first;
	uint64_t last;

	if (expectations->old_backup != NULL && strcmp(name, FIRST_BACKUP) == 0 &&
	    is_file(inspection, name, expectations->old_backup)) {
		inspection->old_in_place = true;
		return NULL;
	}
	if (is_backup_name(name, &first, &last)) {
		if (first % BACKUP_EVERY != 1 || last != first + BACKUP_EVERY - 1) {
			return "does not name a whole backup";
		}
		if (last > inspection->backed_up) {
			inspection->backed_up = last;
		}
		return NULL;
	}
	if (strcmp(name, "mailbox") == 0 ||
	    (expectations->keep && strcmp(name, "mailbox.commit") == 0) ||
	    (expectations->unfinished &&
		(strcmp(name, "mailbox.backup") == 0 || strcmp(name, "mailbox.commit.new") == 0)) ||
	    (expectations->old_backup != NULL && strcmp(name, FIRST_BACKUP_OLD) == 0)) {
		return NULL;
	}
	return "should not be there";
}

/* Check all names in the directory. */
static void
check_names(struct inspection *inspection)
{
	DIR *directory = opendir(inspection->directory);
	const struct dirent *entry;

	if (directory == NULL) {
		bytes_add_format(inspection->failures, "the directory: error %d; ", errno);
		return;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while ((entry = readdir(directory)) != NULL) {
		const char *wrong = NULL;

		if (entry->d_name[0] != '.') {
			wrong = check_name(inspection, entry->d_name);
		}
		if (wrong != NULL) {
			bytes_add_format(inspection->failures, "%s %s; ", entry->d_name, wrong);
		}
	}
	closedir(directory);
}

/* ---- files ---- */

/* Check the backup that begins with message `first`. */
static void
check_backup(struct inspection *inspection, uint64_t first)
{
	struct bytes content = {0};
	char name[NAME_SIZE];

	snprintf(
	    name, sizeof name, "mailbox.%" PRIu64 "-%" PRIu64, first, first + BACKUP_EVERY - 1);
	inspection->last = first - 1;
	if (!read_file(inspection, name, &content)) {
		bytes_add_format(inspection->failures, "%s is missing; ", name);
	} else if (check_records(inspection, name, &content) &&
		   inspection->last != first + BACKUP_EVERY - 1) {
		bytes_add_format(inspection->failures, "%s ends with number %" PRIu64 "; ", name,
		    inspection->last);
	}
	inspection->last = first + BACKUP_EVERY - 1;
	bytes_free(&content);
}

/* Compare mailbox.commit with the mailbox. */
static void
check_commit(const struct inspection *inspection, size_t length)
{
	struct bytes content = {0};
	char expected[NAME_SIZE];

	snprintf(expected, sizeof expected, "%020zu %020" PRIu64 "\n", length, inspection->last);
	if (!read_file(inspection, "mailbox.commit", &content) ||
	    strcmp(content.at, expected) != 0) {
		bytes_add_string(inspection->failures, "mailbox.commit has ");
		bytes_add_visible(inspection->failures, content.at, content.length);
		bytes_add_string(inspection->failures, ", not ");
		bytes_add_visible(inspection->failures, expected, strlen(expected));
		bytes_add_string(inspection->failures, "; ");
	}
	bytes_free(&content);
}

static void
check_mailbox(struct inspection *inspection)
{
	struct bytes content = {0};

	if (!read_file(inspection, "mailbox", &content)) {
		bytes_add_string(inspection->failures, "mailbox is missing; ");
	}
	inspection->last = inspection->backed_up;
	check_records(inspection, "mailbox", &content);
	if (inspection->last - inspection->backed_up >= BACKUP_EVERY) {
		bytes_add_string(inspection->failures, "a backup was not made; ");
	}
	if (inspection->expectations->keep) {
		check_commit(inspection, content.length);
	}
	bytes_free(&content);
}

/* The backup of an earlier run must be in place, or renamed to make way for a new one. */
static void
check_old_backup(const struct inspection *inspection)
{
	if (!inspection->old_in_place &&
	    !is_file(inspection, FIRST_BACKUP_OLD, inspection->expectations->old_backup)) {
		bytes_add_string(inspection->failures, "the backup of an earlier run is lost; ");
	}
}

void
check_directory(const char *directory, const struct ledger *ledger,
    const struct expectations *expectations, struct bytes *failures)
{
	struct inspection inspection = {
	    .directory = directory,
	    .ledger = ledger,
	    .expectations = expectations,
	    .failures = failures,
	};

	check_names(&inspection);
	for (uint64_t first = 1; first < inspection.backed_up; first += BACKUP_EVERY) {
		check_backup(&inspection, first);
	}
	check_mailbox(&inspection);
	if (expectations->old_backup != NULL) {
		check_old_backup(&inspection);
	}
	for (size_t i = 0; i < ledger->connections * MAILS_A_CONNECTION; i++) {
		if (ledger->mails[i].outcome == OUTCOME_DELIVERED && !inspection.found[i]) {
			bytes_add_format(failures, "message %zu, number %" PRIu64 ", is lost; ", i,
			    ledger->mails[i].number);
		}
	}
}
