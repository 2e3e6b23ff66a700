/*
 * mailbox.h - monitor 2: the delivery queue, group commit and the handshake with the backup thread
 *
 * DESIGN
 *	Workers deliver records (record.h), and one backup thread makes the backups. This module
 *	decides when the file `mailbox` is read and written; mailbox_file.h has the system calls.
 *	A record is completed when it is stored or refused.
 *
 *	Queue	 Each delivery is queued. Only the worker of the first one, the head, works: it
 *		 waits for a pending backup, appends a batch, commits it and completes the records
 *		 in it. It repeats this until all of its own records are completed. The other
 *		 workers in the queue sleep.
 *	Batch	 The next records in the queue, the head's own first. It ends where a backup is due,
 *		 or when it has BATCH_FULL bytes. It is written with one writev() and committed once
 *		 (group commit). With `sync` the commit waits for the disk, and the mutex is
 *		 released, so that other deliveries can be queued.
 *	Failure	 If the system takes only a part of a batch, the first records become the batch, and
 *		 the others are left for the next one. If the write fails, it is rolled back and the
 *		 first record is appended alone, because the disk may have space for one. If that
 *		 fails, this record is refused. If the commit fails, the batch is rolled back, and
 *		 every record in it is refused. If a roll back fails, the file is `torn`, and the
 *		 records of every batch are refused until a later roll back succeeds.
 *	Backup	 When a record is stored whose number is a multiple of BACKUP_EVERY, a backup is
 *		 due. It is pending until it is complete, and no record is appended before that. The
 *		 backup thread copies the file without the mutex, and truncates it with the mutex
 *		 held.
 *	Attempt	 The backup thread makes an attempt at the pending backup when one is requested.
 *		 Attempts are numbered from 1. The first one at each backup, `first_attempt`, is
 *		 requested as soon as the backup is due. If it fails, the head requests another one
 *		 and waits for it. If that fails too, the head refuses its records. So does each
 *		 delivery that was queued before this other attempt started, when it becomes the
 *		 head. One that was queued later requests one more attempt. For example, attempt 7
 *		 is the first one at a backup and fails. Delivery A was queued before that and
 *		 requests attempt 8. B is queued while attempt 8 is under way. If attempt 8 fails, A
 *		 is refused, and B requests attempt 9.
 *	Log	 Lines are deferred while the mutex is held, and written by mailbox_unlock(), so
 *		 that no thread waits for the log with the mutex held.
 *
 * MUTEX
 *	`mutex` guards
 *	- every field of struct mailbox but itself and the condition variables;
 *	- in each queued struct waiter: completed_count, next and the results in `deliveries`;
 *	- the contents of the files `mailbox` and `mailbox.commit`, as far as this process changes
 *	  them.
 *
 *	Without the mutex
 *	- with `sync`, the head commits a batch: it reads `file` and writes mailbox.commit. No other
 *	  thread is the head, and no backup is due. So no other thread changes these; a worker that
 *	  leaves only takes the log lines deferred in `file`;
 *	- the backup thread copies the file `mailbox`. This process does not change it then (I3);
 *	- the main thread uses the fields in mailbox_open(), mailbox_check_backed_up() and
 *	  mailbox_destroy(), and `file` in mailbox_resume(). No other thread uses them then.
 *
 *	A thread that holds the mutex takes no other mutex of this program, and waits for no client
 *	and for no reader of the log. It may wait for the disk.
 *
 * CONDITION VARIABLES
 *	Each is named after its predicate, and at most one thread waits on it:
 *
 *	turn		its owner is the head of the queue, or all of its records are completed (the
 *			worker that delivers waits)
 *	backup_needed	a backup is due and an attempt is requested, or the monitor is closing (the
 *			backup thread waits)
 *	backup_done	no backup is due, or the decisive attempt has failed: the first one after
 *			`first_attempt` that started after the head was queued (the head waits)
 *
 * INVARIANTS, whenever the mutex is free
 *	I1  `file.last_number` is the number of the last committed record, whether it is in the file
 *	    or in a backup.
 *	I2  The first `file.length` bytes of the file are exactly the records since the last backup
 *	    and, from the next check of the file on, the bytes of other programs. The server's own
 *	    bytes after these are there only while `file.torn`, or while the head commits.
 *	I3  If a backup is due, `file.last_number` is a multiple of BACKUP_EVERY, all records in the
 *	    file are completed, and the head neither appends nor commits.
 *	I4  A queued delivery has records that are not completed. Its worker sleeps unless the
 *	    delivery is the head.
 *
 * TRANSITIONS: which thread makes each, and in parentheses the invariants that it needs or keeps
 *	enqueue		 a worker: a delivery becomes the tail. If the queue was empty it is the
 *			 head as well; otherwise the head stays the same and the worker sleeps (I4).
 *	check file	 the head after each write of a batch, after a roll back, and before a write
 *			 that follows a failure or the start; the backup thread before it copies and
 *			 before it truncates, when the head neither appends nor commits (I2, I3).
 *	append, commit	 the head, only after it saw that no backup is due, without having released
 *			 the mutex since (I3). During the commit no other thread becomes the head,
 *			 and no backup becomes due, so that neither the file nor `file` changes (I1,
 *			 I2).
 *	request backup	 the head, when it has committed a record whose number is a multiple of
 *			 BACKUP_EVERY. It does not release the mutex before it has completed that
 *			 record (I3). Or the main thread, in mailbox_resume().
 *	complete	 the head: each record once, in the order of the queue. A delivery leaves
 *			 the queue with its last record, and the next delivery becomes the head, so
 *			 that there are never two heads (I4).
 *	request attempt	 the head while it waits on backup_done; or the main thread, in
 *			 mailbox_close().
 *	start attempt	 the backup thread; clears `backup_requested`. A request that comes later
 *			 starts another attempt, so that none is lost.
 *	finish attempt	 the backup thread; if the backup has all of the file, it truncates the file
 *			 and clears `backup_due`. If another file has the name `mailbox` by now, it
 *			 only clears `backup_due` (I1, I2, I3).
 *
 * EVERY WAIT ENDS
 *	- turn: complete() signals each delivery that leaves the queue, and the new head.
 *	- backup_done: while the decisive attempt has not started, the head sets `backup_requested`
 *	  before each wait. So an attempt under way is followed by another one, until the decisive
 *	  one has finished: then no backup is due, or the head refuses its records.
 *	- Each round of the head, a pass of the last loop in mailbox_deliver(), stores or refuses at
 *	  least one record. So its turn ends, and the next delivery becomes the head.
 *	- An attempt ends: the backup is copied or extended COPIES_MAX times at most.
 *	- backup_needed: mailbox_close() signals it.
 *	A stop interrupts none of these waits: each delivery gets its result first.
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
	size_t count;           /* of `records`, and of `deliveries` */
	size_t completed_count; /* of these, how many are completed */
	pthread_cond_t turn;    /* this delivery is the head, or all of it is completed */
	struct waiter *next;
};

