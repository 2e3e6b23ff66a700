/*
 * maillog.h - log lines for deliveries and sessions (-v)
 *
 * maillog.c has their formats. Bytes of a client outside 0x20-0x7E are replaced by '?', and long
 * fields are cut. Any thread.
 */

#ifndef MAILLOG_H
#define MAILLOG_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "message.h"
#include "monotonic.h"

/* Format the name of the client on a connected socket as `peer`. */
void maillog_format_peer(int descriptor, char peer[static ADDRESS_SIZE]);

/*
 * Log the result of a delivery of `size` bytes: stored under `number` or, if `error` is not 0,
 * refused.
 */
void maillog_delivery(
    const char *peer, const struct envelope *envelope, size_t size, int error, uint64_t number);

/* Log the end of a session, and its reason. */
void maillog_session(const char *peer, const char *ending, unsigned delivered, unsigned refused,
    nanoseconds duration);

#endif
