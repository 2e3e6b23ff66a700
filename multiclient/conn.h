/*
 * conn.h - one TCP connection to the server, blocking, with deadlines
 *
 * Belongs to one thread. No function raises SIGPIPE. Times are those of monotonic_now().
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

/* Bytes of space for what is not consumed yet: more than all replies to one exchange. */
#define CONN_BUFFER_SIZE 32768

struct conn {
	int descriptor;          /* -1: closed */
	const atomic_bool *stop; /* when it becomes true, waiting ends */
	size_t begin, end;       /* what is unread: in[begin..end) */
	int64_t last_empty_read; /* when the open, or the last recv() that found nothing, began */
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

/*
 * Receive at least one byte by `deadline`, or up to POLL_INTERVAL_MS later. There must be space:
 * consume first. Returns what has happened.
 */
enum conn_event conn_receive(struct conn *conn, int64_t deadline);

/* Do the same, but end within a millisecond of the deadline, at the cost of a poll(). */
enum conn_event conn_receive_precise(struct conn *conn, int64_t deadline);

/* Return the bytes received and not consumed yet, which are valid until the next receive. */
struct span conn_unread(const struct conn *conn);

/* Remove the first `length` unread bytes. */
void conn_consume(struct conn *conn, size_t length);

/* Shut down the sending side. If that fails, the next receive returns the error. */
void conn_half_close(struct conn *conn);

/* Close, if open: with FIN, or with RST. */
void conn_close(struct conn *conn);
void conn_reset(struct conn *conn);

#endif
