/*
 * NAME
 *	mailbox - monitor 2: the delivery queue, group commit and the handshake with the backup
 *	thread
 *
 * DESCRIPTION
 *	See mailbox.h for the design, the invariants and their proof.
 *
 * DIAGNOSTICS
 *	cannot initialize the mailbox monitor: why
 *	mailbox: N messages refused: why	once for each reason, until one is stored
 *	mailbox: no number is left: N messages refused
 *	mailbox: storing again, after N messages were refused
 *	mailbox: N bytes of another program at its end: going on after them
 *	mailbox: N bytes of an incomplete message at its end: going on after them
 *	mailbox: N bytes of an incomplete message or of another program at its end: going on after
 *	them
 *	mailbox: N bytes shorter than mailbox.commit says: going on with message N
 *	mailbox or mailbox.commit: cannot initialize: why
 *	mailbox: removed N bytes of an unacknowledged message
 */

#include "mailbox.h"

#include <errno.h>
#include <inttypes.h>

#include "log.h"
#include "monotonic.h"
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
		log_error(error, "cannot initialize the mailbox monitor");
		return false;
	}
	return mailbox_file_open(&mailbox->file, keep, sync);
}

/* Make a backup due and request the first attempt at it. The mutex is held. */
static void
request_backup(struct mailbox *mailbox)
{
	mailbox->backup_due = true;
	mailbox->backup_requested = true;
	mailbox->first_attempt = mailbox->attempts_started + 1;
	pthread_cond_signal(&mailbox->backup_needed);
}

