/*
 * safe_open.h - open a file in a directory that other users may write to
 *
 * A file of the server must be a regular file, not reached through a symbolic link, with no other
 * hard link, and owned by the user that the server runs as: otherwise somebody else reads the mail,
 * or a precious file is emptied. Any thread.
 */

#ifndef SAFE_OPEN_H
#define SAFE_OPEN_H

#include <sys/stat.h>

#include "log.h"

/* Why a file may not be opened: an error number and, if that does not say enough, a text. */
struct refusal {
	int error;        /* 0: it may */
	const char *text; /* or NULL */
};

/*
 * Open a file for reading and appending, mode 0600, and lock it with flock(); create it if it is
 * missing. Its content is not changed. Returns a refusal, whose error is 0 with the descriptor and
 * the status of the file.
 */
struct refusal safe_open(const char *name, int *descriptor, struct stat *status);

/* Check that `name` is free, or is such a file. Returns a refusal, whose error is 0 if it is. */
struct refusal safe_open_check(const char *name);

/*
 * Defer a log line that says why `name` may not be opened and, if another process has locked it,
 * what follows from that: `if_locked`.
 */
void safe_open_log(struct log_deferred *log, const char *name, const struct refusal *refusal,
    const char *if_locked);

#endif
