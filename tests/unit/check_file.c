/*
 * NAME
 *	check_file - system calls on files, repeated after a short or interrupted call
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "files.h"
#include "monotonic.h"
#include "params.h"
#include "suite.h"
#include "threads.h"

/* Bytes sent through a pipe: many times its capacity. */
#define STREAM_SIZE ((size_t)4 * 1024 * 1024)

/* Microseconds between two signals, and signals before the reader starts. */
#define INTERRUPTION_TIME 500
#define INTERRUPTIONS_MIN 5

static int
open_file(const char *name, int flags)
{
	int descriptor = open(name, flags | O_CLOEXEC, S_IRUSR | S_IWUSR);

	ck_assert_int_ne(descriptor, -1);
	return descriptor;
}

/* Make a part of each string. */
static void
fill_parts(struct iovec *parts, const char *const strings[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct iovec){(char *)strings[i], strlen(strings[i])};
	}
}

/*
 * Write all parts, with further calls where one takes only some of them. Stores in `total` how many
 * bytes were written. Returns 0 or the error number.
 */
static int
write_all(int descriptor, struct iovec *parts, int count, size_t *total)
{
	size_t written;
	int error = 0;

	*total = 0;
	while (error == 0 && count > 0) {
		error = file_write(descriptor, parts, count, &written);
		*total += written;
		count = file_skip(&parts, count, written);
	}
	return error;
}

START_TEST(all_parts_are_written_in_order)
{
	static const char *const strings[] = {"", "one", "", "", "two\n", "three", ""};
	struct iovec parts[ARRAY_LENGTH(strings)];
	int descriptor = open_file("file", O_WRONLY | O_CREAT | O_APPEND);
	size_t written;

	fill_parts(parts, strings, ARRAY_LENGTH(strings));
	ck_assert_int_eq(file_write(descriptor, parts, ARRAY_LENGTH(strings), &written), 0);
	ck_assert_uint_eq(written, strlen("onetwo\nthree"));
	files_expect_string("file", "onetwo\nthree");
	close(descriptor);
}
END_TEST

START_TEST(a_write_fails_after_the_bytes_that_fit)
{
	static const char *const strings[] = {"123", "456", "789"};
	int descriptor = open_file("file", O_WRONLY | O_CREAT | O_APPEND);
	int error, error_at;

	for (off_t limit = 0; limit < 9; limit++) {
		struct iovec parts[ARRAY_LENGTH(strings)];
		struct bytes expected = {.at = NULL};
		size_t written;

		fill_parts(parts, strings, ARRAY_LENGTH(strings));
		/* Under the limit Check cannot write: assert afterwards. */
		files_limit_size(limit);
		error = write_all(descriptor, parts, ARRAY_LENGTH(strings), &written);
		error_at = file_write_at(descriptor, "xyz", 3, limit);
		files_limit_size(FILES_UNLIMITED);
		ck_assert_int_eq(error, EFBIG);
		ck_assert_int_eq(error_at, EFBIG);
		ck_assert_uint_eq(written, (size_t)limit);
		bytes_add(&expected, "123456789", (size_t)limit);
		files_expect("file", &expected);
		bytes_free(&expected);
		ck_assert_int_eq(file_truncate(descriptor, 0), 0);
	}
	close(descriptor);
}
END_TEST

/* ---- interruptions ---- */

static atomic_uint interruptions;

static void
count_interruption(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&interruptions, 1);
}

/* Start or stop an interval timer whose signals interrupt system calls. */
static void
interrupt(bool on)
{
	struct sigaction action = {.sa_handler = count_interruption};
	struct itimerval interval = {.it_interval = {.tv_usec = on ? INTERRUPTION_TIME : 0}};

	interval.it_value = interval.it_interval;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
}

/* The read end of the pipe, and the bytes read from it. */
struct reader {
	int descriptor;
	struct bytes received;
};

/* Read the pipe to its end, once the writer has been interrupted INTERRUPTIONS_MIN times. */
static void *
read_all(void *context)
{
	struct reader *reader = context;
	char piece[1000];
	ssize_t got;

	while (atomic_load(&interruptions) < INTERRUPTIONS_MIN) {
		sched_yield();
	}
	while ((got = read(reader->descriptor, piece, sizeof piece)) > 0) {
		bytes_add(&reader->received, piece, (size_t)got);
	}
	return NULL;
}

