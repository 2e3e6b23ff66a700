/*
 * NAME
 *	mail - test messages, their deliveries and the ledger of outcomes
 *
 * DESCRIPTION
 *	No line of a body is a valid command: if DATA is refused, the reply to each is 500.
 */

#include "mail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "loopback.h"
#include "server.h"

/* Limit of concurrent conversations. */
#define AT_ONCE_MAX 16

#define BLOCK_SIZE 65536

#define DECIMAL 10

/* ---- contents ---- */

static size_t
connection_of(size_t identity)
{
	return identity / MAILS_A_CONNECTION;
}

/* Append the body, with `line_end` after each line. */
static void
add_body(struct bytes *text, size_t identity, unsigned lines, const char *line_end)
{
	for (unsigned line = 1; line <= lines; line++) {
		bytes_add_format(text, "line %u of message %zu, which is data and not a command%s",
		    line, identity, line_end);
	}
}

/* Append what a client sends for a message. */
static void
add_input(struct bytes *text, size_t identity, unsigned lines)
{
	bytes_add_format(
	    text, "MAIL FROM:m%zu@fault\r\nRCPT TO:r%zu@fault\r\nDATA\r\n", identity, identity);
	add_body(text, identity, lines, "\r\n");
	bytes_add_string(text, ".\r\n");
}

void
mail_add_record(struct bytes *text, const struct ledger *ledger, size_t identity, uint64_t number)
{
	bytes_add_format(text,
	    "Received: from c%zu by netid (CS4410MP3)\nNumber: %" PRIu64
	    "\nFrom: m%zu@fault\nTo: r%zu@fault\n\n",
	    connection_of(identity), number, identity, identity);
	add_body(text, identity, ledger->mails[identity].lines, "\n");
	bytes_add_string(text, "\n");
}

/* Skip the rest of the line and `start`. Returns NULL if the next line does not begin with it. */
static const char *
next_line(const char *line, const char *start)
{
	const char *end = strchr(line, '\n');

	if (end == NULL || strncmp(end + 1, start, strlen(start)) != 0) {
		return NULL;
	}
	return end + 1 + strlen(start);
}

bool
mail_identify(const char *record, size_t *identity)
{
	const char *at = next_line(record, "Number: ");

	if (at != NULL) {
		at = next_line(at, "From: m");
	}
	if (at == NULL) {
		return false;
	}
	*identity = strtoul(at, NULL, DECIMAL);
	return *identity < MAILS_MAX;
}

/* ---- conversations ---- */

/* Connect. Returns -1 if the server refuses. */
static int
connect_to(unsigned port)
{
	struct sockaddr_in address = loopback_address(port);
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) == -1 ||
	    fcntl(descriptor, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(descriptor, F_SETFL, O_NONBLOCK) == -1) {
		close(descriptor);
		return -1;
	}
	return descriptor;
}

void
conversation_open(struct conversation *conversation, struct ledger *ledger, unsigned port,
    size_t mails, const unsigned lines[])
{
	size_t first;

	*conversation = (struct conversation){.connection = ledger->connections++, .mails = mails};
	if (conversation->connection >= CONNECTIONS_MAX) {
		abort();
	}
	ledger->mails_on[conversation->connection] = mails;
	first = conversation->connection * MAILS_A_CONNECTION;
	bytes_add_format(&conversation->out, "HELO c%zu\r\n", conversation->connection);
	for (size_t i = 0; i < mails; i++) {
		ledger->mails[first + i] = (struct mail){.lines = lines[i]};
		add_input(&conversation->out, first + i, lines[i]);
		conversation->ends[i] = conversation->out.length;
	}
	conversation->socket = connect_to(port);
	conversation->ended = conversation->socket == -1;
}

/* Send as much as the socket accepts; shut down writing after the last byte. */
static void
send_some(struct conversation *conversation)
{
	ssize_t sent = send(conversation->socket, conversation->out.at + conversation->sent,
	    conversation->out.length - conversation->sent, MSG_NOSIGNAL);

	if (sent > 0) {
		conversation->sent += (size_t)sent;
	} else if (errno != EAGAIN) {
		/* Stop sending; replies already sent by the server can still be read. */
		conversation->out.length = conversation->sent;
	}
	if (conversation->sent == conversation->out.length && !conversation->stays) {
		shutdown(conversation->socket, SHUT_WR);
	}
}

/* Receive once. Returns the number of bytes. */
static size_t
receive_some(struct conversation *conversation)
{
	char block[BLOCK_SIZE];
	ssize_t received = recv(conversation->socket, block, sizeof block, 0);

	if (received > 0) {
		bytes_add(&conversation->in, block, (size_t)received);
		return (size_t)received;
	}
	conversation->ended = received == 0 || errno != EAGAIN;
	return 0;
}

/* Prepare the poll() of all conversations. Returns false if all have ended. */
static bool
prepare(const struct conversation conversations[], struct pollfd waits[], size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		const struct conversation *conversation = &conversations[i];
		bool unsent = conversation->sent < conversation->out.length;

		waits[i].fd = conversation->ended ? -1 : conversation->socket;
		waits[i].events = unsent ? POLLIN | POLLOUT : POLLIN;
		any |= !conversation->ended;
	}
	return any;
}

