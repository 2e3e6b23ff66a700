/*
 * NAME
 *	mailbox_file - the file `mailbox` and its commit point
 *
 * DESCRIPTION
 *	A batch of records is written with one writev(), each record as three parts: the number line
 *	between the two that the message brought.
 *
 * DIAGNOSTICS
 *	mailbox: why it cannot be opened, locked or truncated
 *
 * BUGS
 *	The lock is flock()'s, which programs that use fcntl() locks do not see. But it belongs to
 *	the open file: unlike theirs it is not lost when another descriptor of it is closed.
 */

#include "mailbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "commit.h"
#include "file.h"
#include "log.h"
#include "record.h"

#define MAILBOX_MODE (S_IRUSR | S_IWUSR)

/* Parts of a record in the file: the number line comes between two that the message brought. */
#define RECORD_PARTS 3

/* ---- start ---- */

/* Lock the file against other processes. Returns false, having logged why, on failure. */
static bool
lock_file(int descriptor)
{
	if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
		return true;
	}
	if (errno == EWOULDBLOCK) {
		log_line(LOG_ERR, MAILBOX_NAME ": in use by another server");
	} else {
		log_error(errno, MAILBOX_NAME ": cannot lock it");
	}
	return false;
}

/* Open and lock the file. Returns its descriptor, or -1, having logged why. */
static int
open_file(void)
{
	struct stat status;
	/* O_NONBLOCK: open() of a FIFO without a reader must not wait. */
	int descriptor = open(MAILBOX_NAME,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, MAILBOX_MODE);

	if (descriptor == -1) {
		log_error(errno, MAILBOX_NAME "%s", errno == ELOOP ? ": is a symbolic link" : "");
		return -1;
	}
	if (fstat(descriptor, &status) == -1) {
		log_error(errno, MAILBOX_NAME "");
	} else if (!S_ISREG(status.st_mode)) {
		log_line(LOG_ERR, MAILBOX_NAME ": not a regular file");
	} else if (lock_file(descriptor)) {
		return descriptor;
	}
	close(descriptor);
	return -1;
}

bool
mailbox_file_open(struct mailbox_file *file, bool keep, bool sync)
{
	*file = (struct mailbox_file){.commit_descriptor = -1, .keep = keep, .sync = sync};
	file->descriptor = open_file();
	return file->descriptor != -1;
}

/* With `keep`, write the commit point, and with `sync` flush it. Returns 0 or the error number. */
static int
write_commit(const struct mailbox_file *file, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};
	int error = file->keep ? commit_write(file->commit_descriptor, &commit) : 0;

	if (error == 0 && file->keep && file->sync) {
		error = file_sync(file->commit_descriptor);
	}
	return error;
}

/* Flush the open files and the directory. Returns 0 or the error number. */
static int
flush_files(const struct mailbox_file *file)
{
	int error = file_sync(file->descriptor);

	if (error == 0 && file->commit_descriptor != -1) {
		error = file_sync(file->commit_descriptor);
	}
	return error == 0 ? file_sync_directory() : error;
}

/* Open `mailbox.commit`; make it first if it is missing. Returns 0 or the error number. */
static int
open_commit(struct mailbox_file *file, const struct resume_point *start)
{
	const struct commit commit = {.length = start->length, .number = start->number};
	int error = 0;

	/* Flush what a run without --sync left, before mailbox.commit refers to it. */
	if (file->sync) {
		error = flush_files(file);
	}
	if (error == 0) {
		error = commit_create(&commit, file->sync);
	}
	if (error == 0) {
		file->commit_descriptor = commit_open();
		error = file->commit_descriptor == -1 ? errno : 0;
	}
	return error;
}

int
mailbox_file_resume(struct mailbox_file *file, const struct resume_point *start)
{
	int error = 0;

	/* Not fatal: the file system may have no modes, or the file another owner. */
	if (fchmod(file->descriptor, MAILBOX_MODE) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot make it private");
	}
	if (file->keep) {
		error = open_commit(file, start);
	} else {
		error = commit_remove();
	}
	if (error == 0) {
		error = file_truncate(file->descriptor, start->length);
	}
	if (error == 0) {
		error = write_commit(file, start->length, start->number);
	}
	if (error == 0 && file->sync) {
		error = flush_files(file);
	}
	file->length = start->length;
	file->last_number = start->number;
	return error;
}

/* ---- records ---- */

static struct iovec
make_iovec(const char *bytes, size_t length)
{
	return (struct iovec){.iov_base = (char *)bytes, .iov_len = length};
}

int
mailbox_file_append(const struct mailbox_file *file, const struct record *const *records,
    size_t count, off_t *length)
{
	char lines[BACKUP_EVERY][RECORD_NUMBER_SIZE];
	struct iovec parts[BACKUP_EVERY * RECORD_PARTS], *part = parts;

	*length = 0;
	for (size_t i = 0; i < count; i++) {
		const struct record *record = records[i];
		size_t line_length = record_format_number(file->last_number + 1 + i, lines[i]);

		*part++ = make_iovec(record->received, record->received_length);
		*part++ = make_iovec(lines[i], line_length);
		*part++ = make_iovec(record->rest, record->rest_length);
		*length += (off_t)(record->received_length + line_length + record->rest_length);
	}
	return file_write(file->descriptor, parts, (int)(part - parts));
}

int
mailbox_file_commit(const struct mailbox_file *file, off_t length, uint64_t number)
{
	int error = file->sync ? file_sync(file->descriptor) : 0;

	/* Not before the flush: the commit point must never cover what could still be lost. */
	return error == 0 ? write_commit(file, length, number) : error;
}

int
mailbox_file_roll_back(struct mailbox_file *file)
{
	/* The commit point first: it must never be ahead of the file. */
	int error = write_commit(file, file->length, file->last_number);
	int truncate_error = file_truncate(file->descriptor, file->length);

	error = error == 0 ? truncate_error : error;
	file->torn = error != 0;
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot truncate");
	}
	return error;
}

int
mailbox_file_empty(struct mailbox_file *file)
{
	int error = file_truncate(file->descriptor, 0);

	if (error == 0) {
		file->length = 0;
		/* Before any record is appended, which the old commit point would cover. */
		error = write_commit(file, 0, file->last_number);
	}
	return error;
}

/* ---- end ---- */

void
mailbox_file_close(struct mailbox_file *file)
{
	close(file->descriptor);
	if (file->commit_descriptor != -1) {
		close(file->commit_descriptor);
	}
}