/* Start the thread of the reader with SIGALRM blocked, so that only the writer is interrupted. */
static pthread_t
start_reader(struct reader *reader)
{
	sigset_t alarm, before;
	pthread_t thread;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, &before);
	thread = threads_start(read_all, reader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return thread;
}

START_TEST(an_interrupted_write_goes_on)
{
	struct bytes sent = {.at = NULL};
	struct reader reader = {.descriptor = -1};
	struct iovec parts[3];
	pthread_t thread;
	size_t written;
	int ends[2], error;

	for (size_t i = 0; i < STREAM_SIZE; i++) {
		char byte = (char)(unsigned char)(i * 2654435761U >> 24);

		bytes_add(&sent, &byte, 1);
	}
	parts[0] = (struct iovec){sent.at, 1000};
	parts[1] = (struct iovec){sent.at + 1000, STREAM_SIZE / 2};
	parts[2] = (struct iovec){sent.at + 1000 + STREAM_SIZE / 2, STREAM_SIZE / 2 - 1000};
	ck_assert_int_eq(pipe(ends), 0);
	reader.descriptor = ends[0];
	interrupt(true);
	thread = start_reader(&reader);
	error = write_all(ends[1], parts, ARRAY_LENGTH(parts), &written);
	interrupt(false);
	close(ends[1]);
	threads_join(thread);
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(written, STREAM_SIZE);
	bytes_assert("stream", &reader.received, &sent);
	close(ends[0]);
	bytes_free(&sent);
	bytes_free(&reader.received);
}
END_TEST

/* ---- at an offset ---- */

START_TEST(bytes_are_written_at_their_offset)
{
	int descriptor = open_file("file", O_RDWR | O_CREAT);

	ck_assert_int_eq(file_write_at(descriptor, "abcdef", 6, 0), 0);
	ck_assert_int_eq(file_write_at(descriptor, "XY", 2, 2), 0);
	ck_assert_int_eq(file_write_at(descriptor, "", 0, 100), 0);
	files_expect_string("file", "abXYef");
	ck_assert_int_eq(lseek(descriptor, 0, SEEK_CUR), 0);
	close(descriptor);
	ck_assert_int_eq(file_write_at(descriptor, "x", 1, 0), EBADF);
}
END_TEST

START_TEST(bytes_are_read_from_their_offset)
{
	static const struct {
		size_t size;
		off_t offset;
		const char *got;
	} rows[] = {
	    {3, 0, "abc"},
	    {3, 2, "cde"},
	    {6, 0, "abcdef"},
	    {7, 0, "abcdef"},
	    {100, 4, "ef"},
	    {5, 6, ""},
	    {5, 60, ""},
	    {0, 0, ""},
	};
	int descriptor;

	files_write_string("file", "abcdef");
	descriptor = open_file("file", O_RDONLY);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		char bytes[100];
		size_t length = 1000;

		ck_assert_int_eq(
		    file_read_at(descriptor, bytes, rows[i].size, rows[i].offset, &length), 0);
		bytes_compare("read", bytes, length, rows[i].got, strlen(rows[i].got));
	}
	close(descriptor);
}
END_TEST

START_TEST(a_failed_read_returns_its_error)
{
	int descriptor = open_file(".", O_RDONLY | O_DIRECTORY);
	char byte;
	size_t length = 1000;

	ck_assert_int_eq(file_read_at(descriptor, &byte, 1, 0, &length), EISDIR);
	ck_assert_uint_eq(length, 0);
	close(descriptor);
	ck_assert_int_eq(file_read_at(descriptor, &byte, 1, 0, &length), EBADF);
}
END_TEST

/* ---- copies ---- */

