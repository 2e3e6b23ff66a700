/*
 * NAME
 *	check_log - the lines of the log
 */

/* For posix_openpt(). */
#define _XOPEN_SOURCE 700

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "files.h"
#include "params.h"
#include "suite.h"

/* An error number that no call here sets. */
#define MARKED_ERRNO 12345

START_TEST(a_line_is_exact)
{
	log_line(LOG_ERR, "%s: %d of %zu", "what", -3, (size_t)7);
	capture_expect(&errors, "smtpd: what: -3 of 7\n");
	log_line(LOG_ERR, "%s", "");
	capture_expect(&errors, "smtpd: \n");
	log_plain("Server coming up on %s", "127.0.0.1:8765");
	capture_expect(&errors, "Server coming up on 127.0.0.1:8765\n");
	log_error(ENOENT, "open %s", "file");
	capture_expect(&errors, "smtpd: open file: No such file or directory\n");
	log_error(EADDRINUSE, "%s", "");
	capture_expect(&errors, "smtpd: : Address already in use\n");
}
END_TEST

START_TEST(an_unknown_error_is_still_a_line)
{
	struct bytes line;

	log_error(MARKED_ERRNO, "read");
	line = capture_take(&errors);
	ck_assert_uint_gt(line.length, strlen("smtpd: read: \n"));
	ck_assert_int_eq(strncmp(line.at, "smtpd: read: ", strlen("smtpd: read: ")), 0);
	ck_assert_ptr_eq(strchr(line.at, '\n'), line.at + line.length - 1);
	bytes_free(&line);
}
END_TEST

/* Log in each way; fail if errno changes. */
static void
expect_errno_left_alone(void)
{
	errno = MARKED_ERRNO;
	log_line(LOG_ERR, "line");
	ck_assert_int_eq(errno, MARKED_ERRNO);
	log_plain("plain");
	ck_assert_int_eq(errno, MARKED_ERRNO);
	log_error(ENOENT, "error");
	ck_assert_int_eq(errno, MARKED_ERRNO);
}

START_TEST(errno_is_left_alone)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int ends[2];

	expect_errno_left_alone();
	/* A pipe without a reader. */
	ck_assert_int_eq(sigaction(SIGPIPE, &ignore, NULL), 0);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(close(ends[0]), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	expect_errno_left_alone();
	ck_assert_int_eq(close(STDERR_FILENO), 0);
	expect_errno_left_alone();
	close(ends[1]);
}
END_TEST

/* Log a text of `length` letters; expect as much of the line as fits. */
static void
try_length(size_t length)
{
	char text[2 * LOG_LINE_MAX];
	struct bytes expected = {.at = NULL}, line;

	memset(text, 'x', length);
	text[length] = '\0';
	bytes_add_string(&expected, "smtpd: ");
	bytes_add_string(&expected, text);
	if (expected.length > LOG_LINE_MAX - 1) {
		expected.length = LOG_LINE_MAX - 1;
	}
	expected.at[expected.length] = '\0';
	bytes_add_string(&expected, "\n");
	log_line(LOG_ERR, "%s", text);
	line = capture_take(&errors);
	bytes_assert("line", &line, &expected);
	bytes_free(&line);
	log_plain("smtpd: %s", text);
	line = capture_take(&errors);
	bytes_assert("plain line", &line, &expected);
	bytes_free(&line);
	bytes_free(&expected);
}

START_TEST(a_long_line_is_cut)
{
	for (size_t length = LOG_LINE_MAX - 20; length < LOG_LINE_MAX + 20; length++) {
		try_length(length);
	}
	try_length(2 * (size_t)LOG_LINE_MAX - 1);
}
END_TEST

START_TEST(a_long_line_with_an_error_is_cut)
{
	for (size_t length = 0; length < 2 * (size_t)LOG_LINE_MAX; length++) {
		char text[2 * LOG_LINE_MAX];
		struct bytes line;

		memset(text, 'x', length);
		text[length] = '\0';
		log_error(ENOENT, "%s", text);
		line = capture_take(&errors);
		REQUIRE(line.length <= LOG_LINE_MAX, "a line of %zu bytes", line.length);
		REQUIRE(memchr(line.at, '\n', line.length) == line.at + line.length - 1,
		    "the line feed is not at the end of the line");
		bytes_free(&line);
	}
}
END_TEST

