/*
 * privileges.h - dropping root privileges
 */

#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>

/*
 * Become `user`, for good: its user ID, group ID and supplementary groups. Only root can. The main
 * thread, before any other is started. Returns true; false, having logged why, on failure.
 */
bool privileges_drop(const char *user);

/* Log a warning if the process runs as root. */
void privileges_warn(void);

#endif
