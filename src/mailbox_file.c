/*
 * NAME
 *	mailbox_file - the file `mailbox` and its commit point
 *
 * DESCRIPTION
 *	Open, check, commit, roll back and truncate. mailbox_append.c appends.
 *
 * DIAGNOSTICS
 *	those of safe_open_log()
 *	mailbox: cannot set mode 0600, continuing: why
 *	mailbox: N bytes of another program at its end: going on after them
 *	mailbox: N bytes shorter than before: going on from its end
 *	mailbox: replaced by another file: going on there with message N
 *	mailbox: removed or moved, and made again: going on there with message N
 *	mailbox: cannot truncate: why	once, until it can
 *	mailbox.commit: cannot write: why	likewise
 *
 * BUGS
 *	Bytes that another program appends in the microseconds between the last look at the size
 *	and a truncation are lost. If it truncates the file in that time, NULs can take the place of
 *	what it removed.
 */

#include "mailbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commit.h"
#include "file.h"
#include "log.h"
#include "safe_open.h"

#define MAILBOX_MODE (S_IRUSR | S_IWUSR)

/* The end of the log line if another server has locked the file: see safe_open_log(). */
#define AT_START      "start this one in another directory"
#define WHILE_RUNNING "messages are refused until it stops"

/* ---- start ---- */

/* Set which file is open. */
static void
set_identity(struct mailbox_file *file, int descriptor, const struct stat *status)
{
	file->descriptor = descriptor;
	file->device = status->st_dev;
	file->inode = status->st_ino;
}

bool
mailbox_file_open(struct mailbox_file *file, bool keep, bool sync)
{
	static const char *const others[] = {BACKUP_TEMP_NAME, COMMIT_NAME, COMMIT_NEW_NAME};
	struct open_refusal refusal;
	struct stat status;
	int descriptor;

	*file = (struct mailbox_file){
	    .descriptor = -1, .commit_descriptor = -1, .keep = keep, .sync = sync, .separator = ""};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		refusal = safe_open_check(others[i]);
		if (refusal.error != 0) {
			safe_open_log(&file->log, others[i], &refusal, AT_START);
			log_write_deferred(&file->log);
			return false;
		}
	}
	refusal = safe_open(MAILBOX_NAME, &descriptor, &status);
	if (refusal.error != 0) {
		safe_open_log(&file->log, MAILBOX_NAME, &refusal, AT_START);
		log_write_deferred(&file->log);
		return false;
	}
	set_identity(file, descriptor, &status);
	return true;
}

/* Find what must follow the first `length` bytes before a record. Returns 0 or the error number. */
static int
find_separator(struct mailbox_file *file, off_t length)
{
	return file_missing_line_feeds(file->descriptor, length, &file->separator);
}

/*
 * Write the commit point, if its file is open, and with `sync` flush it. Returns 0 or the error
 * number.
 */
static int
write_commit_point(const struct mailbox_file *file, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};
	int error;

	if (file->commit_descriptor == -1) {
		return 0;
	}
	error = commit_write(file->commit_descriptor, &commit);
	return error == 0 && file->sync ? file_sync(file->commit_descriptor) : error;
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

/*
 * Open `mailbox.commit`; if it is missing, create it first, with this commit point. Returns 0 or
 * the error number.
 */
static int
open_commit_file(struct mailbox_file *file, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};
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

/*
 * Find out whether the file is to be truncated to `start`: without keep if it is longer; with keep
 * only if it ends in a torn tail, and nothing was appended since that was found. Sets `excess` to
 * that, and `size` to the size of the file. Returns 0 or the error number.
 */
static int
find_excess(
    const struct mailbox_file *file, const struct resume_point *start, bool *excess, off_t *size)
{
	struct stat status;

	*excess = false;
	*size = 0;
	if (fstat(file->descriptor, &status) == -1) {
		return errno;
	}
	*size = status.st_size;
	*excess = file->keep ? start->torn_length > 0 && *size == start->length + start->torn_length
			     : *size > start->length;
	return 0;
}

/* Truncate the file to `start` if find_excess() says so. Returns 0 or the error number. */
static int
remove_excess(struct mailbox_file *file, struct resume_point *start)
{
	bool excess;
	off_t size;
	int error = find_excess(file, start, &excess, &size);

	if (error == 0 && excess) {
		error = file_truncate(file->descriptor, start->length);
	} else {
		start->torn_length = 0;
	}
	return error;
}

int
mailbox_file_resume(struct mailbox_file *file, struct resume_point *start)
{
	bool excess;
	off_t size;
	int error;

	/* Not fatal: the file system may have no modes. */
	if (fchmod(file->descriptor, MAILBOX_MODE) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot set mode 0600, continuing");
	}
	/* Probe, without a change: if the file cannot be truncated, the commit file must stay. */
	error = find_excess(file, start, &excess, &size);
	if (error == 0 && excess) {
		error = file_truncate(file->descriptor, size);
	}
	if (error != 0) {
		return error;
	}
	if (file->keep) {
		error = open_commit_file(file, start->length, start->number);
	} else {
		error = commit_remove();
	}
	if (error == 0) {
		error = remove_excess(file, start);
	}
	if (error == 0) {
		error = find_separator(file, start->length);
		if (error == ESTALE) {
			/* Truncated since the start was found: mailbox_file_check() will see. */
			error = 0;
		}
	}
	if (error == 0) {
		error = write_commit_point(file, start->length, start->number);
	}
	if (error == 0 && file->sync) {
		error = flush_files(file);
	}
	file->length = start->length;
	file->last_number = start->number;
	return error;
}

/* ---- other programs ---- */

