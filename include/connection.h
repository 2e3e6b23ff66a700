/*
 * connection.h - one client's socket: input, replies, deadlines, orderly close
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

/* The configuration of all connections; constant while any of them is served. */
struct connection_config {
	const char *netid;
	enum protocol protocol;
	size_t max_size;          /* bytes of a message body, as stored */
	nanoseconds timeout;      /* T: a client without progress gets a 421 after it */
	nanoseconds idle_time;    /* or after this, if it is longer and no worker is requested */
	nanoseconds message_time; /* for a message, if it is longer than MESSAGE_TIMEOUTS * T */
	/*
	 * Claim the request for a worker. Returns whether there was one. NULL: there is never one.
	 */
	bool (*claim_wanted)(void *context);
	void *context;               /* of claim_wanted() */
	bool verbose;                /* log each session and delivery */
	struct mailbox *mailbox;     /* for the messages */
	const atomic_bool *stopping; /* the server stops: send 421 to all clients */
};

/* The state of one connection. A worker reuses it for its next client. */
struct connection {
	const struct connection_config *config;
	int socket;
	bool peer_gone;            /* sending failed: discard further replies */
	bool acknowledge;          /* the input has no reply yet: see DESCRIPTION of connection.c */
	bool progressed;           /* progress since the deadline was last extended */
	nanoseconds deadline;      /* when the 421 is sent if a worker is requested */
	nanoseconds last_deadline; /* when it is sent in any case; not before `deadline` */
	nanoseconds message_deadline; /* upper limit of both in the data phase */
	nanoseconds last_receive;     /* when recv() was last called, or the session started */
	nanoseconds receive_timeout;  /* the current SO_RCVTIMEO; 0 before the first */
	unsigned delivered_count;     /* messages of this client that were stored */
	unsigned refused_count;       /* and that were not */
	nanoseconds started;          /* when the session started; only if verbose */
	char peer[ADDRESS_SIZE];      /* the client's address; only if verbose */
	struct session session;
	char input[INPUT_SIZE];
};

/* Initialize a connection for its first client. `config` must outlive it. One thread at a time. */
void connection_init(struct connection *connection, const struct connection_config *config);

/* Free all memory. */
void connection_destroy(struct connection *connection);

/*
 * Serve the client on `descriptor`, a connected stream socket, from the greeting to the end: the
 * client closes, sends QUIT or an HTTP request, times out, does not read its replies or sends too
 * many junk commands, or the server stops. The descriptor stays open: the pool closes it.
 * Has the type serve_function: `context` is a struct connection. Returns nothing, because every
 * error concerns this client alone.
 */
void connection_serve(void *context, int descriptor);

#endif