bool
conversations_run(
    struct conversation conversations[], size_t count, const struct kill_trigger *kill_trigger)
{
	struct pollfd waits[AT_ONCE_MAX];
	size_t received = 0;

	while (prepare(conversations, waits, count)) {
		if (poll(waits, count, PATIENCE * MILLISECONDS) <= 0) {
			return false;
		}
		for (size_t i = 0; i < count; i++) {
			if ((waits[i].revents & POLLOUT) != 0) {
				send_some(&conversations[i]);
			}
			if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
				received += receive_some(&conversations[i]);
			}
		}
		if (kill_trigger != NULL && received >= kill_trigger->bytes) {
			kill(kill_trigger->process, SIGKILL);
			kill_trigger = NULL;
		}
	}
	return true;
}

/* ---- replies ---- */

/* Return the next complete line, or NULL at the end. */
static char *
next_reply(char **replies)
{
	char *reply = *replies;
	char *end = strstr(reply, "\r\n");

	if (end == NULL) {
		return NULL;
	}
	*end = '\0';
	*replies = end + 2;
	return reply;
}

/* Skip `count` replies. Each must begin with one of `codes`, which are separated by spaces. */
static void
skip_replies(char **replies, unsigned count, const char *codes, struct bytes *failures)
{
	char *reply;

	while (count-- > 0 && (reply = next_reply(replies)) != NULL) {
		char code[] = {reply[0], reply[1], reply[2], '\0'};

		if (strstr(codes, code) == NULL) {
			bytes_add_format(failures, "unexpected reply %s; ", reply);
		}
	}
}

/* Enter the reply to a complete message. */
static void
enter_result(struct mail *mail, const char *reply, struct bytes *failures)
{
	static const char acknowledged[] = CONTROL_ACKNOWLEDGED;

	if (strncmp(reply, acknowledged, sizeof acknowledged - 1) == 0) {
		mail->outcome = OUTCOME_DELIVERED;
		mail->number = strtoull(reply + sizeof acknowledged - 1, NULL, DECIMAL);
	} else if (strncmp(reply, "451 ", 4) == 0 || strncmp(reply, "452 ", 4) == 0) {
		mail->outcome = OUTCOME_REFUSED;
	} else {
		bytes_add_format(failures, "unexpected reply %s to a message; ", reply);
	}
}

/* Enter the replies to one message. */
static void
enter_mail(struct mail *mail, char **replies, struct bytes *failures)
{
	const char *reply;

	skip_replies(replies, 2, "250 451 503", failures);
	reply = next_reply(replies);
	if (reply == NULL) {
		return;
	}
	if (strncmp(reply, "354 ", 4) == 0) {
		reply = next_reply(replies);
		if (reply != NULL) {
			enter_result(mail, reply, failures);
		}
	} else {
		mail->outcome = OUTCOME_REFUSED;
		/* The server parses the lines and the dot as commands. */
		skip_replies(replies, mail->lines + 1, "500", failures);
	}
}

void
conversation_free(struct conversation *conversation)
{
	if (conversation->socket != -1) {
		close(conversation->socket);
	}
	bytes_free(&conversation->in);
	bytes_free(&conversation->out);
}

void
conversation_close(struct conversation *conversation, struct ledger *ledger, struct bytes *failures)
{
	struct mail *mails = &ledger->mails[conversation->connection * MAILS_A_CONNECTION];
	char *replies;

	bytes_add_string(&conversation->in, "");
	replies = conversation->in.at;
	skip_replies(&replies, 1, "220", failures);
	skip_replies(&replies, 1, "250 451", failures);
	for (size_t i = 0; i < conversation->mails; i++) {
		if (conversation->ends[i] <= conversation->sent) {
			mails[i].outcome = OUTCOME_UNKNOWN;
			enter_mail(&mails[i], &replies, failures);
		}
	}
	conversation_free(conversation);
}

void
mail_send_all(struct ledger *ledger, unsigned port, size_t count, size_t mails,
    const unsigned lines[], const struct kill_trigger *kill_trigger, struct bytes *failures)
{
	struct conversation conversations[AT_ONCE_MAX];

	for (size_t i = 0; i < count; i++) {
		conversation_open(&conversations[i], ledger, port, mails, lines);
	}
	if (!conversations_run(conversations, count, kill_trigger)) {
		bytes_add_string(failures, "the server does not reply; ");
	}
	for (size_t i = 0; i < count; i++) {
		conversation_close(&conversations[i], ledger, failures);
	}
}

void
mail_deliver_one(struct ledger *ledger, unsigned port, struct bytes *failures)
{
	struct conversation conversation;
	const unsigned one_line = 1;
	const struct mail *mail;

	conversation_open(&conversation, ledger, port, 1, &one_line);
	if (!conversations_run(&conversation, 1, NULL)) {
		bytes_add_string(failures, "the server does not answer the next message; ");
	}
	mail = &ledger->mails[conversation.connection * MAILS_A_CONNECTION];
	conversation_close(&conversation, ledger, failures);
	if (mail->outcome != OUTCOME_DELIVERED) {
		bytes_add_string(failures, "the next message is not delivered; ");
	}
}
