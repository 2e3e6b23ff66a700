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

#define IN_MEMORY      "/dev/shm"
#define ON_DISK        "/tmp"
#define NAME_FORM      "/smtpd-fuzz.XXXXXX"
#define BLOCK_SIZE     4096
#define MODE           0600
#define DIRECTORY_MODE 0700

/* Targets of a broken link and of a link to a file. */
#define BROKEN_TARGET "nowhere"
#define TARGET        "somewhere"

static char directory[PATH_MAX];

static int
is_content(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Call `visit` for each name in the current directory, in order. */
static void
for_each(void (*visit)(const char *name, void *context), void *context)
{
	struct dirent **entries;
	int count = scandir(".", &entries, is_content, alphasort);

	if (count == -1) {
		fail("the temporary directory: error %d", errno);
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
		fail("%s cannot be removed: error %d", name, errno);
	}
}

static void
leave(void)
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
		if (mkdtemp(directory) == NULL || chdir(directory) == -1 || atexit(leave) != 0) {
			fail("no scratch directory: error %d", errno);
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
		fail("the scratch file cannot be written: error %d", errno);
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

bool
tempdir_read(const char *name, struct bytes *content)
{
	int file = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char block[BLOCK_SIZE];
	struct stat status;
	ssize_t length;

	bytes_add(content, "", 0);
	if (file == -1) {
		return false;
	}
	if (fstat(file, &status) == -1 || !S_ISREG(status.st_mode)) {
		close(file);
		return false;
	}
	while ((length = read(file, block, sizeof block)) > 0) {
		bytes_add(content, block, (size_t)length);
	}
	close(file);
	return length == 0;
}

void
tempdir_expect(const char *name, const struct bytes *content)
{
	struct bytes found = {.at = NULL};

	if (!tempdir_read(name, &found)) {
		fail("%s cannot be read", name);
	}
	bytes_compare(name, found.at, found.length, content);
	bytes_free(&found);
}

static void
count(const char *name, void *context)
{
	size_t *names = context;

	(void)name;
	(*names)++;
}

size_t
tempdir_count(void)
{
	size_t names = 0;

	for_each(count, &names);
	return names;
}

/* State of tempdir_describe(). */
struct describing {
	struct bytes *description;
	const char *const *without;
};

static bool
is_left_out(const struct describing *describing, const char *name)
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

	if (is_left_out(describing, name)) {
		return;
	}
	if (lstat(name, &status) == -1) {
		fail("%s: error %d", name, errno);
	}
	bytes_add_text(describing->description, name);
	bytes_add_format(describing->description, ": mode %o, %jd bytes\n", status.st_mode,
	    (intmax_t)(S_ISDIR(status.st_mode) ? 0 : status.st_size));
	tempdir_read(name, describing->description);
	bytes_add_text(describing->description, "\n");
}

void
tempdir_describe(struct bytes *description, const char *const without[])
{
	struct describing describing = {description, without};

	bytes_add(description, "", 0);
	for_each(describe, &describing);
}
