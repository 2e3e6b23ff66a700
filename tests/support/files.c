/*
 * NAME
 *	files - temporary directories, and files: written, read, compared, awaited
 */

#define _GNU_SOURCE

#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "environment.h"
#include "fail.h"

/* Bytes read at a time. */
#define BLOCK_SIZE 65536

/* Descriptors that nftw() may use. */
#define WALK_DESCRIPTORS 8

/* The program's temporary directory. */
static struct path base;

/* ---- directories ---- */

bool
files_open(const char *prefix)
{
	snprintf(
	    base.name, sizeof base.name, "%s/%s.XXXXXX", environment_get("TMPDIR", "/tmp"), prefix);
	if (mkdtemp(base.name) != NULL) {
		return true;
	}
	perror(base.name);
	return false;
}

void
files_close(void)
{
	if (!files_remove_tree(base.name)) {
		perror(base.name);
	}
}

const char *
files_base(void)
{
	return base.name;
}

struct path
files_directory(void)
{
	struct path path = files_path(base.name, "XXXXXX");

	if (mkdtemp(path.name) == NULL) {
		test_fail_errno(path.name);
	}
	return path;
}

static int
remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

bool
files_remove_tree(const char *directory)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread changes the directory */
	return nftw(directory, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == 0;
}

struct path
files_path(const char *directory, const char *name)
{
	struct path path;
	int length = snprintf(path.name, sizeof path.name, "%s/%s", directory, name);

	REQUIRE(length > 0 && (size_t)length < sizeof path.name, "%s: name too long", name);
	return path;
}

unsigned
files_count(const char *directory)
{
	DIR *entries = opendir(directory);
	unsigned count = 0;

	if (entries == NULL) {
		test_fail_errno(directory);
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread uses the stream */
	for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	}
	closedir(entries);
	return count;
}

/* ---- content ---- */

void
files_write(const char *path, const void *content, size_t length)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (file == -1 || write(file, content, length) != (ssize_t)length || close(file) == -1) {
		test_fail_errno(path);
	}
}

void
files_write_in(const char *directory, const char *name, const void *content, size_t length)
{
	struct path path = files_path(directory, name);

	files_write(path.name, content, length);
}

void
files_write_string(const char *path, const char *content)
{
	files_write(path, content, strlen(content));
}

bool
files_read_append(const char *path, struct bytes *content)
{
	int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	char block[BLOCK_SIZE];
	ssize_t length = -1;

	if (file == -1) {
		return false;
	}
	if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
		bytes_add(content, "", 0);
		while ((length = read(file, block, sizeof block)) > 0) {
			bytes_add(content, block, (size_t)length);
		}
	}
	close(file);
	return length == 0;
}

struct bytes
files_read(const char *path)
{
	struct bytes content = {.at = NULL};

	REQUIRE(files_read_append(path, &content), "%s is not a regular file", path);
	return content;
}

void
files_compare(const char *path, const void *content, size_t length)
{
	struct bytes found = files_read(path);

	bytes_compare(path, found.at, found.length, content, length);
	bytes_free(&found);
}

void
files_expect(const char *path, const struct bytes *content)
{
	files_compare(path, content->at, content->length);
}

void
files_expect_string(const char *path, const char *content)
{
	files_compare(path, content, strlen(content));
}

/* ---- attributes ---- */

bool
files_exists(const char *path)
{
	return files_length(path) != -1;
}

off_t
files_length(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 ? status.st_size : -1;
}

mode_t
files_mode(const char *path)
{
	struct stat status;

	if (lstat(path, &status) == -1) {
		test_fail_errno(path);
	}
	return status.st_mode & ALLPERMS;
}

/* Wait for the next change in the watched directory, at most until `deadline`. */
static void
await_change(int changes, double deadline)
{
	char events[BLOCK_SIZE];
	struct pollfd wait = {.fd = changes, .events = POLLIN};

	if (poll(&wait, 1, clock_left(deadline)) == 1) {
		REQUIRE_CALL(read(changes, events, sizeof events));
	}
}

bool
files_await(const char *directory, const char *name, off_t length)
{
	struct path path = files_path(directory, name);
	double deadline = clock_now() + PATIENCE;
	int changes;

	/* Removing a watch takes milliseconds: make one only if it is needed. */
	if (files_length(path.name) == length) {
		return true;
	}
	changes = inotify_init1(IN_CLOEXEC);
	REQUIRE_CALL(changes);
	REQUIRE_CALL(inotify_add_watch(changes, directory, IN_CREATE | IN_MODIFY | IN_MOVED_TO));
	while (files_length(path.name) != length && clock_now() < deadline) {
		await_change(changes, deadline);
	}
	close(changes);
	return files_length(path.name) == length;
}

void
files_limit_size(off_t limit)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct rlimit size;

	sigaction(SIGXFSZ, &ignore, NULL);
	getrlimit(RLIMIT_FSIZE, &size);
	size.rlim_cur = limit == FILES_UNLIMITED ? size.rlim_max : (rlim_t)limit;
	setrlimit(RLIMIT_FSIZE, &size);
}
