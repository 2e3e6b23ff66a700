/*
 * socket_io.h - send to one client, wait for it, and close its connection
 *
 * Part of the connection module: called by its thread, on the fields of struct connection.
 */

#ifndef SOCKET_IO_H
#define SOCKET_IO_H

#include <stdbool.h>

#include "connection.h"
#include "monotonic.h"

/* Set SO_RCVTIMEO to `duration`. Returns false on failure: then recv() must not be called. */
bool socket_set_receive_timeout(struct connection *connection, nanoseconds duration);

/* Return whether recv() or send() failed only because it would have waited or was interrupted. */
bool socket_should_retry(int error);

/*
 * Send as much of the replies as the socket takes at once. If the client is gone, they are
 * discarded. Returns whether replies are left to be sent.
 */
bool socket_try_send(struct connection *connection);

/* Wait until the socket is writable, at most `duration`. */
void socket_wait_writable(const struct connection *connection, nanoseconds duration);

/*
 * Send the last replies, shut down the sending side, and drain the input: close() with unread input
 * would send RST, and the client could lose the replies. Sending and draining take at most
 * LINGER_TIME each. The descriptor stays open.
 */
void socket_lingering_close(struct connection *connection);

/* Make close() send RST, so that the kernel discards the replies that the client does not read. */
void socket_reset_on_close(const struct connection *connection);

#endif
