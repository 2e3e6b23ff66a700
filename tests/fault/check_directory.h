/*
 * check_directory.h - compare the files of a stopped server with the ledger
 */

#ifndef CHECK_DIRECTORY_H
#define CHECK_DIRECTORY_H

#include <stdbool.h>

#include "mail.h"

/* What else the directory must or may contain. */
struct expectations {
	bool keep;       /* mailbox.commit is there and agrees with the mailbox */
	bool unfinished; /* temporary files of a killed server are allowed */
	/* NULL, or what an earlier run left as mailbox.1-32: there, or renamed to ...~1~ */
	const char *old_backup;
};

/*
 * Check the backups and the mailbox. Together they must hold every delivered message, complete and
 * once, none that was refused or not sent, numbered from 1 without gaps; and there must be no other
 * file than those that `expectations` allow. Appends each violation to `failures`.
 */
void check_directory(const char *directory, const struct ledger *ledger,
    const struct expectations *expectations, struct bytes *failures);

#endif
