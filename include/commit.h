/*
 * commit.h - the file `mailbox.commit`: how much of the mailbox is committed
 *
 * One line, "LENGTH NUMBER\n": two numbers of 20 decimal digits with leading zeros. LENGTH is the
 * count of bytes of `mailbox` up to the end of its last committed record, or of what another
 * program has appended and the server has found. NUMBER is that of the last committed message. The
 * line is overwritten in place, and a message is acknowledged only after that.
 */

#ifndef COMMIT_H
#define COMMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define COMMIT_NAME "mailbox.commit"

/* The name of the file until it is complete. Recovery ignores it. */
#define COMMIT_NEW_NAME COMMIT_NAME ".new"

struct commit {
	off_t length;    /* bytes of `mailbox` */
	uint64_t number; /* of the last committed message; 0 if there was none */
};

enum commit_status {
	COMMIT_FOUND,
	COMMIT_MISSING,
	COMMIT_INVALID
};

/*
 * Read the file in the current directory. Returns COMMIT_FOUND with its content in `commit`;
 * COMMIT_MISSING if there is no such file; or COMMIT_INVALID, having logged what is wrong with it:
 * it cannot be read, is not a regular file, or has invalid contents. Nothing is changed.
 */
enum commit_status commit_read(struct commit *commit);

/*
 * Create the file with `commit` in it, if there is none; otherwise do nothing. Under its name the
 * file is always complete, even if the process is killed or, with `sync`, the power fails. Returns
 * 0; or the error number: then there is still no file.
 */
int commit_create(const struct commit *commit, bool sync);

/* Open the file for writing. Returns a descriptor, or -1 with errno. */
int commit_open(void);

/*
 * Overwrite the file with `commit`. `descriptor` is that of commit_open(). Returns 0; or the error
 * number: then the file may have parts of its old and its new line until a later call succeeds.
 */
int commit_write(int descriptor, const struct commit *commit);

/* Remove the file, if there is one. Returns 0 or the error number. */
int commit_remove(void);

#endif
