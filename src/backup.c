/*
 * NAME
 *	backup - the thread that moves every BACKUP_EVERY messages to a file of their own
 *
 * DESCRIPTION
 *	The copy is made as `mailbox.backup` and takes its name only when it is complete, so whoever
 *	sees a file `mailbox.A-B` sees all of it. A file that has that name already, from an earlier
 *	run, is renamed first, in the manner of numbered backups: NAME.~1~, NAME.~2~, ... Nobody
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
#include "log.h"

#define BACKUP_MODE (S_IRUSR | S_IWUSR)

/* Bytes copied at once. */
#define COPY_SIZE 16384

/* Room for "mailbox.A-B", and for ".~N~" behind it. */
#define NAME_SIZE     (sizeof MAILBOX_NAME ".18446744073709551615-18446744073709551615")
#define OLD_NAME_SIZE (NAME_SIZE + sizeof ".~4294967295~")

static void
name_backup(const struct backup_job *job, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, MAILBOX_NAME ".%" PRIu64 "-%" PRIu64, job->first, job->last);
}

/* Write `length` bytes. Returns 0 or the error number. */
static int
write_all(int descriptor, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(descriptor, bytes, length);

		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		} else if (written == 0) {
			return ENOSPC;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/*
 * Copy the first `length` bytes of `from` to `to`. Returns 0 or the error number: EIO if there are
 * not as many, because somebody else has shortened the file.
 */
static int
copy_bytes(int from, int to, off_t length)
{
	char bytes[COPY_SIZE];
	off_t offset = 0;

	while (offset < length) {
		off_t left = length - offset;
		size_t wanted = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		ssize_t got = pread(from, bytes, wanted, offset);

		if (got == -1 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got == 0 ? EIO : errno;
		}
		int error = write_all(to, bytes, (size_t)got);
		if (error != 0) {
			return error;
		}
		offset += got;
	}
	return 0;
}

/* Make the copy under its unfinished name. Returns 0 or the error number. */
static int
copy_mailbox(const struct backup_job *job)
{
	int descriptor = open(BACKUP_UNFINISHED_NAME,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, BACKUP_MODE);
	int error;

	if (descriptor == -1) {
		return errno;
	}
	error = copy_bytes(job->descriptor, descriptor, job->length);
	/* Some file systems report only here that there was no room. */
	if (close(descriptor) == -1 && error == 0 && errno != EINTR) {
		error = errno;
	}
	if (error != 0) {
		unlink(BACKUP_UNFINISHED_NAME);
	}
	return error;
}

/* Rename a backup of an earlier run out of the way. Returns 0 or the error number. */
static int
keep_old(const char *name)
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
			return rename(name, old_name) == -1 ? errno : 0;
		}
	}
	return EEXIST;
}

int
backup_make(const struct backup_job *job)
{
	char name[NAME_SIZE];
	int error;

	name_backup(job, name);
	error = copy_mailbox(job);
	if (error == 0) {
		error = keep_old(name);
		if (error == 0 && rename(BACKUP_UNFINISHED_NAME, name) == -1) {
			error = errno;
		}
		if (error != 0) {
			unlink(BACKUP_UNFINISHED_NAME);
		}
	}
	return error;
}

/* One try from beginning to end. */
static void
back_up(struct mailbox *mailbox, const struct backup_job *job)
{
	int error = job->already_made ? 0 : backup_make(job);

	error = mailbox_backup_finished(mailbox, error);
	if (error == 0) {
		counters_add(COUNTER_BACKUPS, 1);
	} else {
		char name[NAME_SIZE];

		name_backup(job, name);
		log_error(error, "backup of %s failed", name);
	}
}

static void *
work(void *argument)
{
	struct mailbox *mailbox = argument;
	struct backup_job job;

	while (mailbox_await_backup(mailbox, &job)) {
		back_up(mailbox, &job);
	}
	return NULL;
}

int
backup_start(pthread_t *thread, struct mailbox *mailbox)
{
	return pthread_create(thread, NULL, work, mailbox);
}
