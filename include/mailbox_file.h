/*
 * mailbox_file.h - the file `mailbox`: open, lock, append, commit, roll back, truncate
 *
 * No locking of its own: the mailbox monitor calls these functions. With `keep` the file
 * `mailbox.commit` holds the commit point: the length of the acknowledged part of `mailbox` and the
 * number of its last record. With `sync` both are flushed before a record counts as stored.
 */

#ifndef MAILBOX_FILE_H
#define MAILBOX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "message.h"

/* The file's name, in the current directory. */
#define MAILBOX_NAME "mailbox"

struct mailbox_file {
	int descriptor;        /* of `mailbox`: O_APPEND, locked against other processes */
	int commit_descriptor; /* of `mailbox.commit`; -1 without keep */
	bool keep;             /* write the commit point */
	bool sync;             /* flush before a record counts as stored */
	off_t length;          /* bytes of committed records */
	uint64_t last_number;  /* of the last committed record, also if it is in a backup by now */
	bool torn;             /* bytes after `length` that could not be truncated yet */
};

/* Where to resume with an existing mailbox. */
struct resume_point {
	off_t length;    /* bytes of acknowledged records */
	off_t torn;      /* bytes after them, which were never acknowledged */
	uint64_t number; /* of the last message */
	bool backup_due; /* the records in the mailbox are to be backed up */
	bool copy_done;  /* the backup exists, and only the truncation is missing */
};

/*
 * Open `mailbox` in the current directory and lock it; create it if it is missing. Its content is
 * not changed. Returns true; false, having logged why, if it is not a regular file (a symbolic link
 * is not followed), another process has locked it, or open() fails.
 */
bool mailbox_file_open(struct mailbox_file *file, bool keep, bool sync);

/*
 * Truncate the file to `start`, and create the commit file (with keep) or remove it. Returns 0 or
 * the error number.
 */
int mailbox_file_resume(struct mailbox_file *file, const struct resume_point *start);

/*
 * Append `count` records, 1 to BACKUP_EVERY, under the next numbers. Returns 0, with the bytes
 * written in `*length`, or the error number: then part of them may be in the file, and
 * mailbox_file_roll_back() is to be called. They count only once they are committed.
 */
int mailbox_file_append(const struct mailbox_file *file, const struct record *const *records,
    size_t count, off_t *length);

/*
 * Flush the file (with sync) and write the commit point (with keep): `length` bytes, the last
 * record being `number`. Waits for the disk. The caller updates `length` and `last_number`. Returns
 * 0 or the error number.
 */
int mailbox_file_commit(const struct mailbox_file *file, off_t length, uint64_t number);

/*
 * Roll back to the last committed record: write the commit point again, then truncate. Returns 0 or
 * the error number, which is logged; then `torn` is set, and nothing may be appended until another
 * call succeeds.
 */
int mailbox_file_roll_back(struct mailbox_file *file);

/* Empty the file, whose records are in a backup. Returns 0 or the error number. */
int mailbox_file_empty(struct mailbox_file *file);

/* Close the files; this releases the lock. */
void mailbox_file_close(struct mailbox_file *file);

#endif
