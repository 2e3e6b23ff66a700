/*
 * NAME
 *	check_mailbox - numbers, appends, flushes, and backups
 *
 * DESCRIPTION
 *	Where a test has to decide when a backup begins and how it ends, it takes the part of the
 *	backup thread. Functions in place of the C library's let flushes, truncations and reads
 *	fail, or change the mailbox as another program does. A write fails by a limit to the size of
 *	files, or because another file is duplicated onto the descriptor. Most loop tests have a
 *	round without and one with keep, or sync: in the latter `_i` is 1.
 */

#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup.h"
#include "capture.h"
#include "commit.h"
#include "counters.h"
#include "files.h"
#include "mail.h"
#include "params.h"
#include "suite.h"
#include "threads.h"

#define HOST_SIZE 40

static struct mailbox mailbox;

/* Open the mailbox, and resume it empty. */
static void
open_mailbox(bool keep, bool sync)
{
	ck_assert(mailbox_open(&mailbox, keep, sync));
	ck_assert(mailbox_resume(&mailbox, NULL));
}

/* Check the content of `mailbox.commit`. */
static void
expect_commit(off_t length, uint64_t number)
{
	struct bytes line = {.at = NULL};

	bytes_add_format(&line, "%020jd %020" PRIu64 "\n", (intmax_t)length, number);
	files_expect(COMMIT_NAME, &line);
	bytes_free(&line);
}

/* ---- files ---- */

/*
 * Make `descriptor` refer to the file of `other`, and close `other`. Returns a new descriptor of
 * the file that `descriptor` referred to before.
 */
static int
replace(int descriptor, int other)
{
	int before = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);

	ck_assert_int_ne(before, -1);
	ck_assert_int_ne(other, -1);
	ck_assert_int_eq(dup2(other, descriptor), descriptor);
	ck_assert_int_eq(close(other), 0);
	return before;
}

/* Open a file so that writing to it and truncating it fail. */
static int
open_for_reading(const char *name)
{
	return open(name, O_RDONLY | O_CLOEXEC);
}

/* Append to the mailbox, as another program does. */
static void
append_to_mailbox(const char *text)
{
	int descriptor = open(MAILBOX_NAME, O_WRONLY | O_APPEND | O_CLOEXEC);

	ck_assert_int_eq(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(descriptor), 0);
}

/* Expect the mailbox to have a text of another program, and after it a message. */
static void
expect_message_after(const char *text, uint64_t number)
{
	struct bytes expected = {.at = NULL};

	bytes_add_string(&expected, text);
	mail_add_range(&expected, number, number);
	files_expect(MAILBOX_NAME, &expected);
	bytes_free(&expected);
}

/* Expect the first backup to have its messages, and after them a text of another program. */
static void
expect_backup_with(const char *text)
{
	struct bytes expected = {.at = NULL};

	mail_add_range(&expected, 1, 32);
	bytes_add_string(&expected, text);
	files_expect("mailbox.1-32", &expected);
	bytes_free(&expected);
}

/* ---- system calls that fail ---- */

static unsigned flush_count;   /* calls of fdatasync() so far */
static unsigned flush_to_fail; /* the call that fails, counted from 1; 0: none */

static bool every_flush_fails;          /* each fdatasync(), while this is set */
static const char *appended_at_failure; /* by another program, when a flush fails; or NULL */
static const char *appended_at_flush;   /* by another program, at each flush; or NULL */
static bool truncation_fails;           /* each ftruncate(), while this is set */
static bool directory_flush_fails;      /* each fsync() of a directory, while this is set */

/* A file whose flush is watched. */
static ino_t watched;
static bool watched_flushed;
static bool flushed_before_truncation; /* watched_flushed at the last ftruncate() */

/* In place of the C library's function. */
int
ftruncate(int descriptor, off_t length)
{
	flushed_before_truncation = watched_flushed;
	if (truncation_fails) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, descriptor, length);
}

/* In place of the C library's function. */
int
fdatasync(int descriptor)
{
	struct stat status;

	if (appended_at_flush != NULL) {
		append_to_mailbox(appended_at_flush);
	}
	watched_flushed |= fstat(descriptor, &status) == 0 && status.st_ino == watched;
	if (++flush_count != flush_to_fail && !every_flush_fails) {
		return (int)syscall(SYS_fsync, descriptor);
	}
	if (appended_at_failure != NULL) {
		append_to_mailbox(appended_at_failure);
	}
	errno = EIO;
	return -1;
}

/* In place of the C library's function. */
int
fsync(int descriptor)
{
	struct stat status;

	if (directory_flush_fails && fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, descriptor);
}

static bool reading_fails; /* each pread(), while this is set */

/* At the next pread() another program empties the mailbox before, and appends to it after. */
static bool rewritten_while_read;

/* In place of the C library's function. */
ssize_t
pread(int descriptor, void *bytes, size_t length, off_t offset)
{
	if (reading_fails) {
		errno = EIO;
		return -1;
	}
	if (rewritten_while_read) {
		ssize_t got;

		rewritten_while_read = false;
		ck_assert_int_eq(truncate(MAILBOX_NAME, 0), 0);
		got = syscall(SYS_pread64, descriptor, bytes, length, offset);
		append_to_mailbox("again");
		return got;
	}
	return syscall(SYS_pread64, descriptor, bytes, length, offset);
}

/* ---- threads ---- */

/* A delivery in another thread. */
struct delivery {
	const char *host;
	char name[HOST_SIZE]; /* storage for `host`, unless it is a literal */
	uint64_t number;
	int error;
	atomic_bool ended;
	pthread_t thread;
};

static void *
deliver(void *context)
{
	struct delivery *delivery = context;

	delivery->error = mail_deliver(&mailbox, delivery->host, &delivery->number);
	atomic_store(&delivery->ended, true);
	return NULL;
}

static void
start_delivery(struct delivery *delivery, const char *host)
{
	delivery->host = host;
	atomic_init(&delivery->ended, false);
	delivery->thread = threads_start(deliver, delivery);
}

/* Wait for the end of the delivery, and check its result: a number only if `error` is 0. */
static void
expect_delivery(struct delivery *delivery, int error, uint64_t number)
{
	threads_join(delivery->thread);
	ck_assert_int_eq(delivery->error, error);
	if (error == 0) {
		ck_assert_uint_eq(delivery->number, number);
	}
}

static bool
is_requested(const void *unused)
{
	(void)unused;
	return mailbox.backup_requested;
}

/* Wait until a delivery waits for the backup and has requested an attempt. */
static void
await_request(void)
{
	threads_await("a delivery that requests a backup", &mailbox.mutex, is_requested, NULL);
}

static bool
has_queue_length(const void *length)
{
	size_t waiting = 0;

	for (const struct waiter *one = mailbox.head; one != NULL; one = one->next) {
		waiting++;
	}
	return waiting == *(const size_t *)length;
}

/* Wait until this many deliveries are queued. */
static void
await_queue(size_t length)
{
	threads_await("the length of the queue", &mailbox.mutex, has_queue_length, &length);
}

/* ---- start ---- */

START_TEST(a_new_file_is_private)
{
	umask(0);
	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	ck_assert_uint_eq(files_mode(MAILBOX_NAME), S_IRUSR | S_IWUSR);
	ck_assert_uint_eq(files_count("."), 1);
	ck_assert(mailbox_resume(&mailbox, NULL));
	ck_assert_uint_eq(files_mode(COMMIT_NAME), S_IRUSR | S_IWUSR);
	files_expect_string(MAILBOX_NAME, "");
	mailbox_destroy(&mailbox);
	capture_expect(&errors, "");
}
END_TEST

