/*
 * NAME
 *	suite - what every unit test program has in common
 *
 * DESCRIPTION
 *	What the tests write lies in one directory, which the first process removes at the end,
 *	also if a test failed.
 *
 * DIAGNOSTICS
 *	Exit status 0 if all tests passed, 1 if not, 2 if they could not be run.
 */

#define _GNU_SOURCE

#include "suite.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Seconds after which Check ends a test. None needs more than a few: only one that hangs gets
 * there, or a very busy machine.
 */
#define TEST_TIMEOUT 60

/* Descriptors that removing a directory tree may use. */
#define WALK_DESCRIPTORS 8

static char directory[PATH_MAX];

TCase *
suite_case(void)
{
	TCase *tests = tcase_create("unit");

	tcase_set_timeout(tests, TEST_TIMEOUT);
	return tests;
}

static int
remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

int
suite_run(const char *name, TCase *tests)
{
	const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): no thread yet */
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	snprintf(directory, sizeof directory, "%s/smtpd-unit.XXXXXX",
	    parent != NULL && *parent ? parent : "/tmp");
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 2;
	}
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread is left */
	if (nftw(directory, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == -1) {
		perror(directory);
	}
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void
suite_enter_directory(void)
{
	char mine[sizeof directory + sizeof "/XXXXXX"];

	snprintf(mine, sizeof mine, "%s/XXXXXX", directory);
	ck_assert_ptr_nonnull(mkdtemp(mine));
	ck_assert_int_eq(chdir(mine), 0);
}
