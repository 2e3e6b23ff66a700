/*
 * proc.h - state of a process in proc(5)
 */

#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Return the number of open descriptors of a process. */
unsigned proc_descriptors(pid_t process);

/* Return the lowest RLIMIT_NOFILE with which a process could open `more` further descriptors. */
unsigned proc_descriptor_limit(pid_t process, unsigned more);

/* Set a soft limit (RLIMIT_...) of a process, up to the hard limit; raise it to the hard limit. */
void proc_limit(pid_t process, unsigned resource, rlim_t limit);
void proc_unlimit(pid_t process, unsigned resource);

/* Return the resident memory of a process in bytes: now, and its maximum so far. */
size_t proc_memory(pid_t process);
size_t proc_memory_peak(pid_t process);

/* Return the number of threads of a process. */
unsigned proc_threads(pid_t process);

/* Return whether a child has not ended. It is not waited for. */
bool proc_is_running(pid_t child);

/* Return the processor time of a process in seconds. */
double proc_processor_time(pid_t process);

/* Return how many connections to a listening port of 127.0.0.1 are not accepted yet. */
unsigned proc_backlog(unsigned port);

/*
 * Return the thread that has read at least that many bytes from files: the one that makes backups.
 * Fails if there is none; returns -1 if the kernel does not count them.
 */
pid_t proc_reader(pid_t process, size_t bytes);

/*
 * Poll the kernel's table until a socket listens on a port of 127.0.0.1, for a server without a
 * readiness line.
 */
void proc_await_listening(unsigned port);

/* Return how many user and group IDs of a process differ from `user` and `group`. */
unsigned proc_other_ids(pid_t process, unsigned user, unsigned group);

#endif
