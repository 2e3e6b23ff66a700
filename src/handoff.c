/*
 * NAME
 *	handoff - monitor 1: idle workers, and connections on their way to one
 *
 * DESCRIPTION
 *	See handoff.h for the design, the invariant and its proof.
 *
 * DIAGNOSTICS
 *	Only the init functions can fail: the mutex is valid, and its owner alone unlocks it.
 */

#include "handoff.h"

int
handoff_init(struct handoff *handoff)
{
	int error;

	*handoff = (struct handoff){.closed = false};
	error = pthread_mutex_init(&handoff->mutex, NULL);
	if (error == 0) {
		error = pthread_cond_init(&handoff->worker_idle, NULL);
	}
	if (error == 0) {
		error = pthread_cond_init(&handoff->connection_ready, NULL);
	}
	return error;
}

void
handoff_destroy(struct handoff *handoff)
{
	pthread_cond_destroy(&handoff->connection_ready);
	pthread_cond_destroy(&handoff->worker_idle);
	pthread_mutex_destroy(&handoff->mutex);
}

bool
handoff_has_idle(struct handoff *handoff)
{
	bool has_idle;

	pthread_mutex_lock(&handoff->mutex);
	has_idle = handoff->pending < handoff->idle;
	pthread_mutex_unlock(&handoff->mutex);
	return has_idle;
}

bool
handoff_wait_idle(struct handoff *handoff)
{
	bool open;

	pthread_mutex_lock(&handoff->mutex);
	handoff->wanted = !handoff->closed && handoff->pending == handoff->idle;
	while (!handoff->closed && handoff->pending == handoff->idle) {
		pthread_cond_wait(&handoff->worker_idle, &handoff->mutex);
	}
	open = !handoff->closed;
	pthread_mutex_unlock(&handoff->mutex);
	return open;
}

bool
handoff_put(struct handoff *handoff, int descriptor)
{
	bool open;

	pthread_mutex_lock(&handoff->mutex);
	open = !handoff->closed;
	if (open) {
		handoff->ring[(handoff->head + handoff->pending) % WORKERS] = descriptor;
		handoff->pending++;
	}
	pthread_mutex_unlock(&handoff->mutex);
	/* Signal after unlocking, so that the woken worker does not block on the mutex. */
	pthread_cond_signal(&handoff->connection_ready);
	return open;
}

int
handoff_take(struct handoff *handoff)
{
	int descriptor = -1;

	pthread_mutex_lock(&handoff->mutex);
	handoff->idle++;
	handoff->wanted = false;
	pthread_cond_signal(&handoff->worker_idle);
	while (!handoff->closed && handoff->pending == 0) {
		pthread_cond_wait(&handoff->connection_ready, &handoff->mutex);
	}
	if (handoff->pending > 0) {
		descriptor = handoff->ring[handoff->head];
		handoff->head = (handoff->head + 1) % WORKERS;
		handoff->pending--;
	}
	handoff->idle--;
	pthread_mutex_unlock(&handoff->mutex);
	return descriptor;
}

bool
handoff_claim_wanted(struct handoff *handoff)
{
	bool claimed;

	pthread_mutex_lock(&handoff->mutex);
	claimed = handoff->wanted;
	handoff->wanted = false;
	pthread_mutex_unlock(&handoff->mutex);
	return claimed;
}

void
handoff_close(struct handoff *handoff)
{
	pthread_mutex_lock(&handoff->mutex);
	handoff->closed = true;
	handoff->wanted = false;
	pthread_cond_broadcast(&handoff->worker_idle);
	pthread_cond_broadcast(&handoff->connection_ready);
	pthread_mutex_unlock(&handoff->mutex);
}
