/*
 * NAME
 *	suite - what every test program here has in common
 *
 * DESCRIPTION
 *	Check runs each test in a process group of its own and ends that when the test is over.
 *	Servers that a failed test leaves behind belong to it. What a failed test leaves on the disk
 *	lies in one directory, which the first process removes.
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
#include <string.h>
#include <unistd.h>

/* Seconds after which Check ends a test; it multiplies them under a sanitizer. */
#define TEST_TIMEOUT 60

/* Descriptors that removing a directory tree may use. */
#define WALK_DESCRIPTORS 8

static char directory[PATH_MAX];

/* A variable of the environment, or `otherwise` if it is not set or empty. */
static const char *
setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */

	return value == NULL || value[0] == '\0' ? otherwise : value;
}

TCase *
suite_case(void)
{
	TCase *tests = tcase_create("system");

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

/* Make the directory. Returns whether it worked. */
static bool
directory_make(void)
{
	const char *parent = setting("TMPDIR", "/tmp");

	snprintf(directory, sizeof directory, "%s/smtpd-test.XXXXXX", parent);
	if (mkdtemp(directory) != NULL) {
		return true;
	}
	perror(directory);
	return false;
}

int
suite_run(const char *name, TCase *tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	if (suite_server() == NULL) {
		fprintf(stderr, "%s: SMTPD must be the path of the server\n", name);
		return 2;
	}
	if (!directory_make()) {
		return 2;
	}
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
	if (nftw(directory, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0) {
		perror(directory);
	}
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const char *
suite_directory(void)
{
	return directory;
}

const char *
suite_server(void)
{
	return setting("SMTPD", NULL);
}

bool
suite_sanitized(void)
{
	return strcmp(setting("VARIANT", "plain"), "plain") != 0;
}

void
suite_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
}
