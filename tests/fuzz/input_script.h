/*
 * input_script.h - a fuzz input as a script
 *
 * Any bytes are a script, and a readable text is an interesting one. It begins with three lines
 * of settings, each character of which chooses a row of a table in input_script.c (so '0' is row
 * 0):
 *
 *	line 1	the server's name; the largest body; then an 'L' if the text may be
 *		long, an 'X' for ESMTP, and an 'A' for AUTH
 *	line 2	sizes of the chunks in which the text arrives, cyclically for SCRIPT_CHUNKS chunks;
 *		'0' or none: all
 *	line 3	the result of each delivery, cyclically; none: the message is stored
 *		(in fuzz_connection.c, where all are stored, the kind of each client)
 *
 * The rest is sent by the clients. Two bytes in it have a special meaning:
 *
 *	0x1D		this client closes, and the next one connects
 *	0x1E C H L	the last 256 x H + L bytes are repeated C times
 */

#ifndef INPUT_SCRIPT_H
#define INPUT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Between two clients. */
#define SCRIPT_NEXT_CLIENT 0x1D

/* Chunks of the sizes in line 2; the rest is one chunk. */
#define SCRIPT_CHUNKS 512

/* Bytes that a text may have after its repetitions: as a rule, and in a long script. */
#define SCRIPT_TEXT_MAX      12288
#define SCRIPT_LONG_TEXT_MAX 81920

struct script {
	const char *netid;
	size_t max_size;      /* bytes of a body */
	bool extended;        /* protocol */
	bool any_login;       /* AUTH is accepted */
	struct bytes chunks;  /* line 2 */
	size_t next_chunk;    /* which of them is next */
	struct bytes results; /* line 3 */
	size_t next_result;
	struct bytes text; /* sent by the clients, with repetitions expanded */
	size_t position;   /* in `text` */
};

/* Remove a line from the front of `*input`. Returns it, in the input, without its line feed. */
struct bytes script_line(const uint8_t **input, size_t *size);

/* Return the character at a position of a line of settings; `otherwise` if it is shorter. */
char script_setting(const struct bytes *line, size_t position, char otherwise);

/* Append the input to `text` with its repetitions expanded, up to `limit` bytes. */
void script_expand(struct bytes *text, const uint8_t *input, size_t size, size_t limit);

/* Initialize a script; free its memory. */
void script_init(struct script *script, const uint8_t *input, size_t size);
void script_destroy(struct script *script);

/* Return the server name that a character chooses. */
const char *script_netid(char choice);

/*
 * Return whether there is one more client. script_chunk() then returns the next bytes that it
 * sends, `*length` of them and at least 1, valid as long as the script; NULL at the end.
 */
bool script_has_client(const struct script *script);
const char *script_chunk(struct script *script, size_t *length);

/* Return the next character of line 3, as a number from 0. */
unsigned script_choice(struct script *script);

/* Return the result of the next delivery: 0, or an error number. */
int script_result(struct script *script);

#endif
