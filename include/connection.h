/*
 * connection.h - one client's socket: input in batches, replies, deadlines, the end
 */

#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "mailbox.h"
#include "maillog.h"
#include "monotonic.h"
#include "params.h"
#include "session.h"

/* What all connections have in common; not changed while any is being served. */
struct connection_config {
	const char *netid;
	enum protocol protocol;
	size_t max_size;             /* bytes of a message body, as stored */
	nanoseconds timeout;         /* T: until a client that does nothing is told 421 */
	bool verbose;                /* log each session and delivery */
	struct mailbox *mailbox;     /* where messages go */
	const atomic_bool *stopping; /* the server is to end: tell the clients 421 */
};

/* All that a worker needs to serve a client. Used again for its next one. */
struct connection {
	const struct connection_config *config;
	int socket;
	bool peer_gone;               /* nothing that we send arrives any more */
	bool progressed;              /* the client has earned time, not yet given to it */
	nanoseconds deadline;         /* when the client is told 421 */
	nanoseconds message_deadline; /* in the data phase: when even if it never pauses */
	nanoseconds receive_timeout;  /* what SO_RCVTIMEO is set to */
	unsigned delivered;           /* messages of this client */
	unsigned refused;             /* and those that were not stored */
	nanoseconds started;          /* when its session did; if verbose */
	char peer[MAILLOG_PEER_SIZE]; /* its name; if verbose */
	struct session session;
	char input[INPUT_SIZE];
};

/*
 * Prepare a connection for its first client. `rules` must outlive it. One thread uses it at a time.
 */
void connection_init(struct connection *connection, const struct connection_config *config);

/* Give back all memory. */
void connection_destroy(struct connection *connection);

/*
 * Serve the client on `descriptor`, a connected stream socket, from the greeting to the end: it
 * left, said QUIT, was too slow, does not read, has sent too many commands that move nothing
 * forward, or the server is stopping. The descriptor stays open.
 * Matches serve_function: `context` is a struct connection. Nothing is returned, because whatever
 * happens concerns this client only.
 */
void connection_serve(void *context, int descriptor);

#endif
