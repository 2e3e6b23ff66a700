/*
 * NAME
 *	mailbox - monitor 2: the file `mailbox`, its numbers, and the turn of the backup
 *
 * DESCRIPTION
 *	See mailbox.h for the design, the invariants and their proof. A record is appended with one
 *	writev() of three parts, the number line between the two parts that the message brought.
 *
 * DIAGNOSTICS
 *	mailbox: why it cannot be opened, locked, emptied, written or cut back
 *
 * BUGS
 *	The lock is fcntl()'s, which other programs may ignore.
 */

#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bounds.h"
#include "counters.h"
#include "log.h"

#define MAILBOX_MODE (S_IRUSR | S_IWUSR)

/* ---- start ---- */

/* Lock the file against other processes. Returns whether it worked, and logs who has it if not. */
static bool
lock_file(int descriptor)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(descriptor, F_SETLK, &lock) == 0) {
		return true;
	}
	int error = errno;
	if ((error == EAGAIN || error == EACCES) && fcntl(descriptor, F_GETLK, &lock) == 0 &&
	    lock.l_type != F_UNLCK) {
		log_line(MAILBOX_NAME ": in use by process %ld", (long)lock.l_pid);
	} else {
		log_error(error, MAILBOX_NAME ": cannot lock it");
	}
	return false;
}

/* Open and lock the file. Returns its descriptor, or -1, having logged why. */
static int
open_file(void)
{
	struct stat status;
	/* O_NONBLOCK: opening a pipe that nobody reads must not wait. */
	int descriptor = open(MAILBOX_NAME,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, MAILBOX_MODE);

	if (descriptor == -1) {
		log_error(errno, MAILBOX_NAME "%s", errno == ELOOP ? ": is a symbolic link" : "");
		return -1;
	}
	if (fstat(descriptor, &status) == -1) {
		log_error(errno, MAILBOX_NAME "");
	} else if (!S_ISREG(status.st_mode)) {
		log_line(MAILBOX_NAME ": not a regular file");
	} else if (lock_file(descriptor)) {
		return descriptor;
	}
	close(descriptor);
	return -1;
}

bool
mailbox_open(struct mailbox *mailbox)
{
	int error;

	*mailbox = (struct mailbox){.first = 1};
	error = pthread_mutex_init(&mailbox->mutex, NULL);
	if (error == 0) {
		error = pthread_cond_init(&mailbox->backup_needed, NULL);
	}
	if (error == 0) {
		error = pthread_cond_init(&mailbox->backup_done, NULL);
	}
	if (error != 0) {
		log_error(error, MAILBOX_NAME);
		return false;
	}
	mailbox->descriptor = open_file();
	return mailbox->descriptor != -1;
}

bool
mailbox_empty(struct mailbox *mailbox)
{
	if (fchmod(mailbox->descriptor, MAILBOX_MODE) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot make it private");
		return false;
	}
	if (ftruncate(mailbox->descriptor, 0) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot empty it");
		return false;
	}
	return true;
}

/* ---- delivery: all of these with the mutex held ---- */

/* Cut off what a failed append left behind the last whole record. Returns 0 or the error number. */
static int
cut_back(struct mailbox *mailbox)
{
	while (ftruncate(mailbox->descriptor, mailbox->length) == -1) {
		if (errno != EINTR) {
			int error = errno;

			log_error(error, MAILBOX_NAME ": cannot cut it back");
			return error;
		}
	}
	mailbox->torn = false;
	return 0;
}

/* Step over `written` bytes of the parts. Returns how many parts are left to write. */
static int
skip_written(struct iovec **parts, int count, size_t written)
{
	while (count > 0 && written >= (*parts)->iov_len) {
		written -= (*parts)->iov_len;
		(*parts)++;
		count--;
	}
	if (count > 0) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + written;
		(*parts)->iov_len -= written;
	}
	return count;
}

