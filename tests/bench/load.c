/*
 * NAME
 *	load - send messages over concurrent connections, and measure the time
 *
 * SYNOPSIS
 *	load [-dw] [-s CONNECTIONS] [-m MESSAGES] [-l LENGTH] [-p DEPTH] PORT
 *
 * DESCRIPTION
 *	One thread drives all connections to 127.0.0.1, each as fast as the server replies. A
 *	connection gets its next message when its last one has been delivered. The options are those
 *	of Postfix's smtp-source, except -p and -w:
 *
 *	-s	concurrent connections (32)
 *	-m	total of messages (10000)
 *	-l	bytes of each body, its line ends included (1000)
 *	-d	keep the connections; otherwise each message, or each pipeline, has a new one
 *	-w	without -p: send a body and the end of its data with two calls of send(). Nagle's
 *		algorithm (RFC 896) then holds the second until the server has acknowledged the
 *		first.
 *	-p	pipeline: send up to DEPTH messages, commands included, then read the replies;
 *		otherwise each command waits for the reply to the one before
 *
 *	Each reply must be one positive line, and their number as expected. Standard output has a
 *	line for each of these:
 *
 *	seconds		from the first connect to the last reply
 *	rate		messages a second
 *	p50_us, p99_us, max_us
 *			microseconds from the first command of a message (or of pipelined messages)
 *			to the last reply: median, 99th percentile, maximum
 *	first_s, last_s	seconds in which the first and the last 10,000 messages were delivered, if
 *			there are at least twice as many
 *	at_N		messages a second from the delivery of N messages to that of twice as many,
 *			for each power of two N
 *	segments	TCP segments with replies, per message
 *
 * DIAGNOSTICS
 *	Exit status 1 with a message: a failed system call, a negative or additional reply, an early
 *	end of a connection, or no event on any connection for SILENCE_LIMIT. Exit status 2: wrong
 *	usage.
 *
 * BUGS
 *	This one thread uses as much processor time as a fast server. Measure latency with -s 1, and
 *	throughput with many connections.
 */

#include <err.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "monotonic.h"
#include "params.h"
#include "progress.h"

enum {
	EXIT_USAGE = 2
};

/* Milliseconds without an event after which the load gives up. */
#define SILENCE_LIMIT 60000

/* Limits of the options. */
#define CONNECTIONS_MAX 1000
#define MESSAGES_MAX    PROGRESS_MAX
#define LENGTH_MAX      100000000
#define DEPTH_MAX       10000

/* The beginning of a body that has space for it: some servers refuse a message without a header. */
#define HEADER "Subject: load" CRLF CRLF

/* Bytes of a line of a body, its line end included. The last line has all that is left. */
#define BODY_LINE 80

#define INPUT_SPACE 65536
#define EVENTS      64

#define CRLF        "\r\n"
#define MAIL        "MAIL FROM:<sender@load.example>" CRLF
#define RCPT        "RCPT TO:<recipient@load.example>" CRLF
#define DATA        "DATA" CRLF
#define END_OF_DATA "." CRLF

#define LENGTH_OF(literal) (sizeof(literal) - 1)

/* Steps of a connection: send a text, and await the replies. */
enum step {
	STEP_GREETING,
	STEP_HELO,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_BODY,
	STEP_PIPELINE,
	STEPS
};

/* Replies to a whole message. */
#define MESSAGE_REPLIES 4

struct exchange {
	const char *text; /* to send; NULL: start_step() takes it from `pipeline` */
	unsigned replies; /* to await; STEP_PIPELINE: MESSAGE_REPLIES for each message instead */
	enum step next;   /* STEPS: the next message, if there is one */
};

static const struct exchange exchanges[STEPS] = {
    [STEP_GREETING] = {"", 1, STEP_HELO},
    [STEP_HELO] = {"HELO load.example" CRLF, 1, STEPS},
    [STEP_MAIL] = {MAIL, 1, STEP_RCPT},
    [STEP_RCPT] = {RCPT, 1, STEP_DATA},
    [STEP_DATA] = {DATA, 1, STEP_BODY},
    [STEP_BODY] = {NULL, 1, STEPS},
    [STEP_PIPELINE] = {NULL, 0, STEPS},
};

struct options {
	unsigned long connections;
	unsigned long messages;
	unsigned long length;
	unsigned long depth; /* 0: not pipelined */
	bool keep;
	bool two_writes;
	unsigned long port;
};

struct connection {
	int socket;
	enum step step;
	const char *text;      /* rest of the text to send */
	size_t left;           /* its length */
	size_t held;           /* bytes after it, for another send() */
	unsigned long replies; /* still awaited */
	bool in_reply;         /* the last line is incomplete */
	unsigned long batch;   /* messages in progress: one, or those pipelined together */
	nanoseconds began;     /* time of their start */
};

static struct load {
	struct options options;
	char *pipeline;        /* owned: commands and bodies of `depth` messages, or of one */
	size_t message_length; /* bytes of each of them */
	int epoll;
	struct connection connections[CONNECTIONS_MAX];
	unsigned long open;     /* connections */
	unsigned long starts;   /* messages started so far */
	unsigned long segments; /* received, of the closed connections */
	struct progress progress;
} load;

