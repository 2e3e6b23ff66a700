/*
 * rlimit.h - the resource limits that the process inherits, set to what it needs
 */

#ifndef RLIMIT_H
#define RLIMIT_H

#include <stdbool.h>

/*
 * Raise the limit of open descriptors (RLIMIT_NOFILE) to DESCRIPTORS_NEEDED, if it is lower, and
 * forbid core dumps (RLIMIT_CORE), which would hold mail. Returns true; false, having logged why,
 * if the hard limit does not allow as many descriptors. The main thread, before it drops
 * privileges. Source: setrlimit(2).
 */
bool rlimit_set(void);

#endif
