/*
 * NAME
 *	files - the directory of a server: made, looked into, waited for
 *
 * DESCRIPTION
 *	A test that must wait for the server to change a file is told of it by inotify(7).
 */

#define _GNU_SOURCE

#include "files.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "suite.h"

/* Bytes read at a time. */
#define BLOCK_SIZE 65536

#define MILLISECONDS 1000

/* Fail because of errno. */
static _Noreturn void
give_up(const char *path)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
	ck_abort_msg("%s: %s", path, strerror(errno));
}

struct path
files_directory(void)
{
	struct path path = files_path(suite_directory(), "XXXXXX");

	if (mkdtemp(path.name) == NULL) {
		give_up(path.name);
	}
	return path;
}

struct path
files_path(const char *directory, const char *name)
{
	struct path path;
	int length = snprintf(path.name, sizeof path.name, "%s/%s", directory, name);

	ck_assert_int_gt(length, 0);
	ck_assert_uint_lt((size_t)length, sizeof path.name);
	return path;
}

void
files_write(const struct path *path, const char *content)
{
	int file = open(path->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (file == -1) {
		give_up(path->name);
	}
	ck_assert_int_eq(write(file, content, strlen(content)), (ssize_t)strlen(content));
	ck_assert_int_eq(close(file), 0);
}

struct text
files_read(const struct path *path)
{
	struct text content = {0};
	char block[BLOCK_SIZE];
	ssize_t length;
	int file = open(path->name, O_RDONLY | O_CLOEXEC);

	if (file == -1) {
		give_up(path->name);
	}
	while ((length = read(file, block, sizeof block)) > 0) {
		text_add(&content, block, (size_t)length);
	}
	ck_assert_int_eq(length, 0);
	close(file);
	return content;
}

void
files_assert(const struct path *path, const void *expected, size_t length)
{
	struct text content = files_read(path);

	text_assert(path->name, &content, expected, length);
	text_free(&content);
}

void
files_assert_string(const struct path *path, const char *expected)
{
	files_assert(path, expected, strlen(expected));
}

bool
files_exists(const struct path *path)
{
	return files_length(path) != -1;
}

off_t
files_length(const struct path *path)
{
	struct stat status;

	return lstat(path->name, &status) == 0 ? status.st_size : -1;
}

mode_t
files_mode(const struct path *path)
{
	struct stat status;

	if (lstat(path->name, &status) != 0) {
		give_up(path->name);
	}
	return status.st_mode & ALLPERMS;
}

unsigned
files_count(const char *directory)
{
	DIR *entries = opendir(directory);
	unsigned count = 0;

	if (entries == NULL) {
		give_up(directory);
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	}
	closedir(entries);
	return count;
}

/* Wait for the next change in the watched directory, at most until `deadline`. */
static void
await_change(int changes, double deadline)
{
	char events[BLOCK_SIZE];
	struct pollfd wait = {.fd = changes, .events = POLLIN};
	double left = deadline - clock_now();

	if (left > 0 && poll(&wait, 1, (int)(left * MILLISECONDS) + 1) == 1) {
		ck_assert_int_gt(read(changes, events, sizeof events), 0);
	}
}

bool
files_await(const char *directory, const char *name, off_t length)
{
	struct path path = files_path(directory, name);
	double deadline = clock_now() + PATIENCE;
	int changes;

	/* Taking a watch away needs milliseconds: not before it is clear that there is to be one. */
	if (files_length(&path) == length) {
		return true;
	}
	changes = inotify_init1(IN_CLOEXEC);
	ck_assert_int_ne(changes, -1);
	ck_assert_int_ne(
	    inotify_add_watch(changes, directory, IN_CREATE | IN_MODIFY | IN_MOVED_TO), -1);
	while (files_length(&path) != length && clock_now() < deadline) {
		await_change(changes, deadline);
	}
	close(changes);
	return files_length(&path) == length;
}
