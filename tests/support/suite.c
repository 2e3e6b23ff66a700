/*
 * NAME
 *	suite - a suite of Check with one test case and a temporary directory
 *
 * DIAGNOSTICS
 *	Exit status 0 if all tests passed, 1 if not, 2 if there is no temporary directory.
 */

#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "files.h"

/* Seconds after which Check ends a test. scripts/run-tests multiplies them under a sanitizer. */
#define TEST_TIMEOUT 60

TCase *
suite_case(void)
{
	TCase *tests = tcase_create("tests");

	tcase_set_timeout(tests, TEST_TIMEOUT);
	return tests;
}

int
suite_run(const char *name, TCase *tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	if (!files_open("smtpd-test")) {
		return 2;
	}
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	files_close();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void
suite_enter_directory(void)
{
	struct path directory = files_directory();

	REQUIRE_CALL(chdir(directory.name));
}

void
suite_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
}
