/*
 * BUGS
 *	Where THREAD_STACK_SIZE is not accepted, the thread has the stack that `ulimit -s` gives.
 */

#include "thread.h"

#include "params.h"

int
thread_start(pthread_t *thread, void *(*thread_main)(void *argument), void *argument)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error != 0) {
		return error;
	}
	pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	error = pthread_create(thread, &attributes, thread_main, argument);
	pthread_attr_destroy(&attributes);
	return error;
}
