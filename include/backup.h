/*
 * backup.h - the thread that moves every BACKUP_EVERY messages to a file of their own
 */

#ifndef BACKUP_H
#define BACKUP_H

#include <pthread.h>
#include <stdbool.h>

#include "mailbox.h"

/* The name of a backup while it is being made. */
#define BACKUP_TEMP_NAME "mailbox.backup"

/*
 * Start the thread. It serves `mailbox` until that is closed. Returns 0 with the thread, which must
 * be joined, in `thread`; or the error number of pthread_create().
 */
int backup_start(pthread_t *thread, struct mailbox *mailbox);

/*
 * Copy the mailbox to `mailbox.FIRST-LAST`, as `job` says. A file of that name is first renamed to
 * NAME.~1~, or the first such number that is free. Returns 0, or the error number of what failed.
 * The thread's own step, public for its tests; only one at a time may be made.
 */
int backup_create(const struct backup_job *job);

/*
 * Whether the backup that `job` describes is there already: a file of its name and length or, for
 * backup_matches_mailbox(), of the same content as the mailbox too. If not, errno is 0 or, if that
 * could not be found out, says why. Before the thread is at work.
 */
bool backup_exists_with_size(const struct backup_job *job);
bool backup_matches_mailbox(const struct backup_job *job);

#endif
