/*
 * ledger.h - the expected content of the mailbox and its backups
 *
 * The netid is the default one.
 */

#ifndef LEDGER_H
#define LEDGER_H

#include "bytes.h"
#include "server.h"

/* Messages in a backup. */
#define BACKUP_EVERY 32

/* The most backups of a ledger. */
#define LEDGER_BACKUPS_MAX 2048

/* All zero at first. */
struct ledger {
	unsigned last_number;            /* of a message; 0 if there is none */
	struct bytes records;            /* of all messages */
	size_t ends[LEDGER_BACKUPS_MAX]; /* offset in `records` of the end of each backup */
	unsigned checked_count;          /* of backups, by ledger_check() */
};

/* Add a message with its body as stored. Returns its number. */
unsigned ledger_add(struct ledger *ledger, const char *host, const char *from, const char *to,
    const void *body, size_t length);

/* Add one as client_deliver() sends it; add one with a body of one line, given without its LF. */
unsigned ledger_add_delivered(struct ledger *ledger, const char *body);
unsigned ledger_add_line(struct ledger *ledger, const char *line);

/*
 * Wait for the backups that are due, and compare them and the mailbox with the ledger. Each backup
 * is compared once.
 */
void ledger_check(struct ledger *ledger, const struct server *server);

/* Free the memory of a ledger. */
void ledger_free(struct ledger *ledger);

/* Return the path of the backup whose last message is `last`. */
struct path ledger_backup(const struct server *server, unsigned last);

#endif
