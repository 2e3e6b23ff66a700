/*
 * NAME
 *	check_backup - copies of the mailbox, and the backup thread
 */

#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "capture.h"
#include "counters.h"
#include "files.h"
#include "mail.h"
#include "suite.h"
#include "threads.h"

/*
 * The file that stands for the mailbox, except in the tests of the thread; and the name of the copy
 * of it, the backup, in most tests.
 */
#define SOURCE "source"
#define COPY   "mailbox.1-32"

static struct bytes content;
static struct backup_job job;
static bool flush_fails; /* each fdatasync(), while this is set */

/* In the place of the system's. */
int
fdatasync(int descriptor)
{
	if (flush_fails) {
		errno = EDQUOT;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, descriptor);
}

/* Make a source of `length` bytes in which no block is like another, and the job to copy it. */
static void
prepare(size_t length)
{
	bytes_clear(&content);
	bytes_add_string(&content, "");
	for (size_t i = 0; i < length; i++) {
		char byte = (char)(unsigned char)((i + 1) * 2654435761U >> 24);

		bytes_add(&content, &byte, 1);
	}
	files_write(SOURCE, content.at, content.length);
	if (job.descriptor > 0) {
		close(job.descriptor);
	}
	job = (struct backup_job){
	    .descriptor = open(SOURCE, O_RDONLY | O_CLOEXEC),
	    .length = (off_t)length,
	    .first = 1,
	    .last = 32,
	};
	ck_assert_int_ne(job.descriptor, -1);
}

static void
begin(void)
{
	suite_enter_directory();
	prepare(100);
}

static void
end(void)
{
	close(job.descriptor);
	bytes_free(&content);
}

/*
 * Fail unless backup_check_exists() finds `exists`, and backup_find_copied_length() finds
 * `copied_length`.
 */
static void
expect_found(bool exists, off_t copied_length)
{
	bool found = !exists;
	off_t length = -1;

	ck_assert_int_eq(backup_check_exists(&job, &found), 0);
	ck_assert_int_eq(found, exists);
	ck_assert_int_eq(backup_find_copied_length(&job, &length), 0);
	ck_assert_int_eq(length, copied_length);
}

/* ---- the copy ---- */

START_TEST(a_copy_is_exact)
{
	static const size_t lengths[] = {0, 1, 16383, 16384, 16385, 32768, 100000};

	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		prepare(lengths[i]);
		job.sync = i % 2 == 1;
		ck_assert_int_eq(backup_create(&job), 0);
		files_expect(COPY, &content);
		files_expect(SOURCE, &content);
		ck_assert_uint_eq(files_mode(COPY), S_IRUSR | S_IWUSR);
		ck_assert_int_eq(job.copied_length, job.length);
		expect_found(true, job.length);
		ck_assert_uint_eq(files_count("."), 2);
		ck_assert_int_eq(unlink(COPY), 0);
	}
}
END_TEST

START_TEST(a_copy_does_not_depend_on_the_file_offset)
{
	ck_assert_int_eq(lseek(job.descriptor, 50, SEEK_SET), 50);
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	ck_assert_int_eq(lseek(job.descriptor, 0, SEEK_CUR), 50);
}
END_TEST

START_TEST(bytes_after_the_length_are_not_copied)
{
	job.length = 60;
	content.length = 60;
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
}
END_TEST

