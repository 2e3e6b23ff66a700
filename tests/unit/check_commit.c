/*
 * NAME
 *	check_commit - the file `mailbox.commit`
 */

#include "commit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "files.h"
#include "suite.h"

#define INVALID "smtpd: mailbox.commit: invalid contents: see smtpd(8), DIAGNOSTICS\n"

static const struct row {
	struct commit commit;
	const char *line;
} rows[] = {
    {{0, 0}, "00000000000000000000 00000000000000000000\n"},
    {{0, 32}, "00000000000000000000 00000000000000000032\n"},
    /* Bytes of another program, and no message. */
    {{1, 0}, "00000000000000000001 00000000000000000000\n"},
    {{1, 1}, "00000000000000000001 00000000000000000001\n"},
    {{1234567890, 987654321}, "00000000001234567890 00000000000987654321\n"},
    {{INT64_MAX, INT64_MAX}, "09223372036854775807 09223372036854775807\n"},
};

START_TEST(what_is_written_is_read)
{
	struct commit commit = {.length = 0};
	int descriptor;

	ck_assert_int_eq(commit_create(&commit, false), 0);
	descriptor = commit_open();
	ck_assert_int_ne(descriptor, -1);
	ck_assert_uint_eq(files_mode(COMMIT_NAME), S_IRUSR | S_IWUSR);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		ck_assert_int_eq(commit_write(descriptor, &rows[i].commit), 0);
		files_expect_string(COMMIT_NAME, rows[i].line);
		ck_assert_int_eq(commit_read(&commit), COMMIT_FOUND);
		ck_assert_int_eq(commit.length, rows[i].commit.length);
		ck_assert_uint_eq(commit.number, rows[i].commit.number);
	}
	close(descriptor);
	capture_expect(&errors, "");
}
END_TEST

START_TEST(opening_changes_nothing)
{
	int descriptor;

	files_write_string(COMMIT_NAME, rows[2].line);
	descriptor = commit_open();
	ck_assert_int_ne(descriptor, -1);
	files_expect_string(COMMIT_NAME, rows[2].line);
	close(descriptor);
}
END_TEST

START_TEST(a_file_is_created_whole)
{
	/* Incomplete contents after a crash. */
	files_write_string(
	    COMMIT_NEW_NAME, "longer than the line that will be in it, and not one of its kind");
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(commit_create(&rows[3].commit, i == 1), 0);
		files_expect_string(COMMIT_NAME, rows[3].line);
		ck_assert_uint_eq(files_mode(COMMIT_NAME), S_IRUSR | S_IWUSR);
		ck_assert_uint_eq(files_count("."), 1);
		ck_assert_int_eq(commit_remove(), 0);
	}
}
END_TEST

