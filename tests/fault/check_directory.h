/*
 * check_directory.h - whether a directory holds what the clients were promised, and nothing else
 */

#ifndef CHECK_DIRECTORY_H
#define CHECK_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "mail.h"

/* What else may or must be in the directory. */
struct expectations {
	bool keep;       /* mailbox.commit, which agrees with the mailbox */
	bool unfinished; /* what a server that was cut short may have left half made */
	const char
	    *old_backup; /* bytes that mailbox.1-32 had before: under that name or the next */
};

/*
 * Look into the directory of a server that has stopped. Adds to `complaint` unless the backups and
 * then the mailbox hold, numbered from 1 without gaps, every message that was delivered, no message
 * twice, none that was refused or not sent, and each whole; and unless nothing else is there but
 * what `circumstances` allow. The number of the last message goes to `last`, which may be NULL.
 */
void check_directory(const char *directory, const struct ledger *ledger,
    const struct expectations *expectations, uint64_t *last, struct text *complaint);

#endif
