/*
 * NAME
 *	mailbox - monitor 2: the delivery queue, group commit and the handshake with the backup
 *	thread
 *
 * DESCRIPTION
 *	See mailbox.h for the design, the invariants and their proof.
 *
 * DIAGNOSTICS
 *	mailbox: N messages refused: why
 *	mailbox: cannot initialize: why
 */

#include "mailbox.h"

#include <inttypes.h>

#include "log.h"
#include "params.h"

/* ---- start ---- */

/* Initialize mutex and condition variables. Returns 0 or the error number. */
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

	*mailbox = (struct mailbox){.closing = false};
	error = init_monitor(mailbox);
	if (error != 0) {
		log_error(error, MAILBOX_NAME);
		return false;
	}
	return mailbox_file_open(&mailbox->file, keep, sync);
}

/* The mailbox has BACKUP_EVERY records: request a backup. The mutex is held. */
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
	error = mailbox_file_resume(&mailbox->file, start);
	if (error != 0) {
		log_error(error, MAILBOX_NAME ": cannot initialize");
		return false;
	}
	if (start->torn > 0) {
		log_line(LOG_WARNING,
		    MAILBOX_NAME ": cut off %jd bytes that were never acknowledged",
		    (intmax_t)start->torn);
	}
	pthread_mutex_lock(&mailbox->mutex);
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

/* ---- delivery: the mutex is held ---- */

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
 * Complete the next `count` records in the queue: stored, as the last ones in the file, or refused
 * with `error` if it is not 0. A delivery whose records are all completed leaves the queue.
 */
static void
complete(struct mailbox *mailbox, size_t count, int error)
{
	for (size_t i = 0; i < count; i++) {
		struct waiter *first = mailbox->head;
		uint64_t number = error == 0 ? mailbox->file.last_number - count + 1 + i : 0;

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
 * Gather the next batch from the queue: up to the next backup, and up to WRITE_BYTES_MAX. Returns
 * the count of records.
 */
static size_t
gather_batch(const struct mailbox *mailbox, const struct record *records[static BACKUP_EVERY])
{
	size_t left = BACKUP_EVERY - mailbox->file.last_number % BACKUP_EVERY;
	size_t count = 0, bytes = 0;

	for (const struct waiter *one = mailbox->head; one != NULL; one = one->next) {
		for (size_t i = one->completed;
		     i < one->count && count < left && bytes < WRITE_BYTES_MAX; i++) {
			records[count++] = &one->records[i];
			bytes += one->records[i].rest_length;
		}
	}
	return count;
}

/*
 * Commit the batch: flush it if `sync`, then write the commit point. Releases the mutex during the
 * flush. Returns 0 or the error number.
 */
static int
commit_batch(struct mailbox *mailbox, off_t length, uint64_t number)
{
	int error;

	if (!mailbox->file.sync) {
		return mailbox_file_commit(&mailbox->file, length, number);
	}
	pthread_mutex_unlock(&mailbox->mutex);
	error = mailbox_file_commit(&mailbox->file, length, number);
	pthread_mutex_lock(&mailbox->mutex);
	return error;
}

/*
 * Append a batch. If that fails, roll back and append the first record alone, and set `*count` to
 * 1. Returns 0 or the error number.
 */
static int
write_batch(
    struct mailbox *mailbox, const struct record *const *records, size_t *count, off_t *length)
{
	int error = mailbox_file_append(&mailbox->file, records, *count, length);

	if (error != 0 && *count > 1 && mailbox_file_roll_back(&mailbox->file) == 0) {
		*count = 1;
		error = mailbox_file_append(&mailbox->file, records, *count, length);
	}
	return error;
}

/*
 * Append and commit a batch. Returns 0, or an error number, in which case none is stored and the
 * file is as before, or `torn`. Sets `*count` to the records that the result is for: only the first
 * if the batch had to be retried alone.
 */
static int
append_batch(struct mailbox *mailbox, const struct record *const *records, size_t *count)
{
	off_t length;
	int error = mailbox->file.torn ? mailbox_file_roll_back(&mailbox->file) : 0;

	if (error != 0) {
		return error;
	}
	error = write_batch(mailbox, records, count, &length);
	if (error == 0) {
		error = commit_batch(
		    mailbox, mailbox->file.length + length, mailbox->file.last_number + *count);
	}
	if (error != 0) {
		mailbox_file_roll_back(&mailbox->file);
		return error;
	}
	mailbox->file.last_number += *count;
	mailbox->file.length += length;
	return 0;
}

/* Store the next batch of the queue, or refuse it. */
static void
deliver_batch(struct mailbox *mailbox)
{
	const struct record *records[BACKUP_EVERY];
	size_t count = gather_batch(mailbox, records);
	int error = append_batch(mailbox, records, &count);

	if (error != 0) {
		log_error(
		    error, MAILBOX_NAME ": %zu message%s refused", count, count == 1 ? "" : "s");
	} else if (mailbox->file.last_number % BACKUP_EVERY == 0) {
		request_backup(mailbox);
	}
	complete(mailbox, count, error);
}

/*
 * Wait for the pending backup. Returns 0, or the error of an attempt that this waiter requested,
 * that is, one that started after it arrived and was not the automatic one.
 */
static int
wait_for_backup(struct mailbox *mailbox, uint64_t attempts_at_arrival)
{
	uint64_t other = attempts_at_arrival > mailbox->full_attempt ? attempts_at_arrival
								     : mailbox->full_attempt;

	while (mailbox->backup_due && mailbox->attempts_finished <= other) {
		if (mailbox->attempts_started <= other) {
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

/* Return whether an attempt is to start. */
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
		    .descriptor = mailbox->file.descriptor,
		    .length = mailbox->file.length,
		    .first = backup_first_number(mailbox->file.last_number),
		    .last = mailbox->file.last_number,
		    .copy_done = mailbox->copy_done,
		    .sync = mailbox->file.sync,
		};
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return needed;
}

/* Empty the file after its backup. Returns 0 or the error number. */
static int
truncate_after_backup(struct mailbox *mailbox)
{
	int error = mailbox_file_empty(&mailbox->file);

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
		log_line(LOG_ERR,
		    MAILBOX_NAME ": messages %" PRIu64 " to %" PRIu64
				 " are still in it, their backup could not be made",
		    backup_first_number(mailbox->file.last_number), mailbox->file.last_number);
	}
	return !mailbox->backup_due;
}

void
mailbox_destroy(struct mailbox *mailbox)
{
	mailbox_file_close(&mailbox->file);
	pthread_cond_destroy(&mailbox->backup_done);
	pthread_cond_destroy(&mailbox->backup_needed);
	pthread_mutex_destroy(&mailbox->mutex);
}
