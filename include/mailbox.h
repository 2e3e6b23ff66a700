/*
 * mailbox.h - monitor 2: the file `mailbox`, its numbers, the flushes and the turn of the backup
 *
 * DESIGN
 *	Workers deliver, one backup thread backs up. One mutex guards all fields below it and the
 *	file itself. Whoever comes to deliver stands in line, and only the first in line does
 *	anything: it waits for a backup that is due, then stores as many records as the next backup
 *	has space for and go well in one write, its own and those of others behind it, with `sync`
 *	flushes them together (group commit), and says to each what became of its own. Each
 *	condition variable is named after its predicate, and one thread at most waits on it:
 *
 *	turn		its owner is the first in line, or all of its records are completed
 *	backup_needed	a backup is due and a try is asked for, or the monitor is closing: the
 *			backup thread
 *	backup_done	no backup is due, or a try has failed that was made for the first in line:
 *			the first in line
 *
 *	While a backup is due the file belongs to the backup thread, which therefore copies it
 *	without holding the mutex. One try is made because the mailbox is full; if that fails, the
 *	backup stays due, and another is made for the first in line, whether that was waiting or
 *	comes only then. If this fails too, all who had come when it was begun are refused, and the
 *	next one to be the first asks for another. With `sync` the first in line gives up the mutex
 *	too, while it waits for the disk, so that others can join the line.
 *
 *	If a write fails, what was written is cut off again, and the first record is tried alone:
 *	what is too much together may fit one by one. If that fails it is refused. If a flush or a
 *	note fails, all that it was for are refused. If the cutting off fails, so are all, and
 *	nothing is stored until it works.
 *
 *	With `keep` the file `mailbox.commit` says what has been acknowledged: it is written after
 *	the mailbox and before any reply.
 *
 * INVARIANTS
 *	`delivered` is the number of the last record stored or, if the file is empty, of the last
 *	one backed up. The first `length` bytes of the file are exactly the records since the last
 *	backup; there are more bytes only while `torn`, or while the first in line stores. A backup
 *	is due only if `delivered` is a multiple of BACKUP_EVERY, all records in the file are
 *	completed or about to be, and nobody stores. Whoever is in line has records that are not
 *	completed, and sleeps unless it is the first.
 *
 * PROOF
 *	Only the first in line writes to the file and, after the start, only it sets `backup_due`;
 *	only the backup thread clears that, after the truncation. The first in line stays the first
 *	until it settles its own last record itself, so there are never two, and it stores only
 *	after it has seen, without giving up the mutex since, that no backup is due. So file and
 *	fields do not change under whoever has given up the mutex: while the backup thread copies,
 *	a backup is due; while the first in line flushes, none is, and nobody else becomes the first.
 *
 *	Each wait ends. Records are completed in the order of the line, each one once: collect() and
 *	complete() walk the same line from the same place, and between them others only join its end.
 *	Whoever is completed, or becomes the first, is signalled by the one who did it. The first in
 *	line waits for nothing but a backup that is due. As long as no try for it has begun it asks
 *	under the mutex, and again after each that ends, so the backup thread sees it now or when it
 *	comes back from the try under way. That one, or the first to begin, may not have been made
 *	for the first in line, but the next is, so the second to end at the latest clears
 *	`backup_due` or refuses. Each round of the first in line settles one record at least,
 *	because there is space for one whenever no backup is due, so it comes to an end and the next
 *	one is the first.
 *
 *	`backup_requested` is cleared only by a try that begins thereafter, or with `backup_due`.
 */

#ifndef MAILBOX_H
#define MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "message.h"

/* Its name, in the current directory. */
#define MAILBOX_NAME "mailbox"

/* One who has come to deliver. It is in line until all of its records are completed. */
struct waiter {
	const struct record *records;
	struct delivery_result *deliveries;
	size_t count;        /* of each */
	size_t completed;    /* how many are stored or refused */
	pthread_cond_t turn; /* it is the first in line, or all is completed */
	struct waiter *next;
};