/* Write all parts, however often writev() must be called. Returns 0 or the error number. */
static int
write_parts(int descriptor, struct iovec *parts, int count)
{
	while (count > 0) {
		ssize_t written = writev(descriptor, parts, count);

		if (written > 0) {
			count = skip_written(&parts, count, (size_t)written);
		} else if (written == 0) {
			return ENOSPC;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* Append a record under `number`. Returns 0, or the error number: then the file is as before. */
static int
append(struct mailbox *mailbox, const struct record *record, uint64_t number)
{
	char line[sizeof "Number: 18446744073709551615\n"];
	int line_length = snprintf(line, sizeof line, "Number: %" PRIu64 "\n", number);
	struct iovec parts[] = {
	    {.iov_base = (char *)record->received, .iov_len = record->received_length},
	    {.iov_base = line, .iov_len = (size_t)line_length},
	    {.iov_base = (char *)record->rest, .iov_len = record->rest_length},
	};
	int error = mailbox->torn ? cut_back(mailbox) : 0;

	if (error != 0) {
		return error;
	}
	error = write_parts(mailbox->descriptor, parts, sizeof parts / sizeof parts[0]);
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": message refused");
		mailbox->torn = true;
		cut_back(mailbox);
		return error;
	}
	mailbox->length +=
	    (off_t)(record->received_length + (size_t)line_length + record->rest_length);
	return 0;
}

/* Ask for a try of the backup that is due, and wait for its end. Returns 0 or why it failed. */
static int
wait_for_backup(struct mailbox *mailbox)
{
	uint64_t begun_before = mailbox->tries_begun;

	mailbox->backup_asked = true;
	pthread_cond_signal(&mailbox->backup_needed);
	while (mailbox->backup_due && mailbox->tries_finished <= begun_before) {
		pthread_cond_wait(&mailbox->backup_done, &mailbox->mutex);
	}
	return mailbox->backup_due ? mailbox->backup_error : 0;
}

/* Whether the file now holds a whole backup. */
static void
ask_for_backup_if_full(struct mailbox *mailbox)
{
	if (mailbox->delivered % BACKUP_EVERY == 0) {
		mailbox->backup_due = true;
		mailbox->backup_asked = true;
		pthread_cond_signal(&mailbox->backup_needed);
	}
}

int
mailbox_deliver(struct mailbox *mailbox, const struct record *record, uint64_t *number)
{
	int error = 0;

	pthread_mutex_lock(&mailbox->mutex);
	/* Another delivery may have filled the file again before this one woke. */
	while (error == 0 && mailbox->backup_due) {
		error = wait_for_backup(mailbox);
	}
	if (error == 0) {
		error = append(mailbox, record, mailbox->delivered + 1);
	}
	if (error == 0) {
		*number = ++mailbox->delivered;
		ask_for_backup_if_full(mailbox);
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return error;
}

/* ---- backup ---- */

bool
mailbox_await_backup(struct mailbox *mailbox, struct backup_job *job)
{
	bool wanted;

	pthread_mutex_lock(&mailbox->mutex);
	while (!(mailbox->backup_due && mailbox->backup_asked) && !mailbox->closing) {
		pthread_cond_wait(&mailbox->backup_needed, &mailbox->mutex);
	}
	wanted = mailbox->backup_due && mailbox->backup_asked;
	if (wanted) {
		mailbox->backup_asked = false;
		mailbox->tries_begun++;
		*job = (struct backup_job){
		    .descriptor = mailbox->descriptor,
		    .length = mailbox->length,
		    .first = mailbox->first,
		    .last = mailbox->delivered,
		    .already_made = mailbox->backup_made,
		};
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return wanted;
}

/* Empty the file, whose records are in a backup now. Returns 0 or the error number. */
static int
begin_anew(struct mailbox *mailbox)
{
	off_t length = mailbox->length;
	int error;

	mailbox->length = 0;
	error = cut_back(mailbox);
	if (error != 0) {
		mailbox->length = length;
		return error;
	}
	mailbox->first = mailbox->delivered + 1;
	mailbox->backup_due = false;
	mailbox->backup_asked = false;
	mailbox->backup_made = false;
	return 0;
}

int
mailbox_backup_finished(struct mailbox *mailbox, int error)
{
	pthread_mutex_lock(&mailbox->mutex);
	if (error == 0) {
		mailbox->backup_made = true;
		error = begin_anew(mailbox);
	}
	mailbox->backup_error = error;
	mailbox->tries_finished++;
	pthread_cond_broadcast(&mailbox->backup_done);
	pthread_mutex_unlock(&mailbox->mutex);
	return error;
}

/* ---- end ---- */

void
mailbox_close(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->closing = true;
	mailbox->backup_asked = mailbox->backup_due;
	pthread_cond_signal(&mailbox->backup_needed);
	pthread_mutex_unlock(&mailbox->mutex);
}

void
mailbox_destroy(struct mailbox *mailbox)
{
	close(mailbox->descriptor);
	pthread_cond_destroy(&mailbox->backup_done);
	pthread_cond_destroy(&mailbox->backup_needed);
	pthread_mutex_destroy(&mailbox->mutex);
}
