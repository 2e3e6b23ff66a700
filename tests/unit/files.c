/*
 * NAME
 *	files - files in the current directory: made, read, compared
 */

#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

void
files_write(const char *name, const void *content, size_t length)
{
	int descriptor = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);

	REQUIRE(descriptor != -1, "%s cannot be made", name);
	REQUIRE(write(descriptor, content, length) == (ssize_t)length, "%s is not written", name);
	close(descriptor);
}

void
files_write_string(const char *name, const char *content)
{
	files_write(name, content, strlen(content));
}

struct bytes
files_read(const char *name)
{
	int descriptor = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct bytes content = {.at = NULL};
	struct stat status;
	char piece[65536];
	ssize_t got;

	REQUIRE(descriptor != -1 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode),
	    "%s is not a regular file", name);
	while ((got = read(descriptor, piece, sizeof piece)) > 0) {
		bytes_add(&content, piece, (size_t)got);
	}
	REQUIRE(got == 0, "%s cannot be read", name);
	close(descriptor);
	return content;
}

void
files_expect(const char *name, const struct bytes *content)
{
	struct bytes found = files_read(name);

	bytes_assert(name, &found, content);
	bytes_free(&found);
}

void
files_expect_string(const char *name, const char *content)
{
	struct bytes found = files_read(name);

	bytes_assert_string(name, &found, content);
	bytes_free(&found);
}

bool
files_exists(const char *name)
{
	struct stat status;

	return lstat(name, &status) == 0;
}

mode_t
files_mode(const char *name)
{
	struct stat status;

	REQUIRE(lstat(name, &status) == 0, "%s is not there", name);
	return status.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
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

unsigned
files_count(void)
{
	DIR *directory = opendir(".");
	unsigned count = 0;

	ck_assert_ptr_nonnull(directory);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): this stream is not shared. */
	while (readdir(directory) != NULL) {
		count++;
	}
	closedir(directory);
	ck_assert_uint_ge(count, 2);
	return count - 2;
}
