/*
 * platform.h - what only some systems have; elsewhere each function does nothing or returns -1
 *
 * Other modules use POSIX and what Linux and the BSDs have in common, such as flock().
 */

#ifndef PLATFORM_H
#define PLATFORM_H

#include <sys/types.h>

/*
 * Tune malloc(): one arena for all threads, which seldom allocate, and mmap() for every buffer of
 * more than `mmap_threshold` bytes, so that free() returns it to the system. Does nothing without
 * glibc. The main thread, before it starts any other.
 */
void platform_tune_malloc(int mmap_threshold);

/*
 * Set SCHED_BATCH for this thread and all that it starts: a woken worker then does not preempt the
 * thread that woke it. A policy that was chosen for the process, anything but SCHED_OTHER, is left
 * alone. A failure is ignored. Does nothing on other systems than Linux. The main thread, before it
 * starts any other.
 */
void platform_use_batch_scheduling(void);

/*
 * Set no_new_privs: no program that this process might execute could gain privileges. Does nothing
 * on other systems than Linux. The main thread, before it starts any other.
 */
void platform_forbid_new_privileges(void);

/*
 * Return how many clients wait in the kernel's backlog of a listening TCP socket (its accept
 * queue), or -1 where that cannot be known. Any thread.
 */
int platform_accept_queue_length(int listening_socket);

/*
 * Acknowledge the input of a TCP socket at once (TCP_QUICKACK), instead of up to 40 ms later. A
 * failure is ignored, as on other sockets. Does nothing on other systems than Linux. Any thread.
 */
void platform_acknowledge(int socket);

/*
 * Copy up to `length` bytes from one regular file to another within the kernel (copy_file_range()):
 * on some file systems the two then share the blocks. Returns how many were copied, 0 at the end of
 * `from`, or -1 if it fails, as always where this system call is missing. Any thread.
 */
ssize_t platform_copy_range(int from, off_t from_offset, int to, off_t to_offset, size_t length);

#endif