bool
mailbox_resume(struct mailbox *mailbox, const struct resume_point *found)
{
	struct resume_point start = {.length = 0};
	int error;

	if (found != NULL) {
		start = *found;
	}
	error = mailbox_file_resume(&mailbox->file, &start);
	if (error != 0) {
		log_error(error, MAILBOX_NAME " or mailbox.commit: cannot initialize");
		return false;
	}
	if (start.torn_length > 0) {
		log_line(LOG_WARNING,
		    MAILBOX_NAME ": removed %jd bytes of an unacknowledged message",
		    (intmax_t)start.torn_length);
	}
	if (start.foreign_length > 0) {
		log_line(LOG_WARNING,
		    MAILBOX_NAME ": %jd bytes of another program at its end: going on after them",
		    (intmax_t)start.foreign_length);
	}
	if (start.unended_length > 0) {
		log_line(LOG_WARNING,
		    MAILBOX_NAME ": %jd bytes of an incomplete message%s at its end: going on "
				 "after them",
		    (intmax_t)start.unended_length,
		    start.incomplete ? "" : " or of another program");
	}
	if (start.missing_length > 0) {
		log_line(LOG_WARNING,
		    MAILBOX_NAME ": %jd bytes shorter than mailbox.commit says: going on with "
				 "message %" PRIu64,
		    (intmax_t)start.missing_length, start.number + 1);
	}
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->copied_length = start.copied_length;
	mailbox->backup_exists = start.copied_length > 0;
	if (start.backup_due) {
		request_backup(mailbox);
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return true;
}

/* ---- delivery: all static functions with the mutex held ---- */

/* Add a delivery to the tail of the queue. */
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
 * Complete the next `count` records in the queue. They are refused with `error` or, if that is 0,
 * stored as the last `count` records in the file. A delivery whose records are all completed leaves
 * the queue.
 */
static void
complete(struct mailbox *mailbox, size_t count, int error)
{
	for (size_t i = 0; i < count; i++) {
		struct waiter *first = mailbox->head;
		uint64_t number = error == 0 ? mailbox->file.last_number - count + 1 + i : 0;

		first->deliveries[first->completed_count++] =
		    (struct delivery_result){.error = error, .number = number};
		if (first->completed_count == first->count) {
			mailbox->head = first->next;
			pthread_cond_signal(&first->turn);
		}
	}
	if (mailbox->head != NULL) {
		pthread_cond_signal(&mailbox->head->turn);
	}
}

/*
 * Gather the next batch from the queue: until a backup is due, no number is left, or the batch is
 * full. Returns the count of records, which is 0 only if no number is left.
 */
static size_t
gather_batch(const struct mailbox *mailbox, const struct record *records[static BACKUP_EVERY])
{
	uint64_t numbers_left = NUMBER_MAX - mailbox->file.last_number;
	uint64_t count_max = BACKUP_EVERY - mailbox->file.last_number % BACKUP_EVERY;
	size_t count = 0, bytes = 0;

	if (count_max > numbers_left) {
		count_max = numbers_left;
	}
	for (const struct waiter *one = mailbox->head; one != NULL; one = one->next) {
		for (size_t i = one->completed_count;
		     i < one->count && count < count_max && bytes < BATCH_FULL; i++) {
			records[count++] = &one->records[i];
			bytes += one->records[i].rest_length;
		}
	}
	return count;
}

/*
 * Append the batch. `*count` is reduced to the records that the result is for. If the append fails,
 * roll back, and append the first record alone, also if it was alone already: another file, with
 * space, may have the name `mailbox` by now. Returns 0 or the error number.
 */
static int
write_batch(struct mailbox *mailbox, const struct record *const *records, size_t *count)
{
	int error = mailbox_file_append(&mailbox->file, records, count);

	if (error != 0 && mailbox_file_roll_back(&mailbox->file) == 0) {
		*count = 1;
		error = mailbox_file_append(&mailbox->file, records, count);
	}
	return error;
}

/*
 * Commit the appended records. `number` is that of the last one. With `sync` the mutex is released
 * while mailbox_file_commit() waits for the disk. Returns 0 or the error number.
 */
static int
commit_batch(struct mailbox *mailbox, uint64_t number)
{
	bool sync = mailbox->file.sync;
	int error;

	if (sync) {
		pthread_mutex_unlock(&mailbox->mutex);
	}
	error = mailbox_file_commit(&mailbox->file, number);
	if (sync) {
		pthread_mutex_lock(&mailbox->mutex);
	}
	if (error == 0) {
		mailbox_file_set_committed(&mailbox->file, number);
	}
	return error;
}

/*
 * Append and commit a batch. `*count` is reduced to the records that the result is for, the first
 * ones of the batch. Returns 0; or the error number: then none of these is stored, and the file is
 * rolled back, or `torn`.
 */
static int
append_batch(struct mailbox *mailbox, const struct record *const *records, size_t *count)
{
	int error = mailbox->file.torn ? mailbox_file_roll_back(&mailbox->file) : 0;

	if (error != 0) {
		return error;
	}
	error = write_batch(mailbox, records, count);
	if (error == 0) {
		error = commit_batch(mailbox, mailbox->file.last_number + *count);
	}
	if (error != 0 && !mailbox->file.torn) {
		mailbox_file_roll_back(&mailbox->file);
	}
	return error;
}

/*
 * Defer the log lines for the result of a batch of `count` records: one for the first refusal with
 * each error number, and one when records are stored again.
 */
static void
log_result(struct mailbox *mailbox, size_t count, int error)
{
	uint64_t refused;

	if (error != 0) {
		/* mailbox_file_check() has logged a file that may not be opened. */
		if (!log_fault_failed(&mailbox->refusals, error, count) ||
		    error == mailbox->file.open_error) {
			return;
		}
		if (error == EOVERFLOW) {
			log_defer(&mailbox->file.log, LOG_ERR,
			    MAILBOX_NAME ": no number is left: %zu message%s refused", count,
			    count == 1 ? "" : "s");
		} else {
			log_defer_error(&mailbox->file.log, error,
			    MAILBOX_NAME ": %zu message%s refused", count, count == 1 ? "" : "s");
		}
	} else if (mailbox->refusals.count > 0) {
		refused = log_fault_worked(&mailbox->refusals, monotonic_now());
		if (refused > 0) {
			log_defer(&mailbox->file.log, LOG_WARNING,
			    MAILBOX_NAME ": storing again, after %" PRIu64 " message%s refused",
			    refused, refused == 1 ? " was" : "s were");
		}
	}
}

/* Store the next batch of the queue, or refuse it. */
static void
deliver_batch(struct mailbox *mailbox)
{
	const struct record *records[BACKUP_EVERY];
	size_t count = gather_batch(mailbox, records);
	int error;

	if (count > 0) {
		error = append_batch(mailbox, records, &count);
	} else {
		/* All numbers are used up. */
		error = EOVERFLOW;
		count = 1;
	}
	log_result(mailbox, count, error);
	if (error == 0 && mailbox->file.last_number % BACKUP_EVERY == 0) {
		request_backup(mailbox);
	}
	complete(mailbox, count, error);
}

void
mailbox_unlock(struct mailbox *mailbox)
{
	struct log_deferred lines;
	bool any = log_take_deferred(&mailbox->file.log, &lines);

	pthread_mutex_unlock(&mailbox->mutex);
	if (any) {
		log_write_deferred(&lines);
	}
}

/*
 * Return the number of the attempt whose failure refuses a delivery: the first one that started
 * after the delivery was queued. `first_attempt` does not count: no delivery that waits for the
 * backup has requested it.
 */
static uint64_t
decisive_attempt(const struct mailbox *mailbox, uint64_t attempts_when_queued)
{
	uint64_t ignored = attempts_when_queued;

	if (ignored < mailbox->first_attempt) {
		ignored = mailbox->first_attempt;
	}
	return ignored + 1;
}

/*
 * Wait for the pending backup, and request attempts up to the decisive one. Releases the mutex
 * while it waits. Returns 0 if no backup is due any more; otherwise the error number of the last
 * finished attempt.
 */
static int
wait_for_backup(struct mailbox *mailbox, uint64_t attempts_when_queued)
{
	uint64_t decisive = decisive_attempt(mailbox, attempts_when_queued);

	while (mailbox->backup_due && mailbox->attempts_finished < decisive) {
		if (mailbox->attempts_started < decisive) {
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
	uint64_t attempts_when_queued;

	pthread_mutex_lock(&mailbox->mutex);
	attempts_when_queued = mailbox->attempts_started;
	enqueue(mailbox, &self);
	while (mailbox->head != &self && self.completed_count < count) {
		pthread_cond_wait(&self.turn, &mailbox->mutex);
	}
	while (self.completed_count < count) {
		int error =
		    mailbox->backup_due ? wait_for_backup(mailbox, attempts_when_queued) : 0;

		if (error == 0) {
			deliver_batch(mailbox);
		} else {
			complete(mailbox, count - self.completed_count, error);
		}
	}
	mailbox_unlock(mailbox);
	pthread_cond_destroy(&self.turn);
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

void
mailbox_destroy(struct mailbox *mailbox)
{
	mailbox_file_close(&mailbox->file);
	pthread_cond_destroy(&mailbox->backup_done);
	pthread_cond_destroy(&mailbox->backup_needed);
	pthread_mutex_destroy(&mailbox->mutex);
}
