/*
 * client.h - plays the script of one connection to the server, and believes nothing that comes
 * back.
 */

#ifndef MULTICLIENT_CLIENT_H
#define MULTICLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "ledger.h"
#include "mismatch.h"
#include "script.h"
#include "stats.h"
#include "transcript.h"

/* What all drivers of a run share. Constant while they run, but for the monitors and atomics. */
struct context {
	struct config config;
	struct address address;
	int64_t timeout;               /* the server's T, in nanoseconds */
	int64_t patience;              /* how long a reply may take, in nanoseconds */
	atomic_bool stop;              /* end soon: somebody asked for it */
	atomic_int_least64_t progress; /* the moment of the last reply to anybody */
	struct ledger ledger;
	struct mismatch_log mismatch_log;
};

struct client {
	struct context *context; /* borrowed */
	size_t connection;       /* from 0 */
	pthread_t thread;
	struct script script;
	struct exchange exchange;
	struct conn conn;
	struct transcript transcript;
	struct stats stats; /* belongs to the thread until it has ended */
	/* The server began to wait for us at a moment from `low` to `high`. */
	int64_t low, high;
	int64_t started_at;    /* when the sending of this exchange began */
	int64_t sent;          /* when it was done */
	uint64_t number;       /* the last message number of this connection */
	unsigned lost_replies; /* replies that did not come */
	/* For who shows progress: */
	atomic_uint_least64_t done, wrong;
	atomic_int_least64_t busy_until; /* a moment before which this connection cannot be done */
};

/* Make a driver for connection number `connection`, from 0. `context` must outlive it. */
void client_init(struct client *client, struct context *context, size_t connection);

/* The thread: plays the whole script, or until `context->stop`. `driver` is a struct driver. */
void *client_main(void *client);

/* Give back its memory, after the thread has ended or without there having been one. */
void client_destroy(struct client *client);

#endif
