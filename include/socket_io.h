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

/* Return whether this error means that the call would have had to wait, or was interrupted. */
bool socket_would_block(int error);

/*
 * Send as much of the replies as the socket takes at once. If the client is gone, they are
 * discarded. Returns whether replies are left to be sent.
 */
bool socket_try_send(struct connection *connection);

/* Wait until the socket is writable, at most `duration`. */
void socket_wait_writable(const struct connection *connection, nanoseconds duration);

/*
 * Send the last replies, shut down the sending side, and drain the input, each for at most
 * LINGER_TIME: close() with unread input would send RST, and the client could lose the replies.
 */
void socket_lingering_close(struct connection *connection);

/* Make close() send RST, so that the kernel discards the unread replies. */
void socket_reset_on_close(const struct connection *connection);

#endif
