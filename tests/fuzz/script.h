/*
 * script.h - a fuzz input read as a script
 *
 * Any bytes are a script, and a readable text is an interesting one. It begins with three lines
 * of settings, each character of which chooses a row of a table in script.c (so '0' is row 0):
 *
 *	line 1	the server's name; the largest body; then an 'L' if the text may be
 *		long, and an 'X' for ESMTP
 *	line 2	sizes of the pieces in which the text arrives, over and over for SCRIPT_PIECES pieces;
 *		'0' or none: all
 *	line 3	what becomes of each message that is delivered, over and over; none: it is stored
 *		(in fuzz_connection.c, where all are stored, what is special about each client)
 *
 * The rest is what clients send. In it, two bytes are not meant literally:
 *
 *	0x1D		this client leaves, and the next one comes
 *	0x1E C H L	the last 256 x H + L bytes are repeated C times
 */

#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Between two clients. */
#define SCRIPT_NEXT_CLIENT 0x1D

/* Pieces of the size that line 2 says; what is left then comes at once. */
#define SCRIPT_PIECES 512

/* Bytes that a text may have after its repetitions: as a rule, and in a long script. */
#define SCRIPT_TEXT_MAX      12288
#define SCRIPT_LONG_TEXT_MAX 81920

struct script {
	const char *netid;
	size_t max_size;      /* bytes of a body */
	bool extended;        /* protocol */
	struct bytes pieces;  /* line 2 */
	size_t next_piece;    /* which of them is next */
	struct bytes results; /* line 3 */
	size_t next_result;
	struct bytes text; /* what the clients send, repetitions carried out */
	size_t position;   /* in `text` */
};

/* Cut a line off the front of `*input`, without its line feed. It points into the input. */
struct bytes script_line(const uint8_t **input, size_t *size);

/* The character at a position of a line of settings, or `otherwise` if the line is shorter. */
char script_setting(const struct bytes *line, size_t position, char otherwise);

/* Append the input to `text` with its repetitions carried out, as far as `limit` bytes. */
void script_expand(struct bytes *text, const uint8_t *input, size_t size, size_t limit);

/* Begin a script; give back its memory. */
void script_begin(struct script *script, const uint8_t *input, size_t size);
void script_end(struct script *script);

/* The name that the server gives itself if a character chooses it. */
const char *script_netid(char choice);

/*
 * Whether there is one more client. Then script_piece() is asked for what it sends, until that
 * returns NULL: `*length` bytes, at least 1, that live as long as the script.
 */
bool script_has_client(const struct script *script);
const char *script_piece(struct script *script, size_t *length);

/* The next character of line 3, as a number from 0. */
unsigned script_choice(struct script *script);

/* What becomes of the next message: 0, or an error number. */
int script_result(struct script *script);

#endif
