/*
 * NAME
 *	backup - the thread that moves every BACKUP_EVERY messages to a file of their own
 *
 * DESCRIPTION
 *	The copy is made as `mailbox.backup` and takes its name only when it is complete, so that
 *	no file `mailbox.A-B` is a part of a copy. A file that has this name from an earlier run is
 *	renamed first, as GNU tools number backups: mailbox.A-B.~1~, mailbox.A-B.~2~, ... No other
 *	server takes these names, because it needs the lock on `mailbox` for that. It can get the
 *	lock only if `mailbox` was removed or moved, and only until mailbox_file_check() has locked
 *	the file that has the name then.
 *
 *	If a step fails, `mailbox.backup` is removed, the mailbox stays as it is, and the attempt
 *	has failed. mailbox.h says when the next one is made.
 *
 * DIAGNOSTICS
 *	NAME: backup failed, will retry: why	once for each reason; after a stop the next start
 *						with --keep retries
 *	NAME: backup failed, will retry: mailbox.backup: why	it cannot be made
 *	NAME: backup made, after N failed attempts
 *	NAME: nothing left to back up, after N failed attempts	another program has emptied or
 *								replaced the mailbox
 *
 * BUGS
 *	If another program overwrites bytes of the mailbox without changing its length, while the
 *	backup is made, the backup may have the former bytes.
 */

#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "file.h"
#include "log.h"
#include "monotonic.h"
#include "thread.h"

#define BACKUP_MODE (S_IRUSR | S_IWUSR)

/* Bytes compared at once. */
#define COMPARE_SIZE 65536

/* How often an attempt makes or extends the backup while other programs change the mailbox. */
#define COPIES_MAX 17

/* Space for "mailbox.A-B", and for ".~N~" after it. */
#define NAME_SIZE     (sizeof MAILBOX_NAME ".18446744073709551615-18446744073709551615")
#define OLD_NAME_SIZE (NAME_SIZE + sizeof ".~4294967295~")

static void
format_backup_name(const struct backup_job *job, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, MAILBOX_NAME ".%" PRIu64 "-%" PRIu64, job->first, job->last);
}

/*
 * Flush a copy (with `sync`), if `error` is 0, and close it. `error` is the result of the writing.
 * Returns that if it is not 0; otherwise 0 or the error number.
 */
static int
finish_copy(int descriptor, bool sync, int error)
{
	if (error == 0 && sync) {
		error = file_sync(descriptor);
	}
	/* Some file systems report only here that there was no space. */
	if (close(descriptor) == -1 && error == 0 && errno != EINTR) {
		error = errno;
	}
	return error;
}

/* Create the file for the copy. Returns 0 with its descriptor, or the error number. */
static int
create_copy(int *descriptor)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;

	*descriptor = open(BACKUP_TEMP_NAME, flags, BACKUP_MODE);
	if (*descriptor == -1 && errno == EEXIST) {
		/* A crash has left it. Do not open it: it may be a link to the mailbox. */
		if (unlink(BACKUP_TEMP_NAME) == -1 && errno != ENOENT) {
			return errno;
		}
		*descriptor = open(BACKUP_TEMP_NAME, flags, BACKUP_MODE);
	}
	return *descriptor == -1 ? errno : 0;
}

/* Copy the mailbox to BACKUP_TEMP_NAME. Returns 0 or the error number. */
static int
copy_mailbox(struct backup_job *job)
{
	int descriptor, error = create_copy(&descriptor);

	job->failed_file = error != 0 ? BACKUP_TEMP_NAME : NULL;
	if (error != 0) {
		return error;
	}
	job->copied_length = 0;
	error = file_copy(job->descriptor, &job->copied_length, descriptor, 0, job->length);
	return finish_copy(descriptor, job->sync, error);
}

