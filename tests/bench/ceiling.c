/*
 * NAME
 *	ceiling - the fastest that a server of smtpd's shape could be
 *
 * SYNOPSIS
 *	ceiling [-b]
 *
 * DESCRIPTION
 *	The acceptor, the hand-over and the 32 threads are smtpd's own; all that makes a mail server
 *	is left out. A line is answered by its first byte, a message is whatever comes before
 *	<CR><LF>.<CR><LF>, and is appended to the file `mailbox` as it came, with one write under one
 *	mutex. There are no numbers, no backup, no deadlines, no limits and no errors.
 *
 *	Buffers are large, grow as needed and are never given back: a batch of input costs one
 *	recv() and one send(), and a body is written from where it was received.
 *
 *	With -b its threads ask of the scheduler what those of smtpd do; without, they ask nothing.
 *
 *	It listens on a free port of 127.0.0.1, says which as smtpd does, and runs until a signal ends
 *	it.
 *
 * DIAGNOSTICS
 *	What listener.c says, and, in smtpd's name, what else prevents a start. Exit status 1.
 *
 * BUGS
 *	A client that sends nothing keeps a thread for ever; 32 of them stop it. It believes
 *	that every write succeeds as a whole, and ends if one does not.
 */

/* memmem() */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handoff.h"
#include "listener.h"
#include "log.h"
#include "params.h"
#include "platform.h"
#include "pool.h"

/* Elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes for which there is space whenever input is received. */
#define INPUT_SPACE 65536

/* Bytes of the replies to one batch, and the most that one of them has. */
#define REPLIES_SIZE 65536
#define LONGEST      64

#define END_OF_DATA     "\r\n.\r\n"
#define END_OF_DATA_LEN (sizeof END_OF_DATA - 1)

/* The line end in front of the body belongs to the end of the data, if the body is empty. */
#define LINE_END_LEN 2

struct reply {
	const char *text;
	size_t length;
};

#define REPLY(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct reply greeting = REPLY("220 netid SMTP CS4410MP3\r\n");
static const struct reply unrecognized = REPLY("500 Error: command not recognized\r\n");
static const struct reply delivered = REPLY("250 OK:  delivered message 1\r\n");

/* The reply to a line, by its first byte. */
static const struct reply replies[] = {
    ['H'] = REPLY("250 netid\r\n"),
    ['M'] = REPLY("250 OK\r\n"),
    ['R'] = REPLY("250 OK\r\n"),
    ['D'] = REPLY("354 End data with <CR><LF>.<CR><LF>\r\n"),
};

/* All that a worker needs to serve a client. Used again for its next one. */
struct client {
	int socket;
	bool in_data;
	bool failed;     /* the mailbox cannot be written, or there is no memory */
	char *input;     /* owned */
	size_t capacity; /* bytes of `input` */
	size_t begin; /* what has not been dealt with; in the data: LINE_END_LEN before the body */
	size_t searched; /* in the data: its end does not begin before here */
	size_t end;
	size_t replies_length;
	char replies[REPLIES_SIZE];
};

static struct {
	struct listener listener;
	struct handoff handoff;
	struct pool pool;
	pthread_mutex_t mutex; /* guards the file */
	int mailbox;
	struct client clients[WORKERS];
} ceiling = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- replies ---- */

/* Send what has been said. Returns whether the client is still there. */
static bool
send_replies(struct client *client)
{
	size_t sent = 0;

	while (sent < client->replies_length) {
		ssize_t now = send(client->socket, client->replies + sent,
		    client->replies_length - sent, MSG_NOSIGNAL);

		if (now == -1) {
			return false;
		}
		sent += (size_t)now;
	}
	client->replies_length = 0;
	return true;
}

/* Add a reply to the batch. Returns whether the client is still there. */
static bool
say(struct client *client, const struct reply *reply)
{
	if (sizeof client->replies - client->replies_length < LONGEST && !send_replies(client)) {
		return false;
	}
	memcpy(client->replies + client->replies_length, reply->text, reply->length);
	client->replies_length += reply->length;
	return true;
}

/* ---- input ---- */

/* Append a body to the mailbox. Returns whether that worked. */
static bool
append(const char *body, size_t length)
{
	ssize_t written;

	pthread_mutex_lock(&ceiling.mutex);
	written = write(ceiling.mailbox, body, length);
	pthread_mutex_unlock(&ceiling.mutex);
	return written == (ssize_t)length;
}

