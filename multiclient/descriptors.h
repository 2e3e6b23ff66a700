/*
 * descriptors.h - the standard descriptors of this process, and how many it may have
 *
 * To be used before any thread is started.
 */

#ifndef MULTICLIENT_DESCRIPTORS_H
#define MULTICLIENT_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Open /dev/null for each of the descriptors 0 to 2 that is closed: otherwise a connection could
 * become standard error. To read or write them remains an error, EBADF. Returns false, having
 * reported why, if /dev/null cannot be opened.
 */
bool descriptors_open_standard(void);

/*
 * Raise RLIMIT_NOFILE, within its hard limit, so that there is one descriptor for each connection.
 * Returns false, having reported why, if the hard limit is lower; the report begins with
 * `option`, which needs so many.
 */
bool descriptors_raise_limit(const char *option, size_t connections);

#endif
