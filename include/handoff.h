/*
 * handoff.h - monitor 1: idle workers, and connections on their way to one
 *
 * DESIGN
 *	One acceptor (the producer: the main thread) and up to WORKERS workers (the consumers). One
 *	mutex guards all fields. Each condition variable is named after its predicate:
 *
 *	worker_idle	 pending < idle: there is an idle worker without a connection to take; or
 *			 the monitor is closed (the acceptor waits)
 *	connection_ready pending > 0: there is a connection to take; or the monitor is closed (the
 *			 workers wait)
 *
 *	With ESMTP a worker may serve an idle client for long, but not while another client waits
 *	for a worker. So the acceptor, before it waits on worker_idle, makes sure that a client is
 *	in the backlog, and sets `wanted`: this is the request for a worker. A worker whose client
 *	is idle too long claims the request, ends its client and returns to handoff_take().
 *
 * INVARIANT
 *	0 <= pending <= idle <= WORKERS
 *	wanted implies pending == idle and not closed
 *
 *	So an accepted connection never waits for a worker to become idle: the 33rd client stays in
 *	the backlog of the kernel. And a worker is requested only while no worker is free.
 *
 * TRANSITIONS
 *	init		 idle = pending = 0, not wanted.
 *	take, enter	 a worker: idle + 1, not wanted. Each worker is inside handoff_take() at
 *			 most once, and there are at most WORKERS of them, so idle <= WORKERS;
 *			 pending <= idle still holds.
 *	take, leave	 a worker with a connection: pending - 1 and idle - 1, so pending <= idle
 *			 and pending == idle hold still if they held before. A worker without one,
 *			 only after close, when pending == 0 and nothing is wanted: idle - 1, and
 *			 idle >= 0 because this worker was counted in it.
 *	want		 the acceptor, in handoff_wait_idle(): wanted, only if pending == idle and
 *			 not closed, and once in each call, before it waits for the first time. So
 *			 at most one client is ended for each that waits.
 *	claim		 a worker: not wanted.
 *	put		 the acceptor: pending + 1. It alone puts, at most once after
 *			 each handoff_wait_idle() that returned true, which saw pending < idle, so
 *			 not wanted. In between only workers act: "take, enter" and "take, leave"
 *			 both keep pending < idle.
 *	close		 not wanted; idle and pending do not change; no connection is put, and
 *			 nothing is wanted, afterwards.
 *
 * NO WAKE-UP IS LOST
 *	Each predicate is tested under the mutex before each wait, and each transition that can make
 *	it true ("take, enter": worker_idle; put: connection_ready; close: both) is followed by a
 *	signal. One signal is enough, because one connection is for one worker and there is one
 *	acceptor; close broadcasts. No thread waits for `wanted`: workers test it from time to time.
 *
 * LEFT OUT ON PURPOSE
 *	A queue longer than the pool, and any order among idle workers.
 */

#ifndef HANDOFF_H
#define HANDOFF_H

#include <pthread.h>
#include <stdbool.h>

#include "params.h"

struct handoff {
	pthread_mutex_t mutex;
	pthread_cond_t worker_idle;
	pthread_cond_t connection_ready;
	unsigned idle;    /* workers inside handoff_take() */
	unsigned pending; /* connections in the ring */
	unsigned head;    /* index in the ring of the next one to take */
	bool wanted;      /* a worker is requested, and no worker has claimed the request yet */
	bool closed;
	int ring[WORKERS]; /* descriptors */
};

/*
 * Initialize the monitor. Returns 0, or the error number of pthread_mutex_init() or
 * pthread_cond_init().
 */
int handoff_init(struct handoff *handoff);

/* Destroy the monitor. No thread may be inside. */
void handoff_destroy(struct handoff *handoff);

/*
 * Return whether a worker is idle and has no connection to take. If so, this holds until
 * handoff_put() or handoff_close(). The acceptor's thread only.
 */
bool handoff_has_idle(struct handoff *handoff);

/*
 * Wait until a worker is idle and has no connection to take. If there is no such worker yet,
 * request one (`wanted`), once: a client must be in the backlog then. The acceptor's thread only.
 * Returns true, or false if the monitor is closed.
 */
bool handoff_wait_idle(struct handoff *handoff);

/*
 * Hand over a connection. The acceptor's thread only, at most once after each time that
 * handoff_wait_idle() returned true. Returns true, and the descriptor belongs to the worker that
 * takes it; or false if the monitor has been closed, and the caller still owns it.
 */
bool handoff_put(struct handoff *handoff, int descriptor);

/*
 * Take the oldest connection; wait for one if there is none. Workers only.
 * Returns its descriptor, or -1 if the monitor is closed and no connection is left in it.
 */
int handoff_take(struct handoff *handoff);

/*
 * Claim the request for a worker (`wanted`), if there is one: then no other worker can claim it,
 * and there is no request until the next handoff_wait_idle(). Returns whether there was one; the
 * caller must then end its connection soon, and return to handoff_take(). Workers only, outside
 * handoff_take().
 */
bool handoff_claim_wanted(struct handoff *handoff);

/*
 * Close the monitor and wake every thread inside. If it is closed already, this changes nothing.
 * Any thread; not from a signal handler.
 */
void handoff_close(struct handoff *handoff);

#endif
