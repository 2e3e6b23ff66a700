/*
 * NAME
 *	faulty_server - a mail server that is correct except for one defect
 *
 * DESCRIPTION
 *	Its threads accept from one socket and serve one connection each, like the real server's.
 *	Each wait is a poll() of one slice at most, so that a stop is noticed.
 */

/* For accept4(). */
#define _GNU_SOURCE

#include "faulty_server.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "add_number.h"
#include "loopback.h"
#include "monotonic.h"
#include "params.h"

/* Milliseconds of a slice: the longest poll(). */
#define SLICE_TIME 10

/* Default of `replies_before`: more than a flood of recipients needs. */
#define REPLIES_BEFORE 1200

/* Bytes of one receive. */
#define RECEIVE_SIZE 16384

/* How late the 421 of DEFECT_LATE is; when that of DEFECT_EARLY comes, as a part of T. */
#define LATE  (TIMEOUT_SLACK + 300 * MILLISECOND)
#define EARLY 0.6

/* The delay of DEFECT_DELAYED, the wait of DEFECT_VANISHED, the wait for an end of file. */
#define DELAY       (3 * SECOND)
#define VANISH_TIME (20 * MILLISECOND)
#define DRAIN_TIME  (500 * MILLISECOND)

/* How long DEFECT_SLOW_GREETING and DEFECT_STALLS wait, and how late DEFECT_VERY_LATE is. */
#define SLOW_GREETING_TIME (2300 * MILLISECOND)
#define STALL_TIME         (1200 * MILLISECOND)
#define VERY_LATE          (2500 * MILLISECOND)

/* Errors after which DEFECT_FIVE_ERRORS ends a connection, and DEFECT_STALLS calls it a flood. */
#define ERRORS_MAX 5
#define FLOOD_MIN  20

/* Longest line that DEFECT_SHORT_LINES accepts, in bytes with its ending. */
#define SHORT_LINE 2000

struct connection {
	struct faulty_server *faulty_server;
	int descriptor;
	struct oracle oracle;
	struct buffer in, record, out;
	size_t begin;  /* of the input not handled yet */
	size_t errors; /* replies that begin with 5 */
	bool floods;   /* it is counted as a flood */
	int64_t base;  /* T counts from here */
	bool over;     /* no further reply */
};

static bool
is_stopping(const struct faulty_server *faulty_server)
{
	return atomic_load(&faulty_server->stop);
}

static bool
has_defect(const struct connection *connection, enum defect defect)
{
	return connection->faulty_server->defect == defect;
}

/* Wait for `time` nanoseconds, or until the server is to stop. */
static void
pause_for(const struct faulty_server *faulty_server, int64_t time)
{
	int64_t until = monotonic_now() + time;

	while (!is_stopping(faulty_server) && monotonic_now() < until) {
		sleep_until(monotonic_now() + SLICE_TIME * MILLISECOND);
	}
}

/* Wait for input until `until`. Returns whether there is any. */
static bool
wait_for_input(const struct connection *connection, int64_t until)
{
	struct pollfd ready = {.fd = connection->descriptor, .events = POLLIN};

	while (!is_stopping(connection->faulty_server)) {
		int64_t left = until - monotonic_now();
		int slice = left < SLICE_TIME * MILLISECOND
				? (int)((left + MILLISECOND - 1) / MILLISECOND)
				: SLICE_TIME;

		if (left <= 0) {
			return false;
		}
		if (poll(&ready, 1, slice) > 0) {
			return true;
		}
	}
	return false;
}

/* Read and discard until the client closes, at most until `until`. */
static void
drain(struct connection *connection, int64_t until)
{
	char bytes[RECEIVE_SIZE];

	while (wait_for_input(connection, until)) {
		if (recv(connection->descriptor, bytes, sizeof bytes, 0) <= 0) {
			return;
		}
	}
}

