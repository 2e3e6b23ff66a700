/*
 * DESCRIPTION
 *	`mailbox.commit` is written after the records of a batch and before their 250 replies; and
 *	after the truncation that ends a backup, before any further record. So these are all cases:
 *
 *	the mailbox is		then
 *	of the committed length	it is complete; a backup may be due, and may exist already
 *	longer			if the bytes after the committed length begin like the next record,
 *				or with a NUL, they were never acknowledged: a torn tail. Otherwise
 *				another program has appended them
 *	shorter			it was truncated after a backup, which exists; or another program
 *				has removed bytes, or the power was cut without --sync
 *
 *	If the committed length is 0 after a backup, and the mailbox begins with a record that the
 *	backup has, a power cut has undone the truncation.
 *
 *	If there is no `mailbox.commit`, nothing is removed, because it is unknown what was
 *	acknowledged. The greatest number in the mailbox is the last one, also if its record is
 *	torn. If the mailbox has no record, the last number is that of the last backup.
 *
 *	With and without `mailbox.commit` a backup is due if the last number is a multiple of
 *	BACKUP_EVERY, and is the greatest number of the records in the mailbox.
 *
 * DIAGNOSTICS
 *	those of commit_read()
 *	mailbox: cannot read: why
 *	mailbox.A-B: cannot read: why
 *	cannot read the directory: why
 *
 * BUGS
 *	The end of a torn record is not known. Bytes that another program appended after it are
 *	removed with it. That is possible if they were appended between a write and the write of the
 *	commit point, and then the server was killed, the power was cut, or the commit failed and no
 *	other record followed.
 *
 *	A record that was not acknowledged stays if another program has appended bytes before it
 *	since the last commit point: the whole tail counts as bytes of that program. The number of
 *	this record is given again.
 *
 *	If another program puts records with the numbers of the last backup into the mailbox, which
 *	that backup has emptied, the start removes them if the server has stored no record since.
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
#include "file.h"
#include "log.h"
#include "mailbox.h"
#include "record.h"

/* ---- the backups ---- */

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

/* Find the greatest number of a backup, or 0. Returns false, having logged why, on failure. */
static bool
find_last_backup(uint64_t *number)
{
	DIR *directory = opendir(".");
	const struct dirent *entry;
	uint64_t last;

	*number = 0;
	if (directory == NULL) {
		log_error(errno, "cannot read the directory");
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
		log_error(error, "cannot read the directory");
	}
	return error == 0;
}

/* ---- the records ---- */

/* What the lines of a mailbox have shown so far. */
struct scan {
	off_t offset;     /* of the next line */
	off_t end;        /* offset after the last empty line that may end a record, or 0 */
	uint64_t number;  /* the greatest number of a record; 0 if there is none */
	bool after_start; /* the last line is the first of a record */
	bool in_head;     /* no empty line has come since a number line */
};

/* Look at the next line, with its line feed if it has one. */
static void
scan_line(struct scan *scan, const char *line, size_t length)
{
	bool whole = line[length - 1] == '\n', after_start = scan->after_start;
	uint64_t number;

	scan->offset += (off_t)length;
	scan->after_start = whole && record_is_start(line, length - 1);
	if (after_start && record_parse_number(line, &number)) {
		scan->number = number > scan->number ? number : scan->number;
		scan->in_head = true;
	} else if (whole && length == 1) {
		scan->end = scan->in_head ? scan->end : scan->offset;
		scan->in_head = false;
	}
}

/* Look at the lines in the first `size` bytes of an open file. Returns 0 or the error number. */
static int
scan_lines(FILE *file, off_t size, struct scan *scan)
{
	char *line = NULL;
	size_t allocated = 0;
	ssize_t length = 0;

	*scan = (struct scan){.offset = 0};
	errno = 0;
	while (scan->offset < size && (length = getline(&line, &allocated, file)) != -1) {
		scan_line(scan, line, (size_t)length);
	}
	int error = length != -1 || feof(file) ? 0 : errno;
	free(line);
	return error;
}

/*
 * Look at the lines in the first `size` bytes of the mailbox. Returns true; false, having logged
 * why, on failure.
 */
static bool
scan_mailbox(int descriptor, off_t size, struct scan *scan)
{
	int copy = dup(descriptor);
	FILE *file = copy == -1 ? NULL : fdopen(copy, "r");
	int error;

	if (file == NULL) {
		log_error(errno, MAILBOX_NAME ": cannot read");
		if (copy != -1) {
			close(copy);
		}
		return false;
	}
	rewind(file);
	error = scan_lines(file, size, scan);
	fclose(file);
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot read");
	}
	return error == 0;
}

/*
 * Read the bytes from `offset` on. Returns whether they begin like a record with a number from
 * `first` to `last`, or with a NUL. A power cut leaves NULs where data have not been written: bytes
 * from the first NUL on do not count. Sets `readable` to false, having logged why, if the
 * bytes cannot be read.
 */
static bool
tail_begins_record(int descriptor, off_t offset, uint64_t first, uint64_t last, bool *readable)
{
	char bytes[RECORD_HEAD_MAX];
	const char *at = bytes;
	size_t length;
	int error = file_read_at(descriptor, bytes, sizeof bytes, offset, &length);

	*readable = error == 0;
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot read");
		return false;
	}
	/* A record after bytes that do not end in an empty line is preceded by line feeds. */
	for (int i = 0; i < 2 && length > 0 && *at == '\n'; i++) {
		at++;
		length--;
	}
	return (length > 0 && *at == '\0') || record_begins(at, strnlen(at, length), first, last);
}

