/*
 * NAME
 *	check_flood - clients that send without end, and clients that do not read
 *
 * DESCRIPTION
 *	Such a client occupies a worker until the timeout. The memory of the server does not grow
 *	with what it sends, except for a message up to the size limit. Other clients are served at
 *	the same time. Connections that are dropped leave no descriptor and no memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "clock.h"
#include "environment.h"
#include "ledger.h"
#include "proc.h"
#include "stream.h"
#include "suite.h"

/* Threads of the server: the clients served at once. */
#define WORKERS 32

#define TIMEOUT         "--timeout 0.3"
#define TIMEOUT_SECONDS 0.3

/* Bytes of a flood for one send(). */
#define FLOOD_SIZE 16384

/* The bytes that are sent again and again. */
struct flood {
	char bytes[FLOOD_SIZE];
	size_t length; /* how many are used: a multiple of the length of the piece */
	size_t next;   /* index of the next one to be sent */
};

/* Fill a flood with copies of a piece. */
static void
flood_fill(struct flood *flood, const char *piece)
{
	size_t length = strlen(piece);

	flood->next = 0;
	for (flood->length = 0; flood->length + length <= FLOOD_SIZE; flood->length += length) {
		memcpy(flood->bytes + flood->length, piece, length);
	}
}

/* Send more. Returns false if nothing was sent: the socket is full, or the server has closed it. */
static bool
flood_send(struct flood *flood, const struct client *client)
{
	ssize_t sent = send(client->socket, flood->bytes + flood->next, flood->length - flood->next,
	    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent > 0) {
		flood->next += (size_t)sent;
	}
	if (flood->next == flood->length) {
		flood->next = 0;
	}
	return sent > 0;
}

/* Check that 32 clients are served at once: every worker is available. */
static void
expect_all_workers(const struct server *server)
{
	struct client clients[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = client_connect_in_state(server, STATE_GREETED);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		client_close(&clients[i]);
	}
}

/* ---- clients that do not stop sending ---- */

/* Floods that are no progress, with and without replies. */
static const struct {
	enum state state;
	const char *piece;
	const char *reply; /* to each piece */
} endless[] = {
    {STATE_CONNECTED, "x", ""},
    {STATE_RECIPIENT, "DATA ", ""},
    {STATE_CONNECTED, "mkdir\r\n", UNKNOWN},
};

/* Seconds for which the server discards input after its 421; a part in which it surely does. */
#define LINGER      0.5
#define LINGER_SAFE (LINGER / 2)

/* Send and receive until the server has closed the connection. */
static void
exchange(struct client *client, struct flood *flood, struct bytes *input)
{
	double deadline = clock_now() + PATIENCE;
	double open_at = clock_now(); /* when there was last nothing to receive */
	char block[FLOOD_SIZE];
	ssize_t received = 1;

	while (received > 0) {
		struct pollfd wait = {.fd = client->socket, .events = POLLIN | POLLOUT};

		ck_assert_int_eq(poll(&wait, 1, PATIENCE * MILLISECONDS), 1);
		ck_assert_double_lt(clock_now(), deadline);
		if ((wait.revents & POLLOUT) != 0) {
			flood_send(flood, client);
		}
		if ((wait.revents & ~POLLOUT) == 0) {
			open_at = clock_now();
			continue;
		}
		received = recv(client->socket, block, sizeof block, 0);
		if (received > 0) {
			bytes_add(input, block, (size_t)received);
		}
	}
	ck_assert_int_eq(received, 0);
	/*
	 * After its end of file the server receives and discards input for LINGER: an RST could
	 * make the client's system discard the 421.
	 */
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(flood_send(flood, client) || errno == EAGAIN ||
			  clock_now() - open_at > LINGER_SAFE);
	}
}

/* The 421 arrives after all replies although the client is still sending. */
START_TEST(a_client_that_sends_without_end_receives_the_421)
{
	struct server *server = server_start(TIMEOUT);
	struct client client = client_connect_in_state(server, endless[_i].state);
	struct bytes input = {0};
	struct flood flood;
	const char *rest;

	flood_fill(&flood, endless[_i].piece);
	exchange(&client, &flood, &input);
	ck_assert_double_ge(clock_now() - client.sent_at, TIMEOUT_SECONDS);
	rest = bytes_string(&input);
	while (endless[_i].reply[0] != '\0' &&
	       strncmp(rest, endless[_i].reply, strlen(endless[_i].reply)) == 0) {
		rest += strlen(endless[_i].reply);
	}
	ck_assert_str_eq(rest, TIMED_OUT);
	client_close(&client);
	bytes_free(&input);
	expect_all_workers(server);
	server_stop(server);
}
END_TEST

/* ---- clients that do not read ---- */

/* Bytes of a receive buffer that is soon full. */
#define RECEIVE_BUFFER 4096

