/*
 * NAME
 *	fuzz_connection - a whole connection, from the socket to the files
 *
 * DESCRIPTION
 *	The input is a script (see input_script.h) for clients that connect one after the other.
 *	Each has a thread and a SOCK_SEQPACKET socket, so that the server receives the chunks of the
 *	script unchanged. The server's side is connection_serve() with a mailbox and a backup thread
 *	in a temporary directory. All replies, and all files at the end, must be those of the second
 *	implementation.
 *
 *	Line 3 of the script chooses the kind of each client (enum client_kind). If a client never
 *	reads, replies cannot be sent to it, but its complete messages must be delivered.
 */

#include "target.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backup.h"
#include "bytes.h"
#include "connection.h"
#include "fail.h"
#include "files.h"
#include "input_script.h"
#include "mailbox.h"
#include "reference.h"
#include "tempdir.h"

/* Timeout of the server. No client is that slow. */
#define SERVER_TIMEOUT (60 * SECOND)

/* Bytes for the name of a backup. */
#define NAME_SIZE 64

/* More backups than the longest script can fill. */
#define BACKUPS_MAX 256

#define BLOCK_SIZE 65536

const char target_name[] = "connection";

/* The kind of a client. */
enum client_kind {
	ORDINARY,
	NEVER_READS,
	SERVER_STOPS, /* before the greeting: the client sends nothing */
	CLIENT_KINDS
};

/* The server's side. */
struct service {
	struct mailbox mailbox;
	pthread_t backup_thread;
	atomic_bool stopping;
	struct connection_config config;
	struct connection connection;
};

/* The clients' side. */
struct client {
	int socket;
	enum client_kind kind;
	struct script *script;
	struct reference reference;
	struct bytes replies;     /* as received */
	struct bytes unsent;      /* the rest of a chunk, in the script */
	uint64_t delivered;       /* number of the last message; these three are of all clients */
	struct bytes records;     /* of all messages */
	size_t ends[BACKUPS_MAX]; /* offset in `records` of the end of each backup */
};

/* ---- the clients ---- */

/* Record a complete message. */
static void
record_message(struct client *client)
{
	struct reference *reference = &client->reference;
	uint64_t number;

	if (reference->too_big) {
		reference_delivered(reference, EMSGSIZE, 0);
		return;
	}
	number = ++client->delivered;
	bytes_add(&client->records, reference->received.at, reference->received.length);
	bytes_add_format(&client->records, "Number: %" PRIu64 "\n", number);
	bytes_add(&client->records, reference->rest.at, reference->rest.length);
	if (number % BACKUP_EVERY == 0) {
		client->ends[number / BACKUP_EVERY - 1] = client->records.length;
	}
	reference_delivered(reference, 0, number);
}

/* Feed bytes that were sent to the reference. */
static void
feed_reference(struct client *client, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		reference_feed(&client->reference, bytes[i]);
		if (client->reference.complete) {
			record_message(client);
		}
	}
}

/*
 * Send no more, and skip the rest of this client in the script. Returns false, as send_piece() has
 * to.
 */
static bool
end_sending(struct client *client)
{
	size_t length;

	client->unsent.length = 0;
	shutdown(client->socket, SHUT_WR);
	while (script_chunk(client->script, &length) != NULL) {
	}
	return false;
}

/*
 * Send a chunk, or the next INPUT_SIZE bytes of a longer one: recv() of a SOCK_SEQPACKET socket
 * discards what does not fit. Returns whether there may be more.
 */
static bool
send_piece(struct client *client)
{
	size_t length;
	const char *chunk;

	if (client->reference.closing) {
		return end_sending(client);
	}
	if (client->unsent.length == 0) {
		chunk = script_chunk(client->script, &length);
		if (chunk == NULL) {
			shutdown(client->socket, SHUT_WR);
			return false;
		}
		client->unsent = (struct bytes){.at = (char *)chunk, .length = length};
	}
	length = client->unsent.length < INPUT_SIZE ? client->unsent.length : INPUT_SIZE;
	if (send(client->socket, client->unsent.at, length, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)length) {
		feed_reference(client, client->unsent.at, length);
		client->unsent.at += length;
		client->unsent.length -= length;
		return true;
	}
	if (errno == EAGAIN) {
		return true;
	}
	/* The server has closed. */
	return end_sending(client);
}

/* Receive some replies. Returns whether there may be more. */
static bool
receive(struct client *client)
{
	static char block[BLOCK_SIZE];
	ssize_t length = recv(client->socket, block, sizeof block, MSG_DONTWAIT);

	if (length > 0) {
		bytes_add(&client->replies, block, (size_t)length);
		return true;
	}
	return length == -1 && errno == EAGAIN;
}