START_TEST(a_part_is_copied_to_its_offset)
{
	static const struct {
		off_t offset, end, length, reached;
		const char *content;
	} rows[] = {
	    {0, 0, 6, 6, "abcdef67"},
	    {2, 1, 4, 4, "0cd34567"},
	    {4, 8, 100, 6, "01234567ef"},
	    {6, 0, 100, 6, "01234567"},
	    {7, 0, 100, 7, "01234567"},
	    {3, 0, 3, 3, "01234567"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		off_t offset = rows[i].offset;
		int from, to;

		files_write_string("from", "abcdef");
		files_write_string("to", "01234567");
		from = open_file("from", O_RDONLY);
		to = open_file("to", O_RDWR);
		ck_assert_int_eq(file_copy(from, &offset, to, rows[i].end, rows[i].length), 0);
		ck_assert_int_eq(offset, rows[i].reached);
		files_expect_string("to", rows[i].content);
		close(from);
		close(to);
	}
}
END_TEST

/* copy_file_range() refuses ranges of one file that overlap. */
START_TEST(a_copy_that_the_kernel_refuses_is_made_by_reads_and_writes)
{
	off_t offset = 0;
	int descriptor;

	files_write_string("file", "abcdef");
	descriptor = open_file("file", O_RDWR);
	ck_assert_int_eq(file_copy(descriptor, &offset, descriptor, 3, 6), 0);
	ck_assert_int_eq(offset, 6);
	files_expect_string("file", "abcabcdef");
	close(descriptor);
}
END_TEST

START_TEST(a_failed_copy_returns_its_error)
{
	off_t offset = 0;
	int from, to;

	files_write_string("from", "abcdef");
	from = open_file("from", O_RDONLY);
	to = open_file("from", O_RDONLY);
	ck_assert_int_eq(file_copy(from, &offset, to, 0, 6), EBADF);
	close(to);
	close(from);
	ck_assert_int_eq(file_copy(from, &offset, to, 0, 6), EBADF);
}
END_TEST

/* ---- truncation and flushes ---- */

START_TEST(a_file_is_truncated_and_extended)
{
	struct bytes expected = {.at = NULL};
	int descriptor = open_file("file", O_RDWR | O_CREAT);

	ck_assert_int_eq(file_write_at(descriptor, "abcdef", 6, 0), 0);
	ck_assert_int_eq(file_truncate(descriptor, 2), 0);
	files_expect_string("file", "ab");
	ck_assert_int_eq(file_truncate(descriptor, 4), 0);
	bytes_add(&expected, "ab\0", 4);
	files_expect("file", &expected);
	bytes_free(&expected);
	close(descriptor);
	descriptor = open_file("file", O_RDONLY);
	ck_assert_int_eq(file_truncate(descriptor, 0), EINVAL);
	close(descriptor);
	ck_assert_int_eq(file_truncate(descriptor, 0), EBADF);
}
END_TEST

START_TEST(a_failed_flush_returns_its_error)
{
	int descriptor = open_file("file", O_RDWR | O_CREAT);
	int ends[2];

	ck_assert_int_eq(file_sync(descriptor), 0);
	close(descriptor);
	ck_assert_int_eq(file_sync(descriptor), EBADF);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(file_sync(ends[1]), EINVAL);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(flushing_a_directory_leaves_no_descriptor)
{
	int before = dup(STDIN_FILENO), after;

	close(before);
	ck_assert_int_eq(file_sync_directory(), 0);
	after = dup(STDIN_FILENO);
	ck_assert_int_eq(after, before);
	close(after);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, suite_enter_directory, NULL);
	tcase_add_test(tests, all_parts_are_written_in_order);
	tcase_add_test(tests, a_write_fails_after_the_bytes_that_fit);
	tcase_add_test(tests, an_interrupted_write_goes_on);
	tcase_add_test(tests, bytes_are_written_at_their_offset);
	tcase_add_test(tests, bytes_are_read_from_their_offset);
	tcase_add_test(tests, a_failed_read_returns_its_error);
	tcase_add_test(tests, a_part_is_copied_to_its_offset);
	tcase_add_test(tests, a_copy_that_the_kernel_refuses_is_made_by_reads_and_writes);
	tcase_add_test(tests, a_failed_copy_returns_its_error);
	tcase_add_test(tests, a_file_is_truncated_and_extended);
	tcase_add_test(tests, a_failed_flush_returns_its_error);
	tcase_add_test(tests, flushing_a_directory_leaves_no_descriptor);
	return suite_run("file", tests);
}
