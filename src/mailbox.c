/*
 * NAME
 *	mailbox - monitor 2: the file `mailbox`, its numbers, the flushes and the turn of the backup
 *
 * DESCRIPTION
 *	See mailbox.h for the design, the invariants and their proof. A record is appended with one
 *	writev() of three parts, the number line between the two parts that the message brought.
 *
 * DIAGNOSTICS
 *	mailbox: why it cannot be opened, locked, emptied, written or cut back
 *
 * BUGS
 *	The lock is flock()'s, which programs that ask with fcntl() do not see. But it belongs to
 *	the open file: unlike theirs it is not lost when some other descriptor of it is closed.
 *
 *	Some versions of glibc may, very rarely, lose a signal (its bug 25847). Whoever should have
 *	been woken from the wait for a backup sleeps on until the next backup has been made or, with
 *	sync, until the next message comes.
 */

#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bounds.h"
#include "commit.h"
#include "file.h"
#include "log.h"

#define MAILBOX_MODE (S_IRUSR | S_IWUSR)

/* ---- start ---- */

/* Lock the file against other processes. Returns whether it worked. */
static bool
lock_file(int descriptor)
{
	if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
		return true;
	}
	if (errno == EWOULDBLOCK) {
		log_line(MAILBOX_NAME ": in use by another server");
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

/* Make mutex and condition variables. Returns 0 or the error number. */
static int
init_monitor(struct mailbox *mailbox)
{
	int error = pthread_mutex_init(&mailbox->mutex, NULL);

	if (error == 0) {
		error = pthread_cond_init(&mailbox->backup_needed, NULL);
	}
	if (error == 0) {
		error = pthread_cond_init(&mailbox->backup_done, NULL);
	}
	if (error == 0) {
		error = pthread_cond_init(&mailbox->flush_done, NULL);
	}
	return error;
}

bool
mailbox_open(struct mailbox *mailbox, bool keep, bool sync)
{
	int error;

	*mailbox = (struct mailbox){.commit_descriptor = -1, .keep = keep, .sync = sync};
	error = init_monitor(mailbox);
	if (error != 0) {
		log_error(error, MAILBOX_NAME);
		return false;
	}
	mailbox->descriptor = open_file();
	return mailbox->descriptor != -1;
}

/* Note in `mailbox.commit` what has been acknowledged, if that is wanted. */
static int
note_commit(const struct mailbox *mailbox, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};

	return mailbox->keep ? commit_write(mailbox->commit_descriptor, &commit) : 0;
}

/* Flush the files that are open by now, and the names that they may have got. */
static int
flush_beginning(const struct mailbox *mailbox)
{
	int error = file_sync(mailbox->descriptor);

	if (error == 0 && mailbox->commit_descriptor != -1) {
		error = file_sync(mailbox->commit_descriptor);
	}
	return error == 0 ? file_sync_directory() : error;
}

/* Open `mailbox.commit`; make it first if it is missing. Returns 0 or the error number. */
static int
open_commit(struct mailbox *mailbox, const struct mailbox_start *start)
{
	const struct commit commit = {.length = start->length, .number = start->number};
	int error = 0;

	/* What a run without sync has left is on the disk before anything promises it. */
	if (mailbox->sync) {
		error = flush_beginning(mailbox);
	}
	if (error == 0) {
		error = commit_create(&commit, mailbox->sync);
	}
	if (error == 0) {
		mailbox->commit_descriptor = commit_open();
		error = mailbox->commit_descriptor == -1 ? errno : 0;
	}
	return error;
}

/* Bring the files into the state from which to go on. Returns 0 or the error number. */
static int
begin_files(struct mailbox *mailbox, const struct mailbox_start *start)
{
	int error = 0;

	/* On a file system without modes, or in somebody else's file, it must do as it is. */
	if (fchmod(mailbox->descriptor, MAILBOX_MODE) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot make it private");
	}
	if (mailbox->keep) {
		error = open_commit(mailbox, start);
	} else {
		error = commit_remove();
	}
	if (error == 0) {
		error = file_truncate(mailbox->descriptor, start->length);
	}
	if (error == 0) {
		error = note_commit(mailbox, start->length, start->number);
	}
	return error == 0 && mailbox->sync ? flush_beginning(mailbox) : error;
}

bool
mailbox_begin(struct mailbox *mailbox, const struct mailbox_start *start)
{
	static const struct mailbox_start anew = {.length = 0};
	int error;

	if (!start) {
		start = &anew;
	}
	error = begin_files(mailbox, start);
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot begin");
		return false;
	}
	if (start->torn > 0) {
		log_line(MAILBOX_NAME ": cut off %jd bytes that were never acknowledged",
		    (intmax_t)start->torn);
	}
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->delivered = mailbox->flushed = start->number;
	mailbox->length = mailbox->flushed_length = start->length;
	mailbox->backup_due = mailbox->backup_asked = start->backup_due;
	mailbox->backup_made = start->backup_made;
	pthread_cond_signal(&mailbox->backup_needed);
	pthread_mutex_unlock(&mailbox->mutex);
	return true;
}