START_TEST(content_is_unchanged_until_the_resume)
{
	files_write_string(MAILBOX_NAME, "of an earlier run");
	files_write_string(COMMIT_NAME, "of an earlier run");
	ck_assert_int_eq(chmod(MAILBOX_NAME, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH), 0);
	ck_assert(mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	files_expect_string(MAILBOX_NAME, "of an earlier run");
	files_expect_string(COMMIT_NAME, "of an earlier run");
	ck_assert(mailbox_resume(&mailbox, NULL));
	files_expect_string(MAILBOX_NAME, "");
	ck_assert_uint_eq(files_mode(MAILBOX_NAME), S_IRUSR | S_IWUSR);
	/* The commit point of an earlier run is no longer valid. */
	ck_assert(!files_exists(COMMIT_NAME));
	mail_deliver_range(&mailbox, 1, 1);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(destroy_closes_all_descriptors)
{
	int descriptor, commit_descriptor;

	open_mailbox(KEEP, NO_SYNC);
	descriptor = mailbox.file.descriptor;
	commit_descriptor = mailbox.file.commit_descriptor;
	ck_assert_int_ne(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(commit_descriptor, F_GETFD) & FD_CLOEXEC, 0);
	mailbox_destroy(&mailbox);
	ck_assert_int_eq(fcntl(descriptor, F_GETFD), -1);
	ck_assert_int_eq(fcntl(commit_descriptor, F_GETFD), -1);
}
END_TEST

START_TEST(only_a_regular_file_is_opened)
{
	ck_assert_int_eq(mkfifo(MAILBOX_NAME, S_IRWXU), 0);
	ck_assert(!mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	capture_expect(&errors, "smtpd: mailbox: not a regular file\n");
	ck_assert_int_eq(unlink(MAILBOX_NAME), 0);
	ck_assert_int_eq(mkdir(MAILBOX_NAME, S_IRWXU), 0);
	ck_assert(!mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	capture_expect(&errors, "smtpd: mailbox: cannot open: Is a directory\n");
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	static const char refusals[] = "smtpd: mailbox: is a symbolic link\n";

	files_write_string("target", "mine");
	ck_assert_int_eq(symlink("target", MAILBOX_NAME), 0);
	ck_assert(!mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	capture_expect(&errors, refusals);
	files_expect_string("target", "mine");
	ck_assert_int_eq(unlink("target"), 0);
	ck_assert(!mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	capture_expect(&errors, refusals);
	ck_assert(!files_exists("target"));
}
END_TEST

START_TEST(a_directory_that_is_gone_is_an_error)
{
	ck_assert_int_eq(mkdir("gone", S_IRWXU), 0);
	ck_assert_int_eq(chdir("gone"), 0);
	ck_assert_int_eq(rmdir("../gone"), 0);
	ck_assert(!mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	capture_expect(&errors, "smtpd: mailbox: cannot open: No such file or directory\n");
}
END_TEST

/* Open the mailbox in another process. Returns whether that succeeded. */
static bool
open_in_other_process(void)
{
	pid_t process = fork();
	int status;

	if (process == 0) {
		struct mailbox other;

		_exit(mailbox_open(&other, NO_KEEP, NO_SYNC) ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	ck_assert_int_gt(process, 0);
	ck_assert_int_eq(waitpid(process, &status, 0), process);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status) == EXIT_SUCCESS;
}

START_TEST(a_second_server_is_refused)
{
	struct mailbox second;

	ck_assert(open_in_other_process());
	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 1);
	ck_assert(!open_in_other_process());
	capture_expect(&errors,
	    "smtpd: mailbox: in use by another server: start this one in another directory\n");
	ck_assert(!mailbox_open(&second, NO_KEEP, NO_SYNC));
	capture_expect(&errors,
	    "smtpd: mailbox: in use by another server: start this one in another directory\n");
	mail_expect_file(MAILBOX_NAME, 1, 1);
	mail_deliver_range(&mailbox, 2, 2);
	mailbox_destroy(&mailbox);
	ck_assert(open_in_other_process());
	mail_expect_file(MAILBOX_NAME, 1, 2);
}
END_TEST

START_TEST(a_mailbox_resumes_at_the_given_point)
{
	const struct resume_point start = {
	    .length = mail_length(33, 34), .torn_length = 4, .number = 34};

	mail_write_file(MAILBOX_NAME, 33, 34);
	append_to_mailbox("torn");
	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, &start));
	capture_expect(&errors, "smtpd: mailbox: removed 4 bytes of an unacknowledged message\n");
	mail_expect_file(MAILBOX_NAME, 33, 34);
	expect_commit(start.length, 34);
	mail_deliver_range(&mailbox, 35, 35);
	mail_expect_file(MAILBOX_NAME, 33, 35);
	expect_commit(mail_length(33, 35), 35);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Truncation fails if another program has, for example, set the file's attribute with chattr +a. */
START_TEST(a_mailbox_that_cannot_be_truncated_keeps_its_commit_point)
{
	const struct resume_point torn = {
	    .length = mail_length(1, 2), .torn_length = 4, .number = 2};
	const struct commit commit = {.length = torn.length, .number = torn.number};

	for (int keep = 0; keep < 2; keep++) {
		mail_write_file(MAILBOX_NAME, 1, 2);
		append_to_mailbox("torn");
		ck_assert_int_eq(commit_create(&commit, false), 0);
		truncation_fails = true;
		ck_assert(mailbox_open(&mailbox, keep == 1, NO_SYNC));
		ck_assert(!mailbox_resume(&mailbox, keep == 1 ? &torn : NULL));
		truncation_fails = false;
		mailbox_destroy(&mailbox);
		capture_expect(&errors, "smtpd: mailbox or mailbox.commit: cannot initialize: "
					"Operation not permitted\n");
		ck_assert_int_eq(files_length(MAILBOX_NAME), mail_length(1, 2) + 4);
		expect_commit(mail_length(1, 2), 2);
	}
}
END_TEST

/*
 * Another program appends after the torn tail was found, and before it is removed: its bytes stay,
 * and the torn tail before them. In the first round there is no torn tail.
 */
START_TEST(bytes_appended_during_the_start_stay)
{
	struct resume_point found = {.length = mail_length(1, 2), .torn_length = 4, .number = 2};
	struct bytes expected = {.at = NULL};

	found.torn_length = _i == 1 ? 4 : 0;
	mail_write_file(MAILBOX_NAME, 1, 2);
	if (_i == 1) {
		append_to_mailbox("torn");
	}
	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	append_to_mailbox("torn");
	expected = files_read(MAILBOX_NAME);
	ck_assert(mailbox_resume(&mailbox, &found));
	capture_expect(&errors, "");
	files_expect(MAILBOX_NAME, &expected);
	mail_deliver_range(&mailbox, 3, 3);
	bytes_add_string(&expected, "\n\n");
	mail_add_range(&expected, 3, 3);
	files_expect(MAILBOX_NAME, &expected);
	expect_commit((off_t)expected.length, 3);
	capture_expect(&errors,
	    _i == 1
		? "smtpd: mailbox: 8 bytes of another program at its end: going on after them\n"
		: "smtpd: mailbox: 4 bytes of another program at its end: going on after them\n");
	mailbox_destroy(&mailbox);
	bytes_free(&expected);
}
END_TEST

/* The copy may have been made by a run without sync. So a run with sync, _i == 1, flushes it. */
START_TEST(the_copy_of_an_earlier_run_is_flushed_before_the_truncation)
{
	const struct resume_point start = {.length = mail_length(33, 64),
	    .number = 64,
	    .backup_due = true,
	    .copied_length = mail_length(33, 64)};
	struct stat status;
	pthread_t thread;

	mail_write_file(MAILBOX_NAME, 33, 64);
	mail_write_file("mailbox.33-64", 33, 64);
	ck_assert_int_eq(stat("mailbox.33-64", &status), 0);
	watched = status.st_ino;
	watched_flushed = false;
	ck_assert(mailbox_open(&mailbox, KEEP, _i == 1));
	ck_assert(mailbox_resume(&mailbox, &start));
	mailbox_close(&mailbox);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	threads_join(thread);
	ck_assert_int_eq(flushed_before_truncation, _i == 1);
	files_expect_string(MAILBOX_NAME, "");
	mail_expect_file("mailbox.33-64", 33, 64);
	/* The copy is still the same file. */
	ck_assert_int_eq(stat("mailbox.33-64", &status), 0);
	ck_assert_uint_eq(status.st_ino, watched);
	capture_expect(&errors, "");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_backup_that_is_due_at_the_start_is_made_first)
{
	const struct resume_point start = {
	    .length = mail_length(33, 64), .number = 64, .backup_due = true};
	pthread_t thread;

	mail_write_file(MAILBOX_NAME, 33, 64);
	ck_assert(mailbox_open(&mailbox, KEEP, SYNC));
	/* The thread may already wait when the mailbox is resumed. */
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	ck_assert(mailbox_resume(&mailbox, &start));
	mail_deliver_range(&mailbox, 65, 65);
	mail_expect_file("mailbox.33-64", 33, 64);
	mail_expect_file(MAILBOX_NAME, 65, 65);
	expect_commit(mail_length(65, 65), 65);
	mailbox_close(&mailbox);
	threads_join(thread);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_backup_that_is_made_is_not_made_twice)
{
	const struct resume_point start = {.length = mail_length(1, 32),
	    .number = 32,
	    .backup_due = true,
	    .copied_length = mail_length(1, 32)};
	pthread_t thread;

	mail_write_file(MAILBOX_NAME, 1, 32);
	mail_write_file("mailbox.1-32", 1, 32);
	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, &start));
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	mail_deliver_range(&mailbox, 33, 33);
	mail_expect_file(MAILBOX_NAME, 33, 33);
	mail_expect_file("mailbox.1-32", 1, 32);
	ck_assert(!files_exists("mailbox.1-32.~1~"));
	mailbox_close(&mailbox);
	threads_join(thread);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_failed_start_is_logged)
{
	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	ck_assert_int_eq(mkdir(COMMIT_NAME, S_IRWXU), 0);
	ck_assert(!mailbox_resume(&mailbox, NULL));
	capture_expect(
	    &errors, "smtpd: mailbox or mailbox.commit: cannot initialize: Is a directory\n");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(backups_have_32_numbers)
{
	static const uint64_t rows[][2] = {
	    {1, 1}, {2, 1}, {32, 1}, {33, 33}, {64, 33}, {65, 65}, {3200, 3169}};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		ck_assert_uint_eq(backup_first_number(rows[i][0]), rows[i][1]);
	}
}
END_TEST

/* ---- append ---- */

START_TEST(records_are_exact)
{
	struct record record = {LITERAL("Received: from client by netid (CS4410MP3)\n"),
	    LITERAL("From: student@CS4410\nTo: TA@CS4410\n\nbody \0\377\n\n")};
	struct bytes expected = {.at = NULL};
	struct delivery_result delivery;

	open_mailbox(NO_KEEP, NO_SYNC);
	for (uint64_t i = 1; i <= 11; i++) {
		mailbox_deliver(&mailbox, &record, 1, &delivery);
		ck_assert_int_eq(delivery.error, 0);
		ck_assert_uint_eq(delivery.number, i);
		bytes_add_string(&expected, "Received: from client by netid (CS4410MP3)\n");
		bytes_add_format(&expected, "Number: %" PRIu64 "\n", i);
		bytes_add(
		    &expected, LITERAL("From: student@CS4410\nTo: TA@CS4410\n\nbody \0\377\n\n"));
	}
	files_expect(MAILBOX_NAME, &expected);
	mailbox_destroy(&mailbox);
	bytes_free(&expected);
}
END_TEST

START_TEST(a_long_record_is_whole)
{
	struct bytes expected = {.at = NULL}, body = {.at = NULL};
	struct record record = {LITERAL("Received\n"), NULL, 0};
	struct delivery_result delivery;

	bytes_add_repeated(&body, 'b', 5000000);
	record.rest = body.at;
	record.rest_length = body.length;
	bytes_add_string(&expected, "Received\nNumber: 1\n");
	bytes_add(&expected, body.at, body.length);
	open_mailbox(NO_KEEP, NO_SYNC);
	mailbox_deliver(&mailbox, &record, 1, &delivery);
	ck_assert_int_eq(delivery.error, 0);
	files_expect(MAILBOX_NAME, &expected);
	mailbox_destroy(&mailbox);
	bytes_free(&expected);
	bytes_free(&body);
}
END_TEST

/* Expect the line that reports the end of this many refusals. */
static void
expect_storing_again(unsigned refused)
{
	struct bytes line = {.at = NULL};

	bytes_add_format(&line, "smtpd: mailbox: storing again, after %u message%s refused\n",
	    refused, refused == 1 ? " was" : "s were");
	capture_expect(&errors, line.at);
	bytes_free(&line);
}

START_TEST(lack_of_space_leaves_the_file_as_it_was)
{
	off_t length = mail_length(1, 2), next = mail_length(3, 3);
	uint64_t number = 0;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	for (off_t more = 0; more < next; more++) {
		int error;

		files_limit_size(length + more);
		error = mail_deliver(&mailbox, "host.3", &number);
		files_limit_size(FILES_UNLIMITED);
		ck_assert_int_eq(error, EFBIG);
		mail_expect_file(MAILBOX_NAME, 1, 2);
		/* A repeated failure is logged once. */
		capture_expect(&errors,
		    more == 0 ? "smtpd: mailbox: 1 message refused: File too large\n" : "");
	}
	ck_assert_uint_eq(number, 0);
	files_limit_size(length + next);
	int error = mail_deliver(&mailbox, "host.3", &number);
	files_limit_size(FILES_UNLIMITED);
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(number, 3);
	mail_expect_file(MAILBOX_NAME, 1, 3);
	expect_storing_again((unsigned)next);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(torn_bytes_are_truncated_later)
{
	uint64_t number = 0;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	truncation_fails = true;
	files_limit_size(mail_length(1, 2) + 10);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EFBIG);
	/* Nothing is appended after the torn bytes until they are truncated. */
	files_limit_size(FILES_UNLIMITED);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EPERM);
	truncation_fails = false;
	ck_assert_int_eq(files_length(MAILBOX_NAME), mail_length(1, 2) + 10);
	capture_expect(&errors, "smtpd: mailbox: cannot truncate: Operation not permitted\n"
				"smtpd: mailbox: 1 message refused: File too large\n"
				"smtpd: mailbox: 1 message refused: Operation not permitted\n");
	mail_deliver_range(&mailbox, 3, 4);
	ck_assert_uint_eq(number, 0);
	mail_expect_file(MAILBOX_NAME, 1, 4);
	expect_storing_again(2);
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- keep ---- */

START_TEST(each_acknowledged_message_is_committed)
{
	pthread_t thread;

	open_mailbox(KEEP, _i == 1);
	expect_commit(0, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		mail_deliver_range(&mailbox, i, i);
		expect_commit(mail_length(1, i), i);
	}
	mail_deliver_range(&mailbox, 4, 32);
	expect_commit(mail_length(1, 32), 32);
	mailbox_close(&mailbox);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	threads_join(thread);
	expect_commit(0, 32);
	files_expect_string(MAILBOX_NAME, "");
	mail_expect_file("mailbox.1-32", 1, 32);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_message_that_cannot_be_committed_is_refused)
{
	uint64_t number = 0;
	int file;

	open_mailbox(KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	file = replace(mailbox.file.commit_descriptor, open_for_reading(COMMIT_NAME));
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EBADF);
	/* The mailbox is not truncated: the commit point, if half written, could exceed it. */
	ck_assert_int_gt(files_length(MAILBOX_NAME), mail_length(1, 2));
	expect_commit(mail_length(1, 2), 2);
	capture_expect(&errors, "smtpd: mailbox.commit: cannot write: Bad file descriptor\n"
				"smtpd: mailbox: 1 message refused: Bad file descriptor\n");
	close(replace(mailbox.file.commit_descriptor, file));
	mail_deliver_range(&mailbox, 3, 3);
	ck_assert_uint_eq(number, 0);
	mail_expect_file(MAILBOX_NAME, 1, 3);
	expect_commit(mail_length(1, 3), 3);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Both files were moved away, and a directory is in the way of a new mailbox.commit. */
START_TEST(a_message_that_cannot_be_committed_in_a_new_file_is_refused)
{
	uint64_t number = 0;

	open_mailbox(KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 2);
	ck_assert_int_eq(rename(MAILBOX_NAME, "moved"), 0);
	ck_assert_int_eq(rename(COMMIT_NAME, "moved.commit"), 0);
	ck_assert_int_eq(mkdir(COMMIT_NEW_NAME, 0700), 0);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EISDIR);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EISDIR);
	capture_expect(&errors,
	    "smtpd: mailbox: removed or moved, and made again: going on there with message 3\n"
	    "smtpd: mailbox: 1 message refused: Is a directory\n");
	ck_assert_uint_eq(number, 0);
	mail_expect_file("moved", 1, 2);
	files_expect_string(MAILBOX_NAME, "");
	ck_assert_int_eq(rmdir(COMMIT_NEW_NAME), 0);
	mail_deliver_range(&mailbox, 3, 3);
	mail_expect_file("moved", 1, 2);
	mail_expect_file(MAILBOX_NAME, 3, 3);
	expect_commit(mail_length(3, 3), 3);
	mailbox_destroy(&mailbox);
}
END_TEST

/* A file of value gets the name mailbox.commit by a second link, and the mailbox is moved. */
START_TEST(a_linked_commit_file_is_not_written)
{
	static const char value[] =
	    "of value, and longer than the line of a commit file: 0123456789\n";

	open_mailbox(KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 2);
	files_write_string("other", value);
	ck_assert_int_eq(rename(MAILBOX_NAME, "moved"), 0);
	ck_assert_int_eq(unlink(COMMIT_NAME), 0);
	ck_assert_int_eq(link("other", COMMIT_NAME), 0);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", NULL), EMLINK);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", NULL), EMLINK);
	files_expect_string("other", value);
	capture_expect(&errors,
	    "smtpd: mailbox: removed or moved, and made again: going on there with message 3\n"
	    "smtpd: mailbox.commit: has another hard link\n");
	ck_assert_int_eq(unlink(COMMIT_NAME), 0);
	mail_deliver_range(&mailbox, 3, 3);
	expect_commit(mail_length(3, 3), 3);
	mailbox_destroy(&mailbox);
}
END_TEST

/* The mailbox was moved, and cannot be truncated where it is now. */
START_TEST(torn_bytes_in_a_moved_file_stop_no_delivery)
{
	open_mailbox(_i == 1, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	ck_assert_int_eq(rename(MAILBOX_NAME, "moved"), 0);
	truncation_fails = true;
	mail_deliver_range(&mailbox, 3, 4);
	mail_expect_file("moved", 1, 3);
	mail_expect_file(MAILBOX_NAME, 3, 4);
	ck_assert(!mailbox.file.torn);
	truncation_fails = false;
	mailbox_destroy(&mailbox);
}
END_TEST

/* The disk is full for the file that was removed, and has space for a new one. */
START_TEST(a_full_disk_is_tried_again_in_a_new_file)
{
	open_mailbox(_i == 1, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 4);
	files_limit_size(mail_length(1, 4));
	ck_assert_int_eq(unlink(MAILBOX_NAME), 0);
	int error = mail_deliver(&mailbox, "host.5", &(uint64_t){0});
	files_limit_size(FILES_UNLIMITED);
	ck_assert_int_eq(error, 0);
	mail_expect_file(MAILBOX_NAME, 5, 5);
	capture_expect(&errors,
	    "smtpd: mailbox: removed or moved, and made again: going on there with message 5\n");
	mailbox_destroy(&mailbox);
}
END_TEST

/*
 * The mailbox is rewritten, with the same length, after its name was looked up and while its end is
 * read.
 */
START_TEST(a_file_rewritten_after_the_look_is_looked_at_again)
{
	open_mailbox(_i == 1, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	ck_assert_int_eq(unlink(MAILBOX_NAME), 0);
	files_write_string(MAILBOX_NAME, "other");
	rewritten_while_read = true;
	mail_deliver_range(&mailbox, 3, 3);
	ck_assert(!rewritten_while_read);
	expect_message_after("again\n\n", 3);
	mailbox_destroy(&mailbox);
}
END_TEST

/* The end of a file that another program made cannot be read at first. */
START_TEST(a_record_begins_a_line_of_a_file_read_later)
{
	open_mailbox(_i == 1, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	ck_assert_int_eq(unlink(MAILBOX_NAME), 0);
	files_write_string(MAILBOX_NAME, "other");
	reading_fails = true;
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &(uint64_t){0}), EIO);
	reading_fails = false;
	mail_deliver_range(&mailbox, 3, 3);
	expect_message_after("other\n\n", 3);
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- sync ---- */

START_TEST(a_message_that_cannot_be_flushed_is_refused)
{
	uint64_t number;

	open_mailbox(KEEP, SYNC);
	mail_deliver_range(&mailbox, 1, 31);
	flush_to_fail = flush_count + 1;
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EIO);
	capture_expect(&errors, "smtpd: mailbox: 1 message refused: Input/output error\n");
	/* The refused message does not make a backup due. */
	ck_assert(!mailbox.backup_due);
	expect_commit(mail_length(1, 31), 31);
	mail_deliver_range(&mailbox, 32, 32);
	ck_assert(mailbox.backup_due);
	mail_expect_file(MAILBOX_NAME, 1, 32);
	expect_commit(mail_length(1, 32), 32);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_failed_flush_refuses_its_whole_batch)
{
	struct delivery deliveries[WORKERS];

	open_mailbox(NO_KEEP, SYNC);
	mail_deliver_range(&mailbox, 1, 3);
	every_flush_fails = true;
	for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
		start_delivery(&deliveries[i], "refused");
	}
	for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
		expect_delivery(&deliveries[i], EIO, 0);
	}
	every_flush_fails = false;
	ck_assert_uint_eq(mailbox.file.last_number, 3);
	ck_assert_ptr_null(mailbox.head);
	mail_deliver_range(&mailbox, 4, 5);
	mail_expect_file(MAILBOX_NAME, 1, 5);
	mailbox_destroy(&mailbox);
}
END_TEST

