/*
 * loopback.h - addresses and sockets of 127.0.0.1
 */

#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <netinet/in.h>

/* Return the address of a port of 127.0.0.1. */
struct sockaddr_in loopback_address(unsigned port);

/*
 * Return a TCP socket that is bound to a free port of 127.0.0.1, and store the port; the same for
 * one that listens. execve() closes it. The test fails on error.
 */
int loopback_bind(unsigned *port);
int loopback_listen(unsigned *port);

#endif
