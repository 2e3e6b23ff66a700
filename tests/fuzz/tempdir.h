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
	TEMPDIR_NOTHING, /* no entry is created */
	TEMPDIR_DIRECTORY,
	TEMPDIR_BROKEN_LINK,
	TEMPDIR_PIPE,
	TEMPDIR_LINK, /* a symbolic link to a file, which is created, too */
	TEMPDIR_KINDS
};

/*
 * Make the directory and make it the current one, or empty it if that was done before. It must have
 * no subdirectory that is not empty. exit() removes it.
 */
void tempdir_enter(void);

/*
 * Create an entry; `content` is that of a file. Returns false if the name exists or is impossible.
 */
bool tempdir_make(enum tempdir_kind kind, const char *name, const struct bytes *content);

/*
 * Append the name, the type and the content of each entry, in the order of the names, except those
 * in `without`, a list that ends with NULL.
 */
void tempdir_describe(struct bytes *description, const char *const without[]);

#endif
