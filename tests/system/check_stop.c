/*
 * NAME
 *	check_stop - the end of the server
 *
 * DESCRIPTION
 *	Each client that a worker serves gets a 421 in every state of its session, unless it does
 *	not read; each acknowledged message is in the mailbox or a backup; and the server ends
 *	within two seconds.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "ledger.h"
#include "stream.h"
#include "suite.h"

/* Threads of the server: the clients served at once. */
#define WORKERS 32

/* Seconds that a stop may take. */
#define STOP_SECONDS 2

/* A timeout that does not expire here. */
#define LONG_TIMEOUT "--timeout 60"

/* Wait for the end after a signal sent at `start`: status 0, in time. Releases the server. */
static void
expect_end(struct server *server, double start)
{
	ck_assert_int_eq(server_await_end(server), 0);
	ck_assert_double_le(clock_now() - start, STOP_SECONDS + clock_lateness());
	server_release(server);
}

/* ---- idle clients ---- */

/* States of clients, and incomplete input, which is discarded. */
static const struct {
	enum state state;
	const char *begun;
} idle[] = {
    {STATE_CONNECTED, ""},
    {STATE_CONNECTED, "HELO cli"},
    {STATE_GREETED, ""},
    {STATE_SENDER, ""},
    {STATE_RECIPIENT, ""},
    {STATE_RECIPIENT, "DATA"},
    {STATE_DATA, ""},
    {STATE_DATA, "half a message\r\n"},
    {STATE_DATA, "half an end\r\n.\r"},
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

START_TEST(idle_clients_get_a_421)
{
	struct server *server = server_start(LONG_TIMEOUT);
	struct path mailbox = server_mailbox(server);
	struct client clients[ARRAY_LENGTH(idle)];
	double start;

	for (size_t i = 0; i < ARRAY_LENGTH(idle); i++) {
		clients[i] = client_connect_in_state(server, idle[i].state);
		client_send(&clients[i], idle[i].begun);
	}
	start = clock_now();
	server_signal(server, signals[_i]);
	for (size_t i = 0; i < ARRAY_LENGTH(idle); i++) {
		client_expect(&clients[i], STOPPING);
		client_expect_end(&clients[i]);
	}
	files_expect_string(mailbox.name, "");
	expect_end(server, start);
}
END_TEST

START_TEST(a_stop_without_clients_ends_the_server)
{
	struct server *server = server_start(LONG_TIMEOUT);
	double start = clock_now();

	server_signal(server, signals[_i]);
	expect_end(server, start);
}
END_TEST

/* All workers have clients, and one more client waits: it is disconnected. */
START_TEST(a_stop_disconnects_a_waiting_client)
{
	struct server *server = server_start(LONG_TIMEOUT);
	struct client clients[WORKERS];
	struct client waiting = {0};
	double start;

	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = client_connect_in_state(server, (enum state)(i % STATES));
	}
	waiting = client_connect(server);
	start = clock_now();
	server_signal(server, SIGTERM);
	expect_end(server, start);
	for (unsigned i = 0; i < WORKERS; i++) {
		client_expect(&clients[i], STOPPING);
		client_expect_end(&clients[i]);
	}
	ck_assert(client_has_input(&waiting, PATIENCE));
	client_close(&waiting);
}
END_TEST

/* ---- clients that do not read, or that send without end ---- */

/* Bytes of a small receive buffer, and of one send(). */
#define RECEIVE_BUFFER 4096
#define FLOOD_SIZE     16384

/* Send without blocking until the socket is full. */
static void
send_until_full(const struct client *client, const char *flood, size_t length)
{
	while (send(client->socket, flood, length, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
		continue;
	}
}

/* A client that does not read, and two that send without end: a line, and a message. */
START_TEST(a_stop_ends_clients_that_do_not_read_or_that_send)
{
	struct server *server = server_start(LONG_TIMEOUT);
	struct client not_reading = client_connect_buffered(server, RECEIVE_BUFFER);
	struct client endless[] = {client_connect_in_state(server, STATE_CONNECTED),
	    client_connect_in_state(server, STATE_DATA)};
	struct bytes commands = {0};
	struct bytes line = {0};
	double start;

	while (commands.length < FLOOD_SIZE) {
		bytes_add_string(&commands, "mkdir\r\n");
	}
	bytes_add_repeated(&line, 'x', FLOOD_SIZE);
	client_expect(&not_reading, GREETING);
	send_until_full(&not_reading, commands.at, commands.length);
	send_until_full(&endless[0], line.at, line.length);
	send_until_full(&endless[1], line.at, line.length);
	start = clock_now();
	server_signal(server, SIGTERM);
	for (size_t i = 0; i < ARRAY_LENGTH(endless); i++) {
		while (!client_has_input(&endless[i], 0)) {
			send_until_full(&endless[i], line.at, line.length);
		}
		client_expect(&endless[i], STOPPING);
		client_close(&endless[i]);
	}
	expect_end(server, start);
	bytes_free(&commands);
	bytes_free(&line);
	client_close(&not_reading);
}
END_TEST

/* ---- clients that deliver ---- */

/* Messages of each client: more than can be sent before the stop. */
#define MESSAGES 2000

/* Acknowledged messages, at least, before the stop. */
#define ACKNOWLEDGED 100

#define DELIVERED_TEXT "250 OK:  delivered message "

#define DECIMAL 10

/* Connect a client for each worker. Client i sends HELO with the host `host` and its number i. */
static void
open_streams(const struct server *server, struct stream *streams)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		streams[i] = stream_open(server);
		bytes_add_format(&streams[i].out, "HELO host%u\r\n", i);
		for (unsigned message = 0; message < MESSAGES; message++) {
			bytes_add_string(&streams[i].out,
			    "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\nbody\r\n.\r\n");
		}
	}
}

