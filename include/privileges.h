/*
 * privileges.h - dropping root privileges
 */

#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>

/*
 * Become `user`, for good: its user ID, group ID and supplementary groups. Only root can. The main
 * thread, before any other is started. Returns whether it worked, and logs why not.
 */
bool privileges_drop(const char *user);

#endif
