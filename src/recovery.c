/*
 * DESCRIPTION
 *	`mailbox.commit` is written after a record and before its 250, after the truncation that
 *	ends a backup, and before any further record. So these are all cases:
 *
 *	the mailbox is		then
 *	of the committed length	it is complete; a backup may be due, and may exist already
 *	longer			the bytes after the committed length were never acknowledged, or
 *				all records are in a backup that exists already
 *	shorter			it was truncated after a backup, which exists; its bytes were never
 *				acknowledged
 *
 *	A shorter mailbox without such a backup is an error. If there is no `mailbox.commit`, the
 *	mailbox was written by a run without --keep: its last record has the last number or, if it
 *	is empty, the backup with the highest number.
 *
 * DIAGNOSTICS
 *	mailbox: shorter than mailbox.commit says
 *	mailbox: no record of NETID in it
 *	and why a file or the directory cannot be read
 */

#include "recovery.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "commit.h"
#include "log.h"
#include "mailbox.h"
#include "record.h"

/* ---- without mailbox.commit ---- */

/* Return whether `name` is the name of a backup, and set `last` to its last number. */
static bool
is_backup_name(const char *name, uint64_t *last)
{
	uint64_t first;

	if (strncmp(name, MAILBOX_NAME ".", sizeof MAILBOX_NAME) != 0) {
		return false;
	}
	name += sizeof MAILBOX_NAME;
	return record_parse_digits(&name, &first) && *name++ == '-' &&
	       record_parse_digits(&name, last) && *name == '\0' && first <= *last;
}

/* Find the highest number of a backup, or 0. */
static bool
find_last_backup(uint64_t *number)
{
	DIR *directory = opendir(".");
	const struct dirent *entry;
	uint64_t last;

	*number = 0;
	if (directory == NULL) {
		log_error(errno, ".");
		return false;
	}
	do {
		/* is_backup_name() may have set it. */
		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread uses this stream. */
		entry = readdir(directory);
		if (entry != NULL && is_backup_name(entry->d_name, &last) && last > *number) {
			*number = last;
		}
	} while (entry != NULL);
	int error = errno;
	closedir(directory);
	if (error != 0) {
		log_error(error, ".");
	}
	return error == 0;
}

/* Find the number of the last record in an open file; 0 if there is none. Returns 0 or an error. */
static int
scan_records(FILE *file, const char *netid, uint64_t *number)
{
	struct record_trace trace;
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	bool in_record = false;

	record_trace_init(&trace, netid);
	*number = 0;
	errno = 0;
	while ((length = getline(&line, &size, file)) != -1) {
		if (!in_record || !record_parse_number(line, number)) {
			size_t end = (size_t)length - 1;

			in_record = line[end] == '\n' && record_is_start(line, end, &trace);
		} else {
			in_record = false;
		}
	}
	int error = feof(file) ? 0 : errno;
	free(line);
	return error;
}

/* Find the number of the last record of the mailbox. */
static bool
find_last_record(int descriptor, const char *netid, uint64_t *number)
{
	int copy = dup(descriptor);
	FILE *file = copy == -1 ? NULL : fdopen(copy, "r");
	int error;

	if (file == NULL) {
		log_error(errno, MAILBOX_NAME);
		if (copy != -1) {
			close(copy);
		}
		return false;
	}
	rewind(file);
	error = scan_records(file, netid, number);
	fclose(file);
	if (error != 0) {
		log_error(error, MAILBOX_NAME);
	} else if (*number == 0) {
		log_line(LOG_ERR, MAILBOX_NAME ": no record of %s in it", netid);
	}
	return error == 0 && *number != 0;
}

/* ---- with mailbox.commit ---- */

/* Log that it is unknown whether a backup exists. */
static void
log_unreadable(int error, uint64_t number)
{
	log_error(error, MAILBOX_NAME ".%" PRIu64 "-%" PRIu64, backup_first_number(number), number);
}

/*
 * Return whether a backup up to the number of `commit` exists and has its length. If not, log why
 * the server cannot start.
 */
static bool
is_backed_up(const struct commit *commit)
{
	const struct backup_job job = {
	    .length = commit->length,
	    .first = backup_first_number(commit->number),
	    .last = commit->number,
	};

	if (commit->number % BACKUP_EVERY == 0 && backup_exists_with_size(&job)) {
		return true;
	}
	if (commit->number % BACKUP_EVERY == 0 && errno != 0) {
		log_unreadable(errno, commit->number);
	} else {
		log_line(LOG_ERR, MAILBOX_NAME ": shorter than " COMMIT_NAME " says");
	}
	return false;
}

/* Compare the acknowledged length with the `size` of the mailbox. */
static bool
check_against_commit(struct resume_point *start, const struct commit *commit, off_t size)
{
	start->number = commit->number;
	if (size >= commit->length) {
		start->length = commit->length;
	} else if (is_backed_up(commit)) {
		start->length = 0;
	} else {
		return false;
	}
	start->torn = size - start->length;
	return true;
}

/* Find the acknowledged length and last number of a mailbox of `size` bytes. */
static bool
find_resume_point(struct resume_point *start, int descriptor, off_t size, const char *netid)
{
	struct commit commit;

	switch (commit_read(&commit)) {
	case COMMIT_FOUND:
		return check_against_commit(start, &commit, size);
	case COMMIT_MISSING:
		start->length = size;
		return size > 0 ? find_last_record(descriptor, netid, &start->number)
				: find_last_backup(&start->number);
	case COMMIT_INVALID:
		break;
	}
	return false;
}

bool
recovery_inspect(struct resume_point *start, const struct mailbox *mailbox, const char *netid)
{
	struct stat status;

	*start = (struct resume_point){.length = 0};
	if (fstat(mailbox->file.descriptor, &status) == -1) {
		log_error(errno, MAILBOX_NAME);
		return false;
	}
	if (!find_resume_point(start, mailbox->file.descriptor, status.st_size, netid)) {
		return false;
	}
	start->backup_due = start->length > 0 && start->number % BACKUP_EVERY == 0;
	if (start->backup_due) {
		const struct backup_job job = {
		    .descriptor = mailbox->file.descriptor,
		    .length = start->length,
		    .first = backup_first_number(start->number),
		    .last = start->number,
		};

		start->copy_done = backup_matches_mailbox(&job);
		if (!start->copy_done && errno != 0) {
			log_unreadable(errno, start->number);
			return false;
		}
	}
	return true;
}
