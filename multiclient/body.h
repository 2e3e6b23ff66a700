/*
 * body.h - write the data of one message as it is sent, with its end mark
 *
 * oracle_message() computes what is stored of it. A generator and a buffer belong to one thread.
 */

#ifndef MULTICLIENT_BODY_H
#define MULTICLIENT_BODY_H

#include "buffer.h"
#include "operation.h"
#include "prng.h"

/*
 * Append the data of a message of `type`, which is of OP_CLASS_BODY: it ends with its end mark, and
 * has none before. Forged records name the server `netid`. `data` is `failed` when memory ran out.
 */
void body_write(
    enum operation_type type, const char *netid, struct prng *prng, struct buffer *data);

/*
 * Append the beginning of a message of a random type: at least one byte, and at least one byte less
 * than the whole. `data` is `failed` when memory ran out.
 */
void body_write_partial(const char *netid, struct prng *prng, struct buffer *data);

#endif
