/*
 * NAME
 *	faulty_server - a mail server that is correct except for one defect
 *
 * DESCRIPTION
 *	Its threads accept from one socket and serve one connection each, like the real server's.
 *	Each wait is a poll() of one slice at most, so that a stop is noticed.
 */

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): for accept4(). */
#define _GNU_SOURCE

#include "faulty_server.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
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

/* Default of `replies_before`: more than a flood of recipients has. */
#define REPLIES_BEFORE 1200

/* Bytes of one receive. */
#define RECEIVE_SIZE 16384

/* The delay of DEFECT_LATE, and the lead of DEFECT_EARLY, as parts of T. */
#define LATE  (TIMEOUT_SLACK + 300 * MILLISECOND)
#define EARLY 0.6

/*
 * Seconds: of the delay of DEFECT_DELAYED, of the wait of DEFECT_VANISHED, of the wait for an end
 * of file.
 */
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

/* Longest line that DEFECT_SHORT_LINES accepts. */
#define SHORT_LINE 2000

struct talk {
	struct faulty_server *faulty_server;
	int descriptor;
	struct oracle oracle;
	struct buffer in, record, out;
	size_t begin;   /* of the input not handled yet */
	size_t replies; /* sent so far */
	size_t errors;  /* replies that begin with 5 */
	bool floods;    /* it is counted as a flood */
	int64_t base;   /* T counts from here */
	bool over;      /* no further reply */
};

static bool
stopping(const struct faulty_server *faulty_server)
{
	return atomic_load(&faulty_server->stop);
}

static bool
has_defect(const struct talk *talk, enum defect defect)
{
	return talk->faulty_server->defect == defect;
}

/* Wait that long, unless the server is to stop. */
static void
pause_for(const struct faulty_server *faulty_server, int64_t time)
{
	int64_t until = monotonic_now() + time;

	while (!stopping(faulty_server) && monotonic_now() < until) {
		sleep_until(monotonic_now() + SLICE_TIME * MILLISECOND);
	}
}