/* Pieces of floods whose replies are not read. */
static const char *const unread[] = {
    "mkdir\r\n", "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n.\r\n", "RCPT TO:a b\r\nDATA\r\n.\r\n"};

/*
 * Send until the server closes the connection. The time of the last progress cannot be measured
 * here: the server still executes received commands when nothing more can be sent to it.
 */
static void
send_until_dropped(const struct client *client, struct flood *flood)
{
	double deadline = clock_now() + PATIENCE;
	struct pollfd wait = {.fd = client->socket, .events = POLLOUT};

	while ((wait.revents & (POLLERR | POLLHUP)) == 0) {
		if ((wait.revents & POLLOUT) != 0) {
			flood_send(flood, client);
		}
		ck_assert_int_eq(poll(&wait, 1, PATIENCE * MILLISECONDS), 1);
		ck_assert_double_lt(clock_now(), deadline);
	}
}

/* The server waits for such a client until the timeout, and serves others at the same time. */
START_TEST(a_client_that_does_not_read_times_out)
{
	struct server *server = server_start(TIMEOUT);
	struct client client = client_connect_buffered(server, RECEIVE_BUFFER);
	struct client other;
	struct flood flood;

	client_send(&client, "HELO client\r\n");
	client_expect(&client, GREETING HELO_OK);
	flood_fill(&flood, unread[_i]);
	while (flood_send(&flood, &client)) {
		continue;
	}
	other = client_connect_in_state(server, STATE_GREETED);
	client_close(&other);
	send_until_dropped(&client, &flood);
	ck_assert_double_ge(clock_now() - client.sent_at, TIMEOUT_SECONDS);
	client_close(&client);
	expect_all_workers(server);
	server_stop(server);
}
END_TEST

/* All workers have such clients. One that waits is served after them; then all workers are idle. */
START_TEST(all_workers_are_freed_from_clients_that_do_not_read)
{
	struct server *server = server_start(TIMEOUT);
	struct client clients[WORKERS];
	struct client waiting;
	struct flood flood;

	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = client_connect_buffered(server, RECEIVE_BUFFER);
		client_expect(&clients[i], GREETING);
	}
	waiting = client_connect(server);
	for (unsigned i = 0; i < WORKERS; i++) {
		flood_fill(&flood, "mkdir\r\n");
		while (!client_has_input(&clients[i], 0) && flood_send(&flood, &clients[i])) {
			continue;
		}
	}
	client_expect(&waiting, GREETING);
	for (unsigned i = 0; i < WORKERS; i++) {
		client_close(&clients[i]);
	}
	client_close(&waiting);
	expect_all_workers(server);
	server_stop(server);
}
END_TEST

/* ---- memory ---- */

/* Bytes by which the server's memory may grow: buffers of fixed size. */
#define SMALL_CHANGE ((size_t)1 << 20)

/*
 * Fail if memory has grown by more than `allowed` bytes. A sanitizer uses memory of its own: no
 * check then.
 */
static void
expect_memory(const struct server *server, size_t before, size_t allowed)
{
	if (!environment_sanitized()) {
		ck_assert_uint_le(proc_memory_peak(server->process), before + allowed);
	}
}

/* Bytes of a line. */
#define FIVE_MEGABYTES 5000000

START_TEST(a_long_line_needs_no_memory)
{
	struct server *server = server_start("--timeout 60");
	struct bytes sent = {0};
	struct bytes expected = {0};
	size_t before;

	expect_all_workers(server);
	before = proc_memory(server->process);
	bytes_add_string(&sent, "HELO ");
	bytes_add_repeated(&sent, 'x', FIVE_MEGABYTES);
	bytes_add_string(&sent, "\r\nHELO x\r\n");
	bytes_add_string(&expected, GREETING TOO_LONG HELO_OK);
	converse_compare(server, &sent, &expected);
	expect_memory(server, before, SMALL_CHANGE);
	server_stop(server);
}
END_TEST

#define MANY_RECIPIENTS  100000
#define RECIPIENTS_LIMIT 1000

START_TEST(excess_recipients_need_no_memory)
{
	struct server *server = server_start("--timeout 60");
	struct ledger ledger = {0};
	struct bytes to = {0};
	struct bytes sent = {0};
	struct bytes expected = {0};
	size_t before = proc_memory(server->process);

	bytes_add_string(&sent, "HELO client\r\nMAIL FROM:a@b\r\n");
	bytes_add_string(&expected, GREETING HELO_OK OK);
	for (unsigned i = 0; i < MANY_RECIPIENTS; i++) {
		bytes_add_string(&sent, "RCPT TO:c@d\r\n");
		bytes_add_string(
		    &expected, i < RECIPIENTS_LIMIT ? OK : "452 Error: too many recipients\r\n");
		if (i < RECIPIENTS_LIMIT) {
			bytes_add_string(&to, i == 0 ? "c@d" : "\nTo: c@d");
		}
	}
	bytes_add_string(&sent, "DATA\r\n.\r\n");
	bytes_add_string(&expected, START_DATA "250 OK:  delivered message 1\r\n");
	ledger_add(&ledger, "client", "a@b", to.at, "", 0);
	converse_compare(server, &sent, &expected);
	ledger_check(&ledger, server);
	expect_memory(server, before, SMALL_CHANGE);
	ledger_free(&ledger);
	bytes_free(&to);
	server_stop(server);
}
END_TEST

