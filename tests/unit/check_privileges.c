/*
 * NAME
 *	check_privileges - change of the user
 *
 * DESCRIPTION
 *	Each test is a process, so that a test that gives up root's privileges affects no other.
 *	Tests that need root do nothing if the program is not run by root.
 */

#include "privileges.h"

#include <pwd.h>
#include <unistd.h>

#include "capture.h"
#include "suite.h"

START_TEST(an_unknown_user_is_refused)
{
	if (geteuid() == 0) {
		ck_assert(!privileges_drop("no such user"));
		capture_expect(&errors, "smtpd: --user no such user: no such user\n");
		ck_assert_uint_eq(geteuid(), 0);
	}
}
END_TEST

START_TEST(only_root_can_change_the_user)
{
	if (geteuid() == 0) {
		ck_assert_int_eq(setuid(65534), 0);
	}
	ck_assert(!privileges_drop("root"));
	capture_expect(&errors, "smtpd: --user root: requires root\n");
}
END_TEST

START_TEST(root_changes_the_user_permanently)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	const struct passwd *nobody = getpwnam("nobody");
	uid_t user;
	gid_t group, groups[1];

	if (geteuid() != 0 || nobody == NULL) {
		return;
	}
	user = nobody->pw_uid;
	group = nobody->pw_gid;
	ck_assert(privileges_drop("nobody"));
	ck_assert_uint_eq(getuid(), user);
	ck_assert_uint_eq(geteuid(), user);
	ck_assert_uint_eq(getgid(), group);
	ck_assert_uint_eq(getegid(), group);
	/* No group of root is left. */
	ck_assert_int_eq(getgroups(1, groups), 1);
	ck_assert_uint_eq(groups[0], group);
	ck_assert_int_eq(setuid(0), -1);
	capture_expect(&errors, "");
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors, capture_errors_end);
	tcase_add_test(tests, an_unknown_user_is_refused);
	tcase_add_test(tests, only_root_can_change_the_user);
	tcase_add_test(tests, root_changes_the_user_permanently);
	return suite_run("privileges", tests);
}
