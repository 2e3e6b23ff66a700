/*
 * driver.h - plays the script of one connection to the server, and believes nothing that comes
 * back.
 */

#ifndef MULTICLIENT_DRIVER_H
#define MULTICLIENT_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "complaint.h"
#include "journal.h"
#include "ledger.h"
#include "script.h"
#include "tally.h"
#include "wire.h"

/* What all drivers of a run share. Constant while they run, but for the monitors and atomics. */
struct context {
	struct terms terms;
	struct address address;
	int64_t timeout;               /* the server's T, in nanoseconds */
	int64_t patience;              /* how long a reply may take, in nanoseconds */
	atomic_bool stop;              /* end soon: somebody asked for it */
	atomic_int_least64_t progress; /* the moment of the last reply to anybody */
	struct ledger ledger;
	struct complaints complaints;
};

struct driver {
	struct context *context; /* borrowed */
	size_t connection;       /* from 0 */
	pthread_t thread;
	struct script script;
	struct exchange exchange;
	struct wire wire;
	struct journal journal;
	struct tally tally; /* belongs to the thread until it has ended */
	/* The server began to wait for us at a moment from `low` to `high`. */
	int64_t low, high;
	int64_t begun;    /* when the sending of this exchange began */
	int64_t sent;     /* when it was done */
	uint64_t number;  /* the last message number of this connection */
	unsigned strikes; /* replies that did not come */
	/* For who shows progress: */
	atomic_uint_least64_t done, wrong;
	atomic_int_least64_t waits_until; /* a moment before which this connection cannot be done */
};

/* Make a driver for connection number `connection`, from 0. `context` must outlive it. */
void driver_begin(struct driver *driver, struct context *context, size_t connection);

/* The thread: plays the whole script, or until `context->stop`. `driver` is a struct driver. */
void *driver_run(void *driver);

/* Give back its memory, after the thread has ended or without there having been one. */
void driver_release(struct driver *driver);

#endif