struct mailbox {
	int descriptor;        /* of the file; open for appending; locked against other processes */
	int commit_descriptor; /* of `mailbox.commit`; -1 without keep */
	bool keep;             /* go on from what is there; note what is acknowledged */
	bool sync;             /* acknowledge only what is on the disk */
	pthread_mutex_t mutex;
	pthread_cond_t backup_needed;
	pthread_cond_t backup_done;
	uint64_t delivered; /* number of the last message */
	off_t length;       /* bytes of whole records in the file */
	bool torn;          /* what a failed append left behind `length` could not be cut off yet */
	bool closing;

	struct waiter *head, *tail; /* in line to deliver; `last` only if there is a first */

	bool backup_due;
	bool backup_requested; /* for a try that has not begun */
	bool copy_done;        /* the copy is in place, and only the truncation is missing */
	uint64_t full_attempt; /* number of the try that is made because the mailbox is full */
	uint64_t attempts_started;
	uint64_t attempts_finished;
	int backup_error; /* why the last try failed */
};

/* Where to go on with a mailbox that is there already. */
struct resume_point {
	off_t length;    /* bytes that hold acknowledged records */
	off_t torn;      /* bytes behind them, which nobody was told were delivered */
	uint64_t number; /* of the last message */
	bool backup_due; /* what the mailbox holds is to be backed up */
	bool copy_done;  /* that is done already, but for the truncation */
};

/* What the backup thread is to do. */
struct backup_job {
	int descriptor; /* the mailbox, to be read from its first byte */
	off_t length;   /* bytes to copy */
	uint64_t first; /* number of the first message in it */
	uint64_t last;  /* and of the last */
	bool copy_done; /* the copy is in place since an earlier try */
	bool sync;      /* the copy must be on the disk */
};

/* Return the number of the first message that is in the same backup as message `number`. */
uint64_t backup_first_number(uint64_t number);

/*
 * Open `mailbox` in the current directory and lock it; create it if it is missing. Its content is
 * left alone. `keep` and `sync` are explained above. Returns whether it worked, and says in the log
 * why not: it is not a regular file (a symbolic link is not followed), another process has locked
 * it, no permission, and the like.
 */
bool mailbox_open(struct mailbox *mailbox, bool keep, bool sync);

/*
 * Begin: empty the file and number from 1 or, if `start` is not NULL, go on from there. Called
 * once, before anything is delivered; the backup thread may be waiting already. Returns whether it
 * worked, and logs why not.
 */
bool mailbox_resume(struct mailbox *mailbox, const struct resume_point *start);

/*
 * Store `count` records (1 at least), in this order, and say in `deliveries` what became of each:
 * its number; or the error number of what failed: the write, the flush, the note (the file is then
 * as long as before, or will be before anything is stored, and no number is used), the cutting off
 * of what an earlier one left, or the backup. ENOSPC, EDQUOT and EFBIG mean that there is no space.
 * Waits for those who came earlier, for a backup that is due and, with sync, for the disk. Workers.
 */
void mailbox_deliver(struct mailbox *mailbox, const struct record *records, size_t count,
    struct delivery_result *deliveries);

/*
 * Wait until a backup is to be made. The backup thread only. Returns true with the work in `job`,
 * or false when the mailbox is closing and there is nothing to do.
 */
bool mailbox_wait_for_job(struct mailbox *mailbox, struct backup_job *job);

/*
 * Say how the job ended: `error` is 0 if the copy is in place, else why it is not. If it is, the
 * file is emptied and deliveries go on. The backup thread only, after each job. Returns 0 if the
 * backup is now complete, else the error number.
 */
int mailbox_backup_finished(struct mailbox *mailbox, int error);

/*
 * Let the backup thread end as soon as a backup that is due has been tried once more. No worker may
 * be delivering.
 */
void mailbox_close(struct mailbox *mailbox);

/*
 * Whether everything that was to be backed up has been. After the backup thread has ended; logs
 * what has been left in the mailbox if not.
 */
bool mailbox_is_backed_up(const struct mailbox *mailbox);

/* Close the file and take the monitor apart. No other thread may be inside. */
void mailbox_destroy(struct mailbox *mailbox);

#endif