/* ---- without mailbox.commit ---- */

/*
 * Find the point at which to resume by the records alone: after all `size` bytes of the mailbox.
 * Returns true; false, having logged why, on failure.
 */
static bool
resume_by_records(struct resume_point *start, int descriptor, off_t size)
{
	struct scan scan;
	bool readable = true;

	if (!scan_mailbox(descriptor, size, &scan)) {
		return false;
	}
	start->length = size;
	start->number = scan.number;
	start->unended_length = size - scan.end;
	start->incomplete = start->unended_length > 0 &&
			    tail_begins_record(descriptor, scan.end, 1, NUMBER_MAX, &readable);
	return readable && (start->number > 0 || find_last_backup(&start->number));
}

/* ---- with mailbox.commit ---- */

/* Log that it is unknown whether a backup exists. */
static void
log_unreadable(int error, uint64_t number)
{
	log_error(error, MAILBOX_NAME ".%" PRIu64 "-%" PRIu64 ": cannot read",
	    backup_first_number(number), number);
}

/*
 * Decide about the bytes from `offset` up to `size`. If they begin with a NUL, or with a record
 * whose number is from `first` to the next number, they are a torn tail: the record with the next
 * number was never acknowledged, and a backup has the others. If no backup has any of them, `first`
 * is the next number. Other bytes are another program's. Returns true; false, having logged why, if
 * they cannot be read.
 */
static bool
classify_tail(struct resume_point *start, int descriptor, off_t offset, off_t size, uint64_t first)
{
	bool readable = true;

	start->length = offset;
	if (offset == size) {
		return true;
	}
	if (tail_begins_record(descriptor, offset, first, start->number + 1, &readable)) {
		start->torn_length = size - offset;
	} else {
		start->length = size;
		start->foreign_length = size - offset;
	}
	return readable;
}

/*
 * Find out whether a backup up to `commit->number` exists and has at least `commit->length` bytes.
 * Returns true and sets `exists`; or returns false, having logged why, if that is unknown.
 */
static bool
find_backup(const struct commit *commit, bool *exists)
{
	const struct backup_job job = {
	    .length = commit->length,
	    .first = backup_first_number(commit->number),
	    .last = commit->number,
	};
	int error = 0;

	*exists = false;
	if (commit->number > 0 && commit->number % BACKUP_EVERY == 0) {
		error = backup_check_exists(&job, exists);
	}
	if (error != 0) {
		log_unreadable(error, commit->number);
	}
	return error == 0;
}

/*
 * Find the point at which to resume by the commit point: compare its length with the `size` of the
 * mailbox. Returns true; false, having logged why, on failure.
 */
static bool
resume_by_commit_point(
    struct resume_point *start, const struct commit *commit, int descriptor, off_t size)
{
	uint64_t next = commit->number + 1;
	bool backed_up = false;

	start->number = commit->number;
	if ((size < commit->length || commit->length == 0) && !find_backup(commit, &backed_up)) {
		return false;
	}
	if (commit->length == 0 && backed_up) {
		/* The mailbox was truncated: a power cut may have undone that. */
		return classify_tail(
		    start, descriptor, 0, size, backup_first_number(commit->number));
	}
	if (size >= commit->length) {
		return classify_tail(start, descriptor, commit->length, size, next);
	}
	if (backed_up) {
		return classify_tail(start, descriptor, 0, size, next);
	}
	start->length = size;
	start->missing_length = commit->length - size;
	return true;
}

/* ---- in both cases ---- */

/* Find the point at which to resume a mailbox of `size` bytes. Returns as recovery_inspect(). */
static bool
find_resume_point(struct resume_point *start, int descriptor, off_t size)
{
	struct commit commit;

	switch (commit_read(&commit)) {
	case COMMIT_FOUND:
		return resume_by_commit_point(start, &commit, descriptor, size);
	case COMMIT_MISSING:
		return resume_by_records(start, descriptor, size);
	case COMMIT_INVALID:
		break;
	}
	return false;
}

/*
 * Find out whether a backup is due, as the DESCRIPTION says, and how much of the mailbox it already
 * has. Returns true; false, having logged why, on failure.
 */
static bool
find_due_backup(struct resume_point *start, int descriptor)
{
	struct scan scan;
	struct backup_job job = {
	    .descriptor = descriptor,
	    .length = start->length,
	    .first = backup_first_number(start->number),
	    .last = start->number,
	};
	int error;

	if (start->length == 0 || start->number == 0 || start->number % BACKUP_EVERY != 0) {
		return true;
	}
	if (!scan_mailbox(descriptor, start->length, &scan)) {
		return false;
	}
	start->backup_due = scan.number == start->number;
	error = start->backup_due ? backup_find_copied_length(&job, &start->copied_length) : 0;
	if (error != 0) {
		log_unreadable(error, start->number);
	}
	return error == 0;
}

bool
recovery_inspect(struct resume_point *start, const struct mailbox *mailbox)
{
	struct stat status;

	*start = (struct resume_point){.length = 0};
	if (fstat(mailbox->file.descriptor, &status) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot read");
		return false;
	}
	return find_resume_point(start, mailbox->file.descriptor, status.st_size) &&
	       find_due_backup(start, mailbox->file.descriptor);
}
