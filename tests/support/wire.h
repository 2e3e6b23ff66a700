/*
 * wire.h - a client connection with blocking calls and a time limit, for threads
 *
 * Each wire is used by one thread. Unlike client.h, no error ends the program.
 */

#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the longest reply line with a NUL, without its CRLF. */
#define WIRE_LINE_SIZE 511

struct wire {
	int socket;
	size_t start; /* offset in `received` of the first byte not consumed yet */
	size_t end;   /* offset after the last one */
	char received[4096];
};

/* Result of wire_receive(). */
enum wire_line {
	WIRE_LINE,   /* a line was received */
	WIRE_END,    /* end of file */
	WIRE_BROKEN, /* reset, or an invalid line */
	WIRE_TIMEOUT /* no line in time */
};

/* Set the port of all wires and the time limit of a step, before the first wire_open(). */
void wire_prepare(unsigned port, double patience);

/* Connect. Returns false on failure, after a short pause. */
bool wire_open(struct wire *wire);

/* Send all bytes. Returns false if send() fails or times out. */
bool wire_send(struct wire *wire, const void *bytes, size_t length);
bool wire_send_text(struct wire *wire, const char *text);

/* Receive a line, and store it without its CRLF. A line that ends otherwise is WIRE_BROKEN. */
enum wire_line wire_receive(struct wire *wire, char line[static WIRE_LINE_SIZE]);

/* Discard input until the server closes. Returns false if it does not in time. */
bool wire_drain(struct wire *wire);

/* Close; close with RST, which discards unsent and unread bytes. */
void wire_close(struct wire *wire);
void wire_reset(struct wire *wire);

#endif
