/*
 * NAME
 *	ceiling - an upper limit of the speed of a server with the threads of smtpd
 *
 * SYNOPSIS
 *	ceiling [-k | -b]
 *
 * DESCRIPTION
 *	Listener, handoff, the 32 threads and SCHED_BATCH are those of smtpd; everything else of a
 *	mail server is omitted. The first byte of a line selects the reply. A message ends with
 *	<CR><LF>.<CR><LF>, and is appended unchanged to the file `mailbox`, with one write() under
 *	one mutex. There are no numbers, deadlines or limits.
 *
 *	With -k each 32nd message is followed by a backup with as few system calls as possible,
 *	under the same mutex: open(), copy_file_range(), close(), rename() to mailbox.A-B,
 *	ftruncate(). With -b a thread of its own makes these backups, as in smtpd, and the workers
 *	wait for it on a condition variable before they append.
 *
 *	Each thread has a buffer of BUFFER_SIZE bytes from the start to the end. Each received input
 *	costs one recv() and one send(), and a body is written from the receive buffer.
 *
 *	It listens on a free port of 127.0.0.1, prints the same readiness line as smtpd, and runs
 *	until a signal ends it.
 *
 * DIAGNOSTICS
 *	The messages of listener.c and, with the name smtpd, other failures to start. Exit status 1.
 *
 * BUGS
 *	A client that sends nothing blocks a thread forever; 32 of them stop the server. A short or
 *	failed write(), a failed backup, and a message of more than BUFFER_SIZE bytes end it. The
 *	numbers in the names of backups begin at 1, and replace a file of that name.
 */

/* copy_file_range(), memmem() */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
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

/*
 * Bytes of the receive buffer of a thread: a message of 10 MB and more fits. Only what a message
 * has filled takes memory.
 */
#define BUFFER_SIZE (16 * 1024 * 1024)

/* Free space in the buffer below which the input is moved to its start. */
#define INPUT_SPACE 65536

/* Bytes of "mailbox.A-B". */
#define NAME_SIZE sizeof "mailbox.18446744073709551615-18446744073709551615"

/* Bytes of the buffer of replies, and of the longest reply. */
#define REPLIES_SIZE 65536
#define LONGEST      64

#define END_OF_DATA     "\r\n.\r\n"
#define END_OF_DATA_LEN (sizeof END_OF_DATA - 1)

/* The CRLF before an empty body is part of the end of the data. */
#define LINE_END_LEN 2

#define FILE_MODE (S_IRUSR | S_IWUSR)

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

/* Replies, by the first byte of the line. */
static const struct reply replies[] = {
    ['H'] = REPLY("250 netid\r\n"),
    ['M'] = REPLY("250 OK\r\n"),
    ['R'] = REPLY("250 OK\r\n"),
    ['D'] = REPLY("354 End data with <CR><LF>.<CR><LF>\r\n"),
};

/* Which thread makes the backups. */
enum backups {
	BACKUPS_NONE,
	BACKUPS_BY_WORKER,
	BACKUPS_BY_THREAD
};

/* State of a worker for a client; reused for its next client. */
struct client {
	int socket;
	bool in_data;
	bool failed;     /* a write() to the mailbox or a backup failed */
	size_t begin;    /* start of unhandled input; in the data: LINE_END_LEN before the body */
	size_t searched; /* in the data: the search for its end resumes here */
	size_t end;
	size_t replies_length;
	char replies[REPLIES_SIZE];
	char input[BUFFER_SIZE];
};

static struct {
	struct listener listener;
	struct handoff handoff;
	struct pool pool;
	/* Guards what is up to `is_backup_due`; while that is set, the backup thread uses it. */
	pthread_mutex_t mutex;
	int mailbox;
	off_t length;               /* bytes in the mailbox */
	uint64_t count;             /* of messages */
	bool is_backup_due;         /* with -b: until it is made, no worker appends */
	pthread_cond_t backup_due;  /* is_backup_due */
	pthread_cond_t backup_done; /* !is_backup_due */
	enum backups backups;
	struct client clients[WORKERS];
} ceiling = {.mutex = PTHREAD_MUTEX_INITIALIZER,
    .backup_due = PTHREAD_COND_INITIALIZER,
    .backup_done = PTHREAD_COND_INITIALIZER};

/* ---- replies ---- */

/* Send the replies. Returns false if send() fails. */
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

/* Add a reply. Returns false if send() fails. */
static bool
add_reply(struct client *client, const struct reply *reply)
{
	if (sizeof client->replies - client->replies_length < LONGEST && !send_replies(client)) {
		return false;
	}
	memcpy(client->replies + client->replies_length, reply->text, reply->length);
	client->replies_length += reply->length;
	return true;
}

/* ---- input ---- */

/* Move the last BACKUP_EVERY messages to a file of their own. Returns false on failure. */
static bool
back_up(void)
{
	char name[NAME_SIZE];
	off_t offset = 0;
	int copy = open("mailbox.backup", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);

	if (copy == -1) {
		return false;
	}
	while (offset < ceiling.length && copy_file_range(ceiling.mailbox, &offset, copy, NULL,
					      (size_t)(ceiling.length - offset), 0) > 0) {
	}
	close(copy);
	snprintf(name, sizeof name, "mailbox.%" PRIu64 "-%" PRIu64,
	    ceiling.count - (BACKUP_EVERY - 1), ceiling.count);
	if (offset < ceiling.length || rename("mailbox.backup", name) == -1 ||
	    ftruncate(ceiling.mailbox, 0) == -1) {
		return false;
	}
	ceiling.length = 0;
	return true;
}

