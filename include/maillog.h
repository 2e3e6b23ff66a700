/*
 * maillog.h - log lines for deliveries and sessions (--verbose)
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

/* Format the address of the client on a connected socket as `peer`: "unknown" if that fails. */
void maillog_format_peer(int descriptor, char peer[static ADDRESS_SIZE]);

/*
 * Log the result of a delivery: if `error` is 0, the message is stored under `number`; otherwise it
 * is refused. `size` is the bytes of its record, without the number line.
 */
void maillog_delivery(
    const char *peer, const struct envelope *envelope, size_t size, int error, uint64_t number);

/*
 * Log the end of a session: its reason `ending`, how many messages were delivered and refused, and
 * how long it was.
 */
void maillog_session(const char *peer, const char *ending, unsigned delivered_count,
    unsigned refused_count, nanoseconds duration);

#endif
