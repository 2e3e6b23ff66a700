/*
 * wire.h - one TCP connection to the server, blocking, with deadlines. Belongs to one thread.
 * Nothing here raises SIGPIPE.
 */

#ifndef MULTICLIENT_WIRE_H
#define MULTICLIENT_WIRE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reply.h"

/* Room for what arrived and was not yet consumed: more than all replies to any one exchange. */
#define WIRE_ROOM 32768

struct wire {
	int descriptor;          /* -1: closed */
	const atomic_bool *stop; /* when it becomes true, waiting ends */
	size_t begin, end;       /* what is unread: in[begin..end) */
	int64_t silent; /* a moment at which what arrived last had surely not arrived yet */
	char in[WIRE_ROOM];
};

enum wire_event {
	WIRE_ARRIVED, /* there are more unread bytes than before */
	WIRE_END,     /* end of file */
	WIRE_LATE,    /* nothing until the deadline */
	WIRE_ERROR,   /* errno says what */
	WIRE_STOPPED  /* `stop` became true */
};

/* Where the server is. */
struct address {
	struct sockaddr_storage socket;
	socklen_t length;
};

/* A closed wire. `stop` must outlive it. */
void wire_begin(struct wire *wire, const atomic_bool *stop);

/*
 * Connect within `patience` nanoseconds, which is from then on also the longest that a send may
 * take. False with errno set if that fails; the wire is then closed.
 */
bool wire_open(struct wire *wire, const struct address *address, int64_t patience);

/*
 * Send bytes, all of them. False with errno set if the server is gone, or takes nothing for the
 * patience given to wire_open() (EAGAIN).
 */
bool wire_send(struct wire *wire, struct span bytes);

/* Wait until something arrives, or until `deadline`, a moment. The room must not be full. */
enum wire_event wire_receive(struct wire *wire, int64_t deadline);

/* As wire_receive(), for short waits: ends within a millisecond of the deadline. */
enum wire_event wire_wait(struct wire *wire, int64_t deadline);

/* What arrived and is not yet consumed; valid until the next call. Consume some of it. */
struct span wire_unread(const struct wire *wire);
void wire_consume(struct wire *wire, size_t length);

/* Tell the server that no more will be sent. Errors do not matter: the next receive sees them. */
void wire_half_close(struct wire *wire);

/* Close, if open: with FIN, or with RST and no word. */
void wire_close(struct wire *wire);
void wire_reset(struct wire *wire);

#endif
