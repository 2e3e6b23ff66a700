/*
 * service.h - systemd socket activation and readiness notification
 *
 * The protocols are those of sd_listen_fds(3) and sd_notify(3), which need no library: environment
 * variables and a datagram. Without a service manager nothing here does anything. For the main
 * thread.
 */

#ifndef SERVICE_H
#define SERVICE_H

/* What service_socket() returns when there is none. */
#define SERVICE_NO_SOCKET (-1)

/*
 * Return the descriptor of the listening socket that was passed to this process, or
 * SERVICE_NO_SOCKET.
 */
int service_socket(void);

/*
 * Tell the service manager, if there is one, how things are: "READY=1" or "STOPPING=1". What cannot
 * be told is logged.
 */
void service_notify(const char *state);

#endif
