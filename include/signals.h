/*
 * signals.h - signals as messages to one thread
 *
 * The first SIGTERM, SIGINT or SIGHUP stops the server, a second one kills it. SIGHUP stays ignored
 * if it was ignored when the server was started. SIGUSR1 requests a report. These signals are
 * blocked in all threads, and one thread takes them with sigwait(): there is no signal handler, so
 * that the callbacks may take locks.
 */

#ifndef SIGNALS_H
#define SIGNALS_H

#include <pthread.h>
#include <stdatomic.h>

struct signals {
	void (*on_stop)(void *context);   /* called once, in the thread */
	void (*on_report)(void *context); /* called for each SIGUSR1, in the thread */
	void *context;
	pthread_t thread;
	atomic_bool ending; /* the thread is to end: the next signal only wakes it */
};

/*
 * Block the signals above in this thread and all that it starts from now on, and ignore SIGPIPE and
 * SIGXFSZ, whose causes are reported by write() as EPIPE and EFBIG. The main thread, before it
 * starts any other.
 */
void signals_block(void);

/*
 * Start the thread that takes the signals. The caller has set `on_stop`, `on_report` and `context`,
 * and all else to zero. The main thread, after signals_block(). Returns 0 or the error number of
 * thread_start().
 */
int signals_start(struct signals *signals);

/* End the thread and join it. The main thread. */
void signals_join(struct signals *signals);

#endif
