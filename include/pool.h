/*
 * pool.h - the worker threads: each takes a connection, serves it, closes it, and takes the next
 */

#ifndef POOL_H
#define POOL_H

#include <pthread.h>

#include "handoff.h"
#include "params.h"

/* Serves a connection to its end. The pool closes the descriptor afterwards. */
typedef void serve_function(void *context, int descriptor);

struct worker {
	struct handoff *handoff;
	serve_function *serve;
	void *context;
	pthread_t thread;
};

struct pool {
	struct worker workers[WORKERS];
	unsigned started_count; /* workers to be joined */
};

/*
 * Start WORKERS threads. Worker number i calls serve(contexts[i], descriptor) for each connection
 * that it takes from `handoff`; contexts[i] is used by no other thread. The pool and the contexts
 * must stay where they are until pool_join().
 *
 * Returns 0, or the error number of thread_start(): then fewer are running. Unless the process
 * exits, pool_join() must be called in either case.
 */
int pool_start(struct pool *pool, struct handoff *handoff, serve_function *serve,
    void *contexts[static WORKERS]);

/* Wait until every worker has ended, which they do once `handoff` is closed. */
void pool_join(struct pool *pool);

#endif
