/*
 * mailbox.h - compare the server's files, `mailbox` and `mailbox.A-B`, with what was sent
 *
 * Belongs to one thread. Source: smtpd(8), FILES.
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
	struct backup_file *backups; /* those that existed before the run */
	size_t backup_count;
	uint64_t record_count; /* records of this run that the last check has compared */
};

/*
 * Record the contents of the server's directory, before anything is sent. Returns 0; or an error
 * number if the directory or `mailbox` cannot be read, and then there is nothing to destroy.
 */
int mailbox_snapshot(struct mailbox *mailbox, const char *path);

/* Close the directory, and free the memory. */
void mailbox_destroy(struct mailbox *mailbox);

/*
 * After all clients have ended: check that each message of the ledger is in the files once, and
 * that no other message is new. The server may still be writing a backup, or a message of a
 * connection that was closed; so if anything is wrong, the files are checked again until `patience`
 * nanoseconds have passed. The failures of the last check are reported. Returns their number.
 */
uint64_t mailbox_verify(struct mailbox *mailbox, const struct config *config, struct ledger *ledger,
    struct mismatch_log *mismatch_log, int64_t patience);

#endif
