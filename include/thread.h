/*
 * thread.h - start a thread with a stack of a known size
 */

#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>

/*
 * Start a thread that runs `thread_main(argument)`, on a stack of THREAD_STACK_SIZE bytes, whatever
 * `ulimit -s` says. Returns 0 with the thread, which must be joined, in `thread`; or the error
 * number of pthread_attr_init() or pthread_create().
 */
int thread_start(pthread_t *thread, void *(*thread_main)(void *argument), void *argument);

#endif
