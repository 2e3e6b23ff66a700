/*
 * platform.h - what only some systems have, each with what is done where it is missing
 *
 * All else in this program is POSIX.
 */

#ifndef PLATFORM_H
#define PLATFORM_H

/*
 * Tune malloc(): one arena for all threads, which seldom allocate, and mmap() for every buffer of
 * more than `mmap_threshold` bytes, so that free() returns it to the system. Does nothing without
 * glibc. The main thread, before it starts any other.
 */
void platform_tune_malloc(int mmap_threshold);

/*
 * Set SCHED_BATCH for all threads started later: a woken worker then does not preempt the thread
 * that woke it. Does nothing if it fails, and on other systems than Linux. The main thread, before
 * it starts any other.
 */
void platform_use_batch_scheduling(void);

/*
 * Return how many clients wait in the kernel's queue of a listening TCP socket, or -1 where that
 * cannot be known. Any thread.
 */
int platform_accept_queue_length(int listening_socket);

#endif
