/*
 * mailbox.h - monitor 2: the file `mailbox`, its numbers, the flushes and the turn of the backup
 *
 * DESIGN
 *	Workers deliver, one backup thread backs up. One mutex guards all fields below it and the
 *	file itself. Three condition variables, each named after its predicate:
 *
 *	backup_needed	a backup is due, somebody asks for a try, and all messages are flushed; or
 *			the monitor is closing
 *	backup_done	the try that this thread waits for has finished, or no backup is due
 *	flush_done	the flush under way has ended, nobody is about to append any more or a
 *			backup is due, or nobody is being refused any more
 *
 *	While a backup is due the file belongs to the backup thread, which therefore copies it
 *	without holding the mutex. A try that fails leaves the backup due; the next delivery asks
 *	for another, and is refused if that fails too.
 *
 *	Of all who wait for a backup its end wakes only one, who wakes the next when its own record
 *	is in the file, and so on until all have entered or a backup is due again: the turn is
 *	passed on. Woken all at once they would only crowd before the mutex, most of them to find
 *	that the file is full again.
 *
 *	With `sync` a delivery appends, and then waits until its record is on the disk. The first to
 *	find no flush under way makes one for everybody who has appended by then, without holding
 *	the mutex; the others append behind it meanwhile, and the next flush is for all of them
 *	(group commit). While the turn is being passed on, all who have one append before the flush
 *	begins. If a flush fails, whatever was not flushed before is cut off again and all who wait
 *	are refused; until the last of them has left nobody appends, so that a number given again is
 *	not taken for the one that was refused.
 *
 *	With `keep` the file `mailbox.commit` says what has been acknowledged: it is written by who
 *	holds the mutex or, with `sync`, by who makes the flush, after the mailbox and before any
 *	reply.
 *
 * INVARIANTS
 *	`delivered` is the number of the last record in the file or, if it is empty, of the last one
 *	backed up. The first `length` bytes of the file are exactly the records since the last
 *	backup; there are more bytes only while `torn`. Nobody appends while `backup_due`, nor while
 *	`refusing`. `flushed` <= `delivered`; the two are equal while a backup is being made, and
 *	always without `sync`.
 *
 * PROOF
 *	Only mailbox_deliver() appends and, after the start, only it sets `backup_due`, both under
 *	the mutex and after it has seen that neither flag is set. Only the backup thread clears
 *	`backup_due`, after the truncation; or a failed flush does, which takes back the very
 *	message that had set it, and cannot overlap with a try, because a try begins only when
 *	`flushed` has come up with `delivered`, and nobody appends after that.
 *
 *	The wait for a backup ends. A delivery that finds a backup due notes how many tries have
 *	been begun, and asks for one. It waits until no backup is due, or until a try has failed
 *	that began after it came: tries follow one another, so that is at most the second from now,
 *	and each one ends. One that fails wakes all who wait, and so does a failed flush that clears
 *	`backup_due`. Otherwise the turn is under way: whenever somebody waits for a backup and none
 *	is due, one thread at least has been woken from that wait and has not passed the turn on
 *	yet. For whoever is woken either finds a backup due, whose end starts another turn, or goes
 *	on to append, perhaps after the last of the refused has left, and then, whether that worked
 *	or not, passes it on or has made a backup due.
 *
 *	The backup thread goes on as soon as somebody asks and all is flushed; `backup_asked` is
 *	cleared only by a try that begins thereafter, or with `backup_due`.
 *
 *	The wait for a flush ends. Those who are `entering` need none to get ahead: while no backup
 *	is due they wait only for their turn, or for the refused to leave. A delivery that waits for
 *	a flush makes it itself, or is woken when the one under way ends, the second that it sees
 *	begin covering it, or waits for those who are entering. The last of these, or who makes a
 *	backup due, makes the flush, or waits for the one under way like everybody; or, if its
 *	append failed, wakes all who wait. `refusing` ends when the last of a counted number of
 *	woken threads has left.
 *
 * ABSENT ON PURPOSE
 *	Fairness among deliveries: numbers follow the order in which threads enter, and one that
 *	waits for a backup may not be the one that is woken, or may find when it wakes that others
 *	have filled the file again. Each time that happens BACKUP_EVERY of them have been served.
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

struct mailbox {
	int descriptor;        /* of the file; open for appending; locked against other processes */
	int commit_descriptor; /* of `mailbox.commit`; -1 without keep */
	bool keep;             /* go on from what is there; note what is acknowledged */
	bool sync;             /* acknowledge only what is on the disk */
	pthread_mutex_t mutex;
	pthread_cond_t backup_needed;
	pthread_cond_t backup_done;
	pthread_cond_t flush_done;
	uint64_t delivered; /* number of the last message */
	off_t length;       /* bytes of whole records in the file */
	bool torn;          /* what a failed append left behind `length` could not be cut off yet */
	bool closing;

	uint64_t flushed;        /* number of the last message on the disk */
	off_t flushed_length;    /* bytes of the file on the disk */
	unsigned awaiting_flush; /* threads that wait for a flush, or make it */
	bool flushing;           /* one of them makes it now */
	unsigned entering;       /* threads that have come to append and have not tried yet */
	bool refusing;           /* it failed, and they have not all left yet */
	int flush_error;         /* why */

	bool backup_due;
	bool backup_asked; /* for a try that has not begun */
	bool backup_made;  /* the copy is in place, and only the truncation is missing */
	uint64_t tries_begun;
	uint64_t tries_finished;
	int backup_error; /* why the last try failed */
};

/* Where to go on with a mailbox that is there already. */
struct mailbox_start {
	off_t length;     /* bytes that hold acknowledged records */
	off_t torn;       /* bytes behind them, which nobody was told were delivered */
	uint64_t number;  /* of the last message */
	bool backup_due;  /* what the mailbox holds is to be backed up */
	bool backup_made; /* that is done already, but for the truncation */
};

/* What the backup thread is to do. */
struct backup_job {
	int descriptor;    /* the mailbox, to be read from its first byte */
	off_t length;      /* bytes to copy */
	uint64_t first;    /* number of the first message in it */
	uint64_t last;     /* and of the last */
	bool already_made; /* the copy is in place since an earlier try */
	bool sync;         /* the copy must be on the disk */
};

/* Return the number of the first message that is in the same backup as message `number`. */
uint64_t mailbox_first_of_group(uint64_t number);

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
bool mailbox_begin(struct mailbox *mailbox, const struct mailbox_start *start);

/*
 * Append a record and give it the next number. Waits for a backup that is due and, with sync, for
 * the disk. Workers.
 *
 * Returns 0, with the number in `number`, or the error number of what failed: the write, the flush
 * (the file is then as long as before, and no number is used), or the backup. ENOSPC, EDQUOT and
 * EFBIG mean that there is no room.
 */
int mailbox_deliver(struct mailbox *mailbox, const struct record *record, uint64_t *number);

/*
 * Wait until a backup is to be made. The backup thread only. Returns true with the work in `job`,
 * or false when the mailbox is closing and there is nothing to do.
 */
bool mailbox_await_backup(struct mailbox *mailbox, struct backup_job *job);

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
