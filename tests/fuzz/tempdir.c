/*
 * NAME
 *	tempdir - a temporary directory, in memory if possible
 *
 * BUGS
 *	After abort() the directory remains.
 */

#define _GNU_SOURCE

#include "tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "files.h"

#define IN_MEMORY      "/dev/shm"
#define ON_DISK        "/tmp"
#define NAME_FORM      "/smtpd-fuzz.XXXXXX"
#define MODE           0600
#define DIRECTORY_MODE 0700

/* Targets of a broken link and of a link to a file. */
#define BROKEN_TARGET "nowhere"
#define TARGET        "somewhere"

static char directory[PATH_MAX];

static int
is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Call `visit` for each name in the current directory, in order. */
static void
for_each(void (*visit)(const char *name, void *context), void *context)
{
	struct dirent **entries;
	int count = scandir(".", &entries, is_entry, alphasort);

	if (count == -1) {
		test_fail("the temporary directory: error %d", errno);
	}
	for (int i = 0; i < count; i++) {
		visit(entries[i]->d_name, context);
		free(entries[i]);
	}
	free(entries);
}

static void
remove_name(const char *name, void *context)
{
	(void)context;
	if (remove(name) == -1) {
		test_fail("%s cannot be removed: error %d", name, errno);
	}
}

static void
remove_directory(void)
{
	for_each(remove_name, NULL);
	if (chdir("/") == -1 || rmdir(directory) == -1) {
		perror(directory);
	}
}

void
tempdir_enter(void)
{
	if (!directory[0]) {
		const char *parent = access(IN_MEMORY, W_OK) == 0 ? IN_MEMORY : ON_DISK;

		snprintf(directory, sizeof directory, "%s" NAME_FORM, parent);
		if (mkdtemp(directory) == NULL || chdir(directory) == -1 ||
		    atexit(remove_directory) != 0) {
			test_fail("no temporary directory: error %d", errno);
		}
	}
	for_each(remove_name, NULL);
}

static bool
make_file(const char *name, const struct bytes *content)
{
	int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);

	if (file == -1) {
		return false;
	}
	if (content->length > 0 &&
	    write(file, content->at, content->length) != (ssize_t)content->length) {
		test_fail("the file cannot be written: error %d", errno);
	}
	close(file);
	return true;
}

bool
tempdir_make(enum tempdir_kind kind, const char *name, const struct bytes *content)
{
	switch (kind) {
	case TEMPDIR_FILE:
		return make_file(name, content);
	case TEMPDIR_DIRECTORY:
		return mkdir(name, DIRECTORY_MODE) == 0;
	case TEMPDIR_BROKEN_LINK:
		return symlink(BROKEN_TARGET, name) == 0;
	case TEMPDIR_PIPE:
		return mkfifo(name, MODE) == 0;
	case TEMPDIR_LINK:
		make_file(TARGET, content);
		return symlink(TARGET, name) == 0;
	case TEMPDIR_NOTHING:
	case TEMPDIR_KINDS:
		break;
	}
	return true;
}

/* State of tempdir_describe(). */
struct describing {
	struct bytes *description;
	const char *const *without;
};

static bool
is_excluded(const struct describing *describing, const char *name)
{
	for (size_t i = 0; describing->without[i] != NULL; i++) {
		if (strcmp(name, describing->without[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void
describe(const char *name, void *context)
{
	struct describing *describing = context;
	struct stat status;

	if (is_excluded(describing, name)) {
		return;
	}
	if (lstat(name, &status) == -1) {
		test_fail("%s: error %d", name, errno);
	}
	bytes_add_string(describing->description, name);
	bytes_add_format(describing->description, ": mode %o, %jd bytes\n", status.st_mode,
	    (intmax_t)(S_ISDIR(status.st_mode) ? 0 : status.st_size));
	files_read_append(name, describing->description);
	bytes_add_string(describing->description, "\n");
}

void
tempdir_describe(struct bytes *description, const char *const without[])
{
	struct describing describing = {description, without};

	bytes_add(description, "", 0);
	for_each(describe, &describing);
}