/* Fail unless the next datagram has exactly this text. */
static void
expect_packet(int descriptor, const char *expected)
{
	char packet[2 * LOG_LINE_MAX];
	ssize_t length = recv(descriptor, packet, sizeof packet, MSG_DONTWAIT);

	ck_assert_int_ge(length, 0);
	bytes_compare("packet", packet, (size_t)length, expected, strlen(expected));
}

START_TEST(a_line_is_one_write)
{
	int ends[2];

	/* Each write becomes a packet of its own. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	ck_assert_int_eq(dup2(ends[0], STDERR_FILENO), STDERR_FILENO);
	log_line(LOG_ERR, "%s", "one");
	log_plain("%s", "two");
	log_error(ENOENT, "%s", "three");
	expect_packet(ends[1], "smtpd: one\n");
	expect_packet(ends[1], "two\n");
	expect_packet(ends[1], "smtpd: three: No such file or directory\n");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Fail unless one read() returns exactly this text. */
static void
expect_readable(int descriptor, const char *expected)
{
	char text[1024];
	ssize_t length = read(descriptor, text, sizeof text);

	ck_assert_int_ge(length, 0);
	bytes_compare("text", text, (size_t)length, expected, strlen(expected));
}

START_TEST(a_line_for_which_there_is_no_space_is_dropped)
{
	int ends[2], flags;
	char byte;

	/* A full pipe that is not read. */
	ck_assert_int_eq(pipe(ends), 0);
	flags = fcntl(ends[1], F_GETFL);
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK), 0);
	while (write(ends[1], "x", 1) == 1) {
	}
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, flags), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	errno = MARKED_ERRNO;
	log_line(LOG_ERR, "dropped");
	log_plain("dropped");
	log_error(ENOENT, "dropped");
	ck_assert_int_eq(errno, MARKED_ERRNO);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	while (read(ends[0], &byte, 1) == 1) {
		REQUIRE(byte == 'x', "a line was written after all");
	}
	/* After a read, lines are written again. */
	log_plain("taken");
	expect_readable(
	    ends[0], "smtpd: 3 lines dropped: standard error did not take them\ntaken\n");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* ---- prepared: no line waits ---- */

/* Make `descriptor` standard error, and prepare the log for it. */
static void
log_to(int descriptor)
{
	ck_assert_int_eq(dup2(descriptor, STDERR_FILENO), STDERR_FILENO);
	log_init();
}

/* Log this many lines to a standard error that is not read; then read all. Returns the text. */
static struct bytes
overfill(int reader, unsigned lines)
{
	struct bytes text = {.at = NULL};
	char piece[4096];
	ssize_t length;

	for (unsigned i = 0; i < lines; i++) {
		log_line(LOG_WARNING, "line %u", i);
	}
	ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	while ((length = read(reader, piece, sizeof piece)) > 0) {
		bytes_add(&text, piece, (size_t)length);
	}
	return text;
}

/*
 * Count the complete lines of `text`, and the dropped lines that its notices report. Each logged
 * line must be in one of the two, so the number of a complete line is the count before it. A
 * partial line has another number, or none.
 */
static unsigned
count_lines(const struct bytes *text)
{
	static const char prefix[] = "smtpd: ", line_prefix[] = "smtpd: line ";
	unsigned long count = 0;
	char *copy = strndup(text->at, text->length), *rest = copy, *line;

	ck_assert_ptr_nonnull(copy);
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *end;

		if (strncmp(line, line_prefix, strlen(line_prefix)) == 0) {
			unsigned long number = strtoul(line + strlen(line_prefix), &end, 10);

			count += *end == '\0' && number == count;
		} else if (strncmp(line, prefix, strlen(prefix)) == 0) {
			unsigned long number = strtoul(line + strlen(prefix), &end, 10);

			count += strncmp(end, " line", strlen(" line")) == 0 ? number : 0;
		}
	}
	free(copy);
	return (unsigned)count;
}

/*
 * Log one more line, now that `reader` is read again, and add what it receives to `text`. Then each
 * of the `lines` lines before it must have been written or be reported as dropped.
 */
