/*
 * service.h - systemd socket activation and readiness notification
 *
 * The protocols are those of sd_listen_fds(3) and sd_notify(3), which need no library: environment
 * variables and a datagram. Without a service manager nothing here does anything. For the main
 * thread.
 */

#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>

/*
 * Find the listening sockets that were passed to this process: `*count` descriptors from `*first`
 * on; the count is 0 if LISTEN_PID is not of this process. Returns true; false, having logged why,
 * if LISTEN_FDS is not a number from 1 to SOCKETS_MAX.
 */
bool service_sockets(int *first, unsigned *count);

/*
 * Notify the service manager, if there is one, of a state: "READY=1" or "STOPPING=1". Waits for it
 * for NOTIFY_TIMEOUT at most. A failure is logged.
 */
void service_notify(const char *state);

#endif
