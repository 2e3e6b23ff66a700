/*
 * NAME
 *	check_maillog - the log lines of sessions and deliveries
 */

#include "maillog.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "params.h"
#include "suite.h"

/* Text before the time in a line, the form of the time, and the offset of the text after it. */
#define PREFIX      "smtpd: "
#define TIME_FORM   "YYYY-MM-DDTHH:MM:SSZ"
#define TEXT_OFFSET (sizeof PREFIX TIME_FORM " " - 1)

/* The most bytes that are logged of a host, of a sender, of all recipients. */
#define SHOWN_MAX 256

/* ---- the time ---- */

/* Add a moment in the form of RFC 3339. */
static void
add_time(struct bytes *text, time_t moment)
{
	struct tm parts;

	ck_assert_ptr_nonnull(gmtime_r(&moment, &parts));
	bytes_add_format(text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
	    parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

/* The log must be one line with this text after its time, which is from `earliest` to now. */
static void
expect_line(time_t earliest, const char *expected)
{
	struct bytes line = capture_take(&errors);
	struct bytes first = {.at = NULL}, last = {.at = NULL};

	REQUIRE(line.length > TEXT_OFFSET, "there is no line");
	add_time(&first, earliest);
	add_time(&last, time(NULL));
	/* In this form later times compare higher. */
	ck_assert_int_ge(memcmp(line.at + sizeof PREFIX - 1, first.at, first.length), 0);
	ck_assert_int_le(memcmp(line.at + sizeof PREFIX - 1, last.at, last.length), 0);
	bytes_compare("prefix", line.at, sizeof PREFIX - 1, LITERAL(PREFIX));
	bytes_compare(
	    "line", line.at + TEXT_OFFSET, line.length - TEXT_OFFSET, expected, strlen(expected));
	bytes_free(&line);
	bytes_free(&first);
	bytes_free(&last);
}

/* ---- deliveries ---- */

/* Return an envelope of these strings, which still belong to the caller. */
static struct envelope
make_envelope(
    const char *host, const char *sender, const char *recipients, unsigned recipient_count)
{
	return (struct envelope){
	    .host = host,
	    .host_length = strlen(host),
	    .sender = sender,
	    .sender_length = strlen(sender),
	    .recipients = recipients,
	    .recipients_length = strlen(recipients),
	    .recipient_count = recipient_count,
	};
}

START_TEST(a_delivery_is_one_line)
{
	const struct envelope one = make_envelope("client", "a@b", "To: c@d\n", 1);
	const struct envelope three = make_envelope("h", "<>", "To: c\nTo: \"d e\"@f\nTo: c\n", 3);
	time_t earliest = time(NULL);

	maillog_delivery("127.0.0.1:25", &one, 123, 0, 7);
	expect_line(earliest,
	    "127.0.0.1:25 delivered 7, 123 bytes, host client, from a@b, 1 recipient: c@d\n");
	maillog_delivery("[::1]:25", &three, 1073741824, 0, UINT64_MAX);
	expect_line(earliest,
	    "[::1]:25 delivered 18446744073709551615, 1073741824 bytes, host h, from <>, "
	    "3 recipients: c \"d e\"@f c\n");
	maillog_delivery("unknown", &one, 5, ENOSPC, 0);
	expect_line(earliest, "unknown refused, 5 bytes, host client, from a@b, 1 recipient: c@d: "
			      "No space left on device\n");
}
END_TEST

START_TEST(no_byte_is_logged_that_is_not_printable)
{
	const struct envelope envelope =
	    make_envelope("h", "\303\274@b", "To: \302\205\177\033\t~ !\nTo: \303\244\n", 2);

	maillog_delivery("peer", &envelope, 5, 0, 1);
	expect_line(0,
	    "peer delivered 1, 5 bytes, host h, from \?\?@b, 2 recipients: \?\?\?\?\?~ ! \?\?\n");
}
END_TEST

/* Add `count` recipients of `length` letters each, as in an envelope. */
static void
add_recipients(struct bytes *recipients, unsigned count, size_t length)
{
	for (unsigned i = 0; i < count; i++) {
		bytes_add_string(recipients, "To: ");
		bytes_add_repeated(recipients, 'r', length);
		bytes_add_string(recipients, "\n");
	}
}

/* Log a delivery to `count` recipients of `length` letters; expect those that fit, unabridged. */
static void
try_recipients(unsigned count, size_t length)
{
	struct bytes recipients = {.at = NULL}, expected = {.at = NULL};
	struct envelope envelope;
	size_t used = 0;

	add_recipients(&recipients, count, length);
	envelope = make_envelope("h", "s", recipients.at, count);
	bytes_add_format(&expected,
	    "peer delivered 1, 9 bytes, host h, from s, %u recipient%s:", count,
	    count == 1 ? "" : "s");
	for (unsigned i = 0; i < count; i++) {
		if (used + 1 + length > SHOWN_MAX) {
			bytes_add_string(&expected, " ...");
			break;
		}
		bytes_add_string(&expected, " ");
		bytes_add_repeated(&expected, 'r', length);
		used += 1 + length;
	}
	bytes_add_string(&expected, "\n");
	maillog_delivery("peer", &envelope, 9, 0, 1);
	expect_line(0, expected.at);
	bytes_free(&recipients);
	bytes_free(&expected);
}

START_TEST(recipients_are_cut)
{
	static const size_t lengths[] = {
	    1, 2, 3, 7, 15, 31, 63, 126, 127, 128, 253, 254, 255, 256, 257, 1000, COMMAND_LINE_MAX};

	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		/* From one recipient to more than fit. */
		for (unsigned count = 1; count <= SHOWN_MAX / (lengths[i] + 1) + 2; count++) {
			try_recipients(count, lengths[i]);
		}
	}
	try_recipients(RECIPIENTS_MAX, 40);
}
END_TEST

START_TEST(host_and_sender_are_cut)
{
	for (size_t length = SHOWN_MAX - 2; length < SHOWN_MAX + 3; length++) {
		struct bytes host = {.at = NULL}, sender = {.at = NULL}, expected = {.at = NULL};
		struct envelope envelope;
		size_t shown = length < SHOWN_MAX ? length : SHOWN_MAX;

		bytes_add_repeated(&host, 'h', length);
		bytes_add_repeated(&sender, 's', length);
		envelope = make_envelope(host.at, sender.at, "To: r\n", 1);
		bytes_add_string(&expected, "peer delivered 1, 9 bytes, host ");
		bytes_add_repeated(&expected, 'h', shown);
		bytes_add_string(&expected, ", from ");
		bytes_add_repeated(&expected, 's', shown);
		bytes_add_string(&expected, ", 1 recipient: r\n");
		maillog_delivery("peer", &envelope, 9, 0, 1);
		expect_line(0, expected.at);
		bytes_free(&host);
		bytes_free(&sender);
		bytes_free(&expected);
	}
}
END_TEST

/* With all fields of maximum length the reason of a refusal is still logged. */
START_TEST(the_longest_line_is_whole)
{
	struct bytes part = {.at = NULL}, recipients = {.at = NULL}, expected = {.at = NULL};
	struct envelope envelope;

	bytes_add_repeated(&part, 'x', COMMAND_LINE_MAX);
	add_recipients(&recipients, RECIPIENTS_MAX, SHOWN_MAX - 1);
	envelope = make_envelope(part.at, part.at, recipients.at, RECIPIENTS_MAX);
	bytes_add_format(&expected, "peer refused, %zu bytes, host ", SIZE_MAX);
	bytes_add_repeated(&expected, 'x', SHOWN_MAX);
	bytes_add_string(&expected, ", from ");
	bytes_add_repeated(&expected, 'x', SHOWN_MAX);
	bytes_add_string(&expected, ", 1000 recipients: ");
	bytes_add_repeated(&expected, 'r', SHOWN_MAX - 1);
	bytes_add_string(&expected, " ...: Disk quota exceeded\n");
	maillog_delivery("peer", &envelope, SIZE_MAX, EDQUOT, 0);
	expect_line(0, expected.at);
	bytes_free(&part);
	bytes_free(&recipients);
	bytes_free(&expected);
}
END_TEST

/* ---- sessions ---- */

START_TEST(an_end_is_one_line)
{
	time_t earliest = time(NULL);

	maillog_session("127.0.0.1:25", "client closed", 3, 4, 0);
	expect_line(earliest, "127.0.0.1:25 client closed after 0.000 s: 3 delivered, 4 refused\n");
	maillog_session("peer", "timed out", 0, 0, 10 * SECOND + 7 * MILLISECOND);
	expect_line(earliest, "peer timed out after 10.007 s: 0 delivered, 0 refused\n");
	maillog_session("peer", "QUIT", 1, 0, SECOND - 1);
	expect_line(earliest, "peer QUIT after 0.999 s: 1 delivered, 0 refused\n");
	maillog_session("peer", "x", 0, 1, 604800 * SECOND);
	expect_line(earliest, "peer x after 604800.000 s: 0 delivered, 1 refused\n");
}
END_TEST

/* ---- clients ---- */

/*
 * Connect two sockets of this family on the loopback interface; return false if it has no such
 * address. The client is `ends[0]`, the server `ends[1]`.
 */
static bool
connect_sockets(struct sockaddr *address, socklen_t length, int ends[static 2])
{
	int listening = socket(address->sa_family, SOCK_STREAM, 0);

	if (listening == -1 || bind(listening, address, length) == -1) {
		close(listening);
		return false;
	}
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, address, &length), 0);
	ends[0] = socket(address->sa_family, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(ends[0], address, length), 0);
	ends[1] = accept(listening, NULL, NULL);
	ck_assert_int_ne(ends[1], -1);
	close(listening);
	return true;
}

