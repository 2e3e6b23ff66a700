/*
 * input_script.h - a fuzz input as a script
 *
 * Any bytes are a script, and a readable text is an interesting one. It begins with three lines
 * of settings. A character chooses a row of a table in input_script.c, '0' is row 0; only the flags
 * in line 1 are letters:
 *
 *	line 1	a character for the server's name and one for the largest body; then the flags in
 *		any order: L if the text may be long, X for ESMTP, with X an A for AUTH
 *	line 2	a character for the size of each chunk in which the text arrives, cyclically for
 *		SCRIPT_CHUNKS chunks; '0', or an empty line: all that the client sends
 *	line 3	a character for the result of each delivery, cyclically; an empty line: all messages
 *		are stored. In fuzz_connection.c, where all are stored, it is the kind of a client.
 *
 * The rest is the text that the clients send. Two bytes in it have a special meaning:
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

/* Chunks of the sizes in line 2; the rest that a client sends is one chunk. */
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
	size_t next_chunk;    /* how often a character of it was taken */
	struct bytes results; /* line 3 */
	size_t next_result;   /* how often a character of it was taken */
	struct bytes text;    /* sent by the clients, with repetitions expanded */
	size_t position;      /* in `text` */
};

/* Remove a line from the front of `*input`. Returns it, in the input, without its line feed. */
struct bytes script_line(const uint8_t **input, size_t *size);

/* Return the character at a position of a line of settings; `otherwise` if it is shorter. */
char script_setting(const struct bytes *line, size_t position, char otherwise);

/* Append the input to `text` with its repetitions expanded, up to `limit` bytes. */
void script_expand(struct bytes *text, const uint8_t *input, size_t size, size_t limit);

/* Parse a script, which points into `input`; free its memory. */
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

/* Return the next character of line 3, as a number: 0 for '0'. */
unsigned script_choice(struct script *script);

/* Return the result of the next delivery that line 3 chooses: 0, or an error number. */
int script_result(struct script *script);

#endif
