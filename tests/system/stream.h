/*
 * stream.h - many whole conversations at once
 */

#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>

#include "client.h"

/* A conversation that is sent without regard to the replies, which are gathered meanwhile. */
struct stream {
	struct text out; /* what is to be sent; then the client sends no more */
	struct text in;  /* all that came back */
	size_t sent;
	int socket;
	bool ended; /* by the server */
};

/* Connect. What is to be sent is then added to `out`. */
struct stream stream_open(const struct server *server);

/*
 * Send everything, and read until the server has ended every connection. Fails if nothing moves for
 * PATIENCE, or if a connection ends in an error.
 */
void streams_run(struct stream *streams, size_t count);

/* Release the memory of a stream that has run. */
void stream_free(struct stream *stream);

/*
 * One such conversation on a connection of its own: send these bytes, and return all that came
 * back. The caller frees it.
 */
struct text converse(const struct server *server, const struct text *sent);

/*
 * The same, with what must come back; and once more, with every byte in a segment of its own. Both
 * texts are then freed.
 */
void converse_compare(const struct server *server, struct text *sent, struct text *expected);
void converse_compare_bytewise(
    const struct server *server, struct text *sent, struct text *expected);

/* The same for strings, at once. */
void converse_expect(const struct server *server, const char *sent, const char *expected);

#endif
