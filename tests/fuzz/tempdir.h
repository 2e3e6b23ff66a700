/*
 * tempdir.h - a temporary directory, in memory if possible
 */

#ifndef TEMPDIR_H
#define TEMPDIR_H

#include <stdbool.h>

#include "bytes.h"

/* Types of entries. */
enum tempdir_kind {
	TEMPDIR_FILE,
	TEMPDIR_NOTHING,
	TEMPDIR_DIRECTORY,
	TEMPDIR_BROKEN_LINK,
	TEMPDIR_PIPE,
	TEMPDIR_LINK, /* to an existing file */
	TEMPDIR_KINDS
};

/*
 * Make the directory, or empty it, and make it the current one. exit() removes it.
 */
void tempdir_enter(void);

/* Create an entry. Returns false if the name exists or is impossible. */
bool tempdir_make(enum tempdir_kind kind, const char *name, const struct bytes *content);

/*
 * Append the names in order, types and contents of all entries, except those in `without`, which
 * ends with NULL.
 */
void tempdir_describe(struct bytes *description, const char *const without[]);

#endif
