/*
 * NAME
 *	check_log - what the server says to its operator
 */

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "suite.h"

/* An error number that no call here leaves behind. */
#define MARKED_ERRNO 12345

static struct capture capture;

static void
begin(void)
{
	capture = capture_begin(STDERR_FILENO);
}

static void
end(void)
{
	capture_end(&capture);
}

START_TEST(a_line_is_exact)
{
	log_line("%s: %d of %zu", "what", -3, (size_t)7);
	capture_expect(&capture, "smtpd: what: -3 of 7\n");
	log_line("%s", "");
	capture_expect(&capture, "smtpd: \n");
	log_plain("Server coming up on %s", "127.0.0.1:8765");
	capture_expect(&capture, "Server coming up on 127.0.0.1:8765\n");
	log_error(ENOENT, "open %s", "file");
	capture_expect(&capture, "smtpd: open file: No such file or directory\n");
	log_error(EADDRINUSE, "%s", "");
	capture_expect(&capture, "smtpd: : Address already in use\n");
}
END_TEST

START_TEST(an_unknown_error_is_still_a_line)
{
	struct bytes line;

	log_error(MARKED_ERRNO, "read");
	line = capture_take(&capture);
	ck_assert_uint_gt(line.length, strlen("smtpd: read: \n"));
	ck_assert_int_eq(strncmp(line.at, "smtpd: read: ", strlen("smtpd: read: ")), 0);
	ck_assert_ptr_eq(strchr(line.at, '\n'), line.at + line.length - 1);
	bytes_free(&line);
}
END_TEST

/* Log in each way. */
static void
expect_errno_left_alone(void)
{
	errno = MARKED_ERRNO;
	log_line("line");
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

/* Log a text of `length` letters; expect so much of the line as fits. */
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
	log_line("%s", text);
	line = capture_take(&capture);
	bytes_assert("line", &line, &expected);
	bytes_free(&line);
	log_plain("smtpd: %s", text);
	line = capture_take(&capture);
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
		line = capture_take(&capture);
		REQUIRE(line.length <= LOG_LINE_MAX, "a line of %zu bytes", line.length);
		REQUIRE(memchr(line.at, '\n', line.length) == line.at + line.length - 1,
		    "the line feed is not at the end of the line");
		bytes_free(&line);
	}
}
END_TEST

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
	log_line("%s", "one");
	log_plain("%s", "two");
	log_error(ENOENT, "%s", "three");
	expect_packet(ends[1], "smtpd: one\n");
	expect_packet(ends[1], "two\n");
	expect_packet(ends[1], "smtpd: three: No such file or directory\n");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_line_for_which_there_is_no_room_is_dropped)
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
	log_line("dropped");
	log_plain("dropped");
	log_error(ENOENT, "dropped");
	ck_assert_int_eq(errno, MARKED_ERRNO);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	while (read(ends[0], &byte, 1) == 1) {
		REQUIRE(byte == 'x', "a line was written after all");
	}
	/* Read, it takes lines again. */
	log_plain("taken");
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 't');
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, a_line_is_exact);
	tcase_add_test(tests, an_unknown_error_is_still_a_line);
	tcase_add_test(tests, errno_is_left_alone);
	tcase_add_test(tests, a_long_line_is_cut);
	tcase_add_test(tests, a_long_line_with_an_error_is_cut);
	tcase_add_test(tests, a_line_is_one_write);
	tcase_add_test(tests, a_line_for_which_there_is_no_room_is_dropped);
	return suite_run("log", tests);
}
