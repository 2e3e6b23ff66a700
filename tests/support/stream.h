/*
 * stream.h - many pipelined sessions at once
 */

#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>

#include "client.h"

/* A session whose commands are sent without waiting for the replies. */
struct stream {
	struct bytes out; /* to be sent; after its last byte the sending direction is shut down */
	struct bytes in;  /* all that was received */
	size_t sent;      /* bytes of `out` */
	int socket;
	bool ended; /* end of file received */
};

/* Connect. The caller then appends to `out`. */
struct stream stream_open(const struct server *server);

/*
 * Send and receive until the server has closed all connections, and close the sockets. Fails if
 * there is no progress for PATIENCE, or if a connection ends in an error.
 */
void streams_run(struct stream *streams, size_t count);

/* Free the memory of a stream that has run. */
void stream_free(struct stream *stream);

/*
 * Send these bytes over a new connection, and return all that was received. The caller frees it.
 */
struct bytes converse(const struct server *server, const struct bytes *sent);

/*
 * The same, and compare what was received; the same with every byte in a segment of its own. Both
 * buffers are freed.
 */
void converse_compare(const struct server *server, struct bytes *sent, struct bytes *expected);
void converse_compare_bytewise(
    const struct server *server, struct bytes *sent, struct bytes *expected);

/* The same as converse_compare() for strings. */
void converse_expect(const struct server *server, const char *sent, const char *expected);

#endif
