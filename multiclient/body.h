/*
 * body.h - write the data of one message as sent, with its end mark
 *
 * The oracle says what is stored. A generator and a buffer belong to one thread.
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

/* Add the beginning of some message, at least one byte, short of its end mark's last. */
void body_write_partial(const char *netid, struct prng *prng, struct buffer *data);

#endif
