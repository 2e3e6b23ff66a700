/*
 * isolation.h - a changed environment for one test, and a stopped thread
 *
 * The changes apply to this test and the programs that it starts afterwards, and end with them. A
 * function of type bool returns false and reports a skipped test if they are not permitted: the
 * test should then return.
 */

#ifndef ISOLATION_H
#define ISOLATION_H

#include <stdbool.h>
#include <sys/types.h>

/* Mount an empty tmpfs of that many bytes on a directory. */
bool isolation_small_disk(const char *directory, size_t bytes);

/* Change the size of that file system to that many bytes. */
void isolation_enlarge_disk(const char *directory, size_t bytes);

/* Enter a network namespace: only the loopback addresses exist, and every port is free. */
bool isolation_network(void);

/* Enter a namespace of processes: the next program that is started is process 1 there. */
bool isolation_processes(void);

/*
 * Stop one thread of a program started by this test, with ptrace(2); continue it. If the program
 * has ended in between, call isolation_reap() instead of isolation_thaw().
 */
bool isolation_freeze(pid_t thread);
void isolation_thaw(pid_t thread);

/* Wait for the end of a stopped thread whose process ends. */
void isolation_reap(pid_t thread);

#endif
