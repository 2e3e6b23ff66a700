/*
 * recovery_reference.h - where to go on with a mailbox, found a second time, slowly and simply
 *
 * Written from what include/recovery.h and the protocol say, sharing nothing with the sources
 * except the result's type.
 */

#ifndef RECOVERY_REFERENCE_H
#define RECOVERY_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "mailbox.h"
#include "tempdir.h"

/* Names beside `mailbox` and `mailbox.commit`. */
#define OTHERS_MAX 12

/* One of them. */
struct other {
	char name[80];
	enum tempdir_kind kind;
	struct bytes content;
};

/* All that is in the directory. */
struct directory_state {
	const char *netid;
	struct bytes mailbox; /* a file */
	enum tempdir_kind commit_kind;
	struct bytes commit;
	struct other others[OTHERS_MAX];
	size_t other_count;
};

/* What must be found. Returns false if the server must refuse to start. */
bool recovery_reference(const struct directory_state *directory_state, struct resume_point *start);

/* The name of the backup that ends with this message, into `name`. */
void recovery_backup_name(uint64_t last, char name[static sizeof((struct other *)0)->name]);

/* What is under a name, or NULL. */
const struct other *recovery_other(const struct directory_state *directory_state, const char *name);

#endif
