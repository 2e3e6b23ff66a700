/*
 * NAME
 *	pool - the worker threads
 *
 * DESCRIPTION
 *	A worker finishes one connection before it takes the next, and is the only one to close it.
 */

#include "pool.h"

#include <unistd.h>

#include "thread.h"

static void *
worker_main(void *argument)
{
	struct worker *worker = argument;
	int descriptor;

	while ((descriptor = handoff_take(worker->handoff)) != -1) {
		worker->serve(worker->context, descriptor);
		close(descriptor);
	}
	return NULL;
}

int
pool_start(struct pool *pool, struct handoff *handoff, serve_function *serve,
    void *contexts[static WORKERS])
{
	int error = 0;

	for (pool->started_count = 0; error == 0 && pool->started_count < WORKERS;) {
		struct worker *worker = &pool->workers[pool->started_count];

		worker->handoff = handoff;
		worker->serve = serve;
		worker->context = contexts[pool->started_count];
		error = thread_start(&worker->thread, worker_main, worker);
		if (error == 0) {
			pool->started_count++;
		}
	}
	return error;
}

void
pool_join(struct pool *pool)
{
	for (unsigned i = 0; i < pool->started_count; i++) {
		pthread_join(pool->workers[i].thread, NULL);
	}
	pool->started_count = 0;
}
