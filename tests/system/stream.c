/*
 * NAME
 *	stream - many whole conversations at once
 *
 * DESCRIPTION
 *	Sockets do not block, so that neither side can wait for the other to read: a client that
 *	only writes would stop a server whose replies are not read.
 */

#define _GNU_SOURCE

#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"

#define BLOCK_SIZE   65536
#define MILLISECONDS 1000

struct stream
stream_open(const struct server *server)
{
	struct client client = client_connect(server);
	struct stream stream = {.socket = client.socket};

	ck_assert_int_eq(fcntl(stream.socket, F_SETFL, O_NONBLOCK), 0);
	return stream;
}

/* Send what the socket takes; after the last byte, say that there is no more. */
static void
stream_write(struct stream *stream)
{
	ssize_t sent = send(stream->socket, stream->out.bytes + stream->sent,
	    stream->out.length - stream->sent, MSG_NOSIGNAL);

	if (sent > 0) {
		stream->sent += (size_t)sent;
	} else if (errno != EAGAIN) {
		ck_abort_msg("send: error %d after %zu bytes", errno, stream->sent);
	}
	if (stream->sent == stream->out.length) {
		ck_assert_int_eq(shutdown(stream->socket, SHUT_WR), 0);
	}
}

/* Take what has come. */
static void
stream_read(struct stream *stream)
{
	char block[BLOCK_SIZE];
	ssize_t received = recv(stream->socket, block, sizeof block, 0);

	if (received > 0) {
		text_add(&stream->in, block, (size_t)received);
	} else if (received == 0) {
		stream->ended = true;
	} else if (errno != EAGAIN) {
		ck_abort_msg("recv: error %d after %zu bytes", errno, stream->in.length);
	}
}

/* What to wait for on each stream. Returns how many have not ended. */
static unsigned
prepare(const struct stream *streams, struct pollfd *waits, size_t count)
{
	unsigned open = 0;

	for (size_t i = 0; i < count; i++) {
		bool writing = streams[i].sent < streams[i].out.length;

		waits[i].fd = streams[i].ended ? -1 : streams[i].socket;
		waits[i].events = writing ? POLLIN | POLLOUT : POLLIN;
		open += !streams[i].ended;
	}
	return open;
}

void
streams_run(struct stream *streams, size_t count)
{
	struct pollfd *waits = calloc(count, sizeof *waits);

	ck_assert_ptr_nonnull(waits);
	while (prepare(streams, waits, count) > 0) {
		if (poll(waits, count, PATIENCE * MILLISECONDS) <= 0) {
			ck_abort_msg("nothing moves any more");
		}
		for (size_t i = 0; i < count; i++) {
			if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
				stream_read(&streams[i]);
			}
			if ((waits[i].revents & POLLOUT) != 0 && !streams[i].ended) {
				stream_write(&streams[i]);
			}
		}
	}
	free(waits);
	for (size_t i = 0; i < count; i++) {
		close(streams[i].socket);
	}
}

void
stream_free(struct stream *stream)
{
	text_free(&stream->out);
	text_free(&stream->in);
}

struct text
converse(const struct server *server, const struct text *sent)
{
	struct stream stream = stream_open(server);

	stream.out = *sent;
	streams_run(&stream, 1);
	return stream.in;
}

void
converse_compare(const struct server *server, struct text *sent, struct text *expected)
{
	struct text in = converse(server, sent);

	text_assert(
	    text_visible(sent->bytes, sent->length), &in, expected->bytes, expected->length);
	text_free(&in);
	text_free(sent);
	text_free(expected);
}

void
converse_compare_bytewise(const struct server *server, struct text *sent, struct text *expected)
{
	struct client client = client_connect(server);

	client_send_bytewise(&client, sent->bytes, sent->length);
	client_half_close(&client);
	client_expect(&client, text_string(expected));
	client_expect_end(&client);
	text_free(sent);
	text_free(expected);
}

void
converse_expect(const struct server *server, const char *sent, const char *expected)
{
	struct text out = {0};
	struct text replies = {0};

	text_add_string(&out, sent);
	text_add_string(&replies, expected);
	converse_compare(server, &out, &replies);
}
