/*
 * NAME
 *	check_connection - one client's socket: input, replies, deadlines, orderly close
 *
 * DESCRIPTION
 *	A worker serves one end of a socket pair, and the test is the client at the other end.
 *	Timeouts are short. Their lower bounds are checked: a 421 never comes early, measured from
 *	before the last command that made progress. Upper bounds are far higher, because this
 *	process may not be scheduled for some time. If that makes a test inconclusive, the test is
 *	repeated.
 */

#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "counters.h"
#include "files.h"
#include "listener.h"
#include "mail.h"
#include "suite.h"
#include "threads.h"

/* Nanoseconds of --timeout where it expires, and where it does not. */
#define SHORT (30 * MILLISECOND)
#define LONG  (600 * SECOND)

/*
 * The most attempts at a test that shows nothing if this process is not scheduled in time, and at
 * the one with a slow message; milliseconds between two bytes of a slow client.
 */
#define ATTEMPTS      20
#define SLOW_ATTEMPTS 5
#define SLOW_PAUSE    2

#define GREETING       "220 netid SMTP CS4410MP3\r\n"
#define ESMTP_GREETING "220 netid ESMTP CS4410MP3\r\n"
#define TIMED_OUT      "421 4.4.2 netid Error: timeout exceeded\r\n"
#define STOPPING       "421 4.3.2 netid Error: shutting down\r\n"
#define UNKNOWN        "500 Error: command not recognized\r\n"

/*
 * HELO and a whole transaction; the replies to MAIL, RCPT and DATA; and these with the reply to
 * HELO before them, that is all but the last one.
 */
#define TRANSACTION "HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nbody\r\n.\r\n"
#define ACCEPTED_OK "250 OK\r\n250 OK\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
#define ENVELOPE_OK "250 netid\r\n" ACCEPTED_OK
#define RECORD(number)                                                                       \
	"Received: from client by netid (CS4410MP3)\nNumber: " number "\nFrom: a\nTo: b\n\n" \
	"body\n\n"

static struct mailbox mailbox;
static atomic_bool stopping;
static struct connection_config config;
static struct connection connection;

/* The client's end, the server's end, its worker, and whether that has closed the server's end. */
static int client, served;
static pthread_t worker;
static atomic_bool served_to_the_end;

static void
begin(void)
{
	suite_enter_directory();
	capture_errors();
	ck_assert(mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, NULL));
	config = (struct connection_config){
	    .protocol = PROTOCOL_SMTP,
	    .netid = "netid",
	    .max_size = MAX_SIZE_DEFAULT,
	    .timeout = LONG,
	    .mailbox = &mailbox,
	    .stopping = &stopping,
	};
	connection_init(&connection, &config);
}

static void
end(void)
{
	connection_destroy(&connection);
	mailbox_destroy(&mailbox);
	capture_errors_end();
}

/* Serve the client, and close the connection, as a worker does. */
static void *
serve(void *unused)
{
	(void)unused;
	connection_serve(&connection, served);
	close(served);
	atomic_store(&served_to_the_end, true);
	return NULL;
}

static void
make_sockets(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	client = ends[0];
	served = ends[1];
}

static void
begin_service(void)
{
	worker = threads_start(serve, NULL);
}

static void
connect_client(void)
{
	make_sockets();
	begin_service();
}

static void
disconnect(void)
{
	close(client);
	threads_join(worker);
}

/* ---- the client ---- */

