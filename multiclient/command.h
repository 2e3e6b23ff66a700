/*
 * command.h - writes one command line of a given kind, with names, addresses and mistakes at random.
 * Knows how a line looks, not what it is answered. One chance and buffer belong to one thread.
 */

#ifndef MULTICLIENT_COMMAND_H
#define MULTICLIENT_COMMAND_H

#include "buffer.h"
#include "operation.h"
#include "prng.h"

/* Which of VARIANT_SPACES, VARIANT_CASE, VARIANT_BARE_LF and VARIANT_FULL_LINE a line of `kind` can have. */
unsigned command_variants(enum operation_type type);

/*
 * Add a line of `kind`, which is of OP_CLASS_COMMAND, with its ending. `how` is a part of
 * command_variants(kind). `line` is `failed` when memory ran out.
 */
void command_write(
    enum operation_type type, unsigned variant, struct prng *prng, struct buffer *line);

/* Add the beginning of a command, at least one byte, without a line ending. */
void command_write_partial(struct prng *prng, struct buffer *line);

/* Add a short RCPT TO line that must be accepted as long as there is space. */
void command_write_short_rcpt(struct prng *prng, struct buffer *line);

/* Add `length` consecutive printable ASCII characters. */
void command_write_printable(struct prng *prng, size_t length, struct buffer *line);

#endif
