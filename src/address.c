/*
 * NAME
 *	address - getnameinfo() for numeric addresses
 */

#include "address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a numeric host and port, as strings. */
#define HOST_SIZE 68
#define PORT_SIZE sizeof "65535"

bool
address_format(
    const struct sockaddr_storage *address, socklen_t length, char text[static ADDRESS_SIZE])
{
	char host[HOST_SIZE], port[PORT_SIZE];
	int error = getnameinfo((const struct sockaddr *)address, length, host, sizeof host, port,
	    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);

	if (error != 0) {
		/* Only with EAI_SYSTEM is errno set. */
		errno = error == EAI_SYSTEM ? errno : EAFNOSUPPORT;
		return false;
	}
	snprintf(text, ADDRESS_SIZE, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
	return true;
}