struct mailbox {
	pthread_mutex_t mutex; /* see MUTEX above */
	pthread_cond_t backup_needed;
	pthread_cond_t backup_done;
	struct mailbox_file file;
	bool closing; /* mailbox_close() was called */

	struct waiter *head, *tail; /* of the queue; `tail` is valid only if there is a head */

	bool backup_due;            /* a backup is pending */
	bool backup_requested;      /* an attempt is to start */
	bool backup_exists;         /* the pending backup was made, and has its name */
	off_t copied_length;        /* bytes of the file that this backup has */
	uint64_t first_attempt;     /* number of the first attempt at the pending backup */
	uint64_t attempts_started;  /* since the start; also the number of the last one */
	uint64_t attempts_finished; /* of these: all, or all but the last one */
	int backup_error;           /* of the last finished attempt; 0 if it succeeded */

	struct log_fault refusals; /* of records in deliver_batch(): not for a failed backup */
};

/* One attempt at a backup: what the backup thread has to do. */
struct backup_job {
	int descriptor;          /* of the file `mailbox` */
	off_t length;            /* bytes of the mailbox, all of which are to be in the backup */
	bool exists;             /* the backup was made, and has its name */
	off_t copied_length;     /* bytes of the mailbox that it has */
	uint64_t first;          /* number of its first message */
	uint64_t last;           /* number of its last message */
	bool sync;               /* flush it to the disk */
	bool extend;             /* another program has changed the mailbox: extend the backup */
	int error;               /* of the check of the mailbox; if not 0, the attempt has failed */
	const char *failed_file; /* BACKUP_TEMP_NAME if that could not be made, otherwise NULL */
};

