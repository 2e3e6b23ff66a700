/*
 * usage.h - processor time and memory of all processes of a session, from /proc
 */

#ifndef USAGE_H
#define USAGE_H

#include <sys/types.h>

/*
 * Return the processor time of a session in seconds: of all threads of its processes, and of the
 * children that they have waited for. That of the leader is exact, the rest is in ticks of the
 * system.
 */
double usage_time(pid_t session);

/*
 * Return a sum over the processes of a session in KiB: of the numbers that follow `name`, for
 * example "VmHWM:", in the file /proc/PID/`file`.
 */
unsigned long usage_kib(pid_t session, const char *file, const char *name);

#endif
