/*
 * record.h - converts SMTP data to the record in the mailbox. Pure: no I/O, any thread.
 * Source: smtpd(8), PROTOCOL and FILES.
 */

#ifndef MULTICLIENT_RECORD_H
#define MULTICLIENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/*
 * Return how many bytes of `data`, which begins right after the line ending of the DATA command,
 * belong to the message: up to and including its end mark. 0 if the mark is not there.
 */
size_t data_end(struct span data);

/*
 * Add to `body` what is stored for `data`, which ends with its end mark: line ends turned to LF,
 * the first dot of a line dropped, and one more '>' before what could be taken for a record's head.
 * `scratch` is overwritten. Either buffer is `failed` when memory ran out.
 */
void record_body(struct span data, struct buffer *scratch, struct buffer *body);

/*
 * Whether `line`, without its LF, is a record's first line with `marks` times '>' in front:
 * >*Received: from .* by .* \(CS4410MP3\), whatever the netid
 */
bool record_is_start(struct span line, size_t *marks);

/*
 * A record without its number, in few bytes: two records that differ have different digests, but
 * for one chance in 2^128. What is compared is the head, up to and with the LF before "Number: ",
 * and the rest, from right after the LF that ends the number.
 */
struct digest {
	uint64_t words[2];
	uint64_t length; /* bytes of head and rest */
};

void record_digest(struct span head, struct span rest, struct digest *digest);
bool record_digest_equal(const struct digest *one, const struct digest *other);

#endif
