/*
 * spell.h - writes one command line of a given kind, with names, addresses and mistakes at random.
 * Knows how a line looks, not what it is answered. One chance and buffer belong to one thread.
 */

#ifndef MULTICLIENT_SPELL_H
#define MULTICLIENT_SPELL_H

#include "buffer.h"
#include "chance.h"
#include "kind.h"

/* Which of HOW_SPACES, HOW_CASE, HOW_BARE_LF and HOW_FULL_LINE a line of `kind` can have. */
unsigned spell_hows(enum kind kind);

/*
 * Add a line of `kind`, which is of FAMILY_COMMAND, with its ending. `how` is a part of
 * spell_hows(kind). `line` is `failed` when memory ran out.
 */
void spell_line(enum kind kind, unsigned how, struct chance *chance, struct buffer *line);

/* Add the beginning of a command, at least one byte, without a line ending. */
void spell_half_line(struct chance *chance, struct buffer *line);

/* Add a short RCPT TO line that must be accepted as long as there is room. */
void spell_short_rcpt(struct chance *chance, struct buffer *line);

/* Add `length` consecutive printable ASCII characters. */
void spell_printable(struct chance *chance, size_t length, struct buffer *line);

#endif
