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
 * Make the backup that `job` describes: copy the mailbox to `mailbox.A-B`, where A is `job->first`
 * and B `job->last`. An existing file of that name is first renamed to `mailbox.A-B.~1~`, or with
 * the first such number that is free. Sets `job->exists` and `job->copied_length`. Returns 0; or
 * the error number: then there is no backup, and `job->copied_length` is 0. The backup thread;
 * public for its tests.
 */
int backup_create(struct backup_job *job);

/*
 * Extend the backup, which has `job->copied_length` bytes of the mailbox, to `job->length` bytes of
 * it and, with sync, flush it; or make it again if it is missing or too short. Sets
 * `job->copied_length`. Returns 0 or the error number. The backup thread; public for its tests.
 */
int backup_extend(struct backup_job *job);

/*
 * Find out whether the backup that `job` describes exists: a regular file of its name with at least
 * `job->length` bytes. Sets `*exists`. Returns 0 or the error number. The main thread, before the
 * backup thread makes an attempt.
 */
int backup_check_exists(const struct backup_job *job, bool *exists);

/*
 * Find out how many bytes of the mailbox the backup that `job` describes has. Sets `*length` to the
 * size of the regular file of its name if the file is equal to the first bytes of the mailbox; to 0
 * if it is not, or if there is no such file. Returns 0 or the error number. The main thread, before
 * the backup thread makes an attempt.
 */
int backup_find_copied_length(const struct backup_job *job, off_t *length);

#endif
