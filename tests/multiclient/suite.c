/*
 * NAME
 *	suite - what the test programs of multiclient have in common
 */

#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many times longer things may take under a sanitizer. */
#define SANITIZER_SLOWNESS 4.0

#define PATH_SIZE 512

double
suite_slowness(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread changes the environment. */
	const char *variant = getenv("VARIANT");

	return variant == NULL || strcmp(variant, "plain") == 0 ? 1.0 : SANITIZER_SLOWNESS;
}

int
suite_run(const char *name, TCase *tests, double seconds)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, seconds);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

char *
suite_directory(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread changes the environment. */
	const char *parent = getenv("TMPDIR");
	char path[PATH_SIZE];
	char *directory;

	snprintf(path, sizeof path, "%s/multiclient.XXXXXX", parent != NULL ? parent : "/tmp");
	ck_assert_msg(mkdtemp(path) != NULL, "%s cannot be made: error %d", path, errno);
	directory = strdup(path);
	ck_assert_ptr_nonnull(directory);
	return directory;
}

void
suite_remove(const char *directory)
{
	DIR *names = opendir(directory);
	const struct dirent *entry;

	ck_assert_ptr_nonnull(names);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread uses this stream. */
	while ((entry = readdir(names)) != NULL) {
		if (entry->d_name[0] != '.') {
			ck_assert_int_eq(unlinkat(dirfd(names), entry->d_name, 0), 0);
		}
	}
	ck_assert_int_eq(closedir(names), 0);
	ck_assert_int_eq(rmdir(directory), 0);
}

void
suite_write(const char *directory, const char *name, const char *bytes, size_t length)
{
	char path[PATH_SIZE];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "we");
	ck_assert_msg(file != NULL, "%s cannot be written: error %d", path, errno);
	ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
}
