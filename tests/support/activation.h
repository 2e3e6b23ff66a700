/*
 * activation.h - what a service manager gives to a program, see sd_listen_fds(3) and sd_notify(3)
 *
 * These functions are called in the child that then executes the program. They return false on
 * error.
 */

#ifndef ACTIVATION_H
#define ACTIVATION_H

#include <stdbool.h>

/* The descriptor of the first passed socket. */
#define ACTIVATION_DESCRIPTOR 3

/* The most sockets that are passed. */
#define ACTIVATION_SOCKETS_MAX 4

/* Pass these listening sockets, and set LISTEN_FDS and LISTEN_PID. */
bool activation_pass(const int sockets[], unsigned count);

/* Set NOTIFY_SOCKET; an abstract address begins with '@'. */
bool activation_set_notify(const char *address);

#endif
