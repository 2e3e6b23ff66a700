/*
 * cursor.h - the words of a command line
 *
 * A cursor is the part of a line that is not parsed yet, or a word of it. No state; any thread.
 */

#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>
#include <stddef.h>

struct cursor {
	const char *at;  /* its first byte */
	const char *end; /* the byte after its last one */
};

/* Return whether a byte is white space: SP or HT. */
bool is_white(char byte);

/* Return whether a byte is an ASCII letter or digit. */
bool is_alphanumeric(char byte);

/* Remove the white space at the beginning, or at the end. */
void cursor_skip_white(struct cursor *cursor);
void cursor_trim_end(struct cursor *cursor);

/*
 * Skip `word` in any letter case, and the white space after it. The word must end at white space,
 * at the end of the line or, if `colon_may_follow`, at a colon, which is not skipped. Returns
 * whether the word was found; otherwise nothing is skipped.
 */
bool cursor_skip_word(struct cursor *cursor, const char *word, bool colon_may_follow);

/*
 * Skip a word, which ends at white space or at the end, and the white space after it. Returns the
 * word.
 */
struct cursor cursor_next_word(struct cursor *cursor);

/* Return the count of bytes. */
size_t cursor_length(const struct cursor *text);

/* Return whether the text is `word`, in any letter case. */
bool cursor_is_word(const struct cursor *text, const char *word);

/* Return whether all bytes are in 0x21-0x7E: printable, and not white space. */
bool cursor_is_graphic(const struct cursor *text);

#endif