/* Send all bytes. Returns false if the server has closed. */
static bool
send_bytes(const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(client, bytes, length, MSG_NOSIGNAL);

		if (sent == -1) {
			return false;
		}
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

static void
send_string(const char *string)
{
	REQUIRE(send_bytes(string, strlen(string)), "the server has closed before: %s", string);
}

/* Wait for input, at most `milliseconds`. Returns whether there is some. */
static bool
is_readable(int milliseconds)
{
	struct pollfd event = {.fd = client, .events = POLLIN};

	return poll(&event, 1, milliseconds) == 1;
}

/* Wait for input, and add it to `replies`. Returns whether it is the end. */
static bool
read_some(struct bytes *replies)
{
	char chunk[4096];
	ssize_t got;

	REQUIRE(is_readable(PATIENCE * 1000), "the server sends nothing");
	got = recv(client, chunk, sizeof chunk, 0);
	if (got > 0) {
		bytes_add(replies, chunk, (size_t)got);
	}
	return got <= 0;
}

/* Fail unless exactly these replies arrive next. */
static void
expect(const char *expected)
{
	struct bytes replies = {.at = NULL};

	while (replies.length < strlen(expected) && !read_some(&replies)) {
	}
	bytes_assert_string("replies", &replies, expected);
	bytes_free(&replies);
}

/* Fail unless exactly these replies arrive, and then the end. */
static void
expect_last(const char *expected)
{
	struct bytes replies = {.at = NULL};

	bytes_add_string(&replies, "");
	while (!read_some(&replies)) {
	}
	bytes_assert_string("last replies", &replies, expected);
	bytes_free(&replies);
}

/* Sleep: here a duration is tested, not the synchronization of threads. */
static void
sleep_for(nanoseconds duration)
{
	const struct timespec time = {
	    .tv_sec = (time_t)(duration / SECOND), .tv_nsec = (long)(duration % SECOND)};

	nanosleep(&time, NULL);
}

/* ---- conversations ---- */

START_TEST(a_conversation_is_answered_line_by_line)
{
	connect_client();
	expect(GREETING);
	send_string("HELO client\r\n");
	expect("250 netid\r\n");
	send_string("MAIL FROM:a\r\n");
	expect("250 OK\r\n");
	send_string("RCPT");
	send_string(" TO:b\r\n");
	expect("250 OK\r\n");
	send_string("DATA\r\n");
	expect("354 End data with <CR><LF>.<CR><LF>\r\n");
	send_string("bo");
	send_string("dy\r\n.");
	send_string("\r\n");
	expect("250 OK:  delivered message 1\r\n");
	files_expect_string(MAILBOX_NAME, RECORD("1"));
	disconnect();
	capture_expect(&errors, "");
}
END_TEST

START_TEST(a_client_that_ends_its_side_gets_every_reply)
{
	connect_client();
	send_string("mkdir\r\n" TRANSACTION "MAIL FROM:c\r\nRCPT T");
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	expect_last(GREETING UNKNOWN ENVELOPE_OK "250 OK:  delivered message 1\r\n250 OK\r\n");
	files_expect_string(MAILBOX_NAME, RECORD("1"));
	disconnect();
}
END_TEST

START_TEST(a_complete_message_of_a_gone_client_is_delivered)
{
	make_sockets();
	send_string(TRANSACTION "MAIL FROM:c\r\nRCPT TO:d\r\nDATA\r\nlost");
	close(client);
	begin_service();
	threads_join(worker);
	files_expect_string(MAILBOX_NAME, RECORD("1"));
}
END_TEST

START_TEST(an_incomplete_message_leaves_nothing)
{
	static const char whole[] = TRANSACTION;

	for (size_t length = sizeof whole - 1 - strlen("body\r\n.\r\n"); length < sizeof whole - 1;
	     length++) {
		connect_client();
		ck_assert(send_bytes(whole, length));
		ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
		expect_last(GREETING ENVELOPE_OK);
		disconnect();
		files_expect_string(MAILBOX_NAME, "");
	}
}
END_TEST

START_TEST(many_replies_arrive_in_order)
{
	struct bytes input = {.at = NULL}, replies = {.at = NULL}, received = {.at = NULL};
	const int smallest = 1;

	bytes_add_string(&input, "HELO client\r\nMAIL FROM:a\r\n");
	bytes_add_string(&replies, GREETING "250 netid\r\n250 OK\r\n");
	for (unsigned i = 0; i < 900; i++) {
		bytes_add_format(&input, "RCPT TO:r%u\r\nRCPT TO:%u %u\r\n", i, i, i);
		bytes_add_format(
		    &replies, "250 OK\r\n555 <%u %u>: Recipient address invalid\r\n", i, i);
	}
	make_sockets();
	/* So little space that the server must wait for the client many times. */
	setsockopt(served, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
	begin_service();
	ck_assert(send_bytes(input.at, input.length));
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	while (!read_some(&received)) {
	}
	bytes_assert("replies", &received, &replies);
	disconnect();
	bytes_free(&input);
	bytes_free(&replies);
	bytes_free(&received);
}
END_TEST

START_TEST(the_next_client_inherits_nothing)
{
	connect_client();
	expect(GREETING);
	send_string("HELO evil\r\nMAIL FROM:evil\r\nRCPT TO:evil\r\nDATA\r\nevil\r\n.\r");
	expect(ENVELOPE_OK);
	disconnect();
	connect_client();
	send_string("\nDATA\r\n");
	expect(GREETING UNKNOWN "503 Error: need HELO command\r\n");
	send_string(TRANSACTION);
	expect(ENVELOPE_OK "250 OK:  delivered message 1\r\n");
	disconnect();
	files_expect_string(MAILBOX_NAME, RECORD("1"));
}
END_TEST

START_TEST(a_storage_failure_gets_451)
{
	int reader = open(MAILBOX_NAME, O_RDONLY | O_CLOEXEC);

	/* The mailbox can no longer be written. */
	ck_assert_int_eq(dup2(reader, mailbox.file.descriptor), mailbox.file.descriptor);
	connect_client();
	send_string(TRANSACTION);
	expect(GREETING ENVELOPE_OK "451 Error: local error in processing\r\n");
	send_string("HELO client\r\n");
	expect("503 Error: duplicate HELO\r\n");
	disconnect();
	files_expect_string(MAILBOX_NAME, "");
	close(reader);
}
END_TEST

/* Serve later clients with ESMTP. */
static void
serve_esmtp(void)
{
	config.protocol = PROTOCOL_ESMTP;
	connection_destroy(&connection);
	connection_init(&connection, &config);
}

START_TEST(quit_closes_the_connection)
{
	serve_esmtp();
	connect_client();
	send_string("EHLO client\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nbody\r\n.\r\nQUIT\r\n"
		    "NOOP\r\n");
	expect_last(ESMTP_GREETING
	    "250-netid\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
	    "250 OK\r\n250 OK\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
	    "250 OK:  delivered message 1\r\n221 netid closing connection\r\n");
	disconnect();
	files_expect_string(MAILBOX_NAME, RECORD("1"));
}
END_TEST

START_TEST(too_many_junk_commands_close_the_connection)
{
	struct bytes input = {.at = NULL}, replies = {.at = NULL};

	bytes_add_string(&replies, ESMTP_GREETING);
	for (unsigned i = 0; i < JUNK_COMMANDS_MAX; i++) {
		bytes_add_string(&input, "NOOP\r\n");
		bytes_add_string(&replies, "250 OK\r\n");
	}
	bytes_add_string(&input, "NOOP\r\nHELO client\r\n");
	bytes_add_string(&replies, "421 4.7.0 netid Error: too many commands\r\n");
	serve_esmtp();
	connect_client();
	send_string(input.at);
	expect_last(replies.at);
	disconnect();
	bytes_free(&input);
	bytes_free(&replies);
}
END_TEST

/* ---- several messages at once ---- */

/* A message, and the reply to it if it is too big. */
#define NEXT_MESSAGE(body) "MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\n" body "\r\n.\r\n"
#define TOO_BIG            "552 Error: message too big\r\n"

/* Limit the bodies of later clients to a few bytes. */
static void
limit_size(void)
{
	config.max_size = strlen("body\n");
	connection_destroy(&connection);
	connection_init(&connection, &config);
}

/* Fail unless the next packet has exactly these bytes. */
static void
expect_packet(const char *expected)
{
	char packet[OUTPUT_SIZE];
	ssize_t got;

	REQUIRE(is_readable(PATIENCE * 1000), "the server sends nothing");
	got = recv(client, packet, sizeof packet, 0);
	REQUIRE(got >= 0, "no packet");
	bytes_compare("packet", packet, (size_t)got, expected, strlen(expected));
}

START_TEST(replies_to_pipelined_messages_are_sent_together)
{
	struct bytes input = {.at = NULL}, replies = {.at = NULL};
	int ends[2];

	bytes_add_string(&input, TRANSACTION);
	bytes_add_string(&replies, ENVELOPE_OK "250 OK:  delivered message 1\r\n");
	/*
	 * More messages than COMPLETED_MAX. Most are too big, because otherwise a backup would be
	 * due.
	 */
	for (unsigned i = 0; i < COMPLETED_MAX; i++) {
		bytes_add_string(&input, NEXT_MESSAGE("too much"));
		bytes_add_string(&replies, ACCEPTED_OK TOO_BIG);
	}
	bytes_add_string(&input, NEXT_MESSAGE("body") "mkdir\r\nMAIL FROM:c\r\n");
	bytes_add_string(
	    &replies, ACCEPTED_OK "250 OK:  delivered message 2\r\n" UNKNOWN "250 OK\r\n");
	limit_size();
	/* Here each send() is one packet. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	client = ends[0];
	served = ends[1];
	begin_service();
	expect_packet(GREETING);
	send_string(input.at);
	expect_packet(replies.at);
	disconnect();
	files_expect_string(MAILBOX_NAME, RECORD("1") RECORD("2"));
	bytes_free(&input);
	bytes_free(&replies);
}
END_TEST

static atomic_bool other_delivered;

/* Deliver a message, as the worker of another client does. */
static void *
deliver_for_another(void *unused)
{
	(void)unused;
	mail_deliver_range(&mailbox, 1, 1);
	atomic_store(&other_delivered, true);
	return NULL;
}

static bool
has_other_delivered(const void *unused)
{
	(void)unused;
	return atomic_load(&other_delivered);
}

START_TEST(a_client_with_nothing_to_store_is_not_queued)
{
	pthread_t other;

	limit_size();
	connect_client();
	send_string("HELO client\r\n" NEXT_MESSAGE("too much"));
	expect(GREETING ENVELOPE_OK TOO_BIG);
	/*
	 * The first worker is still running. If it had left a delivery in the queue, on its stack,
	 * the other one would wait for ever.
	 */
	other = threads_start(deliver_for_another, NULL);
	threads_await("another delivery", &mailbox.mutex, has_other_delivered, NULL);
	threads_join(other);
	mail_expect_file(MAILBOX_NAME, 1, 1);
	disconnect();
}
END_TEST

/* ---- timeouts ---- */

/* What a client sends before it becomes silent, and the replies before the 421. */
static const struct silence {
	const char *sent;
	const char *replies;
} silences[] = {
    {"", GREETING},
    {"HELO client\r\n", GREETING "250 netid\r\n"},
    {"HELO client\r\nMAIL FROM:a\r\n", GREETING "250 netid\r\n250 OK\r\n"},
    {"HELO client\r\nMAIL FR", GREETING "250 netid\r\n"},
    {"mkdir\r\n", GREETING UNKNOWN},
    {"HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\n", GREETING ENVELOPE_OK},
    {"HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nbody", GREETING ENVELOPE_OK},
    {"HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nbody\r\n.", GREETING ENVELOPE_OK},
    {TRANSACTION, GREETING ENVELOPE_OK "250 OK:  delivered message 1\r\n"},
};

START_TEST(a_silent_client_gets_421_and_never_early)
{
	const struct silence *silence = &silences[_i];
	struct bytes replies = {.at = NULL};
	nanoseconds before;

	config.timeout = SHORT;
	before = monotonic_now();
	make_sockets();
	send_string(silence->sent);
	begin_service();
	bytes_add_string(&replies, silence->replies);
	bytes_add_string(&replies, TIMED_OUT);
	expect_last(replies.at);
	ck_assert_int_ge(monotonic_now() - before, SHORT);
	disconnect();
	bytes_free(&replies);
}
END_TEST

START_TEST(a_timeout_longer_than_a_wait_is_never_early)
{
	nanoseconds before;

	/* The server also wakes up to check for a stop. */
	config.timeout = STOP_CHECK_TIME + SHORT;
	make_sockets();
	send_string("HELO client\r\n");
	before = monotonic_now();
	begin_service();
	expect_last(GREETING "250 netid\r\n" TIMED_OUT);
	ck_assert_int_ge(monotonic_now() - before, config.timeout);
	disconnect();
}
END_TEST

/*
 * Send a valid command after half of the timeout. Returns whether the server received it in time;
 * the client must then have had the whole timeout again.
 */
static bool
try_to_extend(void)
{
	struct bytes replies = {.at = NULL};
	nanoseconds before;
	bool taken;

	bytes_add_string(&replies, "");
	connect_client();
	expect(GREETING);
	sleep_for(config.timeout / 2);
	before = monotonic_now();
	/* If this was too late, the server may have closed. */
	send_bytes("HELO client\r\n", strlen("HELO client\r\n"));
	while (!read_some(&replies)) {
	}
	taken = strncmp(replies.at, "250", 3) == 0;
	if (taken) {
		bytes_assert_string("replies", &replies, "250 netid\r\n" TIMED_OUT);
		ck_assert_int_ge(monotonic_now() - before, config.timeout);
	}
	disconnect();
	bytes_free(&replies);
	return taken;
}

START_TEST(an_accepted_command_extends_the_deadline)
{
	unsigned attempts = 0;

	config.timeout = 6 * SHORT;
	while (!try_to_extend()) {
		ck_assert_uint_lt(++attempts, ATTEMPTS);
	}
}
END_TEST

/* Send invalid commands as fast as the server replies, until it closes. Returns all replies. */
static struct bytes
send_rejected(void)
{
	static const char *const rejected[] = {"mkdir\r\n", "HELO\r\n", "DATA\r\n", "\n"};
	struct bytes all = {.at = NULL};
	nanoseconds before = monotonic_now();

	connect_client();
	while (!read_some(&all)) {
		REQUIRE(monotonic_now() - before < PATIENCE * SECOND, "the server does not close");
		if (all.at[all.length - 1] == '\n') {
			const char *line = rejected[all.length % ARRAY_LENGTH(rejected)];

			send_bytes(line, strlen(line));
		}
	}
	ck_assert_int_ge(monotonic_now() - before, config.timeout);
	disconnect();
	return all;
}

START_TEST(rejected_commands_do_not_extend_the_deadline)
{
	struct bytes all = {.at = NULL};
	unsigned attempts = 0;

	config.timeout = SHORT;
	do {
		/* Without a single rejected command the test has shown nothing. */
		ck_assert_uint_lt(attempts++, ATTEMPTS);
		bytes_free(&all);
		all = send_rejected();
		ck_assert_uint_ge(all.length, strlen(GREETING TIMED_OUT));
		bytes_compare("the last reply", all.at + all.length - strlen(TIMED_OUT),
		    strlen(TIMED_OUT), LITERAL(TIMED_OUT));
	} while (all.length == strlen(GREETING TIMED_OUT));
	bytes_free(&all);
}
END_TEST

/*
 * Send `byte` again and again, with pauses, until a reply arrives. Returns the duration; fails if
 * there is no reply.
 */
static nanoseconds
send_slowly(char byte)
{
	nanoseconds before = monotonic_now();

	while (!is_readable(SLOW_PAUSE)) {
		REQUIRE(monotonic_now() - before < PATIENCE * SECOND, "the server does not close");
		send_bytes(&byte, 1);
	}
	return monotonic_now() - before;
}

START_TEST(a_slow_line_does_not_extend_the_deadline)
{
	config.timeout = SHORT;
	connect_client();
	expect(GREETING);
	send_slowly('x');
	expect_last(TIMED_OUT);
	disconnect();
}
END_TEST

/* Send a message slowly until the server closes. Returns the duration. */
static nanoseconds
send_message_slowly(void)
{
	nanoseconds before, duration;

	make_sockets();
	send_string("HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\n");
	before = monotonic_now();
	begin_service();
	expect(GREETING ENVELOPE_OK);
	send_slowly('x');
	duration = monotonic_now() - before;
	expect_last(TIMED_OUT);
	ck_assert_int_ge(duration, config.timeout);
	disconnect();
	return duration;
}

START_TEST(a_slow_message_has_its_own_deadline)
{
	unsigned attempts = 0;

	/*
	 * If this process was not scheduled for the time of a timeout, the client was silent: try a
	 * longer one.
	 */
	config.timeout = 20 * MILLISECOND;
	while (send_message_slowly() < MESSAGE_TIMEOUTS * config.timeout) {
		ck_assert_uint_lt(++attempts, SLOW_ATTEMPTS);
		config.timeout *= 2;
	}
	files_expect_string(MAILBOX_NAME, "");
}
END_TEST

static bool
is_backup_requested(const void *unused)
{
	(void)unused;
	return mailbox.backup_requested;
}

START_TEST(waiting_for_a_backup_is_not_charged_to_the_client)
{
	struct backup_job job;
	nanoseconds before;

	/* A backup is due, and the test takes the part of the backup thread. */
	mail_deliver_range(&mailbox, 1, 32);
	ck_assert(mailbox_wait_for_job(&mailbox, &job));
	config.timeout = SHORT;
	make_sockets();
	send_string(TRANSACTION);
	begin_service();
	threads_await("a delivery that waits", &mailbox.mutex, is_backup_requested, NULL);
	sleep_for(3 * SHORT);
	before = monotonic_now();
	job.copied_length = job.length;
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
	expect_last(GREETING ENVELOPE_OK "250 OK:  delivered message 33\r\n" TIMED_OUT);
	ck_assert_int_ge(monotonic_now() - before, SHORT);
	files_expect_string(MAILBOX_NAME, RECORD("33"));
	disconnect();
}
END_TEST

START_TEST(a_client_that_stays_is_drained_for_a_while)
{
	nanoseconds before = monotonic_now();

	config.timeout = SHORT;
	connect_client();
	expect_last(GREETING TIMED_OUT);
	/* The client has the 421 and does not close, so the server drains the input. */
	threads_join(worker);
	ck_assert_int_ge(monotonic_now() - before, SHORT + LINGER_TIME);
	close(client);
}
END_TEST

/* ---- clients that do not read ---- */

/* Connect a client, with a small send buffer of the server. */
static void
connect_with_small_buffer(void)
{
	const int smallest = 1;

	make_sockets();
	setsockopt(served, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
	begin_service();
}

START_TEST(a_client_that_does_not_read_is_dropped)
{
	struct bytes input = {.at = NULL}, received = {.at = NULL}, log;
	nanoseconds before = monotonic_now();

	config.timeout = SHORT;
	config.verbose = true;
	bytes_add_string(&input, "HELO client\r\nMAIL FROM:a\r\n");
	for (unsigned i = 0; i < RECIPIENTS_MAX; i++) {
		bytes_add_string(&input, "RCPT TO:b\r\n");
	}
	connect_with_small_buffer();
	send_bytes(input.at, input.length);
	threads_join(worker);
	ck_assert_int_ge(monotonic_now() - before, SHORT);
	while (!read_some(&received)) {
	}
	/* There was no space for a final reply, nor for all replies before it. */
	ck_assert_uint_lt(received.length, RECIPIENTS_MAX * strlen("250 OK\r\n"));
	ck_assert_ptr_null(strstr(received.at, "421"));
	log = capture_take(&errors);
	bytes_add_string(&log, "");
	ck_assert_ptr_nonnull(strstr(log.at, " not reading after "));
	bytes_free(&log);
	close(client);
	bytes_free(&input);
	bytes_free(&received);
}
END_TEST

START_TEST(endless_invalid_commands_time_out)
{
	nanoseconds before = monotonic_now();
	char invalid[1000];

	memset(invalid, '\n', sizeof invalid);
	config.timeout = SHORT;
	connect_with_small_buffer();
	/* Never read, and send until the server receives no more. */
	while (send_bytes(invalid, sizeof invalid)) {
		REQUIRE(monotonic_now() - before < PATIENCE * SECOND, "the server does not close");
	}
	threads_join(worker);
	ck_assert_int_ge(monotonic_now() - before, SHORT);
	close(client);
}
END_TEST

/* The pause in milliseconds and the bytes of each read of the slow client. */
#define READ_PAUSE 2
#define READ_SIZE  200

START_TEST(reading_slowly_does_not_extend_the_deadline)
{
	const int smallest = 1;
	nanoseconds before;
	char invalid[INPUT_SIZE], chunk[READ_SIZE];

	memset(invalid, '\n', sizeof invalid);
	config.timeout = 200 * MILLISECOND;
	make_sockets();
	setsockopt(served, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
	ck_assert(send_bytes(invalid, sizeof invalid));
	before = monotonic_now();
	begin_service();
	/* The client always reads some bytes, but all replies together would take far too long. */
	while (!atomic_load(&served_to_the_end)) {
		recv(client, chunk, sizeof chunk, MSG_DONTWAIT);
		REQUIRE(monotonic_now() - before < MESSAGE_TIMEOUTS / 4 * config.timeout,
		    "the server does not close in time");
		sleep_for(READ_PAUSE * MILLISECOND);
	}
	ck_assert_int_ge(monotonic_now() - before, config.timeout);
	disconnect();
}
END_TEST

/* ---- stops ---- */

static const struct silence stops[] = {
    {"HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nbody\r\n", GREETING ENVELOPE_OK},
    {TRANSACTION "MAIL FR", GREETING ENVELOPE_OK "250 OK:  delivered message 1\r\n"},
};

START_TEST(a_waiting_client_gets_421_on_a_stop)
{
	connect_client();
	send_string(stops[_i].sent);
	expect(stops[_i].replies);
	atomic_store(&stopping, true);
	expect_last(STOPPING);
	disconnect();
	files_expect_string(MAILBOX_NAME, _i == 1 ? RECORD("1") : "");
}
END_TEST

START_TEST(a_client_after_the_stop_gets_421)
{
	atomic_store(&stopping, true);
	connect_client();
	expect_last(STOPPING);
	disconnect();
}
END_TEST

/*
 * Send `input`, which begins with a transaction, and stop the server while its message waits for a
 * backup.
 */
static void
stop_in_delivery(const char *input)
{
	struct backup_job job;

	mail_deliver_range(&mailbox, 1, 32);
	ck_assert(mailbox_wait_for_job(&mailbox, &job));
	make_sockets();
	send_string(input);
	begin_service();
	threads_await("a delivery that waits", &mailbox.mutex, is_backup_requested, NULL);
	atomic_store(&stopping, true);
	job.copied_length = job.length;
	ck_assert_int_eq(mailbox_finish_attempt(&mailbox, &job, 0), 0);
}

START_TEST(a_stop_ends_many_pipelined_commands)
{
	/*
	 * The replies exceed OUTPUT_SIZE by far, but fit into the socket's buffer: otherwise the
	 * worker would notice the stop while it waits for the client to read.
	 */
	const size_t lines = 4 * (size_t)OUTPUT_SIZE / strlen(UNKNOWN);
	struct bytes input = {.at = NULL}, received = {.at = NULL};

	bytes_add_string(&input, TRANSACTION);
	bytes_add_repeated(&input, '\n', lines);
	stop_in_delivery(input.at);
	while (!read_some(&received)) {
	}
	ck_assert_uint_lt(received.length, lines * strlen(UNKNOWN));
	ck_assert_uint_gt(received.length, strlen(STOPPING));
	bytes_compare("the last reply", received.at + received.length - strlen(STOPPING),
	    strlen(STOPPING), LITERAL(STOPPING));
	files_expect_string(MAILBOX_NAME, RECORD("33"));
	disconnect();
	bytes_free(&input);
	bytes_free(&received);
}
END_TEST

/* A 421 after the 221 would be a reply to no command. */
START_TEST(a_stop_adds_no_reply_after_that_to_a_pipelined_quit)
{
	serve_esmtp();
	stop_in_delivery(TRANSACTION "QUIT\r\n");
	expect_last(ESMTP_GREETING ENVELOPE_OK
	    "250 OK:  delivered message 33\r\n221 netid closing connection\r\n");
	disconnect();
}
END_TEST

/* ---- log and counters ---- */

/* Connect over TCP, so that the client has an address, and set `peer` to it. */
static void
connect_by_network(struct bytes *peer)
{
	static const char *const host = "127.0.0.1";
	struct listener listener, own;
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	ck_assert(listener_bind(&listener, &host, 1, "0"));
	ck_assert(listener_listen(&listener));
	/* The client's end is bound like a server's, so that its address is known. */
	ck_assert(listener_bind(&own, &host, 1, "0"));
	ck_assert_int_eq(fcntl(own.sockets[0].descriptor, F_SETFL, 0), 0);
	bytes_add_string(peer, own.sockets[0].name);
	ck_assert_int_eq(
	    getsockname(listener.sockets[0].descriptor, (struct sockaddr *)&address, &length), 0);
	client = dup(own.sockets[0].descriptor);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&address, length), 0);
	served = listener_accept(&listener);
	ck_assert_int_ne(served, -1);
	listener_close(&own);
	listener_destroy(&own);
	listener_close(&listener);
	listener_destroy(&listener);
	begin_service();
}

/* The masked time of a line: see mask_times(). */
#define TIME "0000-00-00T00:00:00Z"

/* Replace every digit of `text` up to `end` by '0'. */
static void
mask_digits(char *text, const char *end)
{
	for (; text < end; text++) {
		if (*text >= '0' && *text <= '9') {
			*text = '0';
		}
	}
}

/* Mask in each line of the log its time, and the duration of a session. */
static void
mask_times(struct bytes *log)
{
	char *end = log->at + log->length;

	for (char *line = log->at; line < end; line = strchr(line, '\n') + 1) {
		char *moment = line + strlen("smtpd: ");
		char *after = strstr(line, " after ");

		if (*moment >= '0' && *moment <= '9') {
			mask_digits(moment, moment + strlen(TIME));
		}
		if (after != NULL && after < strchr(line, '\n')) {
			mask_digits(after, strstr(after, " s: "));
		}
	}
}

/* Fail unless the log since the last call, with its times masked, is `expected`. */
static void
expect_log(const char *expected)
{
	struct bytes log = capture_take(&errors);

	bytes_add_string(&log, "");
	mask_times(&log);
	bytes_assert_string("log", &log, expected);
	bytes_free(&log);
}

START_TEST(each_pipelined_message_is_logged)
{
	struct bytes peer = {.at = NULL}, expected = {.at = NULL};
	static const char envelope[] = "MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\n";
	struct bytes input = {.at = NULL};

	config.verbose = true;
	limit_size();
	connect_by_network(&peer);
	bytes_add_string(&input, TRANSACTION);
	bytes_add_format(&input, "%stoo much\r\n.\r\n%sbody\r\n.\r\n", envelope, envelope);
	send_string(input.at);
	expect(GREETING ENVELOPE_OK "250 OK:  delivered message 1\r\n" ACCEPTED_OK
				    "552 Error: message too big\r\n" ACCEPTED_OK
				    "250 OK:  delivered message 2\r\n");
	disconnect();
	files_expect_string(MAILBOX_NAME, RECORD("1") RECORD("2"));
	bytes_add_format(&expected,
	    "smtpd: " TIME " %s delivered 1, %zu bytes, host client, from a, 1 recipient: b\n"
	    "smtpd: " TIME " %s refused, %zu bytes, host client, from a, 1 recipient: b: "
	    "Message too long\n"
	    "smtpd: " TIME " %s delivered 2, %zu bytes, host client, from a, 1 recipient: b\n"
	    "smtpd: " TIME " %s client closed after 0.000 s: 2 delivered, 1 refused\n",
	    peer.at, strlen(RECORD("1")) - strlen("Number: 1\n"), peer.at,
	    strlen(RECORD("1")) - strlen("Number: 1\nbody\n\n"), peer.at,
	    strlen(RECORD("2")) - strlen("Number: 2\n"), peer.at);
	expect_log(expected.at);
	bytes_free(&input);
	bytes_free(&peer);
	bytes_free(&expected);
}
END_TEST

START_TEST(deliveries_and_ends_are_logged_if_verbose)
{
	struct bytes peer = {.at = NULL}, expected = {.at = NULL};
	int reader = open(MAILBOX_NAME, O_RDONLY | O_CLOEXEC);

	config.verbose = true;
	connect_by_network(&peer);
	send_string(TRANSACTION);
	expect(GREETING ENVELOPE_OK "250 OK:  delivered message 1\r\n");
	bytes_add_format(&expected,
	    "smtpd: " TIME " %s delivered 1, %zu bytes, host client, from a, 1 recipient: b\n",
	    peer.at, strlen(RECORD("1")) - strlen("Number: 1\n"));
	expect_log(expected.at);
	disconnect();
	bytes_clear(&expected);
	bytes_add_format(&expected,
	    "smtpd: " TIME " %s client closed after 0.000 s: 1 delivered, 0 refused\n", peer.at);
	expect_log(expected.at);
	/* A refusal with its reason, after the line of the mailbox about it. */
	bytes_clear(&peer);
	ck_assert_int_eq(dup2(reader, mailbox.file.descriptor), mailbox.file.descriptor);
	connect_by_network(&peer);
	send_string(TRANSACTION);
	expect(GREETING ENVELOPE_OK "451 Error: local error in processing\r\n");
	bytes_clear(&expected);
	bytes_add_format(&expected,
	    "smtpd: mailbox: 1 message refused: Bad file descriptor\n"
	    "smtpd: " TIME
	    " %s refused, %zu bytes, host client, from a, 1 recipient: b: Bad file descriptor\n",
	    peer.at, strlen(RECORD("1")) - strlen("Number: 1\n"));
	expect_log(expected.at);
	disconnect();
	bytes_clear(&expected);
	bytes_add_format(&expected,
	    "smtpd: " TIME " %s client closed after 0.000 s: 0 delivered, 1 refused\n", peer.at);
	expect_log(expected.at);
	close(reader);
	bytes_free(&peer);
	bytes_free(&expected);
}
END_TEST

/* What ends a session of ESMTP, and how often it is sent. */
static const struct {
	const char *line;
	unsigned count;
	const char *ending;
} session_ends[] = {
    {"QUIT\r\n", 1, "QUIT"},
    {"NOOP\r\n", JUNK_COMMANDS_MAX + 1, "too many commands"},
    {"GET / HTTP/1.1\r\n", 1, "not a mail client"},
};

START_TEST(the_reason_of_an_end_is_logged_if_verbose)
{
	struct bytes peer = {.at = NULL}, expected = {.at = NULL};

	config.verbose = true;
	config.timeout = SHORT;
	connect_by_network(&peer);
	expect_last(GREETING TIMED_OUT);
	disconnect();
	bytes_add_format(&expected,
	    "smtpd: " TIME " %s timed out after 0.000 s: 0 delivered, 0 refused\n", peer.at);
	expect_log(expected.at);
	bytes_clear(&peer);
	bytes_clear(&expected);
	atomic_store(&stopping, true);
	connect_by_network(&peer);
	expect_last(STOPPING);
	disconnect();
	bytes_add_format(&expected,
	    "smtpd: " TIME " %s shutting down after 0.000 s: 0 delivered, 0 refused\n", peer.at);
	expect_log(expected.at);
	bytes_clear(&peer);
	bytes_clear(&expected);
	atomic_store(&stopping, false);
	serve_esmtp();
	config.timeout = TIMEOUT_DEFAULT;
	for (size_t i = 0; i < ARRAY_LENGTH(session_ends); i++) {
		struct bytes input = {.at = NULL}, replies = {.at = NULL};

		bytes_add_string(&input, "");
		for (unsigned j = 0; j < session_ends[i].count; j++) {
			bytes_add_string(&input, session_ends[i].line);
		}
		bytes_clear(&peer);
		bytes_clear(&expected);
		connect_by_network(&peer);
		send_string(input.at);
		while (!read_some(&replies)) {
		}
		disconnect();
		bytes_add_format(&expected,
		    "smtpd: " TIME " %s %s after 0.000 s: 0 delivered, 0 refused\n", peer.at,
		    session_ends[i].ending);
		expect_log(expected.at);
		bytes_free(&input);
		bytes_free(&replies);
	}
	bytes_free(&peer);
	bytes_free(&expected);
}
END_TEST

START_TEST(messages_and_timeouts_are_counted)
{
	struct bytes expected = {.at = NULL};

	limit_size();
	connect_client();
	send_string(TRANSACTION "MAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\ntoo much\r\n.\r\n");
	expect(GREETING ENVELOPE_OK
	    "250 OK:  delivered message 1\r\n250 OK\r\n250 OK\r\n"
	    "354 End data with <CR><LF>.<CR><LF>\r\n552 Error: message too big\r\n");
	disconnect();
	config.timeout = SHORT;
	connect_client();
	expect_last(GREETING TIMED_OUT);
	disconnect();
	counters_log(monotonic_now(), -1);
	bytes_add_format(&expected,
	    "smtpd: up 0 s; connections served 2, in service 0, timed out 1; messages delivered 1 "
	    "(%zu bytes), refused as too big 1, storage full 0, for other errors 0; backups "
	    "0\n",
	    strlen(RECORD("1")) - strlen("Number: 1\n"));
	capture_expect(&errors, expected.at);
	bytes_free(&expected);
}
END_TEST

/* ---- idle clients of ESMTP ---- */

/* Requests for a worker that were not claimed yet. */
static atomic_uint wanted;

static bool
claim_wanted(void *context)
{
	unsigned count = atomic_load(&wanted);

	ck_assert_ptr_eq(context, &wanted);
	return count > 0 && atomic_compare_exchange_strong(&wanted, &count, count - 1);
}

/* Serve later clients with ESMTP and these times; no worker is wanted. */
static void
limit_times(nanoseconds timeout, nanoseconds idle_time, nanoseconds message_time)
{
	config.timeout = timeout;
	config.idle_time = idle_time;
	config.message_time = message_time;
	config.claim_wanted = claim_wanted;
	config.context = &wanted;
	atomic_store(&wanted, 0);
	serve_esmtp();
}

/* What a client has sent before it is idle, and the replies. */
static const struct silence idle_clients[] = {
    {"", ESMTP_GREETING},
    {"EHL", ESMTP_GREETING},
    {"mkdir\r\n", ESMTP_GREETING UNKNOWN},
    {"HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\nbody", ESMTP_GREETING ENVELOPE_OK},
};

START_TEST(an_idle_client_is_ended_only_for_another)
{
	const struct silence *idle_client = &idle_clients[_i];
	nanoseconds before;

	limit_times(SHORT, LONG, LONG);
	connect_client();
	send_string(idle_client->sent);
	expect(idle_client->replies);
	ck_assert(!is_readable((int)(10 * SHORT / MILLISECOND)));
	atomic_store(&wanted, 1);
	before = monotonic_now();
	expect_last(TIMED_OUT);
	ck_assert_int_lt(monotonic_now() - before, PATIENCE * SECOND);
	ck_assert_uint_eq(atomic_load(&wanted), 0);
	disconnect();
}
END_TEST

START_TEST(a_client_is_not_ended_for_another_before_the_timeout)
{
	const struct silence *idle_client = &idle_clients[_i];
	struct bytes replies = {.at = NULL};
	nanoseconds before;

	limit_times(4 * SHORT, LONG, LONG);
	atomic_store(&wanted, 1);
	make_sockets();
	send_string(idle_client->sent);
	before = monotonic_now();
	begin_service();
	bytes_add_string(&replies, idle_client->replies);
	bytes_add_string(&replies, TIMED_OUT);
	expect_last(replies.at);
	ck_assert_int_ge(monotonic_now() - before, 4 * SHORT);
	ck_assert_uint_eq(atomic_load(&wanted), 0);
	disconnect();
	bytes_free(&replies);
}
END_TEST

/* Fail unless an idle client is ended, though no worker is wanted, and not before this time. */
static void
expect_end_after(nanoseconds duration)
{
	nanoseconds before = monotonic_now();

	connect_client();
	expect_last(ESMTP_GREETING TIMED_OUT);
	ck_assert_int_ge(monotonic_now() - before, duration);
	disconnect();
}

START_TEST(an_idle_client_is_ended_after_the_idle_time)
{
	limit_times(SHORT, 4 * SHORT, 0);
	expect_end_after(4 * SHORT);
	/* The timeout counts if it is longer. */
	limit_times(4 * SHORT, SHORT, 0);
	expect_end_after(4 * SHORT);
	limit_times(SHORT, STOP_CHECK_TIME + SHORT, 0);
	expect_end_after(STOP_CHECK_TIME + SHORT);
}
END_TEST

START_TEST(a_slow_message_of_esmtp_has_its_own_deadline)
{
	nanoseconds before;

	limit_times(MILLISECOND, LONG, 10 * SHORT);
	connect_client();
	before = monotonic_now();
	send_string("HELO client\r\nMAIL FROM:a\r\nRCPT TO:b\r\nDATA\r\n");
	expect(ESMTP_GREETING ENVELOPE_OK);
	send_slowly('x');
	ck_assert_int_ge(monotonic_now() - before, 10 * SHORT);
	expect_last(TIMED_OUT);
	disconnect();
}
END_TEST

START_TEST(a_client_that_makes_no_progress_is_ended_for_another)
{
	nanoseconds before = monotonic_now();
	struct bytes replies = {.at = NULL};

	limit_times(SHORT, LONG, LONG);
	connect_client();
	/* Longer than the timeout, and never silent. */
	while (monotonic_now() - before < 4 * SHORT) {
		send_string("mkdir\r\n");
		read_some(&replies);
	}
	atomic_store(&wanted, 1);
	while (!read_some(&replies)) {
		send_bytes("mkdir\r\n", strlen("mkdir\r\n"));
	}
	bytes_add_string(&replies, "");
	ck_assert_ptr_nonnull(strstr(replies.at, TIMED_OUT));
	ck_assert_uint_eq(atomic_load(&wanted), 0);
	disconnect();
	bytes_free(&replies);
}
END_TEST

START_TEST(a_client_that_reads_slowly_is_ended_for_another)
{
	struct bytes received = {.at = NULL}, input = {.at = NULL};
	nanoseconds before;

	limit_times(SHORT, LONG, LONG);
	before = monotonic_now();
	connect_with_small_buffer();
	/* The client reads byte by byte, so that it is not dropped as one that does not read. */
	for (unsigned i = 0; i < OUTPUT_SIZE; i++) {
		bytes_add_string(&input, "mkdir\r\n");
	}
	atomic_store(&wanted, 1);
	send(client, input.at, input.length, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (atomic_load(&wanted) > 0) {
		ck_assert_int_lt(monotonic_now() - before, PATIENCE * SECOND);
		if (is_readable(SLOW_PAUSE)) {
			char byte;

			ck_assert_int_eq(recv(client, &byte, 1, 0), 1);
		}
	}
	ck_assert_int_ge(monotonic_now() - before, SHORT);
	while (!read_some(&received)) {
	}
	disconnect();
	bytes_free(&input);
	bytes_free(&received);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, a_conversation_is_answered_line_by_line);
	tcase_add_test(tests, a_client_that_ends_its_side_gets_every_reply);
	tcase_add_test(tests, a_complete_message_of_a_gone_client_is_delivered);
	tcase_add_test(tests, an_incomplete_message_leaves_nothing);
	tcase_add_test(tests, many_replies_arrive_in_order);
	tcase_add_test(tests, the_next_client_inherits_nothing);
	tcase_add_test(tests, a_storage_failure_gets_451);
	tcase_add_test(tests, quit_closes_the_connection);
	tcase_add_test(tests, too_many_junk_commands_close_the_connection);
	tcase_add_test(tests, replies_to_pipelined_messages_are_sent_together);
	tcase_add_test(tests, a_client_with_nothing_to_store_is_not_queued);
	tcase_add_loop_test(
	    tests, a_silent_client_gets_421_and_never_early, 0, ARRAY_LENGTH(silences));
	tcase_add_test(tests, a_timeout_longer_than_a_wait_is_never_early);
	tcase_add_test(tests, an_accepted_command_extends_the_deadline);
	tcase_add_test(tests, rejected_commands_do_not_extend_the_deadline);
	tcase_add_test(tests, a_slow_line_does_not_extend_the_deadline);
	tcase_add_test(tests, a_slow_message_has_its_own_deadline);
	tcase_add_test(tests, waiting_for_a_backup_is_not_charged_to_the_client);
	tcase_add_test(tests, a_client_that_stays_is_drained_for_a_while);
	tcase_add_test(tests, a_client_that_does_not_read_is_dropped);
	tcase_add_test(tests, endless_invalid_commands_time_out);
	tcase_add_test(tests, reading_slowly_does_not_extend_the_deadline);
	tcase_add_loop_test(tests, a_waiting_client_gets_421_on_a_stop, 0, ARRAY_LENGTH(stops));
	tcase_add_test(tests, a_client_after_the_stop_gets_421);
	tcase_add_test(tests, a_stop_ends_many_pipelined_commands);
	tcase_add_test(tests, a_stop_adds_no_reply_after_that_to_a_pipelined_quit);
	tcase_add_test(tests, deliveries_and_ends_are_logged_if_verbose);
	tcase_add_test(tests, each_pipelined_message_is_logged);
	tcase_add_test(tests, the_reason_of_an_end_is_logged_if_verbose);
	tcase_add_test(tests, messages_and_timeouts_are_counted);
	tcase_add_loop_test(
	    tests, an_idle_client_is_ended_only_for_another, 0, ARRAY_LENGTH(idle_clients));
	tcase_add_loop_test(tests, a_client_is_not_ended_for_another_before_the_timeout, 0,
	    ARRAY_LENGTH(idle_clients));
	tcase_add_test(tests, an_idle_client_is_ended_after_the_idle_time);
	tcase_add_test(tests, a_slow_message_of_esmtp_has_its_own_deadline);
	tcase_add_test(tests, a_client_that_makes_no_progress_is_ended_for_another);
	tcase_add_test(tests, a_client_that_reads_slowly_is_ended_for_another);
	return suite_run("connection", tests);
}
