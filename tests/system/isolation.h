/*
 * isolation.h - a test that needs the machine to be otherwise than it is
 *
 * What these functions change is seen by this test and the programs that it starts from then on, by
 * no other process, and ends with them. Each returns false, and says that the test is skipped, where the
 * machine does not allow it: the test should then return.
 */

#ifndef ISOLATION_H
#define ISOLATION_H

#include <stdbool.h>
#include <sys/types.h>

/* Mount an empty file system of that many bytes, in memory, on a directory. */
bool isolation_small_disk(const char *directory, size_t bytes);

/* Give that file system another size. */
void isolation_enlarge_disk(const char *directory, size_t bytes);

/* Have a network of one's own, in which only the loopback addresses exist and every port is free.
 */
bool isolation_network(void);

/*
 * Stop one thread of a program started by this test wherever it is, and let it go on. The program
 * must not end of itself in between.
 */
bool isolation_freeze(pid_t thread);
void isolation_thaw(pid_t thread);

/* Wait for the end of a frozen thread whose process was ended. */
void isolation_reap(pid_t thread);

#endif
