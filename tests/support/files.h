/*
 * files.h - temporary directories, and files: written, read, compared, awaited
 */

#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "bytes.h"
#include "clock.h"

/* PATH_MAX of Linux. <limits.h> is not included: it defines LINE_MAX, as multiclient does. */
#define PATH_SIZE 4096

/*
 * A path, to be passed and returned by value. No test includes include/path.h, whose struct path is
 * an address.
 */
struct path {
	char name[PATH_SIZE];
};

/*
 * Make the program's temporary directory in TMPDIR, with a name that begins with `prefix`. Returns
 * false and prints a message if that fails. files_close() removes it with all it contains.
 */
bool files_open(const char *prefix);
void files_close(void);

/* Return the program's temporary directory. */
const char *files_base(void);

/* Make a new empty directory in it. */
struct path files_directory(void);

/* Remove a directory and all it contains. Returns false, with errno set, on error. */
bool files_remove_tree(const char *directory);

/* Return the path of `name` in `directory`. */
struct path files_path(const char *directory, const char *name);

/* Write a file of these bytes, with mode 0644 less the umask if it is new. */
void files_write(const char *path, const void *content, size_t length);
void files_write_in(const char *directory, const char *name, const void *content, size_t length);
void files_write_string(const char *path, const char *content);

/* Read a whole regular file. The caller frees the result. */
struct bytes files_read(const char *path);

/*
 * Append the content of a file to `content`. Returns false if `path` is not a regular file or
 * cannot be read.
 */
bool files_read_append(const char *path, struct bytes *content);

/* Fail unless the file is regular and has exactly this content. */
void files_compare(const char *path, const void *content, size_t length);
void files_expect(const char *path, const struct bytes *content);
void files_expect_string(const char *path, const char *content);

/* Return whether a directory entry of that name exists; a symbolic link is not followed. */
bool files_exists(const char *path);

/* Return the length of a file in bytes, -1 if it does not exist. */
off_t files_length(const char *path);

/* Return the permission bits of a file. */
mode_t files_mode(const char *path);

/* Return the number of entries of a directory without `.` and `..`. */
unsigned files_count(const char *directory);

/*
 * Wait with inotify(7) until `name` in `directory` exists and is `length` bytes long. Returns false
 * after PATIENCE.
 */
bool files_await(const char *directory, const char *name, off_t length);

/*
 * Set the soft limit RLIMIT_FSIZE of this process to `limit` bytes or, if that is FILES_UNLIMITED,
 * to the hard limit. SIGXFSZ is ignored from then on, so that a write beyond the limit fails with
 * EFBIG. ck_assert() writes to a file as well: use REQUIRE under a limit.
 */
void files_limit_size(off_t limit);

#define FILES_UNLIMITED ((off_t)-1)

#endif
