/*
 * output.h - the replies of one connection that are not sent yet
 *
 * One thread at a time.
 */

#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "params.h"
#include "reply.h"

struct output {
	const char *netid;
	size_t length; /* bytes in `bytes` */
	/* OUTPUT_SIZE bytes of replies, and space for a final one. */
	char bytes[OUTPUT_SIZE + REPLY_SIZE];
};

/* Initialize an empty output. `netid`, at most NETID_MAX printable characters, must outlive it. */
void output_init(struct output *output, const char *netid);

/* Discard all replies. */
void output_clear(struct output *output);

/*
 * Add a reply line, with the netid if the reply inserts that. Not if output_is_full(), except one
 * final REPLY_TIMEOUT or REPLY_SHUTTING_DOWN.
 */
void output_add(struct output *output, enum reply reply);

/* Add a reply line; `insert`, of `length` bytes, is used as reply_format() says. */
void output_add_with(struct output *output, enum reply reply, const char *insert, size_t length);

/* Insert such a line at `offset`, before the replies that are there. */
void output_insert(
    struct output *output, size_t offset, enum reply reply, const char *insert, size_t length);

/*
 * Return whether a line of REPLY_SIZE bytes might not fit, if `reserved` bytes are to be inserted
 * later.
 */
bool output_is_full(const struct output *output, size_t reserved);

/* Remove the first `length` bytes, which were sent. */
void output_sent(struct output *output, size_t length);

#endif