START_TEST(a_copy_is_named_after_its_messages)
{
	static const struct {
		uint64_t first, last;
		const char *name;
	} rows[] = {
	    {1, 32, "mailbox.1-32"},
	    {33, 64, "mailbox.33-64"},
	    {4294967265, 4294967296, "mailbox.4294967265-4294967296"},
	    {UINT64_MAX - 31, UINT64_MAX, "mailbox.18446744073709551584-18446744073709551615"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		job.first = rows[i].first;
		job.last = rows[i].last;
		ck_assert_int_eq(backup_create(&job), 0);
		files_expect(rows[i].name, &content);
		ck_assert_uint_eq(files_count("."), 2 + i);
	}
}
END_TEST

START_TEST(older_copies_are_kept)
{
	files_write_string(COPY, "oldest");
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	files_expect_string(COPY ".~1~", "oldest");
	files_write_string(COPY, "older");
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	files_expect_string(COPY ".~1~", "oldest");
	files_expect_string(COPY ".~2~", "older");
	ck_assert_uint_eq(files_count("."), 4);
	/* The first free number is used. */
	ck_assert_int_eq(unlink(COPY ".~1~"), 0);
	files_write_string(COPY, "old");
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect_string(COPY ".~1~", "old");
	files_expect_string(COPY ".~2~", "older");
	files_expect(COPY, &content);
	for (unsigned i = 3; i <= 11; i++) {
		ck_assert_int_eq(backup_create(&job), 0);
	}
	files_expect(COPY ".~10~", &content);
	ck_assert_uint_eq(files_count("."), 13);
}
END_TEST

START_TEST(any_file_with_the_name_is_kept)
{
	/* A dangling link counts as an entry. */
	ck_assert_int_eq(symlink("nowhere", COPY), 0);
	ck_assert_int_eq(symlink("nowhere", COPY ".~1~"), 0);
	ck_assert_int_eq(mkdir(COPY ".~2~", S_IRWXU), 0);
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	ck_assert(files_exists(COPY ".~1~"));
	ck_assert(files_exists(COPY ".~2~"));
	ck_assert(files_exists(COPY ".~3~"));
	ck_assert(!files_exists("nowhere"));
}
END_TEST

START_TEST(an_unfinished_copy_is_replaced)
{
	struct bytes longer = {.at = NULL};

	/* What a crash has left. */
	bytes_add_repeated(&longer, 'x', 1000);
	files_write(BACKUP_TEMP_NAME, longer.at, longer.length);
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	ck_assert(!files_exists(BACKUP_TEMP_NAME));
	/* The target of a link is not written to, not even if it is the mailbox. */
	files_write_string("target", "mine");
	ck_assert_int_eq(symlink("target", BACKUP_TEMP_NAME), 0);
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	files_expect_string("target", "mine");
	ck_assert_int_eq(link(SOURCE, BACKUP_TEMP_NAME), 0);
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	files_expect(SOURCE, &content);
	ck_assert_int_eq(mkfifo(BACKUP_TEMP_NAME, S_IRWXU), 0);
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	bytes_free(&longer);
}
END_TEST

/* ---- failures ---- */

/*
 * The attempt must fail with this error, and leave the source, the copy of an earlier run and
 * `others` further entries of the directory.
 */
static void
expect_failure(int error, unsigned others)
{
	files_write_string(COPY, "old");
	ck_assert_int_eq(backup_create(&job), error);
	files_expect_string(COPY, "old");
	files_expect(SOURCE, &content);
	ck_assert_uint_eq(files_count("."), 2 + others);
}

START_TEST(a_source_that_has_become_shorter_is_copied_as_it_is)
{
	job.length = 40000;
	ck_assert_int_eq(backup_create(&job), 0);
	files_expect(COPY, &content);
	ck_assert_int_eq(job.copied_length, 100);
}
END_TEST

START_TEST(a_source_that_cannot_be_read_fails)
{
	int descriptor = job.descriptor;

	job.descriptor = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_failure(EISDIR, 0);
	close(job.descriptor);
	job.descriptor = -1;
	expect_failure(EBADF, 0);
	job.descriptor = descriptor;
}
END_TEST

START_TEST(an_unfinished_copy_that_cannot_be_replaced_fails)
{
	ck_assert_int_eq(mkdir(BACKUP_TEMP_NAME, S_IRWXU), 0);
	expect_failure(EISDIR, 1);
}
END_TEST

START_TEST(lack_of_space_fails)
{
	int results[100];

	for (off_t limit = 0; limit < 100; limit++) {
		files_limit_size(limit);
		results[limit] = backup_create(&job);
		files_limit_size(FILES_UNLIMITED);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
		ck_assert_int_eq(results[i], EFBIG);
	}
	ck_assert(!files_exists(COPY));
	ck_assert(!files_exists(BACKUP_TEMP_NAME));
}
END_TEST

/* ---- the copy of an earlier run ---- */

START_TEST(a_missing_copy_is_not_found)
{
	expect_found(false, 0);
	/* A file with another name, or an incomplete copy, is not a backup. */
	files_write(BACKUP_TEMP_NAME, content.at, content.length);
	files_write("mailbox.1-3", content.at, content.length);
	files_write(COPY ".~1~", content.at, content.length);
	expect_found(false, 0);
}
END_TEST

START_TEST(size_and_content_are_compared)
{
	prepare(40000);
	/* A copy of only the first bytes is not complete, but these need not be copied again. */
	files_write(COPY, content.at, content.length - 1);
	expect_found(false, 39999);
	/* A file longer than the mailbox has nothing of it. */
	bytes_add_string(&content, "x");
	files_write(COPY, content.at, content.length);
	expect_found(true, 0);
	/* Of the right size, but with one byte changed. */
	for (size_t place = 0; place < 40000; place += 39999 / 3) {
		content.at[place] ^= 1;
		files_write(COPY, content.at, 40000);
		expect_found(true, 0);
		content.at[place] ^= 1;
	}
	files_write(COPY, content.at, 40000);
	expect_found(true, 40000);
	/* A shorter mailbox does not agree with the copy. */
	ck_assert_int_eq(truncate(SOURCE, 39999), 0);
	expect_found(true, 0);
}
END_TEST

START_TEST(only_a_regular_file_is_a_copy)
{
	files_write("elsewhere", content.at, content.length);
	ck_assert_int_eq(symlink("elsewhere", COPY), 0);
	expect_found(false, 0);
	ck_assert_int_eq(unlink(COPY), 0);
	ck_assert_int_eq(mkdir(COPY, S_IRWXU), 0);
	expect_found(false, 0);
	ck_assert_int_eq(rmdir(COPY), 0);
	job.length = 0;
	ck_assert_int_eq(mkfifo(COPY, S_IRWXU), 0);
	expect_found(false, 0);
}
END_TEST

START_TEST(a_file_that_cannot_be_compared_is_an_error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = COPY};
	int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
	bool exists;
	off_t copied_length;

	/* An entry that open() refuses even for root. */
	ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
	close(descriptor);
	ck_assert_int_eq(backup_check_exists(&job, &exists), ENXIO);
	ck_assert(!exists);
	ck_assert_int_eq(backup_find_copied_length(&job, &copied_length), ENXIO);
	/* A mailbox that cannot be read. */
	ck_assert_int_eq(unlink(COPY), 0);
	files_write(COPY, content.at, content.length);
	descriptor = job.descriptor;
	job.descriptor = -1;
	ck_assert_int_eq(backup_check_exists(&job, &exists), 0);
	ck_assert(exists);
	ck_assert_int_eq(backup_find_copied_length(&job, &copied_length), EBADF);
	job.descriptor = descriptor;
	expect_found(true, 100);
}
END_TEST