/* Look for the end of the data. Returns whether there is more input to look at. */
static bool
take_data(struct client *client)
{
	const char *input = client->input;
	const char *end = memmem(
	    input + client->searched, client->end - client->searched, END_OF_DATA, END_OF_DATA_LEN);

	if (end == NULL) {
		if (client->end - client->searched >= END_OF_DATA_LEN) {
			client->searched = client->end - (END_OF_DATA_LEN - 1);
		}
		return false;
	}
	const char *body = input + client->begin + LINE_END_LEN;
	size_t length = end > body ? (size_t)(end - body) + LINE_END_LEN : 0;

	client->failed = !append(body, length);
	client->begin = (size_t)(end - input) + END_OF_DATA_LEN;
	client->in_data = false;
	return say(client, &delivered) && !client->failed;
}

/* Answer a line. Returns whether there is more input to look at. */
static bool
take_line(struct client *client)
{
	const char *line = client->input + client->begin;
	const char *line_feed = memchr(line, '\n', client->end - client->begin);
	size_t first = (unsigned char)line[0];
	const struct reply *reply = &unrecognized;

	if (line_feed == NULL) {
		return false;
	}
	if (first < ARRAY_LENGTH(replies) && replies[first].text != NULL) {
		reply = &replies[first];
	}
	client->begin = (size_t)(line_feed + 1 - client->input);
	if (reply == &replies['D']) {
		client->in_data = true;
		client->begin -= LINE_END_LEN;
		client->searched = client->begin;
	}
	return say(client, reply);
}

/* Deal with all that has come. */
static void
take_input(struct client *client)
{
	while (client->begin < client->end &&
	       (client->in_data ? take_data(client) : take_line(client))) {
	}
}

/* Make space for INPUT_SPACE bytes more. Returns whether there is memory. */
static bool
make_room(struct client *client)
{
	if (client->begin == client->end) {
		client->begin = client->end = client->searched = 0;
	}
	if (client->capacity - client->end < INPUT_SPACE && client->begin > 0) {
		memmove(client->input, client->input + client->begin, client->end - client->begin);
		client->end -= client->begin;
		client->searched -= client->in_data ? client->begin : 0;
		client->begin = 0;
	}
	if (client->capacity - client->end < INPUT_SPACE) {
		size_t capacity = 2 * client->capacity + INPUT_SPACE;
		char *input = realloc(client->input, capacity);

		if (input == NULL) {
			return false;
		}
		client->input = input;
		client->capacity = capacity;
	}
	return true;
}

/* Matches serve_function. */
static void
serve(void *context, int descriptor)
{
	struct client *client = context;

	client->socket = descriptor;
	client->in_data = false;
	client->begin = client->end = client->replies_length = 0;
	say(client, &greeting);
	while (!client->failed && send_replies(client) && make_room(client)) {
		ssize_t got = recv(
		    descriptor, client->input + client->end, client->capacity - client->end, 0);

		if (got <= 0) {
			return;
		}
		client->end += (size_t)got;
		take_input(client);
	}
	if (client->failed) {
		listener_stop(&ceiling.listener);
	}
}

/* ---- start ---- */

/* Open the port and the file, and start the threads. Returns whether that worked. */
static bool
start(void)
{
	void *contexts[WORKERS];
	int error;

	if (!listener_bind(&ceiling.listener, "127.0.0.1", "0") ||
	    !listener_listen(&ceiling.listener)) {
		return false;
	}
	ceiling.mailbox =
	    open("mailbox", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (ceiling.mailbox == -1) {
		log_error(errno, "mailbox");
		return false;
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		contexts[i] = &ceiling.clients[i];
	}
	error = handoff_init(&ceiling.handoff);
	if (error == 0) {
		error = pool_start(&ceiling.pool, &ceiling.handoff, serve, contexts);
	}
	if (error != 0) {
		log_error(error, "threads");
	}
	return error == 0;
}

int
main(int argc, char *argv[])
{
	if (argc > 1 && strcmp(argv[1], "-b") == 0) {
		platform_use_batch_scheduling();
	}
	if (!start()) {
		return EXIT_FAILURE;
	}
	log_plain("Server coming up on %s", ceiling.listener.name);
	while (handoff_wait_idle(&ceiling.handoff)) {
		int descriptor = listener_accept(&ceiling.listener);

		if (descriptor == -1) {
			break;
		}
		if (!handoff_put(&ceiling.handoff, descriptor)) {
			close(descriptor);
		}
	}
	log_line("ceiling: cannot go on");
	return EXIT_FAILURE;
}