/* Send and receive on one connection; a closed connection is no error. */
static void
transfer(struct stream *stream, short events)
{
	char block[FLOOD_SIZE];
	ssize_t moved;

	if ((events & POLLOUT) != 0) {
		moved = send(stream->socket, stream->out.at + stream->sent,
		    stream->out.length - stream->sent, MSG_NOSIGNAL);
		stream->sent += moved > 0 ? (size_t)moved : 0;
	}
	if ((events & ~POLLOUT) != 0) {
		moved = recv(stream->socket, block, sizeof block, 0);
		if (moved > 0) {
			bytes_add(&stream->in, block, (size_t)moved);
		} else {
			stream->ended = true;
		}
	}
}

/* Send and receive once on each connection. Returns how many have not ended. */
static unsigned
transfer_all(struct stream *streams)
{
	struct pollfd waits[WORKERS];
	unsigned open = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		waits[i].fd = streams[i].ended ? -1 : streams[i].socket;
		waits[i].events =
		    streams[i].sent < streams[i].out.length ? POLLIN | POLLOUT : POLLIN;
		open += !streams[i].ended;
	}
	if (open > 0) {
		ck_assert_int_gt(poll(waits, WORKERS, PATIENCE * MILLISECONDS), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		if (waits[i].fd != -1 && waits[i].revents != 0) {
			transfer(&streams[i], waits[i].revents);
		}
	}
	return open;
}

/* Return the number of acknowledged messages. */
static unsigned
count_acknowledged(const struct stream *streams)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		for (const char *reply = strstr(bytes_string(&streams[i].in), DELIVERED_TEXT);
		     reply != NULL; reply = strstr(reply + 1, DELIVERED_TEXT)) {
			count++;
		}
	}
	return count;
}

/* Store in `owners`, by number - 1, which client has delivered each acknowledged message. */
static void
note_owners(const struct stream *streams, unsigned *owners, unsigned count)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		for (const char *reply = strstr(bytes_string(&streams[i].in), DELIVERED_TEXT);
		     reply != NULL; reply = strstr(reply + 1, DELIVERED_TEXT)) {
			unsigned long number =
			    strtoul(reply + strlen(DELIVERED_TEXT), NULL, DECIMAL);

			ck_assert_uint_ge(number, 1);
			ck_assert_uint_le(number, count);
			ck_assert_uint_eq(owners[number - 1], WORKERS);
			owners[number - 1] = i;
		}
	}
}

/* Check that the mailbox and the backups have the acknowledged messages and no other. */
static void
expect_acknowledged(const struct server *server, const struct stream *streams, unsigned count)
{
	unsigned *owners = calloc(count, sizeof *owners);
	struct ledger ledger = {0};

	ck_assert_ptr_nonnull(owners);
	for (unsigned i = 0; i < count; i++) {
		owners[i] = WORKERS; /* none yet */
	}
	note_owners(streams, owners, count);
	for (unsigned i = 0; i < count; i++) {
		struct bytes host = {0};

		bytes_add_format(&host, "host%u", owners[i]);
		ledger_add(&ledger, host.at, "a@b", "c@d", "body\n", strlen("body\n"));
		bytes_free(&host);
	}
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	free(owners);
}

/* The stop comes during deliveries by all workers. */
START_TEST(acknowledged_messages_are_kept_by_a_stop)
{
	struct server *server = server_start(LONG_TIMEOUT);
	struct stream streams[WORKERS];
	unsigned count;
	double start;

	open_streams(server, streams);
	while (count_acknowledged(streams) < ACKNOWLEDGED) {
		ck_assert_uint_gt(transfer_all(streams), 0);
	}
	start = clock_now();
	server_signal(server, SIGTERM);
	while (transfer_all(streams) > 0) {
		continue;
	}
	ck_assert_int_eq(server_await_end(server), 0);
	ck_assert_double_le(clock_now() - start, STOP_SECONDS + clock_lateness());
	count = count_acknowledged(streams);
	expect_acknowledged(server, streams, count);
	for (unsigned i = 0; i < WORKERS; i++) {
		close(streams[i].socket);
		stream_free(&streams[i]);
	}
	server_release(server);
}
END_TEST

/* ---- SIGPIPE ---- */

START_TEST(sigpipe_does_not_end_the_server)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_GREETED);

	server_signal(server, SIGPIPE);
	client_deliver(&client, "a\r\n", 1);
	client_close(&client);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, idle_clients_get_a_421, 0, ARRAY_LENGTH(signals));
	tcase_add_loop_test(
	    tests, a_stop_without_clients_ends_the_server, 0, ARRAY_LENGTH(signals));
	tcase_add_test(tests, a_stop_disconnects_a_waiting_client);
	tcase_add_test(tests, a_stop_ends_clients_that_do_not_read_or_that_send);
	tcase_add_test(tests, acknowledged_messages_are_kept_by_a_stop);
	tcase_add_test(tests, sigpipe_does_not_end_the_server);
	return suite_run("stop", tests);
}