/* Thread: send and receive as one client, until both have ended. */
static void *
run_client(void *argument)
{
	struct client *client = argument;
	bool sending = client->kind != SERVER_STOPS, receiving = client->kind != NEVER_READS;

	if (!receiving) {
		shutdown(client->socket, SHUT_RD);
	}
	if (!sending) {
		end_sending(client);
	}
	while (sending || receiving) {
		struct pollfd event = {.fd = client->socket};

		event.events = (short)((sending ? POLLOUT : 0) | (receiving ? POLLIN : 0));
		if (poll(&event, 1, -1) == -1 && errno != EINTR) {
			test_fail("poll: error %d", errno);
		}
		if (receiving) {
			receiving = receive(client);
		}
		if (sending) {
			sending = send_piece(client);
		}
	}
	return NULL;
}

/* ---- one client and the server ---- */

/* Compare and forget the replies that the client has received. */
static void
compare_replies(struct client *client)
{
	struct bytes *expected = &client->reference.replies;

	if (client->kind == NEVER_READS) {
		bytes_clear(expected);
	}
	bytes_add(expected, "", 0);
	bytes_compare(
	    "replies", client->replies.at, client->replies.length, expected->at, expected->length);
	bytes_clear(&client->replies);
}

/* Serve the next client of the script in this thread. */
static void
serve_client(struct service *service, struct client *client)
{
	int sockets[2];
	pthread_t thread;

	client->kind = (enum client_kind)(script_choice(client->script) % CLIENT_KINDS);
	atomic_store(&service->stopping, client->kind == SERVER_STOPS);
	reference_init(&client->reference, client->script->netid, client->script->max_size,
	    client->script->extended, client->script->any_login);
	if (client->kind == SERVER_STOPS) {
		reference_reply_shutdown(&client->reference);
	} else {
		reference_greet(&client->reference);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == -1) {
		test_fail("socketpair: error %d", errno);
	}
	client->socket = sockets[0];
	if (pthread_create(&thread, NULL, run_client, client) != 0) {
		test_fail("no thread for the client");
	}
	connection_serve(&service->connection, sockets[1]);
	close(sockets[1]);
	pthread_join(thread, NULL);
	close(sockets[0]);
	compare_replies(client);
}

/* ---- the server ---- */

static enum protocol
script_protocol(const struct script *script)
{
	if (!script->extended) {
		return PROTOCOL_SMTP;
	}
	return script->any_login ? PROTOCOL_ESMTP_LOGIN : PROTOCOL_ESMTP;
}

static void
start(struct service *service, const struct script *script, bool verbose)
{
	const bool keep = false, sync = false;

	tempdir_enter();
	service->config = (struct connection_config){
	    .netid = script->netid,
	    .protocol = script_protocol(script),
	    .max_size = script->max_size,
	    .timeout = SERVER_TIMEOUT,
	    .verbose = verbose,
	    .mailbox = &service->mailbox,
	    .stopping = &service->stopping,
	};
	connection_init(&service->connection, &service->config);
	if (!mailbox_open(&service->mailbox, keep, sync) ||
	    backup_start(&service->backup_thread, &service->mailbox) != 0 ||
	    !mailbox_resume(&service->mailbox, NULL)) {
		test_fail("the mailbox cannot be opened");
	}
}

static void
stop(struct service *service)
{
	mailbox_close(&service->mailbox);
	pthread_join(service->backup_thread, NULL);
	if (!mailbox_check_backed_up(&service->mailbox)) {
		test_fail("a backup is missing");
	}
	mailbox_destroy(&service->mailbox);
	connection_destroy(&service->connection);
}

/* Compare every backup and the mailbox, and check that there is no other file. */
static void
compare_files(const struct client *client)
{
	uint64_t backups = client->delivered / BACKUP_EVERY;
	struct bytes rest;
	size_t start = 0;

	for (uint64_t i = 0; i < backups; i++) {
		struct bytes expected = {client->records.at + start, client->ends[i] - start, 0};
		char name[NAME_SIZE];

		snprintf(name, sizeof name, MAILBOX_NAME ".%" PRIu64 "-%" PRIu64,
		    i * BACKUP_EVERY + 1, (i + 1) * BACKUP_EVERY);
		files_expect(name, &expected);
		start = client->ends[i];
	}
	rest = (struct bytes){client->records.at + start, client->records.length - start, 0};
	files_expect(MAILBOX_NAME, &rest);
	if (files_count(".") != backups + 1) {
		test_fail(
		    "%u files where %" PRIu64 " were expected", files_count("."), backups + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct service service;
	struct script script;
	struct client client = {.script = &script};

	script_init(&script, input, size);
	bytes_add(&client.replies, "", 0);
	bytes_add(&client.records, "", 0);
	/* Half of the inputs are run with --verbose. */
	start(&service, &script, size % 2 == 0);
	while (script_has_client(&script)) {
		serve_client(&service, &client);
	}
	stop(&service);
	compare_files(&client);
	reference_destroy(&client.reference);
	bytes_free(&client.replies);
	bytes_free(&client.records);
	script_destroy(&script);
	return 0;
}