/* ---- a mailbox that other programs change ---- */

/* Copy the first 60 bytes of a mailbox of 100; the others were appended since. */
static void
prepare_extension(bool sync)
{
	prepare(100);
	job.length = 60;
	ck_assert_int_eq(backup_create(&job), 0);
	job.length = 100;
	job.sync = sync;
}

/* Expect that a failed extension has left nothing, which would be appended twice; then extend. */
static void
expect_none_added(void)
{
	ck_assert_int_eq(job.copied_length, 60);
	ck_assert_int_eq(files_length(COPY), 60);
	ck_assert_int_eq(backup_extend(&job), 0);
	files_expect(COPY, &content);
}

START_TEST(appended_bytes_are_added_to_the_copy)
{
	prepare_extension(_i == 1);
	ck_assert_int_eq(backup_extend(&job), 0);
	ck_assert_int_eq(job.copied_length, 100);
	files_expect(COPY, &content);
	/* Nothing is missing. */
	ck_assert_int_eq(backup_extend(&job), 0);
	files_expect(COPY, &content);
	ck_assert_uint_eq(files_count("."), 2);
}
END_TEST

/* The disk is full before all is appended. */
START_TEST(an_extension_is_whole_or_none)
{
	prepare_extension(NO_SYNC);
	files_limit_size(80);
	int error = backup_extend(&job);
	files_limit_size(FILES_UNLIMITED);
	ck_assert_int_eq(error, EFBIG);
	expect_none_added();
}
END_TEST

