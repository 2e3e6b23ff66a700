/*
 * wire.h - a client's connection, in blocking steps that all end in time
 *
 * A wire belongs to one thread.
 */

#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

/* Longest reply line, without its CRLF, and a NUL. */
#define WIRE_LINE_SIZE 511

struct wire {
	int socket;
	size_t start; /* of what was received and not looked at yet */
	size_t end;
	char received[4096];
};

/* What became of waiting for a line. */
enum wire_line {
	WIRE_LINE,   /* it came */
	WIRE_END,    /* the server has closed */
	WIRE_BROKEN, /* the connection was reset */
	WIRE_TIMEOUT /* nothing came for as long as there is patience */
};

/* Where all wires lead, and the seconds that any step may take. Before the first. */
void wire_prepare(unsigned port, double patience);

/* Connect. Returns false, having waited a moment, if that is not possible now. */
bool wire_open(struct wire *wire);

/* Send all of it. Returns false if the server has gone, or takes nothing more. */
bool wire_send(struct wire *wire, const void *bytes, size_t length);
bool wire_send_text(struct wire *wire, const char *text);

/* Wait for a line; it goes to `line` without its CRLF. A line that has none is a fault. */
enum wire_line wire_receive(struct wire *wire, char line[static WIRE_LINE_SIZE]);

/* Wait until the server closes, whatever else comes. Returns false if it does not. */
bool wire_drain(struct wire *wire);

/* Close, by a reset if `abruptly`. */
void wire_close(struct wire *wire, bool abruptly);

/* Seconds on the monotonic clock; wait for some of them. */
double wire_now(void);
void wire_wait(double seconds);

#endif
