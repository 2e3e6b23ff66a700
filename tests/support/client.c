/*
 * NAME
 *	client - a client connection, used step by step
 *
 * DESCRIPTION
 *	client_expect() receives no more bytes than it expects: the next call, or
 *	client_expect_end(), finds the others. TCP_NODELAY sends every segment at once.
 */

#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"

/* The command that leads to each state from the one before, and its reply. */
static const struct {
	const char *command;
	const char *reply;
} steps[STATES] = {
    [STATE_CONNECTED] = {"", GREETING},
    [STATE_GREETED] = {"HELO client\r\n", HELO_OK},
    [STATE_SENDER] = {"MAIL FROM: a@b\r\n", OK},
    [STATE_RECIPIENT] = {"RCPT TO: c@d\r\n", OK},
    [STATE_DATA] = {"DATA\r\n", START_DATA},
};

/* Return the text of errno. */
static const char *
reason(void)
{
	return strerror(errno); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* Connect with a receive buffer of that many bytes, or of the default size if it is 0. */
static struct client
connect_to(const char *address, unsigned port, int buffer_size)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	struct client client = {.sent_at = clock_now()};
	char digits[PORT_SIZE];
	int on = 1;

	snprintf(digits, sizeof digits, "%u", port);
	REQUIRE(getaddrinfo(address, digits, &hints, &found) == 0, "%s: no address", address);
	client.socket = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE_CALL(client.socket);
	if (buffer_size > 0) {
		REQUIRE_CALL(setsockopt(
		    client.socket, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof buffer_size));
	}
	if (connect(client.socket, found->ai_addr, found->ai_addrlen) != 0) {
		test_fail("cannot connect to %s port %u: %s", address, port, reason());
	}
	REQUIRE_CALL(setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
	freeaddrinfo(found);
	return client;
}

struct client
client_connect_to(const char *address, unsigned port)
{
	return connect_to(address, port, 0);
}

struct client
client_connect(const struct server *server)
{
	return connect_to("127.0.0.1", server->port, 0);
}

struct client
client_connect_buffered(const struct server *server, int bytes)
{
	return connect_to("127.0.0.1", server->port, bytes);
}

/* Store the time and, for a failure message, the bytes that are about to be sent. */
static void
record_sending(struct client *client, const void *bytes, size_t length)
{
	client->sent_at = clock_now();
	snprintf(client->sent, sizeof client->sent, "%s", bytes_visible(bytes, length));
}

static void
send_all(const struct client *client, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(client->socket, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0) {
			test_fail("cannot send %s: %s", client->sent, reason());
		}
		bytes += sent;
		length -= (size_t)sent;
	}
}

void
client_send_bytes(struct client *client, const void *bytes, size_t length)
{
	record_sending(client, bytes, length);
	send_all(client, bytes, length);
}

struct client
client_connect_in_state(const struct server *server, enum state state)
{
	struct client client = client_connect(server);
	struct bytes commands = {0};
	struct bytes replies = {0};

	for (unsigned step = STATE_CONNECTED; step <= state; step++) {
		bytes_add_string(&commands, steps[step].command);
		bytes_add_string(&replies, steps[step].reply);
	}
	if (commands.length > 0) {
		client_send_bytes(&client, commands.at, commands.length);
	}
	client_expect(&client, replies.at);
	bytes_free(&commands);
	bytes_free(&replies);
	return client;
}

void
client_send(struct client *client, const char *text)
{
	client_send_bytes(client, text, strlen(text));
}

void
client_send_bytewise(struct client *client, const void *bytes, size_t length)
{
	record_sending(client, bytes, length);
	for (size_t i = 0; i < length; i++) {
		send_all(client, (const char *)bytes + i, 1);
	}
}

bool
client_has_input(const struct client *client, double seconds)
{
	struct pollfd source = {.fd = client->socket, .events = POLLIN};

	return poll(&source, 1, (int)(seconds * MILLISECONDS)) != 0;
}

void
client_expect(struct client *client, const char *expected)
{
	size_t length = strlen(expected);
	struct bytes received = {0};
	const char *end = "";
	char block[1024];

	while (received.length < length && end[0] == '\0') {
		size_t missing = length - received.length;
		ssize_t count;

		if (!client_has_input(client, PATIENCE)) {
			end = ", then nothing";
			break;
		}
		count =
		    recv(client->socket, block, missing < sizeof block ? missing : sizeof block, 0);
		if (count > 0) {
			bytes_add(&received, block, (size_t)count);
		} else {
			end = count == 0 ? ", then the end" : ", then an error";
		}
	}
	if (strcmp(bytes_string(&received), expected) != 0) {
		test_fail("after %s: %s%s, instead of %s", client->sent,
		    bytes_visible(bytes_string(&received), received.length), end,
		    bytes_visible(expected, length));
	}
	bytes_free(&received);
}

void
client_command(struct client *client, const char *text, const char *expected)
{
	client_send(client, text);
	client_expect(client, expected);
}

void
client_expect_greeting(const char *address, unsigned port)
{
	struct client client = client_connect_to(address, port);

	client_expect(&client, GREETING);
	client_close(&client);
}

void
client_expect_end(struct client *client)
{
	char block[1024];
	ssize_t received;

	if (!client_has_input(client, PATIENCE)) {
		test_fail("after %s: the server does not end the connection", client->sent);
	}
	received = recv(client->socket, block, sizeof block, 0);
	if (received > 0) {
		test_fail("after %s: %s instead of the end", client->sent,
		    bytes_visible(block, (size_t)received));
	}
	if (received < 0) {
		test_fail("after %s: %s instead of the end", client->sent, reason());
	}
	client_close(client);
}

void
client_expect_silence(struct client *client, double seconds)
{
	char block[1024];
	ssize_t received;

	if (!client_has_input(client, seconds)) {
		return;
	}
	received = recv(client->socket, block, sizeof block, 0);
	test_fail("after %s: %s instead of silence", client->sent,
	    received > 0 ? bytes_visible(block, (size_t)received) : "the end");
}

void
client_begin_message(struct client *client)
{
	client_command(client, "MAIL FROM:a@b\r\n", OK);
	client_command(client, "RCPT TO:c@d\r\n", OK);
	client_command(client, "DATA\r\n", START_DATA);
}

void
client_deliver(struct client *client, const char *body, unsigned number)
{
	char reply[REPLY_STRING_SIZE];

	client_begin_message(client);
	client_send(client, body);
	snprintf(reply, sizeof reply, DELIVERED, number);
	client_command(client, ".\r\n", reply);
}

void
client_half_close(struct client *client)
{
	REQUIRE_CALL(shutdown(client->socket, SHUT_WR));
}

void
client_close(struct client *client)
{
	REQUIRE_CALL(close(client->socket));
	client->socket = -1;
}

void
client_reset(struct client *client)
{
	struct linger abrupt = {.l_onoff = 1, .l_linger = 0};

	REQUIRE_CALL(setsockopt(client->socket, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt));
	client_close(client);
}
