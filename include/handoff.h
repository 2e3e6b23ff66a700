/*
 * handoff.h - monitor 1: idle workers, and the connections that wait for one
 *
 * DESIGN
 *	One acceptor (the producer) and up to WORKERS workers (the consumers). One mutex guards all
 *	fields. Two condition variables, each named after its predicate:
 *
 *	worker_idle	 there is an idle worker without a connection to take (pending < idle),
 *			 or the monitor is closed
 *	connection_ready there is a connection to take (pending > 0), or the monitor is closed
 *
 * INVARIANT
 *	0 <= pending <= idle <= WORKERS
 *
 *	Connections that were accepted and not yet taken never outnumber the idle workers, so none
 *	ever waits in this process: the 33rd client stays in the kernel's backlog.
 *
 * PROOF
 *	Initially both are 0. A worker raises `idle` before it waits (pending < idle can only become
 *	true), and lowers both at once when it takes (pending - 1 <= idle - 1). handoff_put() raises
 *	`pending`, and is called only by the one acceptor after handoff_wait_idle() saw pending < idle;
 *	between the two only workers act: they raise `idle`, or lower both, and either keeps
 *	pending < idle. Once closed, nothing raises `pending`, and a worker lowers `idle` alone only
 *	when pending == 0.
 *
 *	No wake-up is lost: the predicate is tested under the mutex before each wait, and each
 *	change that can make one true is made under the mutex and followed by a signal. One signal
 *	is enough: one more connection is for one more worker, there is one acceptor, and closing
 *	wakes all.
 *
 * ABSENT ON PURPOSE
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
	unsigned head;    /* where in the ring the next one to take is */
	bool closed;
	int ring[WORKERS]; /* descriptors */
};

/* Prepare the monitor. Returns 0, or the error number of pthread_cond_init and the like. */
int handoff_init(struct handoff *handoff);

/* Take the monitor apart. No thread may be inside. */
void handoff_destroy(struct handoff *handoff);

/*
 * Wait until a worker is idle and no connection is promised to it. The acceptor's thread only.
 * Returns true, or false if the monitor is closed.
 */
bool handoff_wait_idle(struct handoff *handoff);

/*
 * Hand over a connection. The acceptor's thread only, after handoff_wait_idle() returned true, once
 * for each time. Returns true, and the descriptor belongs to the worker that takes it; or false if
 * the monitor has been closed, and the caller still owns it.
 */
bool handoff_put(struct handoff *handoff, int descriptor);

/*
 * Take the connection that has waited longest, and wait for one if there is none. Workers only.
 * Returns its descriptor, or -1 if the monitor is closed and no connection is left in it.
 */
int handoff_take(struct handoff *handoff);

/* Close the monitor and wake every thread inside. Any thread; not from a signal handler. */
void handoff_close(struct handoff *handoff);

#endif