static void
expect_all_accounted_for(int reader, struct bytes *text, unsigned lines)
{
	char piece[1024];
	ssize_t length;

	ck_assert_uint_lt(count_lines(text), lines);
	log_plain("taken");
	while ((length = read(reader, piece, sizeof piece)) > 0) {
		bytes_add(text, piece, (size_t)length);
	}
	ck_assert_uint_eq(count_lines(text), lines);
	ck_assert_str_eq(text->at + text->length - strlen("taken\n"), "taken\n");
}

START_TEST(a_full_pipe_delays_nothing)
{
	int ends[2];
	struct bytes text;

	ck_assert_int_eq(pipe(ends), 0);
	log_to(ends[1]);
	text = overfill(ends[0], 20000);
	expect_all_accounted_for(ends[0], &text, 20000);
	/* The open file description, shared with other processes, still blocks. */
	ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	bytes_free(&text);
}
END_TEST

START_TEST(a_stalled_terminal_delays_nothing)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), terminal;
	struct termios mode;
	struct bytes text;

	ck_assert_int_ne(master, -1);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	ck_assert_int_ne(terminal, -1);
	ck_assert_int_eq(tcgetattr(terminal, &mode), 0);
	mode.c_oflag &= ~(tcflag_t)OPOST;
	ck_assert_int_eq(tcsetattr(terminal, TCSANOW, &mode), 0);
	log_to(terminal);
	text = overfill(master, 20000);
	expect_all_accounted_for(master, &text, 20000);
	bytes_free(&text);
}
END_TEST

/* Only `cut` bytes are written of a notice about dropped lines and the line after it. */
START_TEST(a_line_is_counted_wherever_it_is_cut)
{
	static const char prefix[] = "smtpd: ";
	static const char rest[] = " dropped: standard error did not take them\n";
	char first[256], expected[512];
	size_t notice_length = strlen(prefix) + strlen("2 lines") + strlen(rest);
	size_t whole_length = notice_length + strlen("cut\n");
	int descriptor = open("log", O_WRONLY | O_CREAT | O_APPEND, S_IRUSR | S_IWUSR);

	ck_assert_int_ne(descriptor, -1);
	log_to(descriptor);
	snprintf(first, sizeof first, "%s2 lines%scut\n", prefix, rest);
	for (size_t cut = 0; cut < whole_length; cut++) {
		files_limit_size(0);
		log_plain("dropped");
		log_plain("dropped");
		files_limit_size((off_t)cut);
		log_plain("cut");
		files_limit_size(FILES_UNLIMITED);
		log_plain("taken");
		snprintf(expected, sizeof expected, "%.*s%s%s%s%staken\n", (int)cut, first,
		    cut == 0 || cut == notice_length ? "" : "\n", prefix,
		    cut < notice_length ? "3 lines" : "1 line", rest);
		files_expect_string("log", expected);
		ck_assert_int_eq(ftruncate(descriptor, 0), 0);
	}
	close(descriptor);
}
END_TEST

START_TEST(a_full_socket_delays_nothing)
{
	int ends[2];
	struct bytes text;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	log_to(ends[1]);
	text = overfill(ends[0], 20000);
	expect_all_accounted_for(ends[0], &text, 20000);
	/* Without a reader: no SIGPIPE. */
	close(ends[0]);
	log_plain("gone");
	bytes_free(&text);
}
END_TEST