uint64_t
mailbox_first_of_group(uint64_t number)
{
	return number - (number - 1) % BACKUP_EVERY;
}

/* ---- delivery: all of these with the mutex held ---- */

/*
 * Cut off what a failed append left behind the last whole record, and have `mailbox.commit` say so
 * too: with sync that is for who makes the flush. Returns 0 or the error number.
 */
static int
cut_back(struct mailbox *mailbox)
{
	int error = file_truncate(mailbox->descriptor, mailbox->length);

	if (error == 0 && !mailbox->sync) {
		error = note_commit(mailbox, mailbox->length, mailbox->delivered);
	}
	mailbox->torn = error != 0;
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot cut it back");
	}
	return error;
}

/* Append a record under the next number. Returns 0, or the error number: the file is as before. */
static int
append(struct mailbox *mailbox, const struct record *record)
{
	uint64_t number = mailbox->delivered + 1;
	char line[sizeof "Number: 18446744073709551615\n"];
	int line_length = snprintf(line, sizeof line, "Number: %" PRIu64 "\n", number);
	struct iovec parts[] = {
	    {.iov_base = (char *)record->received, .iov_len = record->received_length},
	    {.iov_base = line, .iov_len = (size_t)line_length},
	    {.iov_base = (char *)record->rest, .iov_len = record->rest_length},
	};
	off_t length = mailbox->length +
		       (off_t)(record->received_length + (size_t)line_length + record->rest_length);
	int error = mailbox->torn ? cut_back(mailbox) : 0;

	if (error != 0) {
		return error;
	}
	error = file_write(mailbox->descriptor, parts, sizeof parts / sizeof parts[0]);
	if (error == 0 && !mailbox->sync) {
		error = note_commit(mailbox, length, number);
	}
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": message refused");
		cut_back(mailbox);
		return error;
	}
	mailbox->delivered = number;
	mailbox->length = length;
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

/*
 * Wait until a record may be appended. Returns 0, or why the backup that is due has failed. Sets
 * `waited` if it was for a backup: the turn is then to be passed on.
 */
static int
wait_for_turn(struct mailbox *mailbox, bool *waited)
{
	int error = 0;

	while (error == 0 && (mailbox->refusing || mailbox->backup_due)) {
		if (mailbox->refusing) {
			pthread_cond_wait(&mailbox->flush_done, &mailbox->mutex);
		} else {
			*waited = true;
			error = wait_for_backup(mailbox);
		}
	}
	return error;
}

/* Have the next one enter who waits for a backup, unless one is due again. */
static void
pass_turn(struct mailbox *mailbox)
{
	if (!mailbox->backup_due) {
		pthread_cond_signal(&mailbox->backup_done);
	}
}

/* Have a backup made if the file now holds a whole one. */
static void
ask_for_backup_if_full(struct mailbox *mailbox)
{
	if (mailbox->delivered % BACKUP_EVERY == 0) {
		mailbox->backup_due = true;
		mailbox->backup_asked = true;
		pthread_cond_signal(&mailbox->backup_needed);
	}
}

/* ---- flush ---- */

/* Flush what has been appended; the mutex is not held. Returns 0 or the error number. */
static int
flush_files(const struct mailbox *mailbox, off_t length, uint64_t number)
{
	int error = file_sync(mailbox->descriptor);

	/* Not before: it must never promise what could still be lost. */
	if (error == 0) {
		error = note_commit(mailbox, length, number);
	}
	if (error == 0 && mailbox->keep) {
		error = file_sync(mailbox->commit_descriptor);
	}
	return error;
}

/* Take back every record that is not on the disk, and refuse those who wait for it. */
static void
take_back_unflushed(struct mailbox *mailbox, int error)
{
	log_error(error, MAILBOX_NAME ": %" PRIu64 " messages refused, they cannot be flushed",
	    mailbox->delivered - mailbox->flushed);
	mailbox->flush_error = error;
	mailbox->refusing = true;
	mailbox->delivered = mailbox->flushed;
	mailbox->length = mailbox->flushed_length;
	mailbox->backup_due = false;
	mailbox->backup_asked = false;
	pthread_cond_broadcast(&mailbox->backup_done);
	cut_back(mailbox);
	error = note_commit(mailbox, mailbox->length, mailbox->delivered);
	if (error != 0) {
		log_error(error, COMMIT_NAME);
	}
}

/* Make a flush for all who have appended by now. The mutex is given up meanwhile. */
static void
flush(struct mailbox *mailbox)
{
	uint64_t number = mailbox->delivered;
	off_t length = mailbox->length;
	int error;

	mailbox->flushing = true;
	pthread_mutex_unlock(&mailbox->mutex);
	error = flush_files(mailbox, length, number);
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->flushing = false;
	if (error == 0) {
		mailbox->flushed = number;
		mailbox->flushed_length = length;
		pthread_cond_signal(&mailbox->backup_needed);
	} else {
		take_back_unflushed(mailbox, error);
	}
	pthread_cond_broadcast(&mailbox->flush_done);
}