/* ---- texts ---- */

/* Write a body of `length` bytes in complete lines, and the end of the data. Returns their end. */
static char *
write_body(char *at, size_t length)
{
	if (length >= LENGTH_OF(HEADER CRLF)) {
		memcpy(at, HEADER, LENGTH_OF(HEADER));
		at += LENGTH_OF(HEADER);
		length -= LENGTH_OF(HEADER);
	}
	while (length > 0) {
		size_t line = length < (size_t)2 * BODY_LINE ? length : BODY_LINE;

		memset(at, 'x', line);
		memcpy(at + line - LENGTH_OF(CRLF), CRLF, LENGTH_OF(CRLF));
		at += line;
		length -= line;
	}
	memcpy(at, END_OF_DATA, LENGTH_OF(END_OF_DATA));
	return at + LENGTH_OF(END_OF_DATA);
}

/* Allocate and write `pipeline`. Returns false if there is no memory. */
static bool
write_pipeline(void)
{
	static const char envelope[] = MAIL RCPT DATA;
	unsigned long depth = load.options.depth > 0 ? load.options.depth : 1;
	char *at;

	load.message_length = LENGTH_OF(envelope) + load.options.length + LENGTH_OF(END_OF_DATA);
	load.pipeline = at = malloc(depth * load.message_length);
	if (at == NULL) {
		return false;
	}
	for (unsigned long i = 0; i < depth; i++) {
		memcpy(at, envelope, LENGTH_OF(envelope));
		at = write_body(at + LENGTH_OF(envelope), load.options.length);
	}
	return true;
}

/* ---- sending ---- */

/*
 * Send as much as the socket accepts, the bytes in `held` only after the rest of the text. Returns
 * false if the connection is lost.
 */
static bool
send_now(struct connection *connection)
{
	while (connection->left > 0) {
		ssize_t sent =
		    send(connection->socket, connection->text, connection->left, MSG_NOSIGNAL);

		if (sent == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK) {
				return true;
			}
			warn("send");
			return false;
		}
		connection->text += sent;
		connection->left -= (size_t)sent;
		if (connection->left == 0) {
			connection->left = connection->held;
			connection->held = 0;
		}
	}
	return true;
}

/* Start a step. Returns false if the connection is lost. */
static bool
start_step(struct connection *connection, enum step step)
{
	const struct exchange *exchange = &exchanges[step];

	connection->step = step;
	connection->replies = exchange->replies;
	if (step == STEP_PIPELINE) {
		connection->text = load.pipeline;
		connection->left = connection->batch * load.message_length;
		connection->replies = connection->batch * MESSAGE_REPLIES;
	} else if (step == STEP_BODY) {
		connection->text = load.pipeline + LENGTH_OF(MAIL RCPT DATA);
		connection->held = load.options.two_writes ? LENGTH_OF(END_OF_DATA) : 0;
		connection->left =
		    load.message_length - LENGTH_OF(MAIL RCPT DATA) - connection->held;
	} else {
		connection->text = exchange->text;
		connection->left = strlen(exchange->text);
	}
	return send_now(connection);
}

/* ---- connections ---- */

/* Open a connection, and await its greeting. Returns false on failure. */
static bool
open_connection(struct connection *connection)
{
	const struct sockaddr_in address = loopback_address((unsigned)load.options.port);
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET,
	    .data.ptr = connection,
	};

	*connection = (struct connection){.step = STEP_GREETING, .replies = 1};
	connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connection->socket == -1) {
		warn("socket");
		return false;
	}
	if ((connect(connection->socket, (const struct sockaddr *)&address, sizeof address) == -1 &&
		errno != EINPROGRESS) ||
	    epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->socket, &event) == -1) {
		warn("connect");
		close(connection->socket);
		return false;
	}
	load.open++;
	return true;
}

static void
close_connection(struct connection *connection)
{
	struct tcp_info information = {.tcpi_data_segs_in = 0};
	socklen_t length = sizeof information;

	if (getsockopt(connection->socket, IPPROTO_TCP, TCP_INFO, &information, &length) == 0) {
		load.segments += information.tcpi_data_segs_in;
	}
	close(connection->socket);
	load.open--;
}

/* ---- messages ---- */

/* Start the next messages, or close the connection if none is left. Returns false on failure. */
static bool
begin_messages(struct connection *connection)
{
	unsigned long most = load.options.depth > 0 ? load.options.depth : 1;
	unsigned long left = load.options.messages - load.starts;

	if (left == 0) {
		close_connection(connection);
		return true;
	}
	connection->batch = left < most ? left : most;
	load.starts += connection->batch;
	connection->began = monotonic_now();
	return start_step(connection, load.options.depth > 0 ? STEP_PIPELINE : STEP_MAIL);
}

/* Start the next step after all replies to the last one. Returns false on failure. */
static bool
finish_step(struct connection *connection)
{
	enum step next = exchanges[connection->step].next;

	if (next != STEPS) {
		return start_step(connection, next);
	}
	if (connection->step == STEP_HELO) {
		return begin_messages(connection);
	}
	progress_add(&load.progress, connection->batch, connection->began);
	if (load.options.keep) {
		return begin_messages(connection);
	}
	close_connection(connection);
	return load.starts == load.options.messages || open_connection(connection);
}

