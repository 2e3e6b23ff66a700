/*
 * mailbox_file.h - the file `mailbox`: open, lock, check, append, commit, roll back, truncate
 *
 * These are the system calls, apart from mailbox.c, which locks, waits and signals. No locking of
 * their own: the mailbox monitor calls these functions, and struct mailbox contains struct
 * mailbox_file. With `keep` the file `mailbox.commit` holds the commit point: the length of the
 * acknowledged part of `mailbox` and the number of its last record. With `sync` both are flushed
 * before a record counts as stored.
 *
 * OTHER PROGRAMS
 *	Other programs may append to `mailbox`, truncate, remove, move or replace it at any time.
 *	mailbox_file_append() looks at the name after each write. If it is no longer the file that
 *	was written to, or the records do not begin after an empty line, they are removed again,
 *	mailbox_file_check() adopts what now has the name, and they are written there. Only bytes of
 *	our own are removed, and only from the end of the file; the file is emptied at a start
 *	without keep, and after a backup that has all of it.
 *	What is found is logged: as deferred lines in `log`, because a mutex is held.
 */

#ifndef MAILBOX_FILE_H
#define MAILBOX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "log.h"
#include "message.h"

/* The file's name, in the current directory. */
#define MAILBOX_NAME "mailbox"

/* The name of a backup while it is being made. */
#define BACKUP_TEMP_NAME MAILBOX_NAME ".backup"

struct mailbox_file {
	int descriptor;        /* of `mailbox`: O_APPEND, locked against other processes */
	int commit_descriptor; /* of `mailbox.commit`; -1 without keep */
	bool keep;             /* write the commit point */
	bool sync;             /* flush before a record counts as stored */
	dev_t device;          /* of the open file, which `mailbox` may no longer be */
	ino_t inode;
	off_t length;          /* bytes, up to which all is committed or of other programs */
	uint64_t last_number;  /* of the last committed record, also if it is in a backup by now */
	off_t appended_length; /* bytes that were appended and not committed yet */
	off_t appended_end;    /* where they end; valid if there are any */
	bool located;          /* appended_end is known, not only computed */
	bool torn;             /* they could not be removed yet */
	bool checked;          /* no failure or change since mailbox_file_check() */
	const char *separator; /* line feeds that must come before the next record */
	bool unflushed;        /* with sync: the file was adopted, and must be flushed */
	int open_error;        /* why a file may not be opened, as it was logged, or 0 */
	struct log_deferred log; /* lines for the operator, see log_take_deferred() */
};

/* Where to resume with an existing mailbox. */
struct resume_point {
	off_t length;         /* bytes to go on after */
	off_t foreign_length; /* the last of these, appended by another program */
	off_t
	    unended_length; /* the last of these, after all whole records; without a commit point */
	bool incomplete;    /* the unended bytes begin like a record */
	off_t torn_length;  /* bytes after `length`, never acknowledged, to be removed */
	off_t missing_length; /* bytes by which the mailbox is shorter than the commit point says */
	uint64_t number;      /* of the last message */
	bool backup_due;      /* the records in the mailbox are to be backed up */
	off_t copied_length;  /* bytes of the mailbox that the backup already has */
};

/*
 * Open `mailbox` in the current directory and lock it; create it if it is missing. Its content is
 * not changed. Returns true; false, having logged why, if it is not a regular file with one link
 * that belongs to this user (a symbolic link is not followed), if another process has locked it, if
 * the name of another file of the server is taken by anything else, or if open() fails.
 */
bool mailbox_file_open(struct mailbox_file *file, bool keep, bool sync);

/*
 * Truncate the file to `start`, and create the commit file (with keep) or remove it. With keep,
 * only a torn tail is removed; if another program has appended to the file since `start` was found,
 * it stays, and `start->torn_length` is set to 0. Returns 0 or the error number.
 */
int mailbox_file_resume(struct mailbox_file *file, struct resume_point *start);

/*
 * Compare the name `mailbox` with the open file, and go on with what is there: the end of the file,
 * wherever it is; or another file, which is opened as at the start. Nothing may be appended and not
 * committed. Returns 0; or the error number if the file cannot be opened, read, flushed or
 * committed: then nothing may be appended until another call succeeds.
 */
int mailbox_file_check(struct mailbox_file *file);

/*
 * Append `*count` records, 1 to BACKUP_EVERY, under the next numbers, or fewer, at least one, if
 * the system does not take all at once: `*count` is then reduced. Returns 0; or the error number:
 * then part of them may be in the file, and mailbox_file_roll_back() is to be called. They count
 * only once they are committed.
 */
int mailbox_file_append(
    struct mailbox_file *file, const struct record *const *records, size_t *count);

/*
 * Flush the file (with sync) and write the commit point (with keep) for what was appended, the last
 * record being `number`. Waits for the disk; changes no field, so that the mutex may be released.
 * Returns 0 or the error number.
 */
int mailbox_file_commit(const struct mailbox_file *file, uint64_t number);

/* Count what was appended and flushed as committed, the last record being `number`. */
void mailbox_file_set_committed(struct mailbox_file *file, uint64_t number);

/*
 * Roll back to the last committed record: write the commit point again, remove what was appended,
 * and go on with what is there, as mailbox_file_check() does. Returns 0; or the error number, which
 * is logged once: then `torn` is set, and nothing may be appended until another call succeeds.
 */
int mailbox_file_roll_back(struct mailbox_file *file);

/* Empty the file, whose records are in a backup. Returns 0 or the error number. */
int mailbox_file_empty(struct mailbox_file *file);

/* Close the files; this releases the lock. */
void mailbox_file_close(struct mailbox_file *file);

/* ---- for mailbox_file.c and mailbox_append.c alone ---- */

/*
 * Look up the name `mailbox`. Sets `status` to what has it, its st_nlink to 0 if there is none; and
 * `named` to whether that is the open file. Returns 0 or the error number.
 */
int mailbox_file_look(const struct mailbox_file *file, struct stat *status, bool *named);

/* Log that the next record follows `size` bytes instead of `length`. */
void mailbox_file_log_size(struct mailbox_file *file, off_t size);

/*
 * Remove what was appended and not committed from the end of the file. If bytes of another program
 * follow, it stays, as if it were theirs; so it does if it cannot be removed from a file that has
 * lost the name `mailbox`. Returns 0 or the error number.
 */
int mailbox_file_remove_appended(struct mailbox_file *file);

#endif