/* Rename the file `name`, a backup of an earlier run. Returns 0 or the error number. */
static int
rename_existing(const char *name, bool sync)
{
	char old_name[OLD_NAME_SIZE];
	struct stat status;

	if (lstat(name, &status) == -1) {
		return errno == ENOENT ? 0 : errno;
	}
	for (unsigned number = 1; number != 0; number++) {
		snprintf(old_name, sizeof old_name, "%s.~%u~", name, number);
		if (lstat(old_name, &status) == -1) {
			if (errno != ENOENT) {
				return errno;
			}
			if (rename(name, old_name) == -1) {
				return errno;
			}
			/*
			 * Otherwise a crash could leave the new backup under `name`, and this one
			 * under no name.
			 */
			return sync ? file_sync_directory() : 0;
		}
	}
	return EEXIST;
}

/* Rename BACKUP_TEMP_NAME to the name of the backup. Returns 0 or the error number. */
static int
rename_into_place(const struct backup_job *job)
{
	char name[NAME_SIZE];
	int error;

	format_backup_name(job, name);
	error = rename_existing(name, job->sync);
	if (error == 0 && rename(BACKUP_TEMP_NAME, name) == -1) {
		error = errno;
	}
	if (error == 0 && job->sync) {
		error = file_sync_directory();
		if (error != 0) {
			/* Otherwise the next attempt would rename it as one of an earlier run. */
			unlink(name);
		}
	}
	return error;
}

int
backup_create(struct backup_job *job)
{
	int error = copy_mailbox(job);

	if (error == 0) {
		error = rename_into_place(job);
	}
	if (error != 0) {
		unlink(BACKUP_TEMP_NAME);
		job->copied_length = 0;
	}
	job->exists = error == 0;
	return error;
}

/*
 * Open the file that has the name of the backup. Returns 0 with `descriptor` and `size` of it, or
 * with `descriptor` -1 if there is no regular file of that name; or the error number.
 */
static int
open_existing(const struct backup_job *job, int flags, int *descriptor, off_t *size)
{
	char name[NAME_SIZE];
	struct stat status;
	int error = 0;

	format_backup_name(job, name);
	*descriptor = open(name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*descriptor == -1) {
		/* ELOOP: a symbolic link is no backup, EISDIR: nor is a directory. */
		return errno == ENOENT || errno == ELOOP || errno == EISDIR ? 0 : errno;
	}
	if (fstat(*descriptor, &status) == -1) {
		error = errno;
	}
	if (error != 0 || !S_ISREG(status.st_mode)) {
		close(*descriptor);
		*descriptor = -1;
	} else {
		*size = status.st_size;
	}
	return error;
}

int
backup_check_exists(const struct backup_job *job, bool *exists)
{
	off_t size = 0;
	int descriptor, error = open_existing(job, O_RDONLY, &descriptor, &size);

	*exists = error == 0 && descriptor != -1 && size >= job->length;
	if (descriptor != -1) {
		close(descriptor);
	}
	return error;
}

/*
 * Find out whether the `length` bytes from `start` on of the file `one` are the first ones of the
 * file `other`. Sets `equal`. Returns 0 or the error number.
 */
static int
compare_files(int one, off_t start, int other, off_t length, bool *equal)
{
	/* Not on the stack, which may be small; one thread at a time compares. */
	static char bytes[COMPARE_SIZE], other_bytes[COMPARE_SIZE];
	size_t got, other_got;
	int error = 0;

	*equal = true;
	for (off_t offset = 0; error == 0 && *equal && offset < length; offset += COMPARE_SIZE) {
		off_t left = length - offset;
		size_t wanted = left < COMPARE_SIZE ? (size_t)left : COMPARE_SIZE;

		error = file_read_at(one, bytes, wanted, start + offset, &got);
		if (error == 0) {
			error = file_read_at(other, other_bytes, wanted, offset, &other_got);
		}
		*equal = error == 0 && got == wanted && other_got == wanted &&
			 memcmp(bytes, other_bytes, wanted) == 0;
	}
	return error;
}

int
backup_find_copied_length(const struct backup_job *job, off_t *length)
{
	off_t size = 0;
	bool equal = false;
	int descriptor, error = open_existing(job, O_RDONLY, &descriptor, &size);

	*length = 0;
	if (descriptor != -1) {
		if (size <= job->length) {
			error = compare_files(descriptor, 0, job->descriptor, size, &equal);
		}
		if (error == 0 && equal) {
			*length = size;
		}
		close(descriptor);
	}
	return error;
}

