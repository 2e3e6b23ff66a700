/*
 * commit.h - the file `mailbox.commit`: how much of the mailbox has been acknowledged
 *
 * One line of fixed length, "LENGTH NUMBER\n" in decimal digits with leading zeros: the bytes of
 * `mailbox` up to the end of its last acknowledged record, or of what another program has appended
 * and the server has found; and the number of the last acknowledged message. It is rewritten in
 * place by one write.
 */

#ifndef COMMIT_H
#define COMMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define COMMIT_NAME "mailbox.commit"

/* The name of a file that is not complete yet, which recovery ignores. */
#define COMMIT_NEW_NAME COMMIT_NAME ".new"

struct commit {
	off_t length;    /* bytes */
	uint64_t number; /* of the last message; 0 if there was none */
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
 * Create the file with `commit` in it, if there is none. It is never there in part, even if the
 * process is killed or, with `sync`, the power fails. Returns 0; or the error number: then there is
 * still none.
 */
int commit_create(const struct commit *commit, bool sync);

/* Open the file for writing. Returns a descriptor, or -1 with errno. */
int commit_open(void);

/*
 * Overwrite the file with `commit`. `descriptor` is that of commit_open(). Returns 0; or the error
 * number: then the file may have parts of both contents until a later call succeeds.
 */
int commit_write(int descriptor, const struct commit *commit);

/* Remove the file, if there is one. Returns 0 or the error number. */
int commit_remove(void);

#endif
