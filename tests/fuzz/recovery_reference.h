/*
 * recovery_reference.h - a second implementation of recovery, slow and simple
 *
 * Written from include/recovery.h and the protocol. It shares only the type of the result with the
 * server.
 */

#ifndef RECOVERY_REFERENCE_H
#define RECOVERY_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "mailbox.h"
#include "tempdir.h"

/* Most entries of the directory beside `mailbox` and `mailbox.commit`. */
#define OTHERS_MAX 12

/* One of them. */
struct other {
	char name[80];
	enum tempdir_kind kind;
	struct bytes content;
};

/* All entries of the directory. */
struct directory_state {
	const char *netid;
	struct bytes mailbox; /* content of the file; empty if `mailbox` is none */
	enum tempdir_kind commit_kind;
	struct bytes commit; /* content of the file, if it is one */
	struct other others[OTHERS_MAX];
	size_t other_count;
};

/*
 * Compute the expected result for a directory in which `mailbox` is a file or missing. Returns
 * false if the server must refuse to start.
 */
bool recovery_reference(const struct directory_state *directory_state, struct resume_point *start);

/* Write the name of the backup whose last message is `last`. */
void recovery_backup_name(uint64_t last, char name[static sizeof((struct other *)0)->name]);

/* Return the entry in `others` with this name, or NULL. */
const struct other *recovery_other(const struct directory_state *directory_state, const char *name);

#endif
