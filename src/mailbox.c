/*
 * NAME
 *	mailbox - monitor 2: the file `mailbox`, its numbers, the flushes and the turn of the backup
 *
 * DESCRIPTION
 *	See mailbox.h for the design, the invariants and their proof. Records are written with one
 *	writev(), each as three parts: the number line between the two that the message brought.
 *
 * DIAGNOSTICS
 *	mailbox: why it cannot be opened, locked, emptied, written or cut back
 *
 * BUGS
 *	The lock is flock()'s, which programs that ask with fcntl() do not see. But it belongs to
 *	the open file: unlike theirs it is not lost when some other descriptor of it is closed.
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

#include "commit.h"
#include "file.h"
#include "log.h"
#include "params.h"

#define MAILBOX_MODE (S_IRUSR | S_IWUSR)

/* Parts of a record in the file: the number line comes between two that the message brought. */
#define RECORD_PARTS 3

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

/*
 * Note in `mailbox.commit` what has been acknowledged, if that is wanted, with sync on the disk.
 * Returns 0 or the error number.
 */
static int
write_commit(const struct mailbox *mailbox, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};
	int error = mailbox->keep ? commit_write(mailbox->commit_descriptor, &commit) : 0;

	if (error == 0 && mailbox->keep && mailbox->sync) {
		error = file_sync(mailbox->commit_descriptor);
	}
	return error;
}

/* Flush the files that are open by now, and the names that they may have got. */
static int
flush_files(const struct mailbox *mailbox)
{
	int error = file_sync(mailbox->descriptor);

	if (error == 0 && mailbox->commit_descriptor != -1) {
		error = file_sync(mailbox->commit_descriptor);
	}
	return error == 0 ? file_sync_directory() : error;
}

/* Open `mailbox.commit`; make it first if it is missing. Returns 0 or the error number. */
static int
open_commit(struct mailbox *mailbox, const struct resume_point *start)
{
	const struct commit commit = {.length = start->length, .number = start->number};
	int error = 0;

	/* What a run without sync has left is on the disk before anything promises it. */
	if (mailbox->sync) {
		error = flush_files(mailbox);
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
prepare_files(struct mailbox *mailbox, const struct resume_point *start)
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
		error = write_commit(mailbox, start->length, start->number);
	}
	return error == 0 && mailbox->sync ? flush_files(mailbox) : error;
}

/* The mailbox is full: have the backup thread try. With the mutex held. */
static void
request_backup(struct mailbox *mailbox)
{
	mailbox->backup_due = true;
	mailbox->backup_requested = true;
	mailbox->full_attempt = mailbox->attempts_started + 1;
	pthread_cond_signal(&mailbox->backup_needed);
}

bool
mailbox_resume(struct mailbox *mailbox, const struct resume_point *start)
{
	static const struct resume_point empty = {.length = 0};
	int error;

	if (start == NULL) {
		start = &empty;
	}
	error = prepare_files(mailbox, start);
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot begin");
		return false;
	}
	if (start->torn > 0) {
		log_line(MAILBOX_NAME ": cut off %jd bytes that were never acknowledged",
		    (intmax_t)start->torn);
	}
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->delivered = start->number;
	mailbox->length = start->length;
	mailbox->copy_done = start->copy_done;
	if (start->backup_due) {
		request_backup(mailbox);
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return true;
}

uint64_t
backup_first_number(uint64_t number)
{
	return number - (number - 1) % BACKUP_EVERY;
}

/* ---- delivery: all of these with the mutex held ---- */

static void
enqueue(struct mailbox *mailbox, struct waiter *waiter)
{
	if (mailbox->head != NULL) {
		mailbox->tail->next = waiter;
	} else {
		mailbox->head = waiter;
	}
	mailbox->tail = waiter;
}

/*
 * Say what became of the next `count` records in line: they are the last of those in the file or,
 * if there is an `error`, refused. A delivery that is complete leaves the queue.
 */
static void
complete(struct mailbox *mailbox, size_t count, int error)
{
	for (size_t i = 0; i < count; i++) {
		struct waiter *first = mailbox->head;
		uint64_t number = error == 0 ? mailbox->delivered - count + 1 + i : 0;

		first->deliveries[first->completed++] =
		    (struct delivery_result){.error = error, .number = number};
		if (first->completed == first->count) {
			mailbox->head = first->next;
			pthread_cond_signal(&first->turn);
		}
	}
	if (mailbox->head != NULL) {
		pthread_cond_signal(&mailbox->head->turn);
	}
}

/*
 * Collect the next records in line, as many as the next backup has space for and as go well in one
 * write. Returns how many.
 */