/* The directory of a new file cannot be flushed: the flush is repeated until it succeeds. */
START_TEST(a_new_file_is_flushed_before_it_counts)
{
	uint64_t number = 0;

	open_mailbox(_i == 1, SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	ck_assert_int_eq(unlink(MAILBOX_NAME), 0);
	directory_flush_fails = true;
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EIO);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &number), EIO);
	directory_flush_fails = false;
	ck_assert_uint_eq(number, 0);
	files_expect_string(MAILBOX_NAME, "");
	mail_deliver_range(&mailbox, 3, 3);
	mail_expect_file(MAILBOX_NAME, 3, 3);
	mailbox_destroy(&mailbox);
}
END_TEST

/*
 * Another program appends during a flush that fails. Its bytes and the refused record stay, and the
 * commit point covers them, so that no start removes them. They are logged once.
 */
START_TEST(bytes_appended_during_a_failed_flush_are_committed)
{
	struct bytes expected = {.at = NULL}, log = {.at = NULL};

	open_mailbox(KEEP, SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	flush_to_fail = flush_count + 1;
	appended_at_failure = "other\n\n";
	ck_assert_int_eq(mail_deliver(&mailbox, "host.3", &(uint64_t){0}), EIO);
	appended_at_failure = NULL;
	mail_add_range(&expected, 1, 3);
	bytes_add_string(&expected, "other\n\n");
	files_expect(MAILBOX_NAME, &expected);
	expect_commit((off_t)expected.length, 2);
	mail_deliver_range(&mailbox, 3, 3);
	mail_add_range(&expected, 3, 3);
	files_expect(MAILBOX_NAME, &expected);
	expect_commit((off_t)expected.length, 3);
	bytes_add_format(&log,
	    "smtpd: mailbox: %jd bytes of an unacknowledged message remain before those of "
	    "another program\n"
	    "smtpd: mailbox: %jd bytes of another program at its end: going on after them\n"
	    "smtpd: mailbox: 1 message refused: Input/output error\n"
	    "smtpd: mailbox: storing again, after 1 message was refused\n",
	    (intmax_t)mail_length(3, 3), (intmax_t)mail_length(3, 3) + 7);
	capture_expect(&errors, log.at);
	bytes_free(&log);
	bytes_free(&expected);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Another program's bytes come before the record whose flush fails: only the record is removed. */
START_TEST(bytes_before_a_failed_flush_are_logged_once)
{
	open_mailbox(_i == 1, SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	append_to_mailbox("other\n\n");
	flush_to_fail = flush_count + 1;
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", &(uint64_t){0}), EIO);
	ck_assert_int_eq(files_length(MAILBOX_NAME), mail_length(1, 2) + 7);
	mail_deliver_range(&mailbox, 3, 3);
	capture_expect(&errors,
	    "smtpd: mailbox: 7 bytes of another program at its end: going on after them\n"
	    "smtpd: mailbox: 1 message refused: Input/output error\n"
	    "smtpd: mailbox: storing again, after 1 message was refused\n");
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- deliveries that wait for a backup ---- */

/* The job of the backup thread, whose part the test takes. */
static struct backup_job job;

/* Wait for the job to move messages 1 to 32, of which the backup has `copied_length` bytes. */
static void
expect_job(off_t copied_length)
{
	ck_assert(mailbox_wait_for_job(&mailbox, &job));
	ck_assert_int_eq(job.descriptor, mailbox.file.descriptor);
	ck_assert_int_eq(job.length, mail_length(1, 32));
	ck_assert_uint_eq(job.first, 1);
	ck_assert_uint_eq(job.last, 32);
	ck_assert_int_eq(job.copied_length, copied_length);
	ck_assert_int_eq(job.sync, mailbox.file.sync);
}

/* Open the mailbox, deliver the messages of the first backup, and copy them to it. */
static void
open_with_copy(bool keep, bool sync)
{
	open_mailbox(keep, sync);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	ck_assert_int_eq(backup_create(&job), 0);
}

/* Extend the backup by a text of another program, and finish the attempt. */
static void
expect_extension(const char *text)
{
	ck_assert_int_eq(backup_extend(&job), 0);
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	expect_backup_with(text);
	files_expect_string(MAILBOX_NAME, "");
}

/* Finish the attempt as if the copy were complete, or with an error. Returns the result. */
static int
finish_backup(int error)
{
	if (error == 0) {
		job.exists = true;
		job.copied_length = job.length;
	}
	return mailbox_finish_attempt(&mailbox, &job, error);
}

/* The delivery must still wait after spurious wakeups, and nothing is appended. */
static void
expect_waiting(struct delivery *delivery)
{
	for (unsigned i = 0; i < 200; i++) {
		pthread_mutex_lock(&mailbox.mutex);
		pthread_cond_broadcast(&mailbox.backup_done);
		pthread_cond_broadcast(&mailbox.backup_needed);
		pthread_mutex_unlock(&mailbox.mutex);
		sched_yield();
	}
	ck_assert(!atomic_load(&delivery->ended));
	mail_expect_file(MAILBOX_NAME, 1, 32);
}

START_TEST(a_delivery_waits_for_the_backup)
{
	struct delivery delivery;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 31);
	ck_assert(!mailbox.backup_due);
	mail_deliver_range(&mailbox, 32, 32);
	ck_assert(mailbox.backup_due);
	expect_job(0);
	start_delivery(&delivery, "host.33");
	await_request();
	expect_waiting(&delivery);
	ck_assert_int_eq(finish_backup(0), 0);
	expect_delivery(&delivery, 0, 33);
	mail_expect_file(MAILBOX_NAME, 33, 33);
	ck_assert(!mailbox.backup_due);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_backup_that_fails_is_tried_with_the_next_message)
{
	struct delivery delivery;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	ck_assert_int_eq(finish_backup(EIO), EIO);
	/* No attempt is requested yet. */
	ck_assert(!mailbox.backup_requested);
	start_delivery(&delivery, "refused");
	expect_job(0);
	expect_waiting(&delivery);
	ck_assert_int_eq(finish_backup(ENOSPC), ENOSPC);
	expect_delivery(&delivery, ENOSPC, 0);
	mail_expect_file(MAILBOX_NAME, 1, 32);
	start_delivery(&delivery, "host.33");
	expect_job(0);
	ck_assert_int_eq(finish_backup(0), 0);
	expect_delivery(&delivery, 0, 33);
	mail_expect_file(MAILBOX_NAME, 33, 33);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Start deliveries, which are queued in this order and wait for the end of the backup. */
static void
start_waiting(struct delivery *deliveries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		snprintf(deliveries[i].name, sizeof deliveries[i].name, "host.%zu", 33 + i);
		start_delivery(&deliveries[i], deliveries[i].name);
		await_queue(i + 1);
	}
}

START_TEST(each_delivery_waiting_for_a_backup_is_stored)
{
	struct delivery deliveries[WORKERS - 1];

	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	start_waiting(deliveries, ARRAY_LENGTH(deliveries));
	ck_assert_int_eq(finish_backup(0), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
		expect_delivery(&deliveries[i], 0, 33 + i);
	}
	mail_expect_file(MAILBOX_NAME, 33, 63);
	ck_assert(!mailbox.backup_due);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_refused_delivery_leaves_the_queue)
{
	struct delivery deliveries[WORKERS];

	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	start_waiting(deliveries, ARRAY_LENGTH(deliveries));
	files_limit_size(0);
	ck_assert_int_eq(finish_backup(0), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
		expect_delivery(&deliveries[i], EFBIG, 0);
	}
	files_limit_size(FILES_UNLIMITED);
	mail_deliver_range(&mailbox, 33, 34);
	mail_expect_file(MAILBOX_NAME, 33, 34);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_batch_without_space_is_stored_one_by_one)
{
	struct delivery deliveries[5];

	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	start_waiting(deliveries, ARRAY_LENGTH(deliveries));
	files_limit_size(mail_length(33, 35));
	ck_assert_int_eq(finish_backup(0), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
		expect_delivery(&deliveries[i], i < 3 ? 0 : EFBIG, 33 + i);
	}
	files_limit_size(FILES_UNLIMITED);
	mail_expect_file(MAILBOX_NAME, 33, 35);
	mail_deliver_range(&mailbox, 36, 36);
	mail_expect_file(MAILBOX_NAME, 33, 36);
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- several messages of one call ---- */

/* The most messages of one call of mailbox_deliver(). */
#define SEVERAL_MAX 100

/* Messages of one call, from hosts named after their expected numbers. */
static struct several {
	size_t count;
	struct bytes received[SEVERAL_MAX];
	struct bytes rest[SEVERAL_MAX];
	struct record records[SEVERAL_MAX];
	struct delivery_result deliveries[SEVERAL_MAX];
} several;

static void
prepare_several(uint64_t first, size_t count)
{
	several = (struct several){.count = count};
	for (size_t i = 0; i < count; i++) {
		char host[HOST_SIZE];

		snprintf(host, sizeof host, "host.%" PRIu64, first + i);
		mail_add_parts(&several.received[i], &several.rest[i], host);
		several.records[i] = (struct record){several.received[i].at,
		    several.received[i].length, several.rest[i].at, several.rest[i].length};
		several.deliveries[i].error = -1;
	}
}

static void *
deliver_several(void *unused)
{
	(void)unused;
	mailbox_deliver(&mailbox, several.records, several.count, several.deliveries);
	return NULL;
}

/*
 * The first `stored_count` messages must be stored under the numbers from `first` on, and the
 * others refused with `error`.
 */
static void
expect_several(uint64_t first, size_t stored_count, int error)
{
	for (size_t i = 0; i < several.count; i++) {
		const struct delivery_result *delivery = &several.deliveries[i];

		ck_assert_int_eq(delivery->error, i < stored_count ? 0 : error);
		ck_assert_uint_eq(delivery->number, i < stored_count ? first + i : 0);
		bytes_free(&several.received[i]);
		bytes_free(&several.rest[i]);
	}
}

START_TEST(one_delivery_fills_several_backups)
{
	pthread_t thread;

	open_mailbox(_i == 2, _i >= 1);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	mail_deliver_range(&mailbox, 1, 5);
	prepare_several(6, SEVERAL_MAX);
	deliver_several(NULL);
	expect_several(6, SEVERAL_MAX, 0);
	mail_expect_file("mailbox.1-32", 1, 32);
	mail_expect_file("mailbox.33-64", 33, 64);
	mail_expect_file("mailbox.65-96", 65, 96);
	mail_expect_file(MAILBOX_NAME, 97, 105);
	mailbox_close(&mailbox);
	threads_join(thread);
	capture_expect(&errors, "");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(records_of_a_delivery_that_do_not_fit_are_refused)
{
	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 2);
	prepare_several(3, 6);
	files_limit_size(mail_length(1, 5));
	deliver_several(NULL);
	files_limit_size(FILES_UNLIMITED);
	expect_several(3, 3, EFBIG);
	mail_expect_file(MAILBOX_NAME, 1, 5);
	capture_expect(&errors, "smtpd: mailbox: 1 message refused: File too large\n");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_failed_backup_refuses_the_rest_of_a_delivery)
{
	pthread_t thread;

	open_mailbox(NO_KEEP, _i == 1);
	ck_assert_int_eq(mkdir(BACKUP_TEMP_NAME, S_IRWXU), 0);
	mail_deliver_range(&mailbox, 1, 30);
	prepare_several(31, 6);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	deliver_several(NULL);
	expect_several(31, 2, EISDIR);
	mail_expect_file(MAILBOX_NAME, 1, 32);
	ck_assert_ptr_null(mailbox.head);
	ck_assert_int_eq(rmdir(BACKUP_TEMP_NAME), 0);
	mailbox_close(&mailbox);
	threads_join(thread);
	mail_expect_file("mailbox.1-32", 1, 32);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_failed_flush_refuses_its_records_alone)
{
	open_mailbox(_i == 1, SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	prepare_several(3, 5);
	flush_to_fail = flush_count + 1;
	deliver_several(NULL);
	expect_several(3, 0, EIO);
	/* With keep, one more flush restores the commit point. */
	ck_assert_uint_eq(flush_count, flush_to_fail + (mailbox.file.keep ? 1 : 0));
	capture_expect(&errors, "smtpd: mailbox: 5 messages refused: Input/output error\n");
	mail_expect_file(MAILBOX_NAME, 1, 2);
	if (mailbox.file.keep) {
		expect_commit(mail_length(1, 2), 2);
	}
	mail_deliver_range(&mailbox, 3, 4);
	mail_expect_file(MAILBOX_NAME, 1, 4);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Otherwise the next run would treat refused messages as acknowledged. */
START_TEST(the_commit_point_is_restored_before_the_truncation)
{
	open_mailbox(KEEP, SYNC);
	mail_deliver_range(&mailbox, 1, 2);
	prepare_several(3, 5);
	flush_to_fail = flush_count + 2;
	truncation_fails = true;
	deliver_several(NULL);
	truncation_fails = false;
	expect_several(3, 0, EIO);
	expect_commit(mail_length(1, 2), 2);
	mail_expect_file(MAILBOX_NAME, 1, 7);
	capture_expect(&errors, "smtpd: mailbox: cannot truncate: Operation not permitted\n"
				"smtpd: mailbox: 5 messages refused: Input/output error\n");
	mail_deliver_range(&mailbox, 3, 4);
	mail_expect_file(MAILBOX_NAME, 1, 4);
	expect_commit(mail_length(1, 4), 4);
	mailbox_destroy(&mailbox);
}
END_TEST

/* A long record ends its batch, so that a delivery waits for one long record at most. */
START_TEST(a_long_record_ends_its_batch)
{
	static char body[BATCH_FULL];
	unsigned before;

	open_mailbox(NO_KEEP, SYNC);
	prepare_several(1, 5);
	memset(body, 'x', sizeof body);
	several.records[0].rest = several.records[2].rest = body;
	several.records[0].rest_length = several.records[2].rest_length = sizeof body;
	before = flush_count;
	deliver_several(NULL);
	expect_several(1, 5, 0);
	/* The first, the next two, and the last two. */
	ck_assert_uint_eq(flush_count - before, 3);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(the_queue_is_first_in_first_out)
{
	struct delivery before, after;
	pthread_t thread;

	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	start_delivery(&before, "host.33");
	await_queue(1);
	prepare_several(34, 40);
	thread = threads_start(deliver_several, NULL);
	await_queue(2);
	start_delivery(&after, "host.74");
	await_queue(3);
	ck_assert_int_eq(finish_backup(0), 0);
	expect_delivery(&before, 0, 33);
	/* The next backup separates messages of one call. */
	ck_assert(mailbox_wait_for_job(&mailbox, &job));
	ck_assert_uint_eq(job.last, 64);
	mail_expect_file(MAILBOX_NAME, 33, 64);
	await_queue(2);
	ck_assert_int_eq(finish_backup(0), 0);
	threads_join(thread);
	expect_several(34, 40, 0);
	expect_delivery(&after, 0, 74);
	mail_expect_file(MAILBOX_NAME, 65, 74);
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- backups that fail ---- */

START_TEST(an_earlier_attempt_refuses_no_delivery)
{
	struct delivery delivery;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	start_delivery(&delivery, "host.33");
	await_request();
	ck_assert_int_eq(finish_backup(EIO), EIO);
	expect_waiting(&delivery);
	expect_job(0);
	expect_waiting(&delivery);
	ck_assert_int_eq(finish_backup(0), 0);
	expect_delivery(&delivery, 0, 33);
	mailbox_destroy(&mailbox);
}
END_TEST

/* The first attempt is made because 32 messages are stored, not for the delivery with the 32nd. */
START_TEST(the_first_attempt_refuses_no_delivery)
{
	pthread_t thread;

	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 30);
	prepare_several(31, 4);
	thread = threads_start(deliver_several, NULL);
	expect_job(0);
	ck_assert_int_eq(finish_backup(EIO), EIO);
	expect_job(0);
	ck_assert_int_eq(finish_backup(0), 0);
	threads_join(thread);
	expect_several(31, 4, 0);
	mail_expect_file(MAILBOX_NAME, 33, 34);
	mailbox_destroy(&mailbox);
}
END_TEST

/* While the backup was copied, a file that another server has locked got the mailbox's name. */
START_TEST(a_locked_file_in_place_of_the_mailbox_fails_the_attempt)
{
	int other;

	open_with_copy(NO_KEEP, NO_SYNC);
	ck_assert_int_eq(rename(MAILBOX_NAME, "moved"), 0);
	files_write_string(MAILBOX_NAME, "");
	other = open_for_reading(MAILBOX_NAME);
	ck_assert_int_eq(flock(other, LOCK_EX), 0);
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), EWOULDBLOCK);
	ck_assert(!job.extend);
	ck_assert(mailbox.backup_due);
	ck_assert_uint_eq(mailbox.attempts_finished, 1);
	close(other);
	mail_expect_file("moved", 1, 32);
	capture_expect(&errors,
	    "smtpd: mailbox: in use by another server: messages are refused until it stops\n");
	mailbox_destroy(&mailbox);
}
END_TEST

/* What was appended to a backup whose flush then fails is not appended to it twice. */
START_TEST(an_extension_that_cannot_be_flushed_is_made_once)
{
	open_with_copy(NO_KEEP, SYNC);
	append_to_mailbox("other\n\n");
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(job.extend);
	directory_flush_fails = _i == 1;
	flush_to_fail = _i == 0 ? flush_count + 1 : 0;
	ck_assert_int_eq(backup_extend(&job), EIO);
	directory_flush_fails = false;
	expect_extension("other\n\n");
	mailbox_destroy(&mailbox);
}
END_TEST

/* The mailbox was emptied after it was copied, and has other bytes now, more than before. */
START_TEST(other_bytes_in_place_of_copied_ones_are_backed_up)
{
	struct bytes other = {.at = NULL};

	open_with_copy(NO_KEEP, NO_SYNC);
	bytes_add_repeated(&other, 'x', (size_t)mail_length(1, 32) + 1);
	bytes_add_string(&other, "");
	ck_assert_int_eq(truncate(MAILBOX_NAME, 0), 0);
	append_to_mailbox(other.at);
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(job.extend);
	expect_extension(other.at);
	bytes_free(&other);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Expect one backup to be counted. */
static void
expect_backup_counted(void)
{
	struct bytes output;

	counters_log(0, -1);
	output = capture_take(&errors);
	ck_assert_ptr_nonnull(strstr(output.at, "; backups 1\n"));
	bytes_free(&output);
}

/* The mailbox could not be emptied after its backup, and is another file at the next attempt. */
START_TEST(a_file_in_place_of_a_copied_one_is_not_backed_up)
{
	pthread_t thread;

	open_with_copy(_i == 1, NO_SYNC);
	truncation_fails = true;
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), EPERM);
	truncation_fails = false;
	ck_assert_int_eq(rename(MAILBOX_NAME, "moved"), 0);
	files_write_string(MAILBOX_NAME, "other\n\n");
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	mail_deliver_range(&mailbox, 33, 33);
	mailbox_close(&mailbox);
	threads_join(thread);
	ck_assert(mailbox_check_backed_up(&mailbox));
	mail_expect_file("mailbox.1-32", 1, 32);
	ck_assert(!files_exists("mailbox.1-32.~1~"));
	mail_expect_file("moved", 1, 32);
	expect_message_after("other\n\n", 33);
	expect_backup_counted();
	mailbox_destroy(&mailbox);
}
END_TEST

/* The mailbox was truncated while it was copied: all is copied, but it must be looked at again. */
START_TEST(a_look_without_change_comes_before_the_truncation)
{
	open_mailbox(_i == 1, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	ck_assert_int_eq(truncate(MAILBOX_NAME, mail_length(1, 20)), 0);
	ck_assert_int_eq(backup_create(&job), 0);
	ck_assert_int_eq(job.copied_length, mail_length(1, 20));
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(job.extend);
	ck_assert_int_eq(files_length(MAILBOX_NAME), mail_length(1, 20));
	ck_assert_int_eq(backup_extend(&job), 0);
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(!job.extend);
	mail_expect_file("mailbox.1-32", 1, 20);
	files_expect_string(MAILBOX_NAME, "");
	mailbox_destroy(&mailbox);
}
END_TEST

/* Other bytes are in place of the copied ones, and truncation fails: they are added once. */
START_TEST(other_bytes_are_added_once)
{
	open_with_copy(NO_KEEP, NO_SYNC);
	ck_assert_int_eq(truncate(MAILBOX_NAME, 0), 0);
	append_to_mailbox("other\n\n");
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(job.extend);
	truncation_fails = true;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(backup_extend(&job), 0);
		ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), EPERM);
		mailbox_close(&mailbox);
		ck_assert(mailbox_wait_for_job(&mailbox, &job));
	}
	truncation_fails = false;
	expect_backup_with("other\n\n");
	mailbox_destroy(&mailbox);
}
END_TEST

/* Another program empties the mailbox after it was copied, and appends later. */
START_TEST(a_backup_of_an_emptied_mailbox_is_extended)
{
	open_with_copy(_i == 1, NO_SYNC);
	ck_assert_int_eq(truncate(MAILBOX_NAME, 0), 0);
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(job.extend);
	ck_assert_int_eq(backup_extend(&job), 0);
	ck_assert_int_eq(job.copied_length, 0);
	append_to_mailbox("other\n\n");
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	ck_assert(job.extend);
	ck_assert(job.exists);
	expect_extension("other\n\n");
	mailbox_destroy(&mailbox);
}
END_TEST

/* Another program appends during each flush of the backup: the attempt ends nevertheless. */
START_TEST(an_attempt_ends_while_other_programs_append)
{
	pthread_t thread;

	open_mailbox(NO_KEEP, SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	appended_at_flush = "other\n\n";
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	ck_assert_int_eq(mail_deliver(&mailbox, "refused", NULL), EBUSY);
	mailbox_close(&mailbox);
	threads_join(thread);
	appended_at_flush = NULL;
	ck_assert(!mailbox_check_backed_up(&mailbox));
	mailbox_destroy(&mailbox);
}
END_TEST

/* Another file, which does not end in an empty line, gets the name while the backup is copied. */
START_TEST(a_record_begins_a_line_of_a_file_found_after_a_backup)
{
	open_with_copy(NO_KEEP, NO_SYNC);
	ck_assert_int_eq(unlink(MAILBOX_NAME), 0);
	files_write_string(MAILBOX_NAME, "other");
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	mail_deliver_range(&mailbox, 33, 33);
	expect_message_after("other\n\n", 33);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_second_attempt_refuses_all_earlier_deliveries)
{
	struct delivery deliveries[3], late;

	open_mailbox(NO_KEEP, _i == 1);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	start_waiting(deliveries, ARRAY_LENGTH(deliveries));
	ck_assert_int_eq(finish_backup(EIO), EIO);
	expect_job(0);
	start_delivery(&late, "host.33");
	await_queue(ARRAY_LENGTH(deliveries) + 1);
	ck_assert_int_eq(finish_backup(ENOSPC), ENOSPC);
	for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
		expect_delivery(&deliveries[i], ENOSPC, 0);
	}
	/* A later delivery causes another attempt. */
	expect_job(0);
	ck_assert_int_eq(finish_backup(0), 0);
	expect_delivery(&late, 0, 33);
	ck_assert_uint_eq(mailbox.attempts_started, 3);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(only_a_failed_truncation_is_repeated)
{
	struct delivery delivery;
	int file;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	file = replace(mailbox.file.descriptor, open_for_reading(MAILBOX_NAME));
	ck_assert_int_eq(finish_backup(0), EINVAL);
	mail_expect_file(MAILBOX_NAME, 1, 32);
	start_delivery(&delivery, "host.33");
	expect_job(mail_length(1, 32));
	expect_waiting(&delivery);
	close(replace(mailbox.file.descriptor, file));
	ck_assert_int_eq(finish_backup(0), 0);
	expect_delivery(&delivery, 0, 33);
	mail_expect_file(MAILBOX_NAME, 33, 33);
	/* Nothing of the next backup is copied yet. */
	ck_assert_int_eq(mailbox.copied_length, 0);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(a_failing_backup_refuses_each_delivery)
{
	struct delivery deliveries[WORKERS];
	pthread_t thread;

	open_mailbox(NO_KEEP, _i == 1);
	ck_assert_int_eq(mkdir(BACKUP_TEMP_NAME, S_IRWXU), 0);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	mail_deliver_range(&mailbox, 1, 32);
	for (unsigned round = 0; round < 5; round++) {
		for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
			start_delivery(&deliveries[i], "refused");
		}
		for (size_t i = 0; i < ARRAY_LENGTH(deliveries); i++) {
			expect_delivery(&deliveries[i], EISDIR, 0);
		}
	}
	mail_expect_file(MAILBOX_NAME, 1, 32);
	ck_assert_int_eq(rmdir(BACKUP_TEMP_NAME), 0);
	mail_deliver_range(&mailbox, 33, 34);
	mail_expect_file("mailbox.1-32", 1, 32);
	mail_expect_file(MAILBOX_NAME, 33, 34);
	mailbox_close(&mailbox);
	threads_join(thread);
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- closing ---- */

START_TEST(closing_finishes_a_backup_that_is_due)
{
	pthread_t thread;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	mailbox_close(&mailbox);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	threads_join(thread);
	ck_assert(mailbox_check_backed_up(&mailbox));
	capture_expect(&errors, "");
	mail_expect_file("mailbox.1-32", 1, 32);
	files_expect_string(MAILBOX_NAME, "");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(closing_after_a_failed_truncation_says_that_a_backup_exists)
{
	open_with_copy(NO_KEEP, NO_SYNC);
	truncation_fails = true;
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), EPERM);
	ck_assert(!mailbox_check_backed_up(&mailbox));
	truncation_fails = false;
	capture_expect(
	    &errors, "smtpd: mailbox: messages 1 to 32 were backed up but remain in it\n");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(closing_with_a_commit_file_that_cannot_be_written_says_so)
{
	open_with_copy(KEEP, NO_SYNC);
	close(mailbox.file.commit_descriptor);
	mailbox.file.commit_descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), ENOSPC);
	files_expect_string(MAILBOX_NAME, "");
	ck_assert(!mailbox_check_backed_up(&mailbox));
	capture_expect(&errors, "smtpd: mailbox: messages 1 to 32 were backed up; mailbox.commit "
				"cannot be written\n");
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(closing_repeats_a_failed_backup_once)
{

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 32);
	expect_job(0);
	ck_assert_int_eq(finish_backup(EIO), EIO);
	mailbox_close(&mailbox);
	expect_job(0);
	ck_assert_int_eq(finish_backup(EIO), EIO);
	ck_assert(!mailbox_wait_for_job(&mailbox, &job));
	ck_assert(!mailbox_wait_for_job(&mailbox, &job));
	ck_assert(!mailbox_check_backed_up(&mailbox));
	capture_expect(
	    &errors, "smtpd: mailbox: messages 1 to 32 were not backed up and remain in it\n");
	mail_expect_file(MAILBOX_NAME, 1, 32);
	mailbox_destroy(&mailbox);
}
END_TEST

/* Wait for a job as the backup thread; store in `*needed` 1 if there is one, and otherwise 0. */
static void *
await_backup(void *needed)
{
	atomic_store((atomic_int *)needed, mailbox_wait_for_job(&mailbox, &job) ? 1 : 0);
	return NULL;
}

START_TEST(the_backup_thread_waits_for_work)
{
	atomic_int needed = -1;
	pthread_t thread;

	open_mailbox(NO_KEEP, NO_SYNC);
	thread = threads_start(await_backup, &needed);
	mail_deliver_range(&mailbox, 1, 31);
	for (unsigned i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mailbox.mutex);
		pthread_cond_broadcast(&mailbox.backup_needed);
		pthread_mutex_unlock(&mailbox.mutex);
		sched_yield();
		REQUIRE(atomic_load(&needed) == -1, "the backup thread did not wait");
	}
	mail_deliver_range(&mailbox, 32, 32);
	threads_join(thread);
	ck_assert_int_eq(atomic_load(&needed), 1);
	mailbox_destroy(&mailbox);
}
END_TEST

START_TEST(closing_with_nothing_due_ends_the_thread)
{
	pthread_t thread;

	open_mailbox(NO_KEEP, NO_SYNC);
	mail_deliver_range(&mailbox, 1, 5);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	mailbox_close(&mailbox);
	threads_join(thread);
	ck_assert(mailbox_check_backed_up(&mailbox));
	mail_expect_file(MAILBOX_NAME, 1, 5);
	ck_assert_uint_eq(files_count("."), 1);
	mailbox_destroy(&mailbox);
}
END_TEST

/* ---- all at once ---- */

/* The most messages of one thread, and of WORKERS threads. */
#define MESSAGES_EACH 50
#define MESSAGES_ALL  ((size_t)WORKERS * MESSAGES_EACH)

/* The host of the message that got each number. */
static char hosts[MESSAGES_ALL + 1][HOST_SIZE];
static atomic_uint wrong_numbers;

struct sender {
	unsigned index; /* of the thread */
	unsigned message_count;
	pthread_t thread;
};

static void *
send_messages(void *context)
{
	const struct sender *sender = context;

	for (unsigned i = 0; i < sender->message_count; i++) {
		char host[HOST_SIZE];
		uint64_t number = 0;

		snprintf(host, sizeof host, "%u.%u", sender->index, i);
		if (mail_deliver(&mailbox, host, &number) != 0 || number == 0 ||
		    number > MESSAGES_ALL || hosts[number][0] != '\0') {
			atomic_fetch_add(&wrong_numbers, 1);
		} else {
			memcpy(hosts[number], host, sizeof host);
		}
	}
	return NULL;
}

/* The file must hold exactly the messages from `first` to `last`. */
static void
expect_messages(const char *name, size_t first, size_t last)
{
	struct bytes content = {.at = NULL};

	bytes_add_string(&content, "");
	for (size_t number = first; number <= last; number++) {
		mail_add_record(&content, hosts[number], number);
	}
	files_expect(name, &content);
	bytes_free(&content);
}

/* Combinations of keep and sync, and the number of messages of each thread. */
static const struct stress {
	bool keep;
	bool sync;
	unsigned messages_each;
} stresses[] = {
    {false, false, MESSAGES_EACH},
    {true, false, MESSAGES_EACH},
    {false, true, 6},
    {true, true, 6},
};

START_TEST(numbers_follow_the_file_without_gaps)
{
	const struct stress *stress = &stresses[_i];
	struct sender senders[WORKERS];
	pthread_t thread;
	size_t all = (size_t)WORKERS * stress->messages_each, first;

	open_mailbox(stress->keep, stress->sync);
	ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		senders[i] = (struct sender){.index = i, .message_count = stress->messages_each};
		senders[i].thread = threads_start(send_messages, &senders[i]);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		threads_join(senders[i].thread);
	}
	/* One more message after the last backup. */
	mail_deliver(&mailbox, "last", NULL);
	mailbox_close(&mailbox);
	threads_join(thread);
	ck_assert_uint_eq(atomic_load(&wrong_numbers), 0);
	ck_assert_uint_eq(mailbox.file.last_number, all + 1);
	for (first = 1; first <= all; first += BACKUP_EVERY) {
		char name[64];

		snprintf(name, sizeof name, "mailbox.%zu-%zu", first, first + BACKUP_EVERY - 1);
		expect_messages(name, first, first + BACKUP_EVERY - 1);
	}
	struct bytes last = {.at = NULL};
	mail_add_record(&last, "last", all + 1);
	files_expect(MAILBOX_NAME, &last);
	if (stress->keep) {
		expect_commit((off_t)last.length, all + 1);
	}
	ck_assert_uint_eq(files_count("."), all / BACKUP_EVERY + 1 + (stress->keep ? 1 : 0));
	capture_expect(&errors, "");
	mailbox_destroy(&mailbox);
	bytes_free(&last);
}
END_TEST

