/*
 * proc.h - what the kernel knows about a server: proc(5)
 */

#ifndef PROC_H
#define PROC_H

#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* How many descriptors a process has open. */
unsigned proc_descriptors(pid_t process);

/* The lowest limit on descriptors with which a process could open `more` further ones. */
unsigned proc_descriptor_limit(pid_t process, unsigned more);

/* Set a running process's soft limit on a resource (RLIMIT_...), or take it away. */
void proc_limit(pid_t process, unsigned resource, rlim_t limit);
void proc_unlimit(pid_t process, unsigned resource);

/* Bytes of memory that a process occupies now, and at most so far. */
size_t proc_memory(pid_t process);
size_t proc_memory_peak(pid_t process);

/* Seconds of processor time that a process has used. */
double proc_processor_time(pid_t process);

/* Connections to a listening port of 127.0.0.1 that are not accepted yet. */
unsigned proc_backlog(unsigned port);

/*
 * The thread that has read at least that many bytes from files: the one that makes backups. Fails
 * if there is none; returns -1, and says that the test is skipped, if the kernel does not keep
 * count.
 */
pid_t proc_reader(pid_t process, size_t bytes);

/*
 * Wait until somebody listens on a port of 127.0.0.1. For a server that cannot say that it is ready:
 * the kernel's table is looked at again and again, since it cannot be waited for.
 */
void proc_await_listening(unsigned port);

/* How many user and group IDs in a process's status differ from `id`. */
unsigned proc_other_ids(pid_t process, unsigned user, unsigned group);

#endif