START_TEST(lines_to_the_journal_have_their_priority)
{
	struct stat status;
	char stream[64];
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(fstat(ends[1], &status), 0);
	snprintf(
	    stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_to(ends[1]);
	log_plain("plain");
	log_line(LOG_WARNING, "warning");
	log_error(ENOENT, "error");
	expect_readable(
	    ends[0], "<6>plain\n<4>smtpd: warning\n<3>smtpd: error: No such file or directory\n");
	/* A different file is not the journal. */
	close(ends[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	log_to(ends[1]);
	log_plain("plain");
	expect_readable(ends[0], "plain\n");
}
END_TEST

/* ---- deferred lines ---- */

START_TEST(deferred_lines_are_written_later_in_order)
{
	struct log_deferred deferred = {.length = 0}, copy;

	ck_assert(!log_take_deferred(&deferred, &copy));
	log_write_deferred(&copy);
	log_defer(&deferred, LOG_WARNING, "one %d", 1);
	log_defer_error(&deferred, EIO, "two");
	capture_expect(&errors, "");
	ck_assert(log_take_deferred(&deferred, &copy));
	ck_assert_uint_eq(deferred.length, 0);
	errno = MARKED_ERRNO;
	log_write_deferred(&copy);
	ck_assert_int_eq(errno, MARKED_ERRNO);
	capture_expect(&errors, "smtpd: one 1\nsmtpd: two: Input/output error\n");
	log_write_deferred(&copy);
	capture_expect(&errors, "");
}
END_TEST

START_TEST(deferred_lines_that_do_not_fit_are_counted)
{
	struct log_deferred deferred = {.length = 0};
	struct bytes text;

	for (int i = 0; i < 10; i++) {
		log_defer(&deferred, LOG_WARNING, "%0*d", 500, i);
	}
	log_write_deferred(&deferred);
	text = capture_take(&errors);
	ck_assert_ptr_nonnull(strstr(text.at, "smtpd: 6 lines dropped: "));
	bytes_free(&text);
}
END_TEST

/* ---- faults ---- */

START_TEST(a_fault_is_logged_once_and_its_end_with_the_count)
{
	struct log_fault fault = {.count = 0};

	ck_assert_uint_eq(log_fault_worked(&fault, SECOND), 0);
	ck_assert(log_fault_failed(&fault, ENOSPC, 1));
	ck_assert(!log_fault_failed(&fault, ENOSPC, 3));
	ck_assert(log_fault_failed(&fault, EIO, 1));
	ck_assert(!log_fault_failed(&fault, EIO, 1));
	ck_assert(!log_fault_failed(&fault, ENOSPC, 1));
	ck_assert_uint_eq(log_fault_worked(&fault, SECOND), 7);
	ck_assert_uint_eq(log_fault_worked(&fault, SECOND), 0);
	ck_assert(log_fault_failed(&fault, ENOSPC, 1));
}
END_TEST

START_TEST(a_fault_that_comes_and_goes_is_logged_once_an_interval)
{
	struct log_fault fault = {.count = 0};

	ck_assert(log_fault_failed(&fault, ENOSPC, 1));
	ck_assert_uint_eq(log_fault_worked(&fault, SECOND), 1);
	ck_assert(log_fault_failed(&fault, ENOSPC, 1));
	ck_assert_uint_eq(log_fault_worked(&fault, SECOND + LOG_FAULT_INTERVAL - 1), 0);
	ck_assert(!log_fault_failed(&fault, ENOSPC, 1));
	ck_assert_uint_eq(log_fault_worked(&fault, SECOND + LOG_FAULT_INTERVAL), 2);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, suite_enter_directory, NULL);
	tcase_add_checked_fixture(tests, capture_errors, capture_errors_end);
	tcase_add_test(tests, a_line_is_exact);
	tcase_add_test(tests, an_unknown_error_is_still_a_line);
	tcase_add_test(tests, errno_is_left_alone);
	tcase_add_test(tests, a_long_line_is_cut);
	tcase_add_test(tests, a_long_line_with_an_error_is_cut);
	tcase_add_test(tests, a_line_is_one_write);
	tcase_add_test(tests, a_line_for_which_there_is_no_space_is_dropped);
	tcase_add_test(tests, a_full_pipe_delays_nothing);
	tcase_add_test(tests, a_stalled_terminal_delays_nothing);
	tcase_add_test(tests, a_line_is_counted_wherever_it_is_cut);
	tcase_add_test(tests, a_full_socket_delays_nothing);
	tcase_add_test(tests, lines_to_the_journal_have_their_priority);
	tcase_add_test(tests, deferred_lines_are_written_later_in_order);
	tcase_add_test(tests, deferred_lines_that_do_not_fit_are_counted);
	tcase_add_test(tests, a_fault_is_logged_once_and_its_end_with_the_count);
	tcase_add_test(tests, a_fault_that_comes_and_goes_is_logged_once_an_interval);
	return suite_run("log", tests);
}