/* The start routine of the backup thread. */
static void *
backup_main(void *argument)
{
	(void)argument;
	for (;;) {
		pthread_mutex_lock(&ceiling.mutex);
		while (!ceiling.is_backup_due) {
			pthread_cond_wait(&ceiling.backup_due, &ceiling.mutex);
		}
		pthread_mutex_unlock(&ceiling.mutex);
		if (!back_up()) {
			listener_stop(&ceiling.listener);
			return NULL;
		}
		pthread_mutex_lock(&ceiling.mutex);
		ceiling.is_backup_due = false;
		pthread_cond_broadcast(&ceiling.backup_done);
		pthread_mutex_unlock(&ceiling.mutex);
	}
}

/* Append a body to the mailbox, and back it up if that is due. Returns false on failure. */
static bool
append(const char *body, size_t length)
{
	bool done;

	pthread_mutex_lock(&ceiling.mutex);
	while (ceiling.is_backup_due) {
		pthread_cond_wait(&ceiling.backup_done, &ceiling.mutex);
	}
	done = write(ceiling.mailbox, body, length) == (ssize_t)length;
	ceiling.length += (off_t)length;
	ceiling.count++;
	if (done && ceiling.count % BACKUP_EVERY == 0) {
		if (ceiling.backups == BACKUPS_BY_WORKER) {
			done = back_up();
		} else if (ceiling.backups == BACKUPS_BY_THREAD) {
			ceiling.is_backup_due = true;
			pthread_cond_signal(&ceiling.backup_due);
		}
	}
	pthread_mutex_unlock(&ceiling.mutex);
	return done;
}

/* Search for the end of the data. Returns whether there is more input to handle. */
static bool
take_data(struct client *client)
{
	const char *input = client->input;
	const char *end = memmem(
	    input + client->searched, client->end - client->searched, END_OF_DATA, END_OF_DATA_LEN);
	const char *body = input + client->begin + LINE_END_LEN;
	size_t length;

	if (end == NULL) {
		if (client->end - client->searched >= END_OF_DATA_LEN) {
			client->searched = client->end - (END_OF_DATA_LEN - 1);
		}
		return false;
	}
	length = end > body ? (size_t)(end - body) + LINE_END_LEN : 0;
	client->failed = !append(body, length);
	client->begin = (size_t)(end - input) + END_OF_DATA_LEN;
	client->in_data = false;
	return add_reply(client, &delivered) && !client->failed;
}

/* Reply to a line. Returns whether there is more input to handle. */
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
	return add_reply(client, reply);
}

/* Handle all received input. */
static void
take_input(struct client *client)
{
	while (client->begin < client->end &&
	       (client->in_data ? take_data(client) : take_line(client))) {
	}
}

/* Move the input to the start of the buffer if little is free. Returns false if none is. */
static bool
make_space(struct client *client)
{
	if (client->begin == client->end) {
		client->begin = client->end = client->searched = 0;
	}
	if (sizeof client->input - client->end < INPUT_SPACE && client->begin > 0) {
		memmove(client->input, client->input + client->begin, client->end - client->begin);
		client->end -= client->begin;
		client->searched -= client->in_data ? client->begin : 0;
		client->begin = 0;
	}
	return client->end < sizeof client->input;
}

/* Matches serve_function. */
static void
serve(void *context, int descriptor)
{
	struct client *client = context;

	client->socket = descriptor;
	client->in_data = false;
	client->begin = client->end = client->replies_length = 0;
	add_reply(client, &greeting);
	while (!client->failed && send_replies(client) && make_space(client)) {
		ssize_t got = recv(
		    descriptor, client->input + client->end, sizeof client->input - client->end, 0);

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

/* Open the port and the file, and start the threads. Returns false on failure. */
static bool
start(void)
{
	static const char *const host = "127.0.0.1";
	void *contexts[WORKERS];
	pthread_t backup_thread;
	int error;

	if (!listener_bind(&ceiling.listener, &host, 1, "0") ||
	    !listener_listen(&ceiling.listener)) {
		return false;
	}
	ceiling.mailbox =
	    open("mailbox", O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
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
	if (error == 0 && ceiling.backups == BACKUPS_BY_THREAD) {
		error = pthread_create(&backup_thread, NULL, backup_main, NULL);
	}
	if (error != 0) {
		log_error(error, "threads");
	}
	return error == 0;
}

int
main(int argc, char *argv[])
{
	int option;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	while ((option = getopt(argc, argv, "kb")) != -1) {
		if (option == '?') {
			return EXIT_FAILURE;
		}
		ceiling.backups = option == 'b' ? BACKUPS_BY_THREAD : BACKUPS_BY_WORKER;
	}
	platform_use_batch_scheduling();
	if (!start()) {
		return EXIT_FAILURE;
	}
	log_plain("Server coming up on %s", ceiling.listener.sockets[0].name);
	while (handoff_wait_idle(&ceiling.handoff)) {
		int descriptor = listener_accept(&ceiling.listener);

		if (descriptor == -1) {
			break;
		}
		if (!handoff_put(&ceiling.handoff, descriptor)) {
			close(descriptor);
		}
	}
	log_line(LOG_ERR, "ceiling: cannot go on");
	return EXIT_FAILURE;
}
