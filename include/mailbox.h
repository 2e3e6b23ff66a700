/*
 * mailbox.h - monitor 2: the file `mailbox`, its numbers, and the turn of the backup
 *
 * DESIGN
 *	Workers deliver, one backup thread backs up. One mutex guards all fields below it and the
 *	file itself. Two condition variables, each named after its predicate:
 *
 *	backup_needed	a backup is due and somebody asks for a try, or the monitor is closing
 *	backup_done	the try that this thread waits for has finished
 *
 *	While a backup is due the file belongs to the backup thread, which therefore copies it
 *	without holding the mutex. A try that fails leaves the backup due; the next delivery asks
 *for another, and is refused if that fails too.
 *
 * INVARIANTS
 *	`delivered` is the number of the last record in the file or, if it is empty, of the last one
 *	backed up. The first `length` bytes of the file are exactly the records since the last
 *	backup; there are more bytes only while `torn`. Nobody appends while `backup_due`.
 *
 * PROOF
 *	Only mailbox_deliver() appends and only it sets `backup_due`, both under the mutex and after
 *	it has seen that no backup is due. Only the backup thread clears it, after the truncation.
 *
 *	Nobody waits for ever. A delivery that finds a backup due notes how many tries have been
 *	begun, asks for one, and waits until more than that many have finished: one that began after
 *	it came. Tries follow one another, so that is at most the second from now; each one ends,
 *	well or badly, and wakes all who wait. The wait of the backup thread ends as soon as
 *somebody asks, and `backup_asked` is cleared only by a try that begins thereafter, or by success.
 *
 * ABSENT ON PURPOSE
 *	Fairness among deliveries: numbers follow the order in which threads enter.
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
	int descriptor; /* of the file; open for appending; locked against other processes */
	pthread_mutex_t mutex;
	pthread_cond_t backup_needed;
	pthread_cond_t backup_done;
	uint64_t delivered; /* number of the last message */
	uint64_t first;     /* number of the first message of the file, or of the next one */
	off_t length;       /* bytes of whole records in the file */
	bool torn;          /* what a failed append left behind `length` could not be cut off yet */
	bool backup_due;
	bool backup_asked; /* for a try that has not begun */
	bool backup_made;  /* the copy is in place, and only the truncation is missing */
	bool closing;
	uint64_t tries_begun;
	uint64_t tries_finished;
	int backup_error; /* why the last try failed */
};

/* What the backup thread is to do. */
struct backup_job {
	int descriptor;    /* the mailbox, to be read from its first byte */
	off_t length;      /* bytes to copy */
	uint64_t first;    /* number of the first message in it */
	uint64_t last;     /* and of the last */
	bool already_made; /* the copy is in place since the last try */
};

/*
 * Open `mailbox` in the current directory and lock it; create it if it is missing. Its content is
 * left alone. Returns whether it worked, and says in the log why not: it is not a regular file (a
 * symbolic link is not followed), another process has locked it, no permission, and the like.
 */
bool mailbox_open(struct mailbox *mailbox);

/*
 * Empty the file and begin at number 1. No other thread may use the mailbox yet. Returns whether
 * it worked, and logs why not.
 */
bool mailbox_empty(struct mailbox *mailbox);

/*
 * Append a record and give it the next number. Waits for a backup that is due. Workers.
 *
 * Returns 0, with the number in `number`, or the error number of what failed: of the write (the
 * file is then as long as before, and no number is used), or of the backup. ENOSPC, EDQUOT and
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

/* Close the file and take the monitor apart. No other thread may be inside. */
void mailbox_destroy(struct mailbox *mailbox);

#endif