/* The limit of a message, as option and in bytes; memory of a client besides; a larger message. */
#define BIG_MAX_SIZE    "--timeout 60 --max-size 1048576"
#define BIG_MAX_BYTES   ((size_t)1 << 20)
#define CLIENT_OVERHEAD ((size_t)128 << 10)
#define BIG_MESSAGE     (3 * BIG_MAX_BYTES)

/* Concurrent messages that are far too large need no more memory than the largest allowed. */
START_TEST(memory_of_big_messages_is_limited)
{
	struct server *server = server_start(BIG_MAX_SIZE);
	struct client clients[WORKERS];
	struct bytes body = {0};
	size_t before = proc_memory(server->process);

	bytes_add_repeated(&body, 'x', BIG_MESSAGE);
	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = client_connect_in_state(server, STATE_DATA);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		client_send_bytes(&clients[i], body.at, body.length);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		client_command(&clients[i], "\r\n.\r\n", TOO_BIG);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		client_close(&clients[i]);
	}
	expect_memory(server, before, WORKERS * (BIG_MAX_BYTES + CLIENT_OVERHEAD) + SMALL_CHANGE);
	bytes_free(&body);
	server_stop(server);
}
END_TEST

/* ---- many connections ---- */

/*
 * What a client sends, which may end in the middle of a line or of a body, and the replies that it
 * reads before it drops the connection.
 */
static const struct {
	const char *sent;
	const char *replies;
} drops[] = {
    {"", ""},
    {"", GREETING},
    {"HEL", GREETING},
    {"HELO x\r\nmkdir\r\n", GREETING HELO_OK UNKNOWN},
    {"HELO x\r\n", ""},
    {"HELO x\r\nMAIL FROM:a\r\n", GREETING HELO_OK OK},
    {"HELO x\r\nMAIL FROM:a\r\nRCPT TO:a\r\n", GREETING HELO_OK OK OK},
    {"HELO x\r\nMAIL FROM:a\r\nRCPT TO:a\r\nDATA\r\n", GREETING HELO_OK OK OK START_DATA},
    {"HELO x\r\nMAIL FROM:a\r\nRCPT TO:a\r\nDATA\r\n0123456789\r\n.", GREETING},
    {"0123456789", ""},
};

/* Connections dropped in all, and before memory is measured first. */
#define DROPS       3000
#define DROPS_FIRST 300

/* Drop that many connections, in every state and way. */
static void
drop(const struct server *server, unsigned count)
{
	void (*const ways[])(struct client *) = {client_close, client_reset};

	for (unsigned i = 0; i < count; i++) {
		size_t kind = i % ARRAY_LENGTH(drops);
		struct client client = client_connect(server);

		client_send(&client, drops[kind].sent);
		client_expect(&client, drops[kind].replies);
		ways[i / ARRAY_LENGTH(drops) % ARRAY_LENGTH(ways)](&client);
	}
}

START_TEST(dropped_connections_leave_nothing)
{
	struct server *server = server_start("");
	struct path mailbox = server_mailbox(server);
	unsigned descriptors = proc_descriptors(server->process);
	struct client clients[WORKERS];
	size_t memory;

	drop(server, DROPS_FIRST);
	expect_all_workers(server);
	memory = proc_memory_peak(server->process);
	drop(server, DROPS - DROPS_FIRST);
	/*
	 * When these clients have their greeting, every worker has closed its previous connection.
	 */
	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = client_connect_in_state(server, STATE_GREETED);
	}
	ck_assert_uint_eq(proc_descriptors(server->process), descriptors + WORKERS);
	expect_memory(server, memory, SMALL_CHANGE);
	for (unsigned i = 0; i < WORKERS; i++) {
		client_close(&clients[i]);
	}
	files_expect_string(mailbox.name, "");
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(
	    tests, a_client_that_sends_without_end_receives_the_421, 0, ARRAY_LENGTH(endless));
	tcase_add_loop_test(tests, a_client_that_does_not_read_times_out, 0, ARRAY_LENGTH(unread));
	tcase_add_test(tests, all_workers_are_freed_from_clients_that_do_not_read);
	tcase_add_test(tests, a_long_line_needs_no_memory);
	tcase_add_test(tests, excess_recipients_need_no_memory);
	tcase_add_test(tests, memory_of_big_messages_is_limited);
	tcase_add_test(tests, dropped_connections_leave_nothing);
	return suite_run("flood", tests);
}