static void
add_tests_of_the_file(TCase *tests)
{
	tcase_add_test(tests, a_new_file_is_private);
	tcase_add_test(tests, content_is_unchanged_until_the_resume);
	tcase_add_test(tests, destroy_closes_all_descriptors);
	tcase_add_test(tests, only_a_regular_file_is_opened);
	tcase_add_test(tests, a_symbolic_link_is_not_followed);
	tcase_add_test(tests, a_directory_that_is_gone_is_an_error);
	tcase_add_test(tests, a_second_server_is_refused);
	tcase_add_test(tests, a_mailbox_resumes_at_the_given_point);
	tcase_add_loop_test(tests, bytes_appended_during_the_start_stay, 0, 2);
	tcase_add_test(tests, a_mailbox_that_cannot_be_truncated_keeps_its_commit_point);
	tcase_add_loop_test(
	    tests, the_copy_of_an_earlier_run_is_flushed_before_the_truncation, 0, 2);
	tcase_add_test(tests, a_backup_that_is_due_at_the_start_is_made_first);
	tcase_add_test(tests, a_backup_that_is_made_is_not_made_twice);
	tcase_add_test(tests, a_failed_start_is_logged);
	tcase_add_test(tests, backups_have_32_numbers);
	tcase_add_test(tests, records_are_exact);
	tcase_add_test(tests, a_long_record_is_whole);
	tcase_add_test(tests, lack_of_space_leaves_the_file_as_it_was);
	tcase_add_test(tests, torn_bytes_are_truncated_later);
	tcase_add_loop_test(tests, each_acknowledged_message_is_committed, 0, 2);
	tcase_add_test(tests, a_message_that_cannot_be_committed_is_refused);
	tcase_add_loop_test(
	    tests, a_message_that_cannot_be_committed_in_a_new_file_is_refused, 0, 2);
	tcase_add_loop_test(tests, torn_bytes_in_a_moved_file_stop_no_delivery, 0, 2);
	tcase_add_loop_test(tests, a_full_disk_is_tried_again_in_a_new_file, 0, 2);
	tcase_add_loop_test(tests, a_record_begins_a_line_of_a_file_read_later, 0, 2);
	tcase_add_loop_test(tests, a_file_rewritten_after_the_look_is_looked_at_again, 0, 2);
	tcase_add_loop_test(tests, a_new_file_is_flushed_before_it_counts, 0, 2);
	tcase_add_test(tests, bytes_appended_during_a_failed_flush_are_committed);
	tcase_add_loop_test(tests, bytes_before_a_failed_flush_are_logged_once, 0, 2);
	tcase_add_test(tests, a_message_that_cannot_be_flushed_is_refused);
	tcase_add_test(tests, a_failed_flush_refuses_its_whole_batch);
}

