/*
 * command.h - write one command line of a given type
 *
 * Names, addresses and mistakes are random. The oracle has the reply. A generator and a
 * buffer belong to one thread.
 */

#ifndef MULTICLIENT_COMMAND_H
#define MULTICLIENT_COMMAND_H

#include "buffer.h"
#include "operation.h"
#include "prng.h"

/* Returns which of VARIANT_SPACES, _CASE, _BARE_LF and _FULL_LINE a line of `type` can have. */
unsigned command_variants(enum operation_type type);

/*
 * Append a line of `type`, which is of OP_CLASS_COMMAND, with its ending. `variant` is a subset of
 * command_variants(type). `line` is `failed` when memory ran out.
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
