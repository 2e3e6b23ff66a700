/*
 * mailbox_file.h - list and read the server's files, and split them into records
 *
 * A record starts at each line that has the form of a first line (record_is_start()), because the
 * server must quote such lines in the body of a message. Any thread.
 */

#ifndef MULTICLIENT_MAILBOX_FILE_H
#define MULTICLIENT_MAILBOX_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "record.h"

/* A backup file. */
struct backup_file {
	uint64_t first, last; /* numbers of messages, as its name says */
	dev_t device;
	ino_t inode;
};

/*
 * List the backups in a directory, in the order of their numbers. Returns 0 or an error number. The
 * caller frees `*backups` in either case.
 */
int mailbox_list_backups(int directory, struct backup_file **backups, size_t *count);

/*
 * Replace `contents` by those of a file of the directory, not through a symbolic link. Returns 0 or
 * an error number.
 */
int mailbox_read_file(int directory, const char *name, struct buffer *contents);

/*
 * Find the first record at or after `from`, which is the beginning of a line. Returns its offset,
 * or the length of the text if there is none.
 */
size_t mailbox_find_record(struct span text, size_t from);

/* Parse the record that `text` starts with, and remove it from `text`. Returns the record. */
struct record mailbox_parse_record(struct span *text);

#endif