/* Network file systems may report a full disk only when the bytes are flushed. */
START_TEST(an_extension_that_cannot_be_flushed_is_removed)
{
	prepare_extension(_i == 1);
	flush_fails = true;
	ck_assert_int_eq(backup_extend(&job), EDQUOT);
	flush_fails = false;
	expect_none_added();
}
END_TEST

START_TEST(a_truncated_mailbox_adds_nothing)
{
	ck_assert_int_eq(backup_create(&job), 0);
	ck_assert_int_eq(truncate(SOURCE, 40), 0);
	job.length = 40;
	ck_assert_int_eq(backup_extend(&job), 0);
	ck_assert_int_eq(job.copied_length, 40);
	files_expect(COPY, &content);
}
END_TEST

START_TEST(other_bytes_in_place_of_the_records_are_added)
{
	ck_assert_int_eq(backup_create(&job), 0);
	ck_assert_int_eq(truncate(SOURCE, 0), 0);
	files_write_string(SOURCE, "other");
	close(job.descriptor);
	job.descriptor = open(SOURCE, O_RDONLY | O_CLOEXEC);
	job.length = 5;
	ck_assert_int_eq(backup_extend(&job), 0);
	ck_assert_int_eq(job.copied_length, 5);
	bytes_add_string(&content, "other");
	files_expect(COPY, &content);
}
END_TEST

START_TEST(a_copy_that_was_removed_or_truncated_is_made_again)
{
	ck_assert_int_eq(backup_create(&job), 0);
	if (_i == 0) {
		ck_assert_int_eq(unlink(COPY), 0);
	} else {
		ck_assert_int_eq(truncate(COPY, 10), 0);
	}
	ck_assert_int_eq(backup_extend(&job), 0);
	files_expect(COPY, &content);
	ck_assert_int_eq(job.copied_length, 100);
	ck_assert_int_eq(files_exists(COPY ".~1~"), _i == 1);
}
END_TEST

/* ---- the thread ---- */

static struct mailbox mailbox;

START_TEST(the_thread_moves_every_32_messages)
{
	pthread_t thread;

	capture_errors();
	ck_assert(mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, NULL));
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	files_write_string(COPY, "of an earlier run");
	mail_deliver_range(&mailbox, 1, 70);
	mailbox_close(&mailbox);
	threads_join(thread);
	mail_expect_file("mailbox.1-32", 1, 32);
	mail_expect_file("mailbox.33-64", 33, 64);
	mail_expect_file("mailbox", 65, 70);
	files_expect_string(COPY ".~1~", "of an earlier run");
	/* With the source of the other tests: nothing else is left. */
	ck_assert_uint_eq(files_count("."), 5);
	capture_expect(&errors, "");
	mailbox_destroy(&mailbox);
	capture_errors_end();
}
END_TEST

/*
 * Expect one line for all failures, and one when the backup is made. The number of failures is at
 * least 2 and not known.
 */
static void
expect_failures_logged(void)
{
	static const char begin[] =
	    "smtpd: mailbox.1-32: backup failed, will retry: mailbox.backup: Is a directory\n"
	    "smtpd: mailbox.1-32: backup made, after ";
	struct bytes output = capture_take(&errors);
	char *end;

	ck_assert_uint_gt(output.length, sizeof begin);
	ck_assert_int_eq(strncmp(output.at, begin, strlen(begin)), 0);
	ck_assert_uint_ge(strtoul(output.at + strlen(begin), &end, 10), 2);
	ck_assert_str_eq(end, " failed attempts\n");
	bytes_free(&output);
}