static size_t
gather_batch(const struct mailbox *mailbox, const struct record *records[static BACKUP_EVERY])
{
	size_t space = BACKUP_EVERY - mailbox->delivered % BACKUP_EVERY;
	size_t count = 0, bytes = 0;

	for (const struct waiter *one = mailbox->head; one != NULL; one = one->next) {
		for (size_t i = one->completed;
		     i < one->count && count < space && bytes < WRITE_BYTES_MAX; i++) {
			records[count++] = &one->records[i];
			bytes += one->records[i].rest_length;
		}
	}
	return count;
}

/*
 * Take back what may have been noted of records that do not count, and cut them or their pieces
 * off. Returns 0 or the error number: nothing may be appended then.
 */
static int
roll_back(struct mailbox *mailbox)
{
	/* In this order: the note must not promise what is no longer there. */
	int error = write_commit(mailbox, mailbox->length, mailbox->delivered);
	int cut_error = file_truncate(mailbox->descriptor, mailbox->length);

	error = error == 0 ? cut_error : error;
	mailbox->torn = error != 0;
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot cut it back");
	}
	return error;
}

static struct iovec
make_iovec(const char *bytes, size_t length)
{
	return (struct iovec){.iov_base = (char *)bytes, .iov_len = length};
}

/*
 * Write records at the end of the file, under the next numbers. Returns 0, with the bytes that they
 * take in `length`, or the error number.
 */
static int
write_records(
    const struct mailbox *mailbox, const struct record *const *records, size_t count, off_t *length)
{
	char lines[BACKUP_EVERY][sizeof "Number: 18446744073709551615\n"];
	struct iovec parts[BACKUP_EVERY * RECORD_PARTS], *part = parts;

	*length = 0;
	for (size_t i = 0; i < count; i++) {
		const struct record *record = records[i];
		size_t line_length = (size_t)snprintf(
		    lines[i], sizeof lines[i], "Number: %" PRIu64 "\n", mailbox->delivered + 1 + i);

		*part++ = make_iovec(record->received, record->received_length);
		*part++ = make_iovec(lines[i], line_length);
		*part++ = make_iovec(record->rest, record->rest_length);
		*length += (off_t)(record->received_length + line_length + record->rest_length);
	}
	return file_write(mailbox->descriptor, parts, (int)(part - parts));
}

/*
 * Make sure that what was written is where it must be before anybody hears of it: the file is
 * `length` bytes long now, the last record in it `number`. Returns 0 or the error number. To wait
 * for the disk the mutex is given up.
 */
static int
commit_batch(struct mailbox *mailbox, off_t length, uint64_t number)
{
	int error;

	if (!mailbox->sync) {
		return write_commit(mailbox, length, number);
	}
	pthread_mutex_unlock(&mailbox->mutex);
	error = file_sync(mailbox->descriptor);
	/* Not before: it must never promise what could still be lost. */
	if (error == 0) {
		error = write_commit(mailbox, length, number);
	}
	pthread_mutex_lock(&mailbox->mutex);
	return error;
}

/*
 * Write records; if they cannot be written together, the first one must do, and `count` becomes 1.
 * Otherwise like write_records().
 */
static int
write_batch(
    struct mailbox *mailbox, const struct record *const *records, size_t *count, off_t *length)
{
	int error = write_records(mailbox, records, *count, length);

	if (error != 0 && *count > 1 && roll_back(mailbox) == 0) {
		*count = 1;
		error = write_records(mailbox, records, *count, length);
	}
	return error;
}

/*
 * Store records; `count` becomes how many this is about. Returns 0 if they are stored, or why not a
 * single one of them is: the file is as before, or `torn`.
 */
static int
append_batch(struct mailbox *mailbox, const struct record *const *records, size_t *count)
{
	off_t length;
	int error = mailbox->torn ? roll_back(mailbox) : 0;

	if (error != 0) {
		return error;
	}
	error = write_batch(mailbox, records, count, &length);
	if (error == 0) {
		error =
		    commit_batch(mailbox, mailbox->length + length, mailbox->delivered + *count);
	}
	if (error != 0) {
		roll_back(mailbox);
		return error;
	}
	mailbox->delivered += *count;
	mailbox->length += length;
	return 0;
}

/* Store the next records in line, or refuse them. */
static void
deliver_batch(struct mailbox *mailbox)
{
	const struct record *records[BACKUP_EVERY];
	size_t count = gather_batch(mailbox, records);
	int error = append_batch(mailbox, records, &count);

	if (error != 0) {
		log_error(
		    error, MAILBOX_NAME ": %zu message%s refused", count, count == 1 ? "" : "s");
	} else if (mailbox->delivered % BACKUP_EVERY == 0) {
		request_backup(mailbox);
	}
	complete(mailbox, count, error);
}

