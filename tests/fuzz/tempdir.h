/*
 * tempdir.h - a directory in memory, if there is one, for targets that work with files
 */

#ifndef TEMPDIR_H
#define TEMPDIR_H

#include <stdbool.h>

#include "bytes.h"

/* What can be under a name. */
enum tempdir_kind {
	TEMPDIR_FILE,
	TEMPDIR_NOTHING,
	TEMPDIR_DIRECTORY,
	TEMPDIR_BROKEN_LINK,
	TEMPDIR_PIPE,
	TEMPDIR_LINK, /* to a file that is there */
	TEMPDIR_KINDS
};

/*
 * Be in an empty directory: made the first time, emptied each time, removed when the program ends
 * well. It is the current one from then on.
 */
void tempdir_enter(void);

/* Make something in it. Returns false if the name is taken or cannot be had. */
bool tempdir_make(enum tempdir_kind kind, const char *name, const struct bytes *content);

/* Append the content of a regular file to `content`. Returns whether `name` is one. */
bool tempdir_read(const char *name, struct bytes *content);

/* Abort unless `name` is a regular file of exactly this content. */
void tempdir_expect(const char *name, const struct bytes *content);

/* How many names there are. */
size_t tempdir_count(void);

/*
 * Append a description of all that is in the directory: names in order, kinds, contents. The names
 * up to a NULL are left out.
 */
void tempdir_describe(struct bytes *description, const char *const without[]);

#endif
