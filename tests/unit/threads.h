/*
 * threads.h - threads of a test, and waits for their state
 */

#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>
#include <stdbool.h>

/* Start a thread. Fails on error. */
pthread_t threads_start(void *(*work)(void *), void *argument);

/* Wait for the end of a thread. */
void threads_join(pthread_t thread);

/*
 * Poll until `predicate(context)` is true with `mutex` held. Fails with `what` after PATIENCE. For
 * predicates that no condition variable signals to the test.
 */
void threads_await(
    const char *what, pthread_mutex_t *mutex, bool (*predicate)(const void *), const void *context);

#endif
