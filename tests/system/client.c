/*
 * NAME
 *	client - one client, one step at a time
 *
 * DESCRIPTION
 *	Reads never take more than was expected, so whatever comes besides is found by the next step
 *	or by client_expect_end(). Every segment leaves at once (TCP_NODELAY).
 */

#include "client.h"

#include <check.h>
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

#define MILLISECONDS 1000

/* Decimal digits of a port, and a NUL. */
#define PORT_SIZE 6

/* What each state needs, after the one before it. */
static const struct {
	const char *command;
	const char *reply;
} steps[STATES] = {
    [STATE_CONNECTED] = {"", BANNER},
    [STATE_GREETED] = {"HELO client\r\n", HELO_OK},
    [STATE_MAIL] = {"MAIL FROM: a@b\r\n", OK},
    [STATE_RCPT] = {"RCPT TO: c@d\r\n", OK},
    [STATE_DATA] = {"DATA\r\n", START_DATA},
};

/* What strerror() says, in this only thread. */
static const char *
reason(void)
{
	return strerror(errno); /* NOLINT(concurrency-mt-unsafe) */
}

/* Connect with a receive buffer of `narrow` bytes, or of the usual size if that is 0. */
static struct client
connect_to(const char *address, unsigned port, int narrow)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	struct client client = {.asked = clock_now()};
	char digits[PORT_SIZE];
	int on = 1;

	snprintf(digits, sizeof digits, "%u", port);
	ck_assert_int_eq(getaddrinfo(address, digits, &hints, &found), 0);
	client.socket = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ne(client.socket, -1);
	if (narrow > 0) {
		ck_assert_int_eq(
		    setsockopt(client.socket, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof narrow), 0);
	}
	if (connect(client.socket, found->ai_addr, found->ai_addrlen) != 0) {
		ck_abort_msg("cannot connect to %s port %u: %s", address, port, reason());
	}
	ck_assert_int_eq(setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
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
client_connect_narrow(const struct server *server, int bytes)
{
	return connect_to("127.0.0.1", server->port, bytes);
}

/* Keep what is sent for messages, and when that began. */
static void
note_sending(struct client *client, const void *bytes, size_t length)
{
	client->asked = clock_now();
	snprintf(client->sent, sizeof client->sent, "%s", text_visible(bytes, length));
}

static void
send_all(const struct client *client, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(client->socket, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0) {
			ck_abort_msg("cannot send %s: %s", client->sent, reason());
		}
		bytes += sent;
		length -= (size_t)sent;
	}
}

void
client_send_bytes(struct client *client, const void *bytes, size_t length)
{
	note_sending(client, bytes, length);
	send_all(client, bytes, length);
}

struct client
client_connect_in_state(const struct server *server, enum state state)
{
	struct client client = client_connect(server);
	struct text commands = {0};
	struct text replies = {0};

	for (unsigned step = STATE_CONNECTED; step <= state; step++) {
		text_add_string(&commands, steps[step].command);
		text_add_string(&replies, steps[step].reply);
	}
	if (commands.length > 0) {
		client_send_bytes(&client, commands.bytes, commands.length);
	}
	client_expect(&client, replies.bytes);
	text_free(&commands);
	text_free(&replies);
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
	note_sending(client, bytes, length);
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
	struct text heard = {0};
	const char *end = "";
	char block[1024];

	while (heard.length < length && end[0] == '\0') {
		size_t missing = length - heard.length;
		ssize_t received;

		if (!client_has_input(client, PATIENCE)) {
			end = ", then nothing";
			break;
		}
		received =
		    recv(client->socket, block, missing < sizeof block ? missing : sizeof block, 0);
		if (received > 0) {
			text_add(&heard, block, (size_t)received);
		} else {
			end = received == 0 ? ", then the end" : ", then an error";
		}
	}
	if (strcmp(text_string(&heard), expected) != 0) {
		ck_abort_msg("after %s: %s%s, instead of %s", client->sent,
		    text_visible(text_string(&heard), heard.length), end,
		    text_visible(expected, length));
	}
	text_free(&heard);
}

void
client_command(struct client *client, const char *text, const char *expected)
{
	client_send(client, text);
	client_expect(client, expected);
}

void
client_expect_end(struct client *client)
{
	char block[1024];
	ssize_t received;

	if (!client_has_input(client, PATIENCE)) {
		ck_abort_msg("after %s: the server does not end the connection", client->sent);
	}
	received = recv(client->socket, block, sizeof block, 0);
	if (received > 0) {
		ck_abort_msg("after %s: %s instead of the end", client->sent,
		    text_visible(block, (size_t)received));
	}
	if (received < 0) {
		ck_abort_msg("after %s: %s instead of the end", client->sent, reason());
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
	ck_abort_msg("after %s: %s instead of silence", client->sent,
	    received > 0 ? text_visible(block, (size_t)received) : "the end");
}

void
client_deliver(struct client *client, const char *body, unsigned number)
{
	char reply[REPLY_SIZE];

	client_command(client, "MAIL FROM:a@b\r\n", OK);
	client_command(client, "RCPT TO:c@d\r\n", OK);
	client_command(client, "DATA\r\n", START_DATA);
	client_send(client, body);
	snprintf(reply, sizeof reply, DELIVERED, number);
	client_command(client, ".\r\n", reply);
}

void
client_half_close(struct client *client)
{
	ck_assert_int_eq(shutdown(client->socket, SHUT_WR), 0);
}

void
client_close(struct client *client)
{
	ck_assert_int_eq(close(client->socket), 0);
	client->socket = -1;
}

void
client_reset(struct client *client)
{
	struct linger abrupt = {.l_onoff = 1, .l_linger = 0};

	ck_assert_int_eq(
	    setsockopt(client->socket, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt), 0);
	client_close(client);
}
