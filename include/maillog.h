/*
 * maillog.h - the operator's view of sessions and deliveries, a line each
 *
 *	TIME PEER what happened ...
 *
 * TIME is UTC, in the form of RFC 3339. What a client sent is in it only as far as it is printable
 * ASCII, and cut. Any thread.
 */

#ifndef MAILLOG_H
#define MAILLOG_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "monotonic.h"

/* Space for the name of a client: an address and a port. */
#define MAILLOG_PEER_SIZE 64

/* Write the name of the client on a connected socket to `peer`. */
void maillog_format_peer(int descriptor, char peer[static MAILLOG_PEER_SIZE]);

/*
 * Say what became of a message of `size` bytes: stored under `number`, or refused if `error` is an
 * error number and not 0.
 */
void maillog_delivery(
    const char *peer, const struct envelope *envelope, size_t size, int error, uint64_t number);

/* Say that a session has come to its end, and why. */
void maillog_session(const char *peer, const char *ending, unsigned delivered, unsigned refused,
    nanoseconds duration);

#endif
