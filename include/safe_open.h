/*
 * safe_open.h - open a file in a directory that other users may write to
 *
 * A file of the server must be a regular file, not reached through a symbolic link, with no other
 * hard link, and owned by the user that the server runs as. Otherwise another user could read the
 * mail, or have the server empty another file of its user. Any thread.
 */

#ifndef SAFE_OPEN_H
#define SAFE_OPEN_H

#include <sys/stat.h>

#include "log.h"

/* Why a file may not be opened. */
struct open_refusal {
	int error;        /* 0 if the file may be opened */
	const char *text; /* a log line has this instead of the meaning of `error`; or NULL */
};

/*
 * Open a file for reading and appending, mode 0600, and lock it with flock(); create it if it is
 * missing. Its content is not changed. Returns a refusal; if its error is 0, sets `descriptor` and
 * `status` to those of the file, and otherwise `descriptor` to -1.
 */
struct open_refusal safe_open(const char *name, int *descriptor, struct stat *status);

/*
 * Check, without opening or locking it, that the file `name` may be opened or does not exist.
 * Returns a refusal, whose error is 0 in these cases.
 */
struct open_refusal safe_open_check(const char *name);

/*
 * Defer a log line that says why `name` may not be opened and, if another process has locked it,
 * what follows from that: `if_locked`.
 */
void safe_open_log(struct log_deferred *log, const char *name, const struct open_refusal *refusal,
    const char *if_locked);

#endif
