/*
 * conn.h - one TCP connection to the server, blocking, with deadlines. Belongs to one thread.
 * Nothing here raises SIGPIPE.
 */

#ifndef MULTICLIENT_CONN_H
#define MULTICLIENT_CONN_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "buffer.h"

/* Space for what arrived and was not yet consumed: more than all replies to any one exchange. */
#define CONN_BUFFER_SIZE 32768

struct conn {
	int descriptor;          /* -1: closed */
	const atomic_bool *stop; /* when it becomes true, waiting ends */
	size_t begin, end;       /* what is unread: in[begin..end) */
	int64_t last_empty_read; /* last time at which a receive found nothing */
	char in[CONN_BUFFER_SIZE];
};

enum conn_event {
	CONN_DATA,    /* there are more unread bytes than before */
	CONN_EOF,     /* end of file */
	CONN_TIMEOUT, /* nothing until the deadline */
	CONN_ERROR,   /* errno is set */
	CONN_STOPPED  /* `stop` became true */
};

/* Where the server is. */
struct address {
	struct sockaddr_storage socket;
	socklen_t length;
};

/* Initialize a closed connection. `stop` must outlive it. */
void conn_init(struct conn *conn, const atomic_bool *stop);

/*
 * Connect within `patience` nanoseconds, which is from then on also the longest that a send may
 * take. Returns false with errno set on failure; the connection is then closed.
 */
bool conn_open(struct conn *conn, const struct address *address, int64_t patience);

/*
 * Send all bytes. Returns false with errno set if the server is gone, or does not read for the
 * patience given to conn_open() (EAGAIN).
 */
bool conn_send(struct conn *conn, struct span bytes);

/* Wait until something arrives, or until the time `deadline`. The space must not be full. */
enum conn_event conn_receive(struct conn *conn, int64_t deadline);

/* As conn_receive(), for short waits: ends within a millisecond of the deadline. */
enum conn_event conn_wait_short(struct conn *conn, int64_t deadline);

/* Return what arrived and is not consumed yet, valid until the next call; consume some of it. */
struct span conn_unread(const struct conn *conn);
void conn_consume(struct conn *conn, size_t length);

/* Shut down the sending side. Errors do not matter: the next receive shows them. */
void conn_half_close(struct conn *conn);

/* Close, if open: with FIN, or with RST. */
void conn_close(struct conn *conn);
void conn_reset(struct conn *conn);

#endif