START_TEST(the_thread_repeats_and_logs_a_failed_backup)
{
	uint64_t number = 0;
	pthread_t thread;

	capture_errors();
	ck_assert(mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, NULL));
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	ck_assert_int_eq(mkdir(BACKUP_TEMP_NAME, S_IRWXU), 0);
	mail_deliver_range(&mailbox, 1, 32);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EISDIR);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EISDIR);
	ck_assert_uint_eq(number, 0);
	mail_expect_file("mailbox", 1, 32);
	ck_assert_int_eq(rmdir(BACKUP_TEMP_NAME), 0);
	mail_deliver_range(&mailbox, 33, 33);
	mail_expect_file(COPY, 1, 32);
	mail_expect_file("mailbox", 33, 33);
	mailbox_close(&mailbox);
	threads_join(thread);
	mailbox_destroy(&mailbox);
	expect_failures_logged();
	capture_errors_end();
}
END_TEST

START_TEST(an_emptied_mailbox_needs_no_backup)
{
	struct bytes output;
	pthread_t thread;
	uint64_t number = 0;

	capture_errors();
	ck_assert(mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, NULL));
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	ck_assert_int_eq(mkdir(BACKUP_TEMP_NAME, S_IRWXU), 0);
	mail_deliver_range(&mailbox, 1, 32);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EISDIR);
	ck_assert_int_eq(truncate("mailbox", 0), 0);
	mail_deliver_range(&mailbox, 33, 33);
	mailbox_close(&mailbox);
	threads_join(thread);
	ck_assert(!files_exists(COPY));
	mail_expect_file("mailbox", 33, 33);
	counters_log(0, -1);
	output = capture_take(&errors);
	ck_assert_ptr_nonnull(
	    strstr(output.at, "smtpd: mailbox.1-32: nothing left to back up, after "));
	ck_assert_ptr_nonnull(strstr(output.at, "; backups 0\n"));
	bytes_free(&output);
	mailbox_destroy(&mailbox);
	capture_errors_end();
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, a_copy_is_exact);
	tcase_add_test(tests, a_copy_does_not_depend_on_the_file_offset);
	tcase_add_test(tests, bytes_after_the_length_are_not_copied);
	tcase_add_test(tests, a_copy_is_named_after_its_messages);
	tcase_add_test(tests, older_copies_are_kept);
	tcase_add_test(tests, any_file_with_the_name_is_kept);
	tcase_add_test(tests, an_unfinished_copy_is_replaced);
	tcase_add_test(tests, a_source_that_has_become_shorter_is_copied_as_it_is);
	tcase_add_test(tests, a_source_that_cannot_be_read_fails);
	tcase_add_test(tests, an_unfinished_copy_that_cannot_be_replaced_fails);
	tcase_add_test(tests, lack_of_space_fails);
	tcase_add_test(tests, a_missing_copy_is_not_found);
	tcase_add_test(tests, size_and_content_are_compared);
	tcase_add_test(tests, only_a_regular_file_is_a_copy);
	tcase_add_test(tests, a_file_that_cannot_be_compared_is_an_error);
	tcase_add_loop_test(tests, appended_bytes_are_added_to_the_copy, 0, 2);
	tcase_add_test(tests, an_extension_is_whole_or_none);
	tcase_add_loop_test(tests, an_extension_that_cannot_be_flushed_is_removed, 0, 2);
	tcase_add_test(tests, a_truncated_mailbox_adds_nothing);
	tcase_add_test(tests, other_bytes_in_place_of_the_records_are_added);
	tcase_add_loop_test(tests, a_copy_that_was_removed_or_truncated_is_made_again, 0, 2);
	tcase_add_test(tests, the_thread_moves_every_32_messages);
	tcase_add_test(tests, the_thread_repeats_and_logs_a_failed_backup);
	tcase_add_test(tests, an_emptied_mailbox_needs_no_backup);
	return suite_run("backup", tests);
}