void
mailbox_file_log_size(struct mailbox_file *file, off_t size)
{
	log_defer(&file->log, LOG_WARNING,
	    size > file->length
		? MAILBOX_NAME ": %jd bytes of another program at its end: going on after them"
		: MAILBOX_NAME ": %jd bytes shorter than before: going on from its end",
	    (intmax_t)(size > file->length ? size - file->length : file->length - size));
}

/* Go on from the end of the open file, `size` bytes. Returns 0 or the error number. */
static int
adopt_size(struct mailbox_file *file, off_t size)
{
	int error = find_separator(file, size);

	if (error != 0 || size == file->length) {
		return error;
	}
	error = write_commit_point(file, size, file->last_number);
	if (error == 0) {
		mailbox_file_log_size(file, size);
		file->length = size;
	}
	return error;
}

/* Log why a file may not be opened, if the error number is new. Returns the error number. */
static int
log_refusal(struct mailbox_file *file, const char *name, const struct open_refusal *refusal)
{
	if (refusal->error != file->open_error) {
		safe_open_log(&file->log, name, refusal, WHILE_RUNNING);
	}
	file->open_error = refusal->error;
	return refusal->error;
}

/*
 * Open the file that has the name `mailbox` now, or create it if it is `missing`, and go on there.
 * The commit file may have been moved with the former file: it is closed. Returns 0 or the error
 * number.
 */
static int
adopt_file(struct mailbox_file *file, bool missing)
{
	struct open_refusal refusal;
	struct stat status;
	int descriptor;

	refusal = safe_open(MAILBOX_NAME, &descriptor, &status);
	if (refusal.error != 0) {
		return log_refusal(file, MAILBOX_NAME, &refusal);
	}
	fchmod(descriptor, MAILBOX_MODE);
	close(file->descriptor);
	set_identity(file, descriptor, &status);
	file->length = status.st_size;
	file->unflushed = file->sync;
	file->open_error = 0;
	if (file->keep) {
		close(file->commit_descriptor);
		file->commit_descriptor = -1;
	}
	log_defer(&file->log, LOG_WARNING,
	    MAILBOX_NAME ": %s: going on there with message %" PRIu64,
	    missing ? "removed or moved, and made again" : "replaced by another file",
	    file->last_number + 1);
	return 0;
}

/* Open the commit file again, after it was closed. Returns 0 or the error number. */
static int
reopen_commit_file(struct mailbox_file *file)
{
	struct open_refusal refusal;
	int error = 0;

	if (file->keep && file->commit_descriptor == -1) {
		refusal = safe_open_check(COMMIT_NAME);
		if (refusal.error != 0) {
			return log_refusal(file, COMMIT_NAME, &refusal);
		}
		error = open_commit_file(file, file->length, file->last_number);
		if (error == 0) {
			error = write_commit_point(file, file->length, file->last_number);
		}
		if (error != 0 && file->commit_descriptor != -1) {
			close(file->commit_descriptor);
			file->commit_descriptor = -1;
		}
	}
	return error;
}

int
mailbox_file_look(const struct mailbox_file *file, struct stat *status, bool *named)
{
	*named = lstat(MAILBOX_NAME, status) == 0;
	if (!*named) {
		status->st_nlink = 0;
		return errno == ENOENT ? 0 : errno;
	}
	*named = status->st_ino == file->inode && status->st_dev == file->device;
	return 0;
}

int
mailbox_file_check(struct mailbox_file *file)
{
	struct stat status;
	bool named;
	int error = mailbox_file_look(file, &status, &named);

	if (error == 0 && !named) {
		error = adopt_file(file, status.st_nlink == 0);
		status.st_size = file->length;
	}
	if (error == 0) {
		error = reopen_commit_file(file);
	}
	if (error == 0 && (!named || !file->checked || status.st_size != file->length)) {
		error = adopt_size(file, status.st_size);
	}
	if (error == 0 && file->unflushed) {
		error = flush_files(file);
		file->unflushed = error != 0;
	}
	if (error == 0) {
		file->open_error = 0;
	}
	file->checked = error == 0;
	return error;
}

/* ---- records ---- */

int
mailbox_file_commit(const struct mailbox_file *file, uint64_t number)
{
	int error = file->sync ? file_sync(file->descriptor) : 0;

	/* Not before the flush: the commit point must never cover what could still be lost. */
	return error == 0 ? write_commit_point(file, file->appended_end, number) : error;
}

void
mailbox_file_set_committed(struct mailbox_file *file, uint64_t number)
{
	file->length = file->appended_end;
	file->last_number = number;
	file->appended_length = 0;
	file->separator = "";
}

int
mailbox_file_roll_back(struct mailbox_file *file)
{
	/* The commit point first: it must never be ahead of the file. */
	int error = write_commit_point(file, file->length, file->last_number);
	const char *failure = COMMIT_NAME ": cannot write";

	if (error == 0) {
		error = mailbox_file_remove_appended(file);
		failure = MAILBOX_NAME ": cannot truncate";
	}
	if (error == 0) {
		/*
		 * What stays, because bytes of another program follow, is to be committed. If that
		 * fails, nothing is lost: the next append begins with the same check.
		 */
		mailbox_file_check(file);
	} else if (!file->torn) {
		log_defer_error(&file->log, error, "%s", failure);
	}
	file->torn = error != 0;
	file->checked = false;
	return error;
}

int
mailbox_file_empty(struct mailbox_file *file)
{
	int error = file_truncate(file->descriptor, 0);

	if (error == 0) {
		file->length = 0;
		file->separator = "";
		/* Before the next record is appended: the old commit point would cover it. */
		error = write_commit_point(file, 0, file->last_number);
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
