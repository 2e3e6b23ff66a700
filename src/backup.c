/*
 * NAME
 *	backup - the thread that moves every BACKUP_EVERY messages to a file of their own
 *
 * DESCRIPTION
 *	The copy is made as `mailbox.backup` and takes its name only when it is complete, so that
 *	a file `mailbox.A-B` is always complete. A file that has that name already, from an earlier
 *	run, is renamed first, in the manner of numbered backups: NAME.~1~, NAME.~2~, ... No process
 *	else chooses these names in the meantime: the lock on `mailbox` keeps other servers out.
 *
 * DIAGNOSTICS
 *	backup of NAME failed: why	it will be tried again with the next message
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
#include "thread.h"

#define BACKUP_MODE (S_IRUSR | S_IWUSR)

/* Bytes copied at once, in memory of the one thread that does it: its stack may be small. */
#define COPY_SIZE 65536

/* Space for "mailbox.A-B", and for ".~N~" after it. */
#define NAME_SIZE     (sizeof MAILBOX_NAME ".18446744073709551615-18446744073709551615")
#define OLD_NAME_SIZE (NAME_SIZE + sizeof ".~4294967295~")

static void
format_backup_name(const struct backup_job *job, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, MAILBOX_NAME ".%" PRIu64 "-%" PRIu64, job->first, job->last);
}

/*
 * Copy the first `length` bytes of `from` to `to`. Returns 0 or the error number: EIO if there are
 * not as many, because another program has truncated the file.
 */
static int
copy_bytes(int from, int to, off_t length)
{
	static char bytes[COPY_SIZE];
	off_t offset = 0;
	int error = 0;

	while (error == 0 && offset < length) {
		off_t left = length - offset;
		size_t wanted = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		size_t got;

		error = file_read_at(from, bytes, wanted, offset, &got);
		if (error == 0 && got < wanted) {
			error = EIO;
		}
		if (error == 0) {
			error = file_write_at(to, bytes, got, offset);
		}
		offset += (off_t)wanted;
	}
	return error;
}

/* Make the copy under its unfinished name. Returns 0 or the error number. */
static int
copy_mailbox(const struct backup_job *job)
{
	int descriptor, error;

	/* Whatever has this name, it is not to be written to: it may be a link to the mailbox. */
	if (unlink(BACKUP_TEMP_NAME) == -1 && errno != ENOENT) {
		return errno;
	}
	descriptor = open(BACKUP_TEMP_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, BACKUP_MODE);
	if (descriptor == -1) {
		return errno;
	}
	error = copy_bytes(job->descriptor, descriptor, job->length);
	if (error == 0 && job->sync) {
		error = file_sync(descriptor);
	}
	/* Some file systems report only here that there was no space. */
	if (close(descriptor) == -1 && error == 0 && errno != EINTR) {
		error = errno;
	}
	return error;
}

/* Rename a backup of an earlier run out of the way. Returns 0 or the error number. */
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
			 * Otherwise a crash could leave the copy under this name and the old backup
			 * under none.
			 */
			return sync ? file_sync_directory() : 0;
		}
	}
	return EEXIST;
}

/* Give the copy its name. Returns 0 or the error number. */
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
			/* The next try makes it again, and must not take it for an older one. */
			unlink(name);
		}
	}
	return error;
}

int
backup_create(const struct backup_job *job)
{
	int error = copy_mailbox(job);

	if (error == 0) {
		error = rename_into_place(job);
	}
	if (error != 0) {
		unlink(BACKUP_TEMP_NAME);
	}
	return error;
}

/* Close a descriptor and set errno to `error`. */
static void
close_set_errno(int descriptor, int error)
{
	close(descriptor);
	errno = error;
}

/*
 * Open the backup that the job would make, if it is there and of the right size. Or return -1 with
 * errno as backup_exists_with_size() has it.
 */
static int
open_existing(const struct backup_job *job)
{
	char name[NAME_SIZE];
	struct stat status;
	int descriptor;

	format_backup_name(job, name);
	descriptor = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (descriptor == -1) {
		/* ELOOP: a symbolic link is no backup. */
		errno = errno == ENOENT || errno == ELOOP ? 0 : errno;
		return -1;
	}
	if (fstat(descriptor, &status) == -1) {
		close_set_errno(descriptor, errno);
		return -1;
	}
	if (!S_ISREG(status.st_mode) || status.st_size != job->length) {
		close_set_errno(descriptor, 0);
		return -1;
	}
	return descriptor;
}

bool
backup_exists_with_size(const struct backup_job *job)
{
	int descriptor = open_existing(job);

	if (descriptor != -1) {
		close(descriptor);
	}
	return descriptor != -1;
}

/*
 * Find out whether the first `length` bytes of two files are there and the same. Returns 0 or the
 * error number.
 */
static int
compare_files(int one, int other, off_t length, bool *equal)
{
	static char bytes[COPY_SIZE], other_bytes[COPY_SIZE];
	size_t got, other_got;
	int error = 0;

	*equal = true;
	for (off_t offset = 0; error == 0 && *equal && offset < length; offset += COPY_SIZE) {
		off_t left = length - offset;
		size_t wanted = left < COPY_SIZE ? (size_t)left : COPY_SIZE;

		error = file_read_at(one, bytes, wanted, offset, &got);
		if (error == 0) {
			error = file_read_at(other, other_bytes, wanted, offset, &other_got);
		}
		*equal = error == 0 && got == wanted && other_got == wanted &&
			 memcmp(bytes, other_bytes, wanted) == 0;
	}
	return error;
}

bool
backup_matches_mailbox(const struct backup_job *job)
{
	int descriptor = open_existing(job);
	bool equal;

	if (descriptor == -1) {
		return false;
	}
	close_set_errno(
	    descriptor, compare_files(descriptor, job->descriptor, job->length, &equal));
	return equal;
}

/* One try from beginning to end. */
static void
run_backup(struct mailbox *mailbox, const struct backup_job *job)
{
	int error = job->copy_done ? 0 : backup_create(job);

	error = mailbox_backup_finished(mailbox, error);
	if (error == 0) {
		counters_add(COUNTER_BACKUPS, 1);
	} else {
		char name[NAME_SIZE];

		format_backup_name(job, name);
		log_error(error, "backup of %s failed", name);
	}
}

static void *
backup_main(void *argument)
{
	struct mailbox *mailbox = argument;
	struct backup_job job;

	while (mailbox_wait_for_job(mailbox, &job)) {
		run_backup(mailbox, &job);
	}
	return NULL;
}

int
backup_start(pthread_t *thread, struct mailbox *mailbox)
{
	return thread_start(thread, backup_main, mailbox);
}
