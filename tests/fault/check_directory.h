/*
 * check_directory.h - compare the files of a stopped server with the ledger
 */

#ifndef CHECK_DIRECTORY_H
#define CHECK_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "mail.h"

/* What else the directory must or may contain. */
struct expectations {
	bool keep;              /* mailbox.commit is there and agrees with the mailbox */
	bool unfinished;        /* temporary files of a killed server are allowed */
	const char *old_backup; /* earlier content of mailbox.1-32: there, or in mailbox.1-32.~1~ */
};

/*
 * Check the backups and the mailbox. Together they must hold every delivered message, complete and
 * once, none that was refused or not sent, numbered from 1 without gaps; and there must be no other
 * file than those that `expectations` allow. Appends each violation to `failures`. Stores the
 * number of the last message in `*last`, which may be NULL.
 */
void check_directory(const char *directory, const struct ledger *ledger,
    const struct expectations *expectations, uint64_t *last, struct bytes *failures);

#endif
