/*
 * signals.h - signals as messages to one thread
 *
 * SIGTERM, SIGINT and SIGHUP ask the server to stop; a second one ends it at once. SIGHUP does not
 * if it was ignored when the server was started. SIGUSR1 asks for a report. No other thread
 * ever sees one of these, and there is no signal handler: what is done in answer may therefore take
 * locks.
 */

#ifndef SIGNALS_H
#define SIGNALS_H

#include <pthread.h>
#include <stdatomic.h>

struct signals {
	void (*stop)(void *context);   /* called once, in the thread */
	void (*report)(void *context); /* called for each SIGUSR1, in the thread */
	void *context;
	pthread_t thread;
	atomic_bool stopping; /* the next signal is only to wake the thread */
};

/*
 * Block the signals above in this thread and all that it starts from now on, and ignore SIGPIPE and
 * SIGXFSZ, whose causes are reported by write() as EPIPE and EFBIG. The main thread, before it
 * starts any other.
 */
void signals_block(void);

/*
 * Start the thread that takes the signals. The first three are set by the caller, all
 * else is zero. Returns 0 or the error number of pthread_create().
 */
int signals_start(struct signals *signals);

/* End the thread. */
void signals_stop(struct signals *signals);

#endif
