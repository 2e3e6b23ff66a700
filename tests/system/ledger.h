/*
 * ledger.h - what the mailbox and its backups should hold, kept beside a test
 *
 * The netid is the default one.
 */

#ifndef LEDGER_H
#define LEDGER_H

#include "server.h"
#include "text.h"

/* Messages in a backup. */
#define BACKUP_EVERY 32

/* Backups that a ledger can follow. */
#define LEDGER_BACKUPS 2048

/* All zero at first. */
struct ledger {
	unsigned delivered;          /* number of the last message */
	struct text records;         /* all of them */
	size_t ends[LEDGER_BACKUPS]; /* where in `records` each backup ends */
	unsigned checked;            /* backups that have been found in order */
};

/* Note a message that is or will be delivered, its body as stored. Returns its number. */
unsigned ledger_add(struct ledger *ledger, const char *host, const char *from, const char *to,
    const void *body, size_t length);

/* Note one as client_deliver() sends it; and one with a body of one line, given without its end. */
unsigned ledger_add_delivered(struct ledger *ledger, const char *body);
unsigned ledger_add_line(struct ledger *ledger, const char *line);

/*
 * The server's directory must hold what was noted: wait for backups that are due, compare them and
 * the mailbox.
 */
void ledger_check(struct ledger *ledger, const struct server *server);

/* Release the memory of a ledger. */
void ledger_free(struct ledger *ledger);

/* The path of the backup whose last message is `last`. */
struct path ledger_backup(const struct server *server, unsigned last);

#endif
