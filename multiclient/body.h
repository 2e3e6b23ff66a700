/*
 * body.h - writes the data of one message as it travels, with its end mark. What of it is stored
 * is for the oracle to say. One chance and buffer belong to one thread.
 */

#ifndef MULTICLIENT_BODY_H
#define MULTICLIENT_BODY_H

#include "buffer.h"
#include "operation.h"
#include "prng.h"

/*
 * Add the data of a message of `kind`, which is of OP_CLASS_BODY: it ends with its end mark, and has
 * none before. Forged records name the server `netid`. `data` is `failed` when memory ran out.
 */
void body_write(
    enum operation_type type, const char *netid, struct prng *prng, struct buffer *data);

/* Add the beginning of some message, at least one byte, short of its end mark's last. */
void body_write_partial(const char *netid, struct prng *prng, struct buffer *data);

#endif