static void
add_tests_of_the_monitor(TCase *tests)
{
	tcase_add_test(tests, the_backup_thread_waits_for_work);
	tcase_add_test(tests, a_delivery_waits_for_the_backup);
	tcase_add_test(tests, a_backup_that_fails_is_tried_with_the_next_message);
	tcase_add_loop_test(tests, each_delivery_waiting_for_a_backup_is_stored, 0, 2);
	tcase_add_loop_test(tests, a_refused_delivery_leaves_the_queue, 0, 2);
	tcase_add_loop_test(tests, a_batch_without_space_is_stored_one_by_one, 0, 2);
	tcase_add_loop_test(tests, one_delivery_fills_several_backups, 0, 3);
	tcase_add_loop_test(tests, records_of_a_delivery_that_do_not_fit_are_refused, 0, 2);
	tcase_add_loop_test(tests, a_failed_backup_refuses_the_rest_of_a_delivery, 0, 2);
	tcase_add_loop_test(tests, a_failed_flush_refuses_its_records_alone, 0, 2);
	tcase_add_test(tests, the_commit_point_is_restored_before_the_truncation);
	tcase_add_test(tests, a_long_record_ends_its_batch);
	tcase_add_loop_test(tests, the_queue_is_first_in_first_out, 0, 2);
	tcase_add_test(tests, an_earlier_attempt_refuses_no_delivery);
	tcase_add_loop_test(tests, the_first_attempt_refuses_no_delivery, 0, 2);
	tcase_add_test(tests, a_record_begins_a_line_of_a_file_found_after_a_backup);
	tcase_add_test(tests, other_bytes_are_added_once);
	tcase_add_loop_test(tests, a_backup_of_an_emptied_mailbox_is_extended, 0, 2);
	tcase_add_test(tests, an_attempt_ends_while_other_programs_append);
	tcase_add_loop_test(tests, a_look_without_change_comes_before_the_truncation, 0, 2);
	tcase_add_loop_test(tests, a_file_in_place_of_a_copied_one_is_not_backed_up, 0, 2);
	tcase_add_loop_test(tests, an_extension_that_cannot_be_flushed_is_made_once, 0, 2);
	tcase_add_test(tests, other_bytes_in_place_of_copied_ones_are_backed_up);
	tcase_add_loop_test(tests, a_linked_commit_file_is_not_written, 0, 2);
	tcase_add_test(tests, a_locked_file_in_place_of_the_mailbox_fails_the_attempt);
	tcase_add_loop_test(tests, a_second_attempt_refuses_all_earlier_deliveries, 0, 2);
	tcase_add_test(tests, only_a_failed_truncation_is_repeated);
	tcase_add_loop_test(tests, a_failing_backup_refuses_each_delivery, 0, 2);
	tcase_add_test(tests, closing_finishes_a_backup_that_is_due);
	tcase_add_test(tests, closing_repeats_a_failed_backup_once);
	tcase_add_test(tests, closing_with_a_commit_file_that_cannot_be_written_says_so);
	tcase_add_test(tests, closing_after_a_failed_truncation_says_that_a_backup_exists);
	tcase_add_test(tests, closing_with_nothing_due_ends_the_thread);
	tcase_add_loop_test(tests, numbers_follow_the_file_without_gaps, 0, ARRAY_LENGTH(stresses));
}

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors_in_directory, capture_errors_end);
	add_tests_of_the_file(tests);
	add_tests_of_the_monitor(tests);
	return suite_run("mailbox", tests);
}
