/*
 * record.h - the record of a message in the mailbox: convert data to it, recognize it, digest it
 *
 * No state, no I/O; any thread. Source: smtpd(8), PROTOCOL and FILES.
 */

#ifndef MULTICLIENT_RECORD_H
#define MULTICLIENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* A record in the text of a file, into which it points. */
struct record {
	uint64_t number;        /* 0: it has none */
	struct span head, rest; /* before the line of the number, and after it */
};

/*
 * Return how many bytes of `data`, which begins right after the line ending of the DATA command,
 * belong to the message: up to and including its end mark. 0 if the mark is not there.
 */
size_t data_end(struct span data);

/*
 * Append to `body` what is stored of `data`, which ends with its end mark: each CRLF becomes LF,
 * the first dot of a line is removed, and a line like the first of a record gets one more '>'.
 * `scratch` is overwritten. When memory ran out one of the two buffers is `failed`.
 */
void record_body(struct span data, struct buffer *scratch, struct buffer *body);

/*
 * Return whether `line`, without its LF, has the form of the first line of a record of any server,
 * after *marks times '>': >*Received: from .* by .* \(CS4410MP3\)
 */
bool record_is_start(struct span line, size_t *marks);

/*
 * A record without its number, in few bytes: two records that differ have the same digest with a
 * probability of 2^-128. It covers the head, up to and with the LF before "Number: ", and the rest,
 * from right after the LF that ends the line of the number.
 */
struct digest {
	uint64_t words[2];
	uint64_t length; /* bytes of head and rest */
};

/* Compute the digest of a record. */
void record_digest(struct span head, struct span rest, struct digest *digest);

/* Return whether two digests are equal. */
bool record_digest_equal(const struct digest *one, const struct digest *other);

#endif
