/*
 * mailbox.h - monitor 2: the delivery queue, group commit and the handshake with the backup thread
 *
 * DESIGN
 *	Workers deliver, one backup thread backs up. One mutex guards every field of struct mailbox
 *	after it, and the file. mailbox_file.h has the system calls; this module decides when.
 *
 *	Queue	 Deliveries are queued. Only the head of the queue works: it waits for a pending
 *		 backup, appends a batch, commits it and completes every record in it. All others
 *		 in the queue sleep.
 *	Batch	 The next records in the queue, the head's own first: up to the next backup, and
 *		 up to BATCH_FULL. It is written with one writev() and, with `sync`, flushed
 *		 once (group commit). The head releases the mutex during the flush, so that other
 *		 deliveries can be queued.
 *	Failure	 If the write of a batch fails, it is rolled back and its first record is appended
 *		 alone, because the disk may have space for one; if that fails, that record is
 *		 refused. If the commit fails, every record of the batch is refused. If the roll
 *		 back fails, the file is `torn` and every record is refused until it succeeds.
 *	Backup	 After BACKUP_EVERY records a backup is due, and until it is done the file belongs
 *		 to the backup thread, which copies it without the mutex and then truncates it.
 *	Attempts Attempts to make a backup are numbered from 1. The mailbox requests one itself when
 *		 it has BACKUP_EVERY records: `first_attempt`. If it fails, the backup stays due, and
 *		 the head requests another one. If that fails too, every delivery that was queued
 *		 before it started is refused; the next head requests another one.
 *
 *	Log	 Lines are deferred while the mutex is held, and written after it is released, so
 *		 that no thread waits for the log under it.
 *
 *	Each condition variable is named after its predicate, and at most one thread waits on it:
 *
 *	turn		its owner is the head of the queue, or all of its records are completed
 *	backup_needed	a backup is due and an attempt is requested, or the monitor is closing
 *			(the backup thread waits)
 *	backup_done	no backup is due, or an attempt has failed that started after the head was
 *			queued and is not `first_attempt` (the head waits)
 *
 * INVARIANTS
 *	I1  `file.last_number` is the number of the last record in the file or, if the file has
 *	    none, of the last record in a backup.
 *	I2  The first `file.length` bytes are exactly the records since the last backup. There are
 *	    more bytes only while `file.torn`, or while the head appends. If another program changes
 *	    the file, this holds again, with its bytes among the records, from the next
 *	    mailbox_file_check() on.
 *	I3  If a backup is due, `file.last_number` is a multiple of BACKUP_EVERY, all records in the
 *	    file are completed or about to be, and no thread appends.
 *	I4  A queued delivery has records that are not completed. It sleeps unless it is the head.
 *
 * TRANSITIONS
 *	enqueue		 a worker, at the tail; the head stays the same (I4).
 *	check file	 the head before each batch, and the backup thread before it copies and before
 *			 it truncates: never both, because of I3 (I2).
 *	deliver batch	 the head, only while no backup is due; it has not released the mutex since
 *			 it saw that (I3). During the flush no other thread becomes head, and none
 *			 is due, so that file and fields do not change (I1, I2).
 *	request backup	 the head, after the BACKUP_EVERY-th record; also mailbox_resume().
 *	start attempt	 the backup thread; clears `backup_requested`, so a request is never lost:
 *			 one that comes later starts another attempt.
 *	finish attempt	 the backup thread; if it succeeded, truncates the file and clears
 *			 `backup_due` (I1, I2, I3).
 *	complete	 the head, in the order of the queue, each record once. It stays the head
 *			 until it completes its own last record, under the mutex, so that there are
 *			 never two heads (I4).
 *
 * EVERY WAIT ENDS
 *	- turn: complete() signals each delivery that it completes, and the new head.
 *	- backup_done: while the head waits for an attempt that has not started, `backup_requested`
 *	  is set under the mutex. The attempt under way when it began to wait may not count, but the
 *	  next one does: it clears `backup_due` or makes the head refuse.
 *	- Each round of the head completes at least one record, because the file takes at least one
 *	  record whenever no backup is due. So its turn ends, and the next delivery becomes head.
 *	- backup_needed: mailbox_close() signals it.
 */