/* ---- replies ---- */

/*
 * Count the replies, a line each, that end in these bytes. Returns false if one is negative or
 * unexpected.
 */
static bool
count_replies(struct connection *connection, const char *bytes, size_t length)
{
	while (length > 0) {
		const char *line_feed = memchr(bytes, '\n', length);
		size_t line_length = line_feed != NULL ? (size_t)(line_feed - bytes) + 1 : length;

		if (!connection->in_reply && *bytes != '2' && *bytes != '3') {
			warnx("the server sent: %.*s", (int)line_length, bytes);
			return false;
		}
		if (connection->replies == 0) {
			warnx("an additional reply: %.*s", (int)line_length, bytes);
			return false;
		}
		connection->in_reply = line_feed == NULL;
		connection->replies -= line_feed != NULL;
		bytes += line_length;
		length -= line_length;
	}
	return true;
}

/*
 * Receive until recv() fails with EAGAIN or does not fill the buffer: then nothing is left, and the
 * next input is another event (EPOLLET). Start the next step if all replies are here. Returns false
 * on failure.
 */
static bool
receive(struct connection *connection)
{
	static char input[INPUT_SPACE];
	ssize_t got;

	do {
		got = recv(connection->socket, input, sizeof input, 0);
		if (got == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK) {
				break;
			}
			warn("recv");
			return false;
		}
		if (got == 0) {
			warnx("the server has closed a connection");
			return false;
		}
		if (!count_replies(connection, input, (size_t)got)) {
			return false;
		}
	} while ((size_t)got == sizeof input);
	return connection->replies > 0 || connection->left > 0 || finish_step(connection);
}

/* Drive all connections until every message is delivered. Returns false on failure. */
static bool
send_messages(void)
{
	struct epoll_event events[EVENTS];

	for (unsigned long i = 0; i < load.options.connections; i++) {
		if (!open_connection(&load.connections[i])) {
			return false;
		}
	}
	while (load.open > 0) {
		int count = epoll_wait(load.epoll, events, EVENTS, SILENCE_LIMIT);

		if (count <= 0) {
			warnx("no input for %d ms; %lu messages are delivered", SILENCE_LIMIT,
			    load.progress.delivered);
			return false;
		}
		for (int i = 0; i < count; i++) {
			struct connection *connection = events[i].data.ptr;

			if (!send_now(connection) || !receive(connection)) {
				return false;
			}
		}
	}
	return true;
}

/* ---- main ---- */

/* Parse a number from 1 to `most`. Returns false if it is invalid. */
static bool
read_number(const char *digits, unsigned long most, unsigned long *number)
{
	char *end;

	*number = strtoul(digits, &end, 10);
	return *end == '\0' && *number > 0 && *number <= most;
}

/* Parse the options. Returns false if they are invalid. */
static bool
read_options(struct options *options, int argc, char *argv[])
{
	bool valid = true;
	int letter;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	while (valid && (letter = getopt(argc, argv, "dws:m:l:p:")) != -1) {
		switch (letter) {
		case 'd':
			options->keep = true;
			break;
		case 'w':
			options->two_writes = true;
			break;
		case 's':
			valid = read_number(optarg, CONNECTIONS_MAX, &options->connections);
			break;
		case 'm':
			valid = read_number(optarg, MESSAGES_MAX, &options->messages);
			break;
		case 'l':
			valid = read_number(optarg, LENGTH_MAX, &options->length) &&
				options->length >= LENGTH_OF(CRLF);
			break;
		case 'p':
			valid = read_number(optarg, DEPTH_MAX, &options->depth);
			break;
		default:
			valid = false;
		}
	}
	return valid && optind + 1 == argc && read_number(argv[optind], UINT16_MAX, &options->port);
}

/* Allocate everything before the measurement. Returns false if there is no memory. */
static bool
allocate(void)
{
	load.epoll = epoll_create1(0);
	if (!progress_init(&load.progress, load.options.messages) || load.epoll == -1 ||
	    !write_pipeline()) {
		warn("memory or epoll");
		return false;
	}
	return true;
}

int
main(int argc, char *argv[])
{
	bool succeeded;

	load.options = (struct options){.connections = 32, .messages = 10000, .length = 1000};
	if (!read_options(&load.options, argc, argv)) {
		warnx(
		    "usage: load [-dw] [-s CONNECTIONS] [-m MESSAGES] [-l LENGTH] [-p DEPTH] PORT");
		return EXIT_USAGE;
	}
	succeeded = allocate();
	if (succeeded) {
		progress_start(&load.progress);
		succeeded = send_messages();
	}
	if (succeeded) {
		progress_print(&load.progress);
		printf("segments %.4f\n", (double)load.segments / (double)load.progress.delivered);
	}
	progress_destroy(&load.progress);
	free(load.pipeline);
	return succeeded ? EXIT_SUCCESS : EXIT_FAILURE;
}
