/*
 * listener.h - the listening socket
 *
 * All functions belong to the main thread, except listener_stop() and listener_backlog(). Each logs
 * its failure.
 */

#ifndef LISTENER_H
#define LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "address.h"

struct listener {
	int socket;
	atomic_bool stopped; /* accept no more */
	int wake_pipe[2];    /* a byte in it ends every wait */
	bool accept_failing; /* accept() has not worked since it last failed, and that was logged */
	char name[ADDRESS_SIZE]; /* HOST:PORT as bound */
};

/*
 * Bind a TCP socket to `host` (an address or a name, IPv4 or IPv6) and `port` (decimal; 0 takes a
 * free one). Clients cannot connect yet. Returns true; false, having logged why, on failure.
 */
bool listener_bind(struct listener *listener, const char *host, const char *port);

/*
 * Use `descriptor`, a listening TCP socket passed by a service manager, instead of binding one.
 * Returns whether it is that.
 */
bool listener_adopt(struct listener *listener, int descriptor);

/* Let clients connect: they wait in the kernel's backlog. Returns whether it worked. */
bool listener_listen(struct listener *listener);

/*
 * Wait for a client. Returns the descriptor of its connection, or -1 once listener_stop() was
 * called, or if the listening socket itself has failed.
 *
 * A connection that was lost while it waited is passed over. If descriptors or memory run out, or
 * the network fails, it is logged once, and tried again every ACCEPT_RETRY_MILLISECONDS until it
 * works.
 */
int listener_accept(struct listener *listener);

/* Make listener_accept() return -1, now and from now on. Any thread. */
void listener_stop(struct listener *listener);

/* Return how many clients wait in the kernel's backlog; -1 if that cannot be known. Any thread. */
int listener_backlog(const struct listener *listener);

/* Close the listening socket. The kernel resets the connections in its backlog. */
void listener_close(struct listener *listener);

/* Close the rest. No thread may call listener_stop() any more. */
void listener_destroy(struct listener *listener);

#endif
