/*
 * threads.h - threads of a test, and waiting for what they do
 */

#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>
#include <stdbool.h>

/* Start a thread; fails if that cannot be done. */
pthread_t threads_start(void *(*work)(void *), void *argument);

/* Wait for its end. */
void threads_join(pthread_t thread);

/*
 * Wait until `predicate(context)` holds, looking again and again with `mutex` held. Fails, naming
 * `what`, after PATIENCE. It is for predicates that are not signalled to a test.
 */
void threads_await(
    const char *what, pthread_mutex_t *mutex, bool (*predicate)(const void *), const void *context);

#endif