START_TEST(an_existing_file_is_kept)
{
	files_write_string(COMMIT_NAME, rows[2].line);
	ck_assert_int_eq(commit_create(&rows[3].commit, false), 0);
	files_expect_string(COMMIT_NAME, rows[2].line);
	ck_assert_uint_eq(files_count("."), 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_created_does_not_exist)
{
	int error;

	ck_assert_int_eq(mkdir(COMMIT_NEW_NAME, S_IRWXU), 0);
	ck_assert_int_eq(commit_create(&rows[3].commit, false), EISDIR);
	ck_assert(!files_exists(COMMIT_NAME));
	ck_assert_int_eq(rmdir(COMMIT_NEW_NAME), 0);
	for (off_t limit = 0; limit < (off_t)strlen(rows[3].line); limit++) {
		files_limit_size(limit);
		error = commit_create(&rows[3].commit, true);
		files_limit_size(FILES_UNLIMITED);
		ck_assert_int_eq(error, EFBIG);
		ck_assert_uint_eq(files_count("."), 0);
	}
}
END_TEST

START_TEST(a_missing_file_is_no_error)
{
	struct commit commit;

	ck_assert_int_eq(commit_read(&commit), COMMIT_MISSING);
	capture_expect(&errors, "");
	ck_assert_uint_eq(files_count("."), 0);
	ck_assert_int_eq(commit_remove(), 0);
}
END_TEST

START_TEST(invalid_contents_are_refused)
{
	static const struct {
		const char *content;
		size_t length;
	} contents[] = {
	    {LITERAL("")},
	    {LITERAL("\n")},
	    {LITERAL("1 1\n")},
	    {LITERAL("00000000000000000001 00000000000000000001")},
	    {LITERAL("00000000000000000001 00000000000000000001\n\n")},
	    {LITERAL("00000000000000000001 00000000000000000001\r")},
	    {LITERAL("00000000000000000001-00000000000000000001\n")},
	    {LITERAL("0000000000000000001 000000000000000000001\n")},
	    {LITERAL("                   1 00000000000000000001\n")},
	    {LITERAL("-0000000000000000001 00000000000000000001\n")},
	    {LITERAL("+0000000000000000001 00000000000000000001\n")},
	    {LITERAL("0x000000000000000001 00000000000000000001\n")},
	    {LITERAL("0000000000000000000\0 00000000000000000001\n")},
	    /* Too large. */
	    {LITERAL("09223372036854775808 00000000000000000001\n")},
	    {LITERAL("99999999999999999999 00000000000000000001\n")},
	    {LITERAL("00000000000000000001 18446744073709551615\n")},
	    {LITERAL("00000000000000000001 18446744073709551616\n")},
	    {LITERAL("00000000000000000001 99999999999999999999\n")},
	};
	struct commit commit;

	for (size_t i = 0; i < ARRAY_LENGTH(contents); i++) {
		struct bytes before = {.at = NULL};

		files_write(COMMIT_NAME, contents[i].content, contents[i].length);
		ck_assert_msg(
		    commit_read(&commit) == COMMIT_INVALID, "row %zu: %s", i, contents[i].content);
		capture_expect(&errors, INVALID);
		bytes_add(&before, contents[i].content, contents[i].length);
		files_expect(COMMIT_NAME, &before);
		bytes_free(&before);
	}
}
END_TEST

START_TEST(a_letter_at_any_position_is_detected)
{
	struct commit commit;

	for (size_t i = 0; i < strlen(rows[2].line); i++) {
		char line[64];

		memcpy(line, rows[2].line, strlen(rows[2].line) + 1);
		line[i] = 'x';
		files_write_string(COMMIT_NAME, line);
		ck_assert_msg(commit_read(&commit) == COMMIT_INVALID, "byte %zu", i);
	}
}
END_TEST

START_TEST(only_a_regular_file_is_read)
{
	struct commit commit;

	ck_assert_int_eq(mkdir(COMMIT_NAME, S_IRWXU), 0);
	ck_assert_int_eq(commit_read(&commit), COMMIT_INVALID);
	capture_expect(&errors, "smtpd: mailbox.commit: not a regular file\n");
	ck_assert_int_eq(commit_open(), -1);
	ck_assert_int_ne(commit_remove(), 0);
	ck_assert_int_eq(rmdir(COMMIT_NAME), 0);
	ck_assert_int_eq(mkfifo(COMMIT_NAME, S_IRWXU), 0);
	ck_assert_int_eq(commit_read(&commit), COMMIT_INVALID);
	capture_expect(&errors, "smtpd: mailbox.commit: not a regular file\n");
	ck_assert_int_eq(commit_open(), -1);
	ck_assert_int_eq(commit_remove(), 0);
	ck_assert(!files_exists(COMMIT_NAME));
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	struct commit commit;

	files_write_string("target", rows[2].line);
	ck_assert_int_eq(symlink("target", COMMIT_NAME), 0);
	ck_assert_int_eq(commit_read(&commit), COMMIT_INVALID);
	capture_expect(
	    &errors, "smtpd: mailbox.commit: cannot read: Too many levels of symbolic links\n");
	ck_assert_int_eq(commit_open(), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(commit_remove(), 0);
	ck_assert(!files_exists(COMMIT_NAME));
	files_expect_string("target", rows[2].line);
}
END_TEST

START_TEST(a_failed_write_returns_its_error)
{
	int descriptor;

	files_write_string(COMMIT_NAME, rows[2].line);
	descriptor = open(COMMIT_NAME, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(commit_write(descriptor, &rows[3].commit), EBADF);
	files_expect_string(COMMIT_NAME, rows[2].line);
	close(descriptor);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors_in_directory, capture_errors_end);
	tcase_add_test(tests, what_is_written_is_read);
	tcase_add_test(tests, opening_changes_nothing);
	tcase_add_test(tests, a_file_is_created_whole);
	tcase_add_test(tests, an_existing_file_is_kept);
	tcase_add_test(tests, a_file_that_cannot_be_created_does_not_exist);
	tcase_add_test(tests, a_missing_file_is_no_error);
	tcase_add_test(tests, invalid_contents_are_refused);
	tcase_add_test(tests, a_letter_at_any_position_is_detected);
	tcase_add_test(tests, only_a_regular_file_is_read);
	tcase_add_test(tests, a_symbolic_link_is_not_followed);
	tcase_add_test(tests, a_failed_write_returns_its_error);
	return suite_run("commit", tests);
}
