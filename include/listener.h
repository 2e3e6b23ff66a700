/*
 * listener.h - the listening sockets
 *
 * All functions belong to the main thread, except listener_stop() and listener_backlog().
 */

#ifndef LISTENER_H
#define LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "address.h"
#include "log.h"
#include "params.h"

struct listening_socket {
	int descriptor;
	char name[ADDRESS_SIZE]; /* HOST:PORT as bound */
};

struct listener {
	struct listening_socket sockets[SOCKETS_MAX];
	unsigned count;         /* of sockets */
	unsigned next;          /* index of the socket to be tried first */
	atomic_bool stopped;    /* accept no more */
	int wake_pipe[2];       /* a byte in it ends every wait */
	struct log_fault fault; /* of accept() */
};

/*
 * Bind a TCP socket to each address of each of `count` hosts (an address, in brackets or not, or a
 * name; IPv4 or IPv6) and `port` (decimal; 0 takes a free one, the same for all). An address of a
 * name that this machine does not have is passed over if there is another. Clients cannot connect
 * yet. Returns true; false, having logged why, on failure; then the process must exit.
 */
bool listener_bind(
    struct listener *listener, const char *const *hosts, unsigned count, const char *port);

/*
 * Use `count` descriptors from `first` on, 1 to SOCKETS_MAX listening TCP sockets passed by a
 * service manager, instead of binding any. Returns true; false, having logged why, on failure, also
 * if one is no such socket; then the process must exit.
 */
bool listener_adopt(struct listener *listener, int first, unsigned count);

/*
 * Let clients connect: they wait in the kernel's backlog. Returns true; false, having logged why,
 * on failure.
 */
bool listener_listen(struct listener *listener);

/*
 * Wait until a client is in a backlog, listener_stop() was called, or a socket has failed. Accepts
 * nothing. Returns nothing: listener_accept() reports every error.
 */
void listener_wait(const struct listener *listener);

/*
 * Wait for a client. Returns the descriptor of its connection; or -1 once listener_stop() was
 * called, or, having logged why, if a listening socket itself has failed.
 *
 * A connection that was lost while it waited is passed over. If descriptors or memory run out, or
 * the network fails, accept() is tried again every ACCEPT_RETRY_MILLISECONDS until it works. This
 * is logged as a struct log_fault.
 */
int listener_accept(struct listener *listener);

/* End listener_wait(), and make listener_accept() return -1, now and from now on. Any thread. */
void listener_stop(struct listener *listener);

/*
 * Return how many clients wait in the kernel's backlogs; -1 if that cannot be known, as after
 * listener_close(). Any thread.
 */
int listener_backlog(const struct listener *listener);

/* Close the listening sockets. The kernel resets the connections in their backlogs. */
void listener_close(const struct listener *listener);

/* Close the wake pipe. No thread may call listener_stop() any more. */
void listener_destroy(struct listener *listener);

#endif
