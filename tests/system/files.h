/*
 * files.h - the directory of a server: made, looked into, waited for
 */

#ifndef FILES_H
#define FILES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "text.h"

/* A path, to be passed and returned by value. */
struct path {
	char name[PATH_MAX];
};

/* Seconds for which a test waits for what must come. Reaching it is a failure. */
#define PATIENCE 20

/* Make a new empty directory within the suite's. */
struct path files_directory(void);

/* The path of `name` in `directory`. */
struct path files_path(const char *directory, const char *name);

/* Write a file of these bytes, with mode 0644 if it is new. */
void files_write(const struct path *path, const char *content);

/* Read a whole file; the caller frees the text. */
struct text files_read(const struct path *path);

/* Fail unless the file is exactly these bytes. */
void files_assert(const struct path *path, const void *expected, size_t length);
void files_assert_string(const struct path *path, const char *expected);

/* Whether something of that name exists, even a symbolic link to nowhere. */
bool files_exists(const struct path *path);

/* Its length in bytes, -1 if there is nothing of that name. */
off_t files_length(const struct path *path);

/* Its permission bits. */
mode_t files_mode(const struct path *path);

/* How many entries a directory has, `.` and `..` not counted. */
unsigned files_count(const char *directory);

/*
 * Wait until `name` in `directory` exists and is `length` bytes long, by being told of changes in
 * the directory. Returns false if it has not come to that after PATIENCE.
 */
bool files_await(const char *directory, const char *name, off_t length);

#endif