/* Return the number of the first message that is in the same backup as message `number`. */
uint64_t backup_first_number(uint64_t number);

/*
 * Initialize the monitor and open the file: see mailbox_file_open(). The main thread, before any
 * other function. Returns true; false, having logged why, on failure.
 */
bool mailbox_open(struct mailbox *mailbox, bool keep, bool sync);

/*
 * Resume at `found`; or, if that is NULL (without keep), empty the file and number from 1. If a
 * backup is due, the first attempt at it is requested. The main thread, once, before any delivery;
 * the backup thread may be waiting already. Returns true; false, having logged why, on failure.
 */
bool mailbox_resume(struct mailbox *mailbox, const struct resume_point *found);

/*
 * Deliver `count` records (at least 1), in this order, and set in `deliveries` the result of each:
 * its number, or the error number of what failed: the write, the commit, the roll back of an
 * earlier batch, the check of the file, or the backup; EOVERFLOW if no number is left. ENOSPC,
 * EDQUOT and EFBIG mean that the disk is full. A refused record uses no number; it is removed from
 * the file (mailbox_append.c, BUGS, has the exceptions). Waits for earlier deliveries, for a
 * pending backup and, with sync, for the disk. Worker threads only.
 */
void mailbox_deliver(struct mailbox *mailbox, const struct record *records, size_t count,
    struct delivery_result *deliveries);

/*
 * Wait until an attempt is requested, and start it. The backup thread only. Returns true, with the
 * attempt in `job`; false if the monitor is closing and no attempt is requested.
 */
bool mailbox_wait_for_job(struct mailbox *mailbox, struct backup_job *job);

/*
 * Finish an attempt. `error` is 0 if the backup has `job->copied_length` bytes of the mailbox and
 * its name, or if there was nothing to copy; otherwise it says why the attempt has failed. Returns
 * - 0 with `job->extend` true, if another program has changed the mailbox during the attempt: the
 *   backup is to be extended to `job->length`, and this function to be called again;
 * - 0 with `job->extend` false, if the backup is complete: the mailbox is truncated, unless another
 *   file has its name by now, and deliveries go on;
 * - the error number, if the attempt has failed.
 * The backup thread only, after each job.
 */
int mailbox_finish_attempt(struct mailbox *mailbox, struct backup_job *job, int error);

/*
 * Make the backup thread end: at once or, if a backup is due, after one more attempt at it. The
 * main thread only, when no worker is in mailbox_deliver().
 */
void mailbox_close(struct mailbox *mailbox);

/*
 * Return true if no backup is due; otherwise log which messages are still in the mailbox, and
 * return false. The main thread only, after the backup thread has ended.
 */
bool mailbox_check_backed_up(const struct mailbox *mailbox);

/* Close the files and destroy the monitor. The main thread only, after all others have ended. */
void mailbox_destroy(struct mailbox *mailbox);

/* ---- for mailbox.c and mailbox_backup.c alone ---- */

/* Release the mutex, then write the deferred log lines. */
void mailbox_unlock(struct mailbox *mailbox);

#endif