static void
send_all(struct connection *connection, const char *bytes, size_t length)
{
	while (length > 0 && !connection->over) {
		ssize_t sent = send(connection->descriptor, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR) {
			connection->over = true;
		}
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
}

/* Change one of the first `length` characters, another one in each call. */
static void
change_one(struct connection *connection, size_t length)
{
	struct buffer *out = &connection->out;
	unsigned turn = atomic_fetch_add(&connection->faulty_server->turns, 1);
	size_t at = turn % length;

	out->bytes[at] = (char)(out->bytes[at] ^ 1);
}

/*
 * Apply the defect to the reply in `out`, whose text without number and line end has `length`
 * bytes.
 */
static void
apply_defect(struct connection *connection, size_t length)
{
	static const struct linger none = {1, 0};
	struct buffer *out = &connection->out;

	switch (connection->faulty_server->defect) {
	case DEFECT_CHANGED:
		change_one(connection, length);
		break;
	case DEFECT_BARE_LF:
		out->length -= 2;
		buffer_add_byte(out, '\n');
		break;
	case DEFECT_NO_LF:
		out->length--;
		break;
	case DEFECT_SPACED:
		out->length -= 2;
		buffer_add_string(out, " \r\n");
		break;
	case DEFECT_DROPPED:
		out->length = 0;
		break;
	case DEFECT_DOUBLED:
		buffer_add(out, out->bytes, out->length);
		break;
	case DEFECT_EXTRA:
		buffer_add_byte(out, '\0');
		break;
	case DEFECT_DELAYED:
		if (atomic_fetch_add(&connection->faulty_server->turns, 1) == 0) {
			wait_for_input(connection, monotonic_now() + DELAY);
		}
		break;
	case DEFECT_RESET:
		setsockopt(connection->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
		connection->over = true;
		break;
	case DEFECT_HANG_UP:
		connection->over = true;
		break;
	default:
		break;
	}
}

/* Count a reply; after `replies_before` of them apply DEFECT_CRASHES or DEFECT_STOPS. */
static void
stop_after(struct connection *connection)
{
	unsigned replies = atomic_fetch_add(&connection->faulty_server->replies, 1);

	if (replies < connection->faulty_server->replies_before) {
		return;
	}
	if (has_defect(connection, DEFECT_CRASHES)) {
		shutdown(connection->faulty_server->listener, SHUT_RDWR);
		connection->over = true;
	}
	if (has_defect(connection, DEFECT_STOPS)) {
		connection->out.length = 0;
	}
}

/* Count errors, and apply the defects that depend on their number. */
static void
count_error(struct connection *connection)
{
	connection->errors++;
	if (has_defect(connection, DEFECT_FIVE_ERRORS) && connection->errors == ERRORS_MAX) {
		connection->over = true;
	}
	if (has_defect(connection, DEFECT_STALLS) && connection->errors == FLOOD_MIN) {
		connection->floods = true;
		atomic_fetch_add(&connection->faulty_server->floods, 1);
	}
}

/* Send a reply; `number` is inserted if the reply has one. */
static void
transmit(struct connection *connection, const struct reply *reply, uint64_t number)
{
	struct buffer *out = &connection->out;

	buffer_clear(out);
	buffer_add(out, reply->bytes, reply->length);
	if (reply->reply_type == REPLY_DELIVERED) {
		buffer_add_number(out, number);
		buffer_add_string(out, "\r\n");
	}
	if (reply->reply_type == connection->faulty_server->reply_type) {
		apply_defect(connection,
		    reply->reply_type == REPLY_DELIVERED ? reply->length : reply->length - 2);
	}
	stop_after(connection);
	if (reply->bytes[0] == '5') {
		count_error(connection);
	}
	if (!connection->floods && atomic_load(&connection->faulty_server->floods) > 0) {
		pause_for(connection->faulty_server, STALL_TIME);
	}
	send_all(connection, out->bytes, out->length);
}

static void
send_reply(struct connection *connection, enum reply_type reply_type)
{
	struct reply reply;

	reply_write(&reply, reply_type, connection->faulty_server->netid, (struct span){NULL, 0});
	transmit(connection, &reply, 0);
}

/* Return whether the defect hides this command line from the oracle, having sent its own reply. */
static bool
hide_line(struct connection *connection, struct span line)
{
	bool bare = line.length < 2 || line.bytes[line.length - 2] != '\r';

	if (has_defect(connection, DEFECT_NEEDS_CR) && bare) {
		return true;
	}
	if (has_defect(connection, DEFECT_SHORT_LINES) && line.length > SHORT_LINE) {
		send_reply(connection, REPLY_LINE_TOO_LONG);
		return true;
	}
	if (has_defect(connection, DEFECT_PERCENT) &&
	    memchr(line.bytes, '%', line.length) != NULL) {
		send_reply(connection, REPLY_BAD_SENDER);
		return true;
	}
	for (size_t i = 0; has_defect(connection, DEFECT_CASE) && i < 4 && i < line.length; i++) {
		if (islower((unsigned char)line.bytes[i])) {
			send_reply(connection, REPLY_UNRECOGNIZED);
			return true;
		}
	}
	return false;
}

static void
receive_line(struct connection *connection, struct span line)
{
	struct reply reply;
	bool accepted;

	if (hide_line(connection, line)) {
		return;
	}
	accepted = oracle_line(&connection->oracle, line, &reply);
	transmit(connection, &reply, 0);
	if ((accepted && !has_defect(connection, DEFECT_ACCEPTED_IGNORED)) ||
	    has_defect(connection, DEFECT_REJECTED_EXTENDS)) {
		connection->base = monotonic_now();
	}
}

/* Return whether the client has closed its side, or does so within a short time. */
static bool
has_left(const struct connection *connection)
{
	char byte;

	return wait_for_input(connection, monotonic_now() + VANISH_TIME) &&
	       recv(connection->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static void
deliver(struct connection *connection, struct span data)
{
	struct reply reply;
	uint64_t number;
	size_t head;

	oracle_message(&connection->oracle, data, &reply, &connection->record, &head);
	if (has_defect(connection, DEFECT_VANISHED) && has_left(connection)) {
		connection->over = true;
		return;
	}
	number = faulty_mailbox_deliver(
	    &connection->faulty_server->faulty_mailbox, &connection->record, head);
	transmit(connection, &reply, number);
	connection->base = monotonic_now();
	if (has_defect(connection, DEFECT_ONE_MESSAGE)) {
		connection->over = true;
	}
}

/* Return where the defect ends a message that has `mark` there; 0 if it does not. */
static size_t
smuggled_end(const struct connection *connection, struct span data)
{
	const char *mark = has_defect(connection, DEFECT_SMUGGLED) ? "\n.\n" : "\n.\r\n";
	size_t length = strlen(mark);

	if (!has_defect(connection, DEFECT_SMUGGLED) &&
	    !has_defect(connection, DEFECT_SMUGGLED_CRLF)) {
		return 0;
	}
	for (size_t i = 1; i + length <= data.length; i++) {
		if (data.bytes[i - 1] != '\r' && memcmp(data.bytes + i, mark, length) == 0) {
			return i + length;
		}
	}
	return 0;
}

/*
 * Handle a message that ends at the first line that begins with a dot. Returns whether there is
 * one.
 */
static bool
receive_to_dot(struct connection *connection, struct span data)
{
	struct buffer cut = {0};

	for (size_t i = 0; i < data.length; i++) {
		const char *end = memchr(data.bytes + i, '\n', data.length - i);

		if (data.bytes[i] != '.' || end == NULL || (i > 0 && data.bytes[i - 1] != '\n')) {
			continue;
		}
		buffer_add(&cut, data.bytes, i);
		buffer_add_string(&cut, ".\r\n");
		connection->begin += (size_t)(end - data.bytes) + 1;
		deliver(connection, (struct span){cut.bytes, cut.length});
		buffer_destroy(&cut);
		return true;
	}
	return false;
}

/* Handle a message if it is complete. Returns whether it was. */
static bool
receive_data(struct connection *connection)
{
	struct span data = {
	    connection->in.bytes + connection->begin, connection->in.length - connection->begin};
	size_t end = smuggled_end(connection, data);
	static const struct span empty = {".\r\n", 3};

	if (has_defect(connection, DEFECT_DOT_ENDS)) {
		return receive_to_dot(connection, data);
	}
	if (end > 0) {
		connection->begin += end;
		deliver(connection, empty);
		return true;
	}
	end = data_end(data);
	if (end == 0) {
		return false;
	}
	connection->begin += end;
	data.length = end;
	deliver(connection, data);
	return true;
}

/* Handle the next line or message if it is complete. Returns whether it was. */
static bool
receive(struct connection *connection)
{
	const char *begin = connection->in.bytes + connection->begin;
	size_t length = connection->in.length - connection->begin;
	const char *end;

	if (connection->over || length == 0) {
		return false;
	}
	if (connection->oracle.state == STATE_DATA) {
		return receive_data(connection);
	}
	end = memchr(begin, '\n', length);
	if (end == NULL) {
		return false;
	}
	length = (size_t)(end - begin) + 1;
	connection->begin += length;
	receive_line(connection, (struct span){begin, length});
	if (has_defect(connection, DEFECT_WAITS_FOR_DATA) &&
	    connection->oracle.state == STATE_DATA) {
		connection->begin = connection->in.length;
	}
	return true;
}

/* Apply the defect to a partial line or message after the client's EOF. */
static void
receive_end(struct connection *connection)
{
	bool data = connection->oracle.state == STATE_DATA;

	if (connection->in.length > connection->begin && !data &&
	    has_defect(connection, DEFECT_HALF_LINE)) {
		buffer_add_string(&connection->in, "\r\n");
	} else if (data && has_defect(connection, DEFECT_HALF_DATA)) {
		buffer_add_string(&connection->in, "\r\n.\r\n");
	}
	receive(connection);
	connection->over = true;
}

/* Return when the 421 is due. */
static int64_t
deadline(const struct connection *connection)
{
	int64_t timeout = monotonic_seconds(connection->faulty_server->timeout);

	if (has_defect(connection, DEFECT_NEVER) ||
	    (has_defect(connection, DEFECT_NEVER_IN_DATA) &&
		connection->oracle.state == STATE_DATA) ||
	    (has_defect(connection, DEFECT_NEVER_IN_COMMAND) &&
		connection->oracle.state != STATE_DATA && connection->errors == 0 &&
		connection->in.length == connection->begin) ||
	    (has_defect(connection, DEFECT_STOPS) &&
		atomic_load(&connection->faulty_server->replies) >=
		    connection->faulty_server->replies_before)) {
		return INT64_MAX;
	}
	if (has_defect(connection, DEFECT_EARLY)) {
		return connection->base + (int64_t)(EARLY * (double)timeout);
	}
	return connection->base + timeout + (has_defect(connection, DEFECT_LATE) ? LATE : 0) +
	       (has_defect(connection, DEFECT_VERY_LATE) ? VERY_LATE : 0);
}

static void
time_out(struct connection *connection)
{
	if (!has_defect(connection, DEFECT_SILENT_CLOSE)) {
		send_reply(connection, REPLY_TIMEOUT);
	}
	if (has_defect(connection, DEFECT_NOT_CLOSED)) {
		drain(connection, INT64_MAX);
	}
	shutdown(connection->descriptor, SHUT_WR);
	drain(connection, monotonic_now() + DRAIN_TIME);
	connection->over = true;
}

/* Receive into `in`, and discard the handled bytes. */
static void
read_input(struct connection *connection)
{
	struct buffer *in = &connection->in;
	ssize_t received;
	char *place;

	memmove(in->bytes, in->bytes + connection->begin, in->length - connection->begin);
	in->length -= connection->begin;
	connection->begin = 0;
	place = buffer_extend(in, RECEIVE_SIZE);
	ck_assert_ptr_nonnull(place);
	received = recv(connection->descriptor, place, RECEIVE_SIZE, 0);
	in->length -= RECEIVE_SIZE - (received > 0 ? (size_t)received : 0);
	if (received == 0) {
		receive_end(connection);
	}
	if (received < 0) {
		connection->over = true;
	}
	if (connection->oracle.state == STATE_DATA
		? !has_defect(connection, DEFECT_DATA_IGNORED)
		: has_defect(connection, DEFECT_PARTIAL_EXTENDS)) {
		connection->base = monotonic_now();
	}
	if (has_defect(connection, DEFECT_PARTIAL_LINE_EXTENDS) && in->length > 0 &&
	    in->bytes[in->length - 1] != '\n') {
		connection->base = monotonic_now();
	}
}

static void
serve(struct connection *connection)
{
	struct faulty_server *faulty_server = connection->faulty_server;

	oracle_init(&connection->oracle, faulty_server->netid);
	/* Allocate the buffer, for read_input(): one byte that is handled already. */
	buffer_fill(&connection->in, ' ', 1);
	connection->begin = 1;
	if (faulty_server->defect == DEFECT_SLOW_GREETING &&
	    atomic_fetch_add(&faulty_server->turns, 1) < 2) {
		pause_for(faulty_server, SLOW_GREETING_TIME);
	}
	if (faulty_server->defect == DEFECT_SENDS_NOTHING) {
		drain(connection, INT64_MAX);
	} else if (faulty_server->defect == DEFECT_OTHER) {
		send_all(connection, "SSH-2.0-OpenSSH_9.2\r\n", 21);
	} else {
		send_reply(connection, REPLY_GREETING);
	}
	connection->base = monotonic_now();
	while (!connection->over && !is_stopping(faulty_server)) {
		if (receive(connection)) {
			continue;
		}
		if (connection->over) {
			break;
		}
		if (wait_for_input(connection, deadline(connection))) {
			read_input(connection);
		} else if (!is_stopping(faulty_server)) {
			time_out(connection);
		}
	}
}

static void *
serve_main(void *argument)
{
	struct faulty_server *faulty_server = argument;
	const int on = 1;
	int descriptor;

	/*
	 * SOCK_CLOEXEC, because a client that is started at the same time would otherwise hold the
	 * connection open, too.
	 */
	while (!is_stopping(faulty_server) &&
	       (descriptor = accept4(faulty_server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct connection connection = {
		    .faulty_server = faulty_server, .descriptor = descriptor};

		setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		/* With DEFECT_ACCEPTS_33 one connection waits here until another ends. */
		while (atomic_fetch_add(&faulty_server->serving, 1) >= FAULTY_SERVER_THREADS &&
		       faulty_server->defect == DEFECT_ACCEPTS_33 && !is_stopping(faulty_server)) {
			atomic_fetch_sub(&faulty_server->serving, 1);
			pause_for(faulty_server, SLICE_TIME * MILLISECOND);
		}
		serve(&connection);
		close(descriptor);
		atomic_fetch_sub(&faulty_server->serving, 1);
		atomic_fetch_sub(&faulty_server->floods, connection.floods);
		oracle_destroy(&connection.oracle);
		buffer_destroy(&connection.in);
		buffer_destroy(&connection.out);
		buffer_destroy(&connection.record);
	}
	return NULL;
}

void
faulty_server_start(
    struct faulty_server *faulty_server, enum mailbox_defect mailbox_defect, const char *directory)
{
	unsigned port;

	faulty_mailbox_create(&faulty_server->faulty_mailbox, mailbox_defect, directory);
	faulty_server->listener = loopback_listen(&port);
	snprintf(faulty_server->port, sizeof faulty_server->port, "%u", port);
	atomic_init(&faulty_server->stop, false);
	atomic_init(&faulty_server->replies, 0);
	atomic_init(&faulty_server->turns, 0);
	atomic_init(&faulty_server->floods, 0);
	atomic_init(&faulty_server->serving, 0);
	if (faulty_server->replies_before == 0) {
		faulty_server->replies_before = REPLIES_BEFORE;
	}
	faulty_server->thread_count = FAULTY_SERVER_THREADS;
	if (faulty_server->defect == DEFECT_SERVES_31) {
		faulty_server->thread_count--;
	} else if (faulty_server->defect == DEFECT_SERVES_33 ||
		   faulty_server->defect == DEFECT_ACCEPTS_33) {
		faulty_server->thread_count++;
	}
	for (size_t i = 0; i < faulty_server->thread_count; i++) {
		ck_assert_int_eq(
		    pthread_create(&faulty_server->threads[i], NULL, serve_main, faulty_server), 0);
	}
}

void
faulty_server_stop(struct faulty_server *faulty_server)
{
	atomic_store(&faulty_server->stop, true);
	/* Wake the threads in accept(). */
	shutdown(faulty_server->listener, SHUT_RDWR);
	for (size_t i = 0; i < faulty_server->thread_count; i++) {
		ck_assert_int_eq(pthread_join(faulty_server->threads[i], NULL), 0);
	}
	close(faulty_server->listener);
	faulty_mailbox_destroy(&faulty_server->faulty_mailbox);
}