/*
 * Wait for the backup that is due. Returns 0, or why a try failed that was made for the first in
 * line: not because the mailbox was full, and begun after the `attempts_at_arrival` that were before it came.
 */
static int
wait_for_backup(struct mailbox *mailbox, uint64_t attempts_at_arrival)
{
	uint64_t earlier = attempts_at_arrival > mailbox->full_attempt ? attempts_at_arrival
								       : mailbox->full_attempt;

	while (mailbox->backup_due && mailbox->attempts_finished <= earlier) {
		if (mailbox->attempts_started <= earlier) {
			mailbox->backup_requested = true;
			pthread_cond_signal(&mailbox->backup_needed);
		}
		pthread_cond_wait(&mailbox->backup_done, &mailbox->mutex);
	}
	return mailbox->backup_due ? mailbox->backup_error : 0;
}

void
mailbox_deliver(struct mailbox *mailbox, const struct record *records, size_t count,
    struct delivery_result *deliveries)
{
	struct waiter self = {.records = records,
	    .deliveries = deliveries,
	    .count = count,
	    .turn = PTHREAD_COND_INITIALIZER};
	uint64_t attempts_at_arrival;

	pthread_mutex_lock(&mailbox->mutex);
	attempts_at_arrival = mailbox->attempts_started;
	enqueue(mailbox, &self);
	while (mailbox->head != &self && self.completed < count) {
		pthread_cond_wait(&self.turn, &mailbox->mutex);
	}
	while (self.completed < count) {
		int error = mailbox->backup_due ? wait_for_backup(mailbox, attempts_at_arrival) : 0;

		if (error == 0) {
			deliver_batch(mailbox);
		} else {
			complete(mailbox, count - self.completed, error);
		}
	}
	pthread_mutex_unlock(&mailbox->mutex);
	pthread_cond_destroy(&self.turn);
}

/* ---- backup ---- */

/* Whether a try is to begin. */
static bool
backup_is_needed(const struct mailbox *mailbox)
{
	return mailbox->backup_due && mailbox->backup_requested;
}

bool
mailbox_wait_for_job(struct mailbox *mailbox, struct backup_job *job)
{
	bool needed;

	pthread_mutex_lock(&mailbox->mutex);
	while (!backup_is_needed(mailbox) && !mailbox->closing) {
		pthread_cond_wait(&mailbox->backup_needed, &mailbox->mutex);
	}
	needed = backup_is_needed(mailbox);
	if (needed) {
		mailbox->backup_requested = false;
		mailbox->attempts_started++;
		*job = (struct backup_job){
		    .descriptor = mailbox->descriptor,
		    .length = mailbox->length,
		    .first = backup_first_number(mailbox->delivered),
		    .last = mailbox->delivered,
		    .copy_done = mailbox->copy_done,
		    .sync = mailbox->sync,
		};
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return needed;
}

/* Empty the file, whose records are in a backup now. Returns 0 or the error number. */
static int
truncate_after_backup(struct mailbox *mailbox)
{
	int error = file_truncate(mailbox->descriptor, 0);

	if (error == 0) {
		mailbox->length = 0;
		/* Before any record follows: or what is left of it might be taken for these. */
		error = write_commit(mailbox, 0, mailbox->delivered);
	}
	if (error == 0) {
		mailbox->backup_due = false;
		mailbox->backup_requested = false;
		mailbox->copy_done = false;
	}
	return error;
}

int
mailbox_backup_finished(struct mailbox *mailbox, int error)
{
	pthread_mutex_lock(&mailbox->mutex);
	if (error == 0) {
		mailbox->copy_done = true;
		error = truncate_after_backup(mailbox);
	}
	mailbox->backup_error = error;
	mailbox->attempts_finished++;
	pthread_cond_signal(&mailbox->backup_done);
	pthread_mutex_unlock(&mailbox->mutex);
	return error;
}

/* ---- end ---- */

void
mailbox_close(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->closing = true;
	mailbox->backup_requested = mailbox->backup_due;
	pthread_cond_signal(&mailbox->backup_needed);
	pthread_mutex_unlock(&mailbox->mutex);
}

bool
mailbox_is_backed_up(const struct mailbox *mailbox)
{
	if (mailbox->backup_due) {
		log_line(MAILBOX_NAME ": messages %" PRIu64 " to %" PRIu64
				      " are still in it, their backup could not be made",
		    backup_first_number(mailbox->delivered), mailbox->delivered);
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
	pthread_cond_destroy(&mailbox->backup_done);
	pthread_cond_destroy(&mailbox->backup_needed);
	pthread_mutex_destroy(&mailbox->mutex);
}