#ifndef MAILBOX_H
#define MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mailbox_file.h"
#include "message.h"

/* A queued delivery. It stays queued until all its records are completed. */
struct waiter {
	const struct record *records;
	struct delivery_result *deliveries;
	size_t count;        /* of each */
	size_t completed;    /* how many are stored or refused */
	pthread_cond_t turn; /* it is the head of the queue, or all is completed */
	struct waiter *next;
};

struct mailbox {
	pthread_mutex_t mutex;
	pthread_cond_t backup_needed;
	pthread_cond_t backup_done;
	struct mailbox_file file;
	bool closing;

	struct waiter *head, *tail; /* of the queue; `tail` is valid only if there is a head */

	bool backup_due;
	bool backup_requested;  /* for an attempt that has not started */
	off_t copied;           /* bytes of the mailbox in the copy that is in place, or 0 */
	uint64_t first_attempt; /* the attempt requested by reaching BACKUP_EVERY */
	uint64_t attempts_started;
	uint64_t attempts_finished;
	int backup_error; /* of the last attempt; 0 if it succeeded */

	struct log_fault refusals; /* of records */
};

/* One attempt to make a backup. */
struct backup_job {
	int descriptor;      /* the mailbox, to be read from its first byte */
	off_t length;        /* bytes to copy */
	off_t copied;        /* of which the copy that is in place has so many, or 0 */
	uint64_t first;      /* number of the first message in it */
	uint64_t last;       /* and of the last */
	bool sync;           /* the copy must be on the disk */
	int error;           /* not 0: the mailbox cannot be opened, and the attempt has failed */
	const char *culprit; /* the name of another file at which the attempt has failed, or NULL */
};

/* Return the number of the first message that is in the same backup as message `number`. */
uint64_t backup_first_number(uint64_t number);

/*
 * Initialize the monitor and open the file: see mailbox_file_open(). Returns true; false, having
 * logged why, on failure.
 */
bool mailbox_open(struct mailbox *mailbox, bool keep, bool sync);

/*
 * Empty the file and number from 1 or, if `found` is not NULL, resume there. Called once, before
 * any delivery; the backup thread may be waiting already. Returns true; false, having logged why,
 * on failure.
 */
bool mailbox_resume(struct mailbox *mailbox, const struct resume_point *found);

/*
 * Deliver `count` records (at least 1), in this order, and set in `deliveries` the result of each:
 * its number; or the error number of the write, the flush, the commit, the roll back of an earlier
 * batch, or the backup. A refused record leaves nothing in the file and uses no number. ENOSPC,
 * EDQUOT and EFBIG mean that the disk is full. Waits for earlier deliveries, for a pending backup
 * and, with sync, for the disk. Worker threads only.
 */
void mailbox_deliver(struct mailbox *mailbox, const struct record *records, size_t count,
    struct delivery_result *deliveries);

/*
 * Wait for an attempt to be requested. The backup thread only. Returns true with the work in `job`,
 * or false if the monitor is closing and no attempt is requested.
 */
bool mailbox_wait_for_job(struct mailbox *mailbox, struct backup_job *job);

/*
 * Finish an attempt: `error` is 0 if the copy is in place and has `job->copied` bytes of the
 * mailbox. Then the file is truncated and deliveries go on. The backup thread only, after each job.
 * Returns 0 if the backup is complete; EAGAIN if another program has changed the mailbox in the
 * meantime: then the copy is to be extended to `job->length`, and this function called again; or
 * the error number.
 */
int mailbox_backup_finished(struct mailbox *mailbox, struct backup_job *job, int error);

/*
 * Make the backup thread end after one more attempt at a pending backup. No worker may be
 * delivering.
 */
void mailbox_close(struct mailbox *mailbox);

/*
 * Return true if no backup is pending; false, having logged which messages are still in the
 * mailbox, otherwise. After the backup thread has ended.
 */
bool mailbox_is_backed_up(const struct mailbox *mailbox);

/*
 * Release the mutex, and write the log lines that were deferred while it was held. Private to the
 * two files of the monitor.
 */
void mailbox_unlock(struct mailbox *mailbox);

/* Close the file and take the monitor apart. No other thread may be inside. */
void mailbox_destroy(struct mailbox *mailbox);

#endif
