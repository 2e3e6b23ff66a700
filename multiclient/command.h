/*
 * command.h - write one command line of a given type
 *
 * Names, addresses and errors are random. oracle_line() computes the reply. A generator and a
 * buffer belong to one thread; `line` is `failed` when memory ran out.
 */

#ifndef MULTICLIENT_COMMAND_H
#define MULTICLIENT_COMMAND_H

#include "buffer.h"
#include "operation.h"
#include "prng.h"

/* Return which of VARIANT_SPACES, _CASE, _BARE_LF and _FULL_LINE a line of `type` can have. */
unsigned command_variants(enum operation_type type);

/*
 * Append a line of `type`, which is of OP_CLASS_COMMAND, with its ending. `variant` is a subset of
 * command_variants(type).
 */
void command_write(
    enum operation_type type, unsigned variant, struct prng *prng, struct buffer *line);

/* Append the beginning of a command, at least one byte, without a line ending. */
void command_write_partial(struct prng *prng, struct buffer *line);

/* Append a short RCPT TO line, which is accepted unless there are too many recipients. */
void command_write_short_rcpt(struct prng *prng, struct buffer *line);

/* Append `length` random printable ASCII characters without spaces. */
void command_write_printable(struct prng *prng, size_t length, struct buffer *line);

#endif
