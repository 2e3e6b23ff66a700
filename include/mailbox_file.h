/*
 * mailbox_file.h - the file `mailbox`: open, lock, check, append, commit, roll back, truncate
 *
 * These are the system calls on the file, apart from the mailbox monitor (mailbox.h), which takes
 * the mutex, waits and signals. These functions take no mutex: struct mailbox contains struct
 * mailbox_file and guards it. With `keep` the file `mailbox.commit` holds the commit point: the
 * length of the committed part of `mailbox`, and the number of the last committed record. With
 * `sync` both files are flushed before a record counts as stored.
 *
 * OTHER PROGRAMS
 *	Other programs may append to `mailbox`, truncate, remove, move or replace it at any time.
 *	mailbox_file_append() looks up the name after each write. If another file has it now, or the
 *	records do not begin after an empty line, they are removed again, mailbox_file_check()
 *	adopts the file that has the name, and they are written there. The file is emptied only at a
 *	start without keep, and after a backup that has all of it; otherwise only the server's own
 *	bytes are removed, from the end of the file.
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
	int commit_descriptor; /* of `mailbox.commit`; -1 if that is not open, as without keep */
	bool keep;             /* write the commit point */
	bool sync;             /* flush before a record counts as stored */
	dev_t device;          /* of the open file, which `mailbox` may no longer be */
	ino_t inode;
	off_t length;          /* bytes of it that are committed, or of other programs */
	uint64_t last_number;  /* of the last committed record, also if in a backup; 0 if none */
	off_t appended_length; /* bytes that were appended and not committed yet */
	off_t appended_end;    /* offset of the byte after them; valid if there are any */
	bool located;          /* appended_end is what the system says, not only computed */
	bool torn;             /* they may still be there: the last roll back has failed */
	bool checked;          /* false: the next append begins with mailbox_file_check() */
	const char *separator; /* line feeds that must come before the next record */
	bool unflushed;        /* with sync: another file was adopted, and is to be flushed */
	int open_error;        /* of the last refusal to open a file, which is logged once; or 0 */
	struct log_deferred log; /* lines for the operator, see log_take_deferred() */
};

/* Where to resume with an existing mailbox. */
struct resume_point {
	off_t length;         /* bytes to go on after */
	off_t foreign_length; /* the last of these, appended by another program */
	off_t unended_length; /* the last, after all whole records; 0 with a commit point */
	bool incomplete;      /* the unended bytes begin like a record */
	off_t torn_length;    /* bytes after `length`, never acknowledged, to be removed */
	off_t missing_length; /* bytes by which the mailbox is shorter than the commit point says */
	uint64_t number;      /* of the last message */
	bool backup_due;      /* the records in the mailbox are to be backed up */
	off_t copied_length;  /* bytes of the mailbox that the backup already has */
};

/*
 * Open `mailbox` in the current directory and lock it; create it if it is missing. Its content is
 * not changed. Returns true; false, having logged why, if
 * - `mailbox`, or an existing `mailbox.backup`, `mailbox.commit` or `mailbox.commit.new`, is not a
 *   file of the server as safe_open.h requires;
 * - another process has locked `mailbox`; or
 * - a system call fails.
 */
bool mailbox_file_open(struct mailbox_file *file, bool keep, bool sync);

/*
 * Resume at `start`: truncate the file to it, and write the commit file (with keep) or remove it.
 * With keep, only a torn tail is removed. If another program has appended to the file since `start`
 * was found, the torn tail stays, and `start->torn_length` is set to 0. Returns 0 or the error
 * number.
 */
int mailbox_file_resume(struct mailbox_file *file, struct resume_point *start);

/*
 * Check which file has the name `mailbox`, and adopt what is there: the open file up to its end,
 * wherever that is; or another file, which is opened as at the start. Not to be called while bytes
 * are appended and not committed. Returns 0; or the error number if the file cannot be opened,
 * read, flushed or committed: then nothing may be appended until another call succeeds.
 */
int mailbox_file_check(struct mailbox_file *file);

/*
 * Append `*count` records, 1 to BACKUP_EVERY, under the next numbers. If the system does not take
 * all at once, `*count` is reduced to the records that the result is for, at least one. Returns 0;
 * EAGAIN if other programs have changed the file too often; or another error number. After an error
 * part of the records may be in the file, and mailbox_file_roll_back() is to be called. Appended
 * records count only once they are committed.
 */
int mailbox_file_append(
    struct mailbox_file *file, const struct record *const *records, size_t *count);

/*
 * Commit what was appended, the last record being `number`: flush the file (with sync), then write
 * the commit point (with keep) and flush that (with sync). Changes no field, so that the mutex may
 * be released. Returns 0 or the error number. After success call mailbox_file_set_committed().
 */
int mailbox_file_commit(const struct mailbox_file *file, uint64_t number);

/* Set the fields after mailbox_file_commit(): what was appended is committed. */
void mailbox_file_set_committed(struct mailbox_file *file, uint64_t number);

/*
 * Roll back to the last committed record: write the commit point again, remove what was appended,
 * and adopt what is there, as mailbox_file_check() does. Returns 0; or the error number: then
 * `torn` is set, which is logged when it begins, and nothing may be appended until another call
 * succeeds.
 */
int mailbox_file_roll_back(struct mailbox_file *file);

/*
 * Empty the file, whose records are in a backup, and write the commit point. Returns 0; or the
 * error number: then the file may be empty already.
 */
int mailbox_file_empty(struct mailbox_file *file);

/* Close the files; this releases the lock. */
void mailbox_file_close(struct mailbox_file *file);

/* ---- for mailbox_file.c and mailbox_append.c alone ---- */

/*
 * Look up the name `mailbox` with lstat(). Sets `status`, with st_nlink 0 if there is no such name;
 * and `named` to whether the open file has the name. Returns 0 or the error number.
 */
int mailbox_file_look(const struct mailbox_file *file, struct stat *status, bool *named);

/* Log that the next record follows `size` bytes instead of `file->length`. */
void mailbox_file_log_size(struct mailbox_file *file, off_t size);

/*
 * Remove what was appended and not committed from the end of the file. It stays, and is logged, if
 * bytes of another program follow it, or if it cannot be removed from a file that has lost the name
 * `mailbox`. Returns 0, also in these cases; or the error number.
 */
int mailbox_file_remove_appended(struct mailbox_file *file);

#endif
