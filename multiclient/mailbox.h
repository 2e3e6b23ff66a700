/*
 * mailbox.h - the files in which the server keeps what it delivered, `mailbox` and `mailbox.A-B`,
 * compared with what was sent. Belongs to one thread. Source: smtpd(8), FILES.
 */

#ifndef MULTICLIENT_MAILBOX_H
#define MULTICLIENT_MAILBOX_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "ledger.h"
#include "mailbox_file.h"
#include "mismatch.h"

struct mailbox {
	int directory;               /* descriptor */
	uint64_t highest_at_start;   /* the highest number in `mailbox` before the run; 0: none */
	struct backup_file *backups; /* the backups that existed before the run */
	size_t backups_at_start;     /* how many */
	uint64_t compared;           /* records of this run that were compared */
};

/*
 * Record what the directory holds before anything is sent.
 * Returns 0 or the error number if the directory cannot be opened or read; there is then nothing to release.
 */
int mailbox_snapshot(struct mailbox *mailbox, const char *path);
void mailbox_destroy(struct mailbox *mailbox);

/*
 * After all clients have ended: look up every message of the ledger, and see that there is nothing
 * else that is new. A backup, or a message of a connection that vanished, may take the server a
 * moment still: what is wrong is checked again until `patience` nanoseconds have passed. Reports
 * what is wrong then, and returns the number of failures.
 */
uint64_t mailbox_verify(struct mailbox *mailbox, const struct config *config, struct ledger *ledger,
    struct mismatch_log *mismatch_log, int64_t patience);

#endif
