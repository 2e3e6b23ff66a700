/*
 * mailbox.h - monitor 2: the delivery queue, group commit and the handshake with the backup thread
 *
 * DESIGN
 *	Workers deliver records, and one backup thread makes the backups. This module decides when
 *	the file is read and written; mailbox_file.h has the system calls.
 *
 *	Queue	 Each delivery is queued. Only the worker of the first one, the head, works: it
 *		 waits for a pending backup, appends a batch, commits it and completes every record
 *		 in it, until all of its own records are completed. The other workers in the queue
 *		 sleep.
 *	Batch	 The next records in the queue, the head's own first. It ends at the next
 *		 backup, or when it has BATCH_FULL bytes. It is written with one writev() and, with
 *		 `sync`, flushed once (group commit). The mutex is released during the flush, so
 *		 that other deliveries can be queued.
 *	Failure	 If the system takes only a part of a batch, the first records become the batch, and
 *		 the others are left for the next one. If the write fails, it is rolled back and the
 *		 first record is appended alone, because the disk may have space for one. If that
 *		 fails, this record is refused. If the commit fails, every record of the batch is
 *		 refused. If the roll back fails, the file is `torn`, and every record is refused
 *		 until a later roll back succeeds.
 *	Backup	 After BACKUP_EVERY records a backup is due. Until it is complete no record is
 *		 appended. The backup thread copies the file without the mutex, and truncates it
 *		 with the mutex held.
 *	Attempt	 The backup thread makes one attempt at the backup for each request. Attempts are
 *		 numbered from 1. The first one at each backup, `first_attempt`, is requested as
 *		 soon as the backup is due. If it fails, the head requests another one and waits for
 *		 it. If that fails too, the head refuses its records. So does each delivery that was
 *		 queued before this attempt started, when it becomes the head. One that was queued
 *		 later requests another attempt. For example, attempt 7 is the first one at a backup
 *		 and fails. Delivery A was queued before and requests attempt 8. B is queued while
 *		 that is under way. If it fails, A is refused, and B requests attempt 9.
 *	Log	 Lines are deferred while the mutex is held, and written after it is released, so
 *		 that no thread waits for the log with the mutex held.
 *
 * MUTEX
 *	`mutex` guards
 *	- in struct mailbox: file, closing, head, tail, backup_due, backup_requested, backup_exists,
 *	  copied, first_attempt, attempts_started, attempts_finished, backup_error and refusals,
 *	  that is, every field but itself and the condition variables;
 *	- in each queued struct waiter: completed, next and the results in `deliveries`;
 *	- the contents of `mailbox` and `mailbox.commit`, as far as this process changes them.
 *
 *	Without the mutex
 *	- the head flushes a batch: it reads `file` and writes mailbox.commit. No other thread
 *	  changes them, except the log lines deferred in `file`, because no other thread is the
 *	  head and no backup is due;
 *	- the backup thread reads the file. This process does not change it then (I3);
 *	- the main thread opens, resumes, tests and destroys, while no other thread uses these
 *	  fields.
 *
 *	A thread that holds it takes no other mutex of this program, and waits for no client and for
 *	no reader of the log. It may wait for the disk.
 *
 * CONDITION VARIABLES
 *	Each is named after its predicate, and at most one thread waits on it:
 *
 *	turn		its owner is the head of the queue, or all of its records are completed (the
 *			worker that delivers waits)
 *	backup_needed	a backup is due and an attempt is requested, or the monitor is closing (the
 *			backup thread waits)
 *	backup_done	no backup is due, or the decisive attempt has failed: the first one that
 *			started after the head was queued and is not `first_attempt` (the head
 *			waits)
 *
 * INVARIANTS, whenever the mutex is free
 *	I1  `file.last_number` is the number of the last committed record, whether it is in the file
 *	    or in a backup.
 *	I2  The first `file.length` bytes are exactly the records since the last backup. There are
 *	    more bytes only while `file.torn`, or while the head flushes. If another program changes
 *	    the file, its bytes count as well from the next look at the name on.
 *	I3  If a backup is due, `file.last_number` is a multiple of BACKUP_EVERY, all records in the
 *	    file are completed, and the head neither appends nor flushes.
 *	I4  A queued delivery has records that are not completed. Its worker sleeps unless it is the
 *	    head.
 *
 * TRANSITIONS
 *	enqueue		 a worker: a delivery becomes the tail. If the queue was empty it is the
 *			 head as well; otherwise the head stays the same and the worker sleeps (I4).
 *	check file	 the head after each write of a batch, and before one that follows a failure
 *			 or a start; the backup thread before it copies and before it truncates.
 *			 Never both at once, because of I3 (I2).
 *	append, commit	 the head, only after it saw that no backup is due, without having released
 *			 the mutex since (I3). During the flush no other thread becomes the head,
 *			 and no backup becomes due, so that file and fields do not change (I1, I2).
 *	request backup	 the head, when it has committed the BACKUP_EVERY-th record, before it
 *			 completes it and without releasing the mutex in between (I3); or the main
 *			 thread, in mailbox_resume().
 *	complete	 the head: each record once, in the order of the queue. A delivery leaves
 *			 the queue with its last record, and the next one becomes the head, so that
 *			 there are never two (I4).
 *	request attempt	 the head while it waits on backup_done; or the main thread, in
 *			 mailbox_close().
 *	start attempt	 the backup thread; clears `backup_requested`. A request that comes later
 *			 starts another attempt, so that none is lost.
 *	finish attempt	 the backup thread; if it succeeded, it truncates the file, unless another
 *			 one has its name by now, and clears `backup_due` (I1, I2, I3).
 *
 * EVERY WAIT ENDS
 *	- turn: complete() signals each delivery that leaves the queue, and the new head.
 *	- backup_done: while the decisive attempt has not started, the head sets `backup_requested`
 *	  before each wait. So an attempt under way is followed by another one, until the decisive
 *	  one has finished: then no backup is due, or the head refuses its records.
 *	- Each round of the head completes at least one record, because a batch has at least one
 *	  whenever no backup is due. So its turn ends, and the next delivery becomes the head.
 *	- An attempt ends: the backup is copied or extended COPIES_MAX times at most.
 *	- backup_needed: mailbox_close() signals it.
 *	A stop interrupts none of them: each delivery gets its result first.
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
	size_t count;           /* of each */
	size_t completed_count; /* how many are stored or refused */
	pthread_cond_t turn;    /* it is the head of the queue, or all is completed */
	struct waiter *next;
};

