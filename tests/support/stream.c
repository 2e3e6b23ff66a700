/*
 * NAME
 *	stream - many pipelined sessions at once
 *
 * DESCRIPTION
 *	Sockets do not block: if a client waited in send() without receiving, a server that waits
 *	until its replies are received would not receive either.
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

#include "clock.h"
#include "fail.h"

#define BLOCK_SIZE 65536

struct stream
stream_open(const struct server *server)
{
	struct client client = client_connect(server);
	struct stream stream = {.socket = client.socket};

	REQUIRE_CALL(fcntl(stream.socket, F_SETFL, O_NONBLOCK));
	return stream;
}

/* Send what the socket accepts; after the last byte, shut down that direction. */
static void
stream_write(struct stream *stream)
{
	ssize_t sent = send(stream->socket, stream->out.at + stream->sent,
	    stream->out.length - stream->sent, MSG_NOSIGNAL);

	if (sent > 0) {
		stream->sent += (size_t)sent;
	} else if (errno != EAGAIN) {
		test_fail("send: error %d after %zu bytes", errno, stream->sent);
	}
	if (stream->sent == stream->out.length) {
		REQUIRE_CALL(shutdown(stream->socket, SHUT_WR));
	}
}

/* Receive what is there. */
static void
stream_read(struct stream *stream)
{
	char block[BLOCK_SIZE];
	ssize_t received = recv(stream->socket, block, sizeof block, 0);

	if (received > 0) {
		bytes_add(&stream->in, block, (size_t)received);
	} else if (received == 0) {
		stream->ended = true;
	} else if (errno != EAGAIN) {
		test_fail("recv: error %d after %zu bytes", errno, stream->in.length);
	}
}

/* Set the events to wait for on each stream. Returns how many streams have not ended. */
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

	REQUIRE(waits != NULL, "out of memory");
	while (prepare(streams, waits, count) > 0) {
		if (poll(waits, count, PATIENCE * MILLISECONDS) <= 0) {
			test_fail("no stream makes progress");
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
	bytes_free(&stream->out);
	bytes_free(&stream->in);
}

struct bytes
converse(const struct server *server, const struct bytes *sent)
{
	struct stream stream = stream_open(server);

	stream.out = *sent;
	streams_run(&stream, 1);
	return stream.in;
}

void
converse_compare(const struct server *server, struct bytes *sent, struct bytes *expected)
{
	struct bytes in = converse(server, sent);

	bytes_assert(bytes_visible(sent->at, sent->length), &in, expected);
	bytes_free(&in);
	bytes_free(sent);
	bytes_free(expected);
}

void
converse_compare_bytewise(const struct server *server, struct bytes *sent, struct bytes *expected)
{
	struct client client = client_connect(server);

	client_send_bytewise(&client, sent->at, sent->length);
	client_half_close(&client);
	client_expect(&client, bytes_string(expected));
	client_expect_end(&client);
	bytes_free(sent);
	bytes_free(expected);
}

void
converse_expect(const struct server *server, const char *sent, const char *expected)
{
	struct bytes out = {0};
	struct bytes replies = {0};

	bytes_add_string(&out, sent);
	bytes_add_string(&replies, expected);
	converse_compare(server, &out, &replies);
}