/* Wait for input until `until`. Returns whether there is any. */
static bool
wait_for_input(const struct talk *talk, int64_t until)
{
	struct pollfd ready = {.fd = talk->descriptor, .events = POLLIN};

	while (!stopping(talk->faulty_server)) {
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

/* Read until the client closes, or for a while. */
static void
drain(struct talk *talk, int64_t until)
{
	char byte[RECEIVE_SIZE];

	while (wait_for_input(talk, until)) {
		if (recv(talk->descriptor, byte, sizeof byte, 0) <= 0) {
			return;
		}
	}
}

static void
send_all(struct talk *talk, const char *bytes, size_t length)
{
	while (length > 0 && !talk->over) {
		ssize_t sent = send(talk->descriptor, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR) {
			talk->over = true;
		}
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
}

/* Change one character before the line end, another one in each call. */
static void
change_one(struct talk *talk, size_t length)
{
	struct buffer *out = &talk->out;
	unsigned turn = atomic_fetch_add(&talk->faulty_server->turns, 1);
	size_t at = turn % length;

	out->bytes[at] = (char)(out->bytes[at] ^ 1);
}

/*
 * Apply the defect to the reply in `out`, whose text without number and line end has `length`
 * bytes.
 */
static void
apply_defect(struct talk *talk, size_t length)
{
	static const struct linger none = {1, 0};
	struct buffer *out = &talk->out;

	switch (talk->faulty_server->defect) {
	case DEFECT_CHANGED:
		change_one(talk, length);
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
		if (atomic_fetch_add(&talk->faulty_server->turns, 1) == 0) {
			wait_for_input(talk, monotonic_now() + DELAY);
		}
		break;
	case DEFECT_RESET:
		setsockopt(talk->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
		talk->over = true;
		break;
	case DEFECT_HANG_UP:
		talk->over = true;
		break;
	default:
		break;
	}
}

/* After some replies: stop replying, or close. */
static void
stop_after(struct talk *talk)
{
	unsigned replies = atomic_fetch_add(&talk->faulty_server->replies, 1);

	if (replies < talk->faulty_server->replies_before) {
		return;
	}
	if (has_defect(talk, DEFECT_DIES)) {
		shutdown(talk->faulty_server->listener, SHUT_RDWR);
		talk->over = true;
	}
	if (has_defect(talk, DEFECT_STOPS)) {
		talk->out.length = 0;
	}
}

/* Count errors, and apply the defects that depend on their number. */
static void
count_error(struct talk *talk)
{
	talk->errors++;
	if (has_defect(talk, DEFECT_FIVE_ERRORS) && talk->errors == ERRORS_MAX) {
		talk->over = true;
	}
	if (has_defect(talk, DEFECT_STALLS) && talk->errors == FLOOD_MIN) {
		talk->floods = true;
		atomic_fetch_add(&talk->faulty_server->floods, 1);
	}
}

/* Send a reply; `number` is inserted if the reply has one. */
static void
transmit(struct talk *talk, const struct reply *reply, uint64_t number)
{
	struct buffer *out = &talk->out;

	buffer_clear(out);
	buffer_add(out, reply->bytes, reply->length);
	if (reply->reply_type == REPLY_DELIVERED) {
		buffer_add_number(out, number);
		buffer_add_string(out, "\r\n");
	}
	if (reply->reply_type == talk->faulty_server->reply_type) {
		apply_defect(
		    talk, reply->reply_type == REPLY_DELIVERED ? reply->length : reply->length - 2);
	}
	stop_after(talk);
	if (reply->bytes[0] == '5') {
		count_error(talk);
	}
	if (!talk->floods && atomic_load(&talk->faulty_server->floods) > 0) {
		pause_for(talk->faulty_server, STALL_TIME);
	}
	send_all(talk, out->bytes, out->length);
}

static void
send_reply(struct talk *talk, enum reply_type reply_type)
{
	struct reply reply;

	reply_write(&reply, reply_type, talk->faulty_server->netid, (struct span){NULL, 0});
	transmit(talk, &reply, 0);
}

/* Return whether the defect hides this command line from the oracle. */
static bool
mishear(struct talk *talk, struct span line)
{
	bool bare = line.length < 2 || line.bytes[line.length - 2] != '\r';

	if (has_defect(talk, DEFECT_NEEDS_CR) && bare) {
		return true;
	}
	if (has_defect(talk, DEFECT_SHORT_LINES) && line.length > SHORT_LINE) {
		send_reply(talk, REPLY_LINE_TOO_LONG);
		return true;
	}
	if (has_defect(talk, DEFECT_PERCENT) && memchr(line.bytes, '%', line.length) != NULL) {
		send_reply(talk, REPLY_BAD_SENDER);
		return true;
	}
	for (size_t i = 0; has_defect(talk, DEFECT_CASE) && i < 4 && i < line.length; i++) {
		if (islower((unsigned char)line.bytes[i])) {
			send_reply(talk, REPLY_UNRECOGNIZED);
			return true;
		}
	}
	return false;
}

static void
receive_line(struct talk *talk, struct span line)
{
	struct reply reply;
	bool accepted;

	if (mishear(talk, line)) {
		return;
	}
	accepted = oracle_line(&talk->oracle, line, &reply);
	transmit(talk, &reply, 0);
	if ((accepted && !has_defect(talk, DEFECT_ACCEPTED_IGNORED)) ||
	    has_defect(talk, DEFECT_REJECTED_EXTENDS)) {
		talk->base = monotonic_now();
	}
}

/* Return whether the client has closed its side, or does so within a short time. */
static bool
has_left(const struct talk *talk)
{
	char byte;

	return wait_for_input(talk, monotonic_now() + VANISH_TIME) &&
	       recv(talk->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static void
deliver(struct talk *talk, struct span data)
{
	struct reply reply;
	uint64_t number;
	size_t head;

	oracle_message(&talk->oracle, data, &reply, &talk->record, &head);
	if (has_defect(talk, DEFECT_VANISHED) && has_left(talk)) {
		talk->over = true;
		return;
	}
	number = faulty_mailbox_deliver(&talk->faulty_server->faulty_mailbox, &talk->record, head);
	transmit(talk, &reply, number);
	talk->base = monotonic_now();
	if (has_defect(talk, DEFECT_ONE_MESSAGE)) {
		talk->over = true;
	}
}

/* Return where the defect ends a message that has `mark` there; 0 if it does not. */
static size_t
smuggled_end(const struct talk *talk, struct span data)
{
	const char *mark = has_defect(talk, DEFECT_SMUGGLED) ? "\n.\n" : "\n.\r\n";
	size_t length = strlen(mark);

	if (!has_defect(talk, DEFECT_SMUGGLED) && !has_defect(talk, DEFECT_SMUGGLED_CRLF)) {
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
receive_to_dot(struct talk *talk, struct span data)
{
	struct buffer cut = {0};

	for (size_t i = 0; i < data.length; i++) {
		const char *end = memchr(data.bytes + i, '\n', data.length - i);

		if (data.bytes[i] != '.' || end == NULL || (i > 0 && data.bytes[i - 1] != '\n')) {
			continue;
		}
		buffer_add(&cut, data.bytes, i);
		buffer_add_string(&cut, ".\r\n");
		talk->begin += (size_t)(end - data.bytes) + 1;
		deliver(talk, (struct span){cut.bytes, cut.length});
		buffer_destroy(&cut);
		return true;
	}
	return false;
}

/* Handle a message if it is complete. Returns whether it was. */
static bool
receive_data(struct talk *talk)
{
	struct span data = {talk->in.bytes + talk->begin, talk->in.length - talk->begin};
	size_t end = smuggled_end(talk, data);
	static const struct span empty = {".\r\n", 3};

	if (has_defect(talk, DEFECT_DOT_ENDS)) {
		return receive_to_dot(talk, data);
	}
	if (end > 0) {
		talk->begin += end;
		deliver(talk, empty);
		return true;
	}
	end = data_end(data);
	if (end == 0) {
		return false;
	}
	talk->begin += end;
	data.length = end;
	deliver(talk, data);
	return true;
}

/* Handle a line or a message if it is complete. Returns whether it was. */
static bool
receive(struct talk *talk)
{
	const char *begin = talk->in.bytes + talk->begin;
	size_t length = talk->in.length - talk->begin;
	const char *end;

	if (talk->over || length == 0) {
		return false;
	}
	if (talk->oracle.state == STATE_DATA) {
		return receive_data(talk);
	}
	end = memchr(begin, '\n', length);
	if (end == NULL) {
		return false;
	}
	length = (size_t)(end - begin) + 1;
	talk->begin += length;
	receive_line(talk, (struct span){begin, length});
	if (has_defect(talk, DEFECT_WAITS_FOR_DATA) && talk->oracle.state == STATE_DATA) {
		talk->begin = talk->in.length;
	}
	return true;
}

/* Apply the defect to a partial line or message after the client's EOF. */
static void
receive_end(struct talk *talk)
{
	bool data = talk->oracle.state == STATE_DATA;

	if (talk->in.length > talk->begin && !data && has_defect(talk, DEFECT_HALF_LINE)) {
		buffer_add_string(&talk->in, "\r\n");
	} else if (data && has_defect(talk, DEFECT_HALF_DATA)) {
		buffer_add_string(&talk->in, "\r\n.\r\n");
	}
	receive(talk);
	talk->over = true;
}

/* When the 421 is due. */
static int64_t
deadline(const struct talk *talk)
{
	int64_t timeout = monotonic_seconds(talk->faulty_server->timeout);

	if (has_defect(talk, DEFECT_NEVER) ||
	    (has_defect(talk, DEFECT_NEVER_IN_DATA) && talk->oracle.state == STATE_DATA) ||
	    (has_defect(talk, DEFECT_NEVER_IN_COMMAND) && talk->oracle.state != STATE_DATA &&
		talk->errors == 0 && talk->in.length == talk->begin) ||
	    (has_defect(talk, DEFECT_STOPS) && atomic_load(&talk->faulty_server->replies) >=
						   talk->faulty_server->replies_before)) {
		return INT64_MAX;
	}
	if (has_defect(talk, DEFECT_EARLY)) {
		return talk->base + (int64_t)(EARLY * (double)timeout);
	}
	return talk->base + timeout + (has_defect(talk, DEFECT_LATE) ? LATE : 0) +
	       (has_defect(talk, DEFECT_VERY_LATE) ? VERY_LATE : 0);
}

static void
time_out(struct talk *talk)
{
	if (!has_defect(talk, DEFECT_SILENT_CLOSE)) {
		send_reply(talk, REPLY_TIMEOUT);
	}
	if (has_defect(talk, DEFECT_NOT_CLOSED)) {
		drain(talk, INT64_MAX);
	}
	shutdown(talk->descriptor, SHUT_WR);
	drain(talk, monotonic_now() + DRAIN_TIME);
	talk->over = true;
}

/* Receive into `in`, and discard the handled bytes. */
static void
read_input(struct talk *talk)
{
	struct buffer *in = &talk->in;
	ssize_t received;
	char *place;

	memmove(in->bytes, in->bytes + talk->begin, in->length - talk->begin);
	in->length -= talk->begin;
	talk->begin = 0;
	place = buffer_extend(in, RECEIVE_SIZE);
	ck_assert_ptr_nonnull(place);
	received = recv(talk->descriptor, place, RECEIVE_SIZE, 0);
	in->length -= RECEIVE_SIZE - (received > 0 ? (size_t)received : 0);
	if (received == 0) {
		receive_end(talk);
	}
	if (received < 0) {
		talk->over = true;
	}
	if (talk->oracle.state == STATE_DATA ? !has_defect(talk, DEFECT_DATA_IGNORED)
					     : has_defect(talk, DEFECT_PARTIAL_EXTENDS)) {
		talk->base = monotonic_now();
	}
	if (has_defect(talk, DEFECT_PARTIAL_LINE_EXTENDS) && in->length > 0 &&
	    in->bytes[in->length - 1] != '\n') {
		talk->base = monotonic_now();
	}
}

static void
serve(struct talk *talk)
{
	struct faulty_server *faulty_server = talk->faulty_server;

	oracle_init(&talk->oracle, faulty_server->netid);
	buffer_fill(&talk->in, ' ', 1);
	talk->begin = 1;
	if (faulty_server->defect == DEFECT_SLOW_GREETING &&
	    atomic_fetch_add(&faulty_server->turns, 1) < 2) {
		pause_for(faulty_server, SLOW_GREETING_TIME);
	}
	if (faulty_server->defect == DEFECT_MUTE) {
		drain(talk, INT64_MAX);
	} else if (faulty_server->defect == DEFECT_OTHER) {
		send_all(talk, "SSH-2.0-OpenSSH_9.2\r\n", 21);
	} else {
		send_reply(talk, REPLY_GREETING);
	}
	talk->base = monotonic_now();
	while (!talk->over && !stopping(faulty_server)) {
		if (receive(talk)) {
			continue;
		}
		if (talk->over) {
			break;
		}
		if (wait_for_input(talk, deadline(talk))) {
			read_input(talk);
		} else if (!stopping(faulty_server)) {
			time_out(talk);
		}
	}
}

static void *
run(void *argument)
{
	struct faulty_server *faulty_server = argument;
	const int on = 1;
	int descriptor;

	/*
	 * A client that is started at the same time would otherwise hold the connection open, too.
	 */
	while (!stopping(faulty_server) &&
	       (descriptor = accept4(faulty_server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct talk talk = {.faulty_server = faulty_server, .descriptor = descriptor};

		setsockopt(descriptor, IPPROTO_TCP, 1, &on, sizeof on);
		/* Of DEFECT_ACCEPTS_33: one connection waits. */
		while (atomic_fetch_add(&faulty_server->serving, 1) >= FAULTY_SERVER_THREADS &&
		       faulty_server->defect == DEFECT_ACCEPTS_33 && !stopping(faulty_server)) {
			atomic_fetch_sub(&faulty_server->serving, 1);
			pause_for(faulty_server, SLICE_TIME * MILLISECOND);
		}
		serve(&talk);
		close(descriptor);
		atomic_fetch_sub(&faulty_server->serving, 1);
		atomic_fetch_sub(&faulty_server->floods, talk.floods);
		oracle_destroy(&talk.oracle);
		buffer_destroy(&talk.in);
		buffer_destroy(&talk.out);
		buffer_destroy(&talk.record);
	}
	return NULL;
}

void
faulty_server_start(struct faulty_server *faulty_server)
{
	unsigned port;

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
		    pthread_create(&faulty_server->threads[i], NULL, run, faulty_server), 0);
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
}