struct mailbox {
	pthread_mutex_t mutex; /* guards all that follows; see MUTEX above */
	pthread_cond_t backup_needed;
	pthread_cond_t backup_done;
	struct mailbox_file file;
	bool closing;

	struct waiter *head, *tail; /* of the queue; `tail` is valid only if there is a head */

	bool backup_due;
	bool backup_requested;      /* another attempt is to start */
	bool backup_exists;         /* the pending backup has its name */
	off_t copied_length;        /* bytes of the file in it */
	uint64_t first_attempt;     /* number of the first attempt at the pending backup */
	uint64_t attempts_started;  /* since the start; also the number of the last one */
	uint64_t attempts_finished; /* of these: all, or all but the last one */
	int backup_error;           /* of the last attempt; 0 if it succeeded */

	struct log_fault refusals; /* of records */
};

/* One attempt to make a backup: what the backup thread has to do. */
struct backup_job {
	int descriptor;          /* the mailbox, to be read from its first byte */
	off_t length;            /* its bytes that the backup must have at the end */
	bool exists;             /* the backup has its name */
	off_t copied_length;     /* bytes of the mailbox in it */
	uint64_t first;          /* number of the first message in it */
	uint64_t last;           /* number of the last message in it */
	bool sync;               /* the backup must be on the disk */
	bool extend;             /* another program has changed the mailbox during the attempt */
	int error;               /* if not 0, the mailbox cannot be read: the attempt has failed */
	const char *failed_file; /* name of another file at which the attempt has failed, or NULL */
};

/* Return the number of the first message that is in the same backup as message `number`. */
uint64_t backup_first_number(uint64_t number);

/*
 * Initialize the monitor and open the file: see mailbox_file_open(). Returns true; false, having
 * logged why, on failure.
 */
bool mailbox_open(struct mailbox *mailbox, bool keep, bool sync);

/*
 * Resume at `found`; or, if that is NULL, empty the file and number from 1. If a backup is due, the
 * first attempt is requested. Called once, before any delivery; the backup thread may be waiting
 * already. Returns true; false, having logged why, on failure.
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
 * Wait until an attempt is requested, and start it. The backup thread only. Returns true with the
 * work in `job`; false if the monitor is closing and no attempt is requested.
 */
bool mailbox_wait_for_job(struct mailbox *mailbox, struct backup_job *job);

/*
 * Finish an attempt: `error` is 0 if the backup has its name and `job->copied_length` bytes of the
 * mailbox, or why it has not. The backup thread only, after each job. If another program has
 * changed the mailbox during the attempt, returns 0 and sets `job->extend`: the backup is to be
 * extended to `job->length`, and this function to be called again. Otherwise returns 0 if the
 * backup is complete: the mailbox is truncated, and deliveries go on; or the error number if the
 * attempt has failed.
 */
int mailbox_finish_attempt(struct mailbox *mailbox, struct backup_job *job, int error);

/*
 * Make the backup thread end: at once or, if a backup is due, after one more attempt at it. The
 * main thread only, when no worker is inside.
 */
void mailbox_close(struct mailbox *mailbox);

/*
 * Return true if no backup is due; false, having logged which messages are still in the mailbox,
 * otherwise. The main thread only, after the backup thread has ended.
 */
bool mailbox_check_backed_up(const struct mailbox *mailbox);

/* Close the file and destroy the monitor. No other thread may be inside. */
void mailbox_destroy(struct mailbox *mailbox);

/* ---- for mailbox.c and mailbox_backup.c alone ---- */

/* Release the mutex, then write the log lines that were deferred while it was held. */
void mailbox_unlock(struct mailbox *mailbox);

#endif