/* Whether a flush is better made later: one is under way, or others are about to append. */
static bool
flush_must_wait(const struct mailbox *mailbox)
{
	return mailbox->flushing || (mailbox->entering > 0 && !mailbox->backup_due);
}

/* Wait until the message with this number is on the disk. Returns 0 or why it is not. */
static int
wait_for_flush(struct mailbox *mailbox, uint64_t number)
{
	int error;

	mailbox->awaiting_flush++;
	while (mailbox->flushed < number && !mailbox->refusing) {
		if (flush_must_wait(mailbox)) {
			pthread_cond_wait(&mailbox->flush_done, &mailbox->mutex);
		} else {
			flush(mailbox);
		}
	}
	error = mailbox->flushed < number ? mailbox->flush_error : 0;
	mailbox->awaiting_flush--;
	if (mailbox->awaiting_flush == 0 && mailbox->refusing) {
		mailbox->refusing = false;
		pthread_cond_broadcast(&mailbox->flush_done);
	}
	return error;
}

/* Make sure that a record is where it must be before anybody hears of it. */
static int
confirm(struct mailbox *mailbox, uint64_t number)
{
	if (mailbox->sync) {
		return wait_for_flush(mailbox, number);
	}
	mailbox->flushed = mailbox->delivered;
	mailbox->flushed_length = mailbox->length;
	return 0;
}

int
mailbox_deliver(struct mailbox *mailbox, const struct record *record, uint64_t *number)
{
	bool waited = false;
	int error;

	pthread_mutex_lock(&mailbox->mutex);
	mailbox->entering++;
	error = wait_for_turn(mailbox, &waited);
	if (error == 0) {
		error = append(mailbox, record);
	}
	mailbox->entering--;
	if (error == 0) {
		*number = mailbox->delivered;
		ask_for_backup_if_full(mailbox);
	}
	/* With sync the others' flush waits for those who come: there let one more signal be too many. */
	if (waited || mailbox->sync) {
		pass_turn(mailbox);
	}
	if (error == 0) {
		error = confirm(mailbox, *number);
	} else if (mailbox->entering == 0) {
		pthread_cond_broadcast(&mailbox->flush_done);
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return error;
}

/* ---- backup ---- */

/* Whether a try is to begin. */
static bool
backup_is_needed(const struct mailbox *mailbox)
{
	return mailbox->backup_due && mailbox->backup_asked &&
	       mailbox->flushed == mailbox->delivered;
}

bool
mailbox_await_backup(struct mailbox *mailbox, struct backup_job *job)
{
	bool needed;

	pthread_mutex_lock(&mailbox->mutex);
	while (!backup_is_needed(mailbox) && !mailbox->closing) {
		pthread_cond_wait(&mailbox->backup_needed, &mailbox->mutex);
	}
	needed = backup_is_needed(mailbox);
	if (needed) {
		mailbox->backup_asked = false;
		mailbox->tries_begun++;
		*job = (struct backup_job){
		    .descriptor = mailbox->descriptor,
		    .length = mailbox->length,
		    .first = mailbox_first_of_group(mailbox->delivered),
		    .last = mailbox->delivered,
		    .already_made = mailbox->backup_made,
		    .sync = mailbox->sync,
		};
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return needed;
}

/* Empty the file, whose records are in a backup now. Returns 0 or the error number. */
static int
begin_anew(struct mailbox *mailbox)
{
	int error = file_truncate(mailbox->descriptor, 0);

	if (error == 0) {
		mailbox->length = 0;
		mailbox->flushed_length = 0;
		error = note_commit(mailbox, 0, mailbox->delivered);
	}
	/* Before any record follows: or what is left of it might be taken for these. */
	if (error == 0 && mailbox->keep && mailbox->sync) {
		error = file_sync(mailbox->commit_descriptor);
	}
	if (error == 0) {
		mailbox->backup_due = false;
		mailbox->backup_asked = false;
		mailbox->backup_made = false;
	}
	return error;
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
	if (error == 0) {
		pass_turn(mailbox);
	} else {
		pthread_cond_broadcast(&mailbox->backup_done);
	}
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

bool
mailbox_is_backed_up(const struct mailbox *mailbox)
{
	if (mailbox->backup_due) {
		log_line(MAILBOX_NAME ": messages %" PRIu64 " to %" PRIu64
				      " are still in it, their backup could not be made",
		    mailbox_first_of_group(mailbox->delivered), mailbox->delivered);
	}
	return !mailbox->backup_due;
}

void
mailbox_destroy(struct mailbox *mailbox)
{
	close(mailbox->descriptor);
	if (mailbox->commit_descriptor != -1) {
		close(mailbox->commit_descriptor);
	}
	pthread_cond_destroy(&mailbox->flush_done);
	pthread_cond_destroy(&mailbox->backup_done);
	pthread_cond_destroy(&mailbox->backup_needed);
	pthread_mutex_destroy(&mailbox->mutex);
}