/*
 * Find the first byte of the mailbox that the backup of `size` bytes does not have, and set
 * `*offset` to it:
 * - `copied_length`, if the last bytes of the backup are those of the mailbox up to there;
 * - the end of the mailbox, if that is less, because another program has truncated it;
 * - 0, if another program has written other bytes in place of these.
 * Returns 0 or the error number.
 */
static int
find_uncopied(const struct backup_job *job, int copy, off_t size, off_t *offset)
{
	off_t length = job->length < job->copied_length ? job->length : job->copied_length;
	bool equal;
	int error = compare_files(copy, size - job->copied_length, job->descriptor, length, &equal);

	*offset = equal ? length : 0;
	return error;
}

int
backup_extend(struct backup_job *job)
{
	off_t size = 0, offset;
	bool is_missing;
	int descriptor, error = open_existing(job, O_RDWR, &descriptor, &size);

	if (error != 0) {
		return error;
	}
	if (descriptor == -1 || size < job->copied_length) {
		/* Another program has removed or truncated the backup: make it again. */
		if (descriptor != -1) {
			close(descriptor);
		}
		return backup_create(job);
	}
	error = find_uncopied(job, descriptor, size, &offset);
	is_missing = error == 0 && offset < job->length;
	if (is_missing) {
		error = file_copy(job->descriptor, &offset, descriptor, size, job->length);
	}
	if (error == 0 && (is_missing || job->sync)) {
		/* New bytes also without `sync`: close() would report an error too late. */
		error = file_sync(descriptor);
	}
	if (error == 0 && job->sync) {
		error = file_sync_directory();
	}
	if (error == 0) {
		job->copied_length = offset;
	} else {
		/* Otherwise the next attempt would append the same bytes after these. */
		file_truncate(descriptor, size);
	}
	close(descriptor);
	return error;
}

/* Make the backup, or extend it if there is one. Returns 0 or the error number. */
static int
copy_once(struct backup_job *job)
{
	if (job->length == 0) {
		/* Another program has emptied or replaced the mailbox. */
		job->copied_length = 0;
		return 0;
	}
	return job->exists ? backup_extend(job) : backup_create(job);
}

/* Make one attempt from beginning to end. Returns 0 or the error number. */
static int
make_attempt(struct mailbox *mailbox, struct backup_job *job)
{
	int copies = 0, error = job->error;

	do {
		if (error == 0) {
			/* EBUSY: other programs may append to the mailbox for ever. */
			error = copies++ < COPIES_MAX ? copy_once(job) : EBUSY;
		}
		error = mailbox_finish_attempt(mailbox, job, error);
	} while (job->extend);
	return error;
}

/* Log the result of an attempt: a failure once for each reason, and its end. */
static void
log_result(struct log_fault *fault, const struct backup_job *job, int error)
{
	char name[NAME_SIZE];
	uint64_t failures;

	format_backup_name(job, name);
	if (error != 0) {
		if (log_fault_failed(fault, error, 1)) {
			log_error(error, "%s: backup failed, will retry%s%s", name,
			    job->failed_file != NULL ? ": " : "",
			    job->failed_file != NULL ? job->failed_file : "");
		}
		return;
	}
	failures = fault->count > 0 ? log_fault_worked(fault, monotonic_now()) : 0;
	if (failures > 0) {
		log_line(LOG_WARNING, "%s: %s, after %" PRIu64 " failed attempt%s", name,
		    job->exists ? "backup made" : "nothing left to back up", failures,
		    failures == 1 ? "" : "s");
	}
}

static void *
backup_main(void *argument)
{
	struct mailbox *mailbox = argument;
	struct log_fault fault = {.count = 0};
	struct backup_job job;

	while (mailbox_wait_for_job(mailbox, &job)) {
		int error = make_attempt(mailbox, &job);

		if (error == 0 && job.exists) {
			counters_add(COUNTER_BACKUPS, 1);
		}
		log_result(&fault, &job, error);
	}
	return NULL;
}

int
backup_start(pthread_t *thread, struct mailbox *mailbox)
{
	return thread_start(thread, backup_main, mailbox);
}