START_TEST(a_client_has_address_and_port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct bytes expected = {.at = NULL};
	char peer[ADDRESS_SIZE];
	int ends[2];

	ck_assert(connect_sockets((struct sockaddr *)&address, sizeof address, ends));
	/* For the client, the peer has the address of the listener. */
	maillog_format_peer(ends[0], peer);
	bytes_add_format(&expected, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	ck_assert_str_eq(peer, expected.at);
	close(ends[0]);
	close(ends[1]);
	bytes_free(&expected);
}
END_TEST

START_TEST(a_client_of_ipv6_is_in_brackets)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct bytes expected = {.at = NULL};
	char peer[ADDRESS_SIZE];
	int ends[2];

	if (connect_sockets((struct sockaddr *)&address, sizeof address, ends)) {
		maillog_format_peer(ends[0], peer);
		bytes_add_format(&expected, "[::1]:%u", (unsigned)ntohs(address.sin6_port));
		ck_assert_str_eq(peer, expected.at);
		close(ends[0]);
		close(ends[1]);
		bytes_free(&expected);
	}
}
END_TEST

START_TEST(a_peer_without_an_address_is_unknown)
{
	char peer[ADDRESS_SIZE];

	maillog_format_peer(-1, peer);
	ck_assert_str_eq(peer, "unknown");
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors, capture_errors_end);
	tcase_add_test(tests, a_delivery_is_one_line);
	tcase_add_test(tests, no_byte_is_logged_that_is_not_printable);
	tcase_add_test(tests, recipients_are_cut);
	tcase_add_test(tests, host_and_sender_are_cut);
	tcase_add_test(tests, the_longest_line_is_whole);
	tcase_add_test(tests, an_end_is_one_line);
	tcase_add_test(tests, a_client_has_address_and_port);
	tcase_add_test(tests, a_client_of_ipv6_is_in_brackets);
	tcase_add_test(tests, a_peer_without_an_address_is_unknown);
	return suite_run("maillog", tests);
}
