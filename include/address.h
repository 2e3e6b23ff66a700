/*
 * address.h - socket addresses as text
 */

#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Bytes of an address as text: a numeric IPv6 address with its zone, brackets and a port. */
#define ADDRESS_SIZE 80

/*
 * Format an IPv4 or IPv6 address as HOST:PORT, both numeric, IPv6 in brackets. Returns true; false
 * with errno set if getnameinfo() fails. Any thread.
 */
bool address_format(
    const struct sockaddr_storage *address, socklen_t length, char text[static ADDRESS_SIZE]);

#endif
