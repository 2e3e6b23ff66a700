/*
 * recovery.h - find where an earlier run left the mailbox, without changing a file
 */

#ifndef RECOVERY_H
#define RECOVERY_H

#include <stdbool.h>

#include "mailbox.h"

/*
 * Find the point at which to resume `mailbox`, which mailbox_open() has opened with keep, from the
 * files in the current directory. Returns true and sets `start`; or returns false, having logged
 * why. The main thread, before mailbox_resume().
 */
bool recovery_inspect(struct resume_point *start, const struct mailbox *mailbox);

#endif
