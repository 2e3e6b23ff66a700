/*
 * backup.h - the thread that moves every BACKUP_EVERY messages to a file of their own
 */

#ifndef BACKUP_H
#define BACKUP_H

#include <pthread.h>
#include <stdbool.h>

#include "mailbox.h"

/*
 * Start the thread. It serves `mailbox` until that is closed. Returns 0 with the thread, which must
 * be joined, in `thread`; or the error number of pthread_create().
 */
int backup_start(pthread_t *thread, struct mailbox *mailbox);

/*
 * Copy the mailbox to `mailbox.FIRST-LAST`, as `job` says, and set `job->copied`. A file of that
 * name is first renamed to NAME.~1~, or the first such number that is free. Returns 0, or the error
 * number of what failed. The thread's own step, public for its tests; only one at a time may be
 * made.
 */
int backup_create(struct backup_job *job);

/*
 * Bring a copy that is in place up to date with the mailbox, of which it has `job->copied` bytes:
 * append what is missing and, with sync, flush it. Sets `job->copied`. Returns 0 or the error
 * number.
 */
int backup_extend(struct backup_job *job);

/*
 * Find out whether the backup that `job` describes exists: a regular file of its name with at least
 * `job->length` bytes. Returns 0 or the error number of what failed.
 */
int backup_exists(const struct backup_job *job, bool *exists);

/*
 * Find out how many bytes of the mailbox, at least 1, the backup that `job` describes has: a
 * regular file of its name that is equal to the first bytes of the mailbox. Sets `*copied`, to 0 if
 * there is no such file. Returns 0 or the error number of what failed. Before the thread is at
 * work.
 */
int backup_find_copied(const struct backup_job *job, off_t *copied);

#endif
