/*
 * files.h - files in the current directory: made, read, compared
 */

#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "bytes.h"

/* Make a file of these bytes, or replace its content. */
void files_write(const char *name, const void *content, size_t length);
void files_write_string(const char *name, const char *content);

/* Read a whole regular file; fails if it is not one. */
struct bytes files_read(const char *name);

/* Fail unless the file is there and is exactly this. */
void files_expect(const char *name, const struct bytes *content);
void files_expect_string(const char *name, const char *content);

/* Whether there is anything of that name, be it a symbolic link to nowhere. */
bool files_exists(const char *name);

/* The permission bits. */
mode_t files_mode(const char *name);

/*
 * Let no file of this process grow beyond `limit` bytes, or lift that with FILES_UNLIMITED: a write
 * then fails with EFBIG. Nothing may be asserted under a limit, for that writes to a file, too.
 */
void files_limit_size(off_t limit);

#define FILES_UNLIMITED ((off_t)-1)

/* How many entries the current directory has, besides itself and its parent. */
unsigned files_count(void);

#endif
