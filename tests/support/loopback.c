/*
 * NAME
 *	loopback - addresses and sockets of 127.0.0.1
 */

#include "loopback.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "fail.h"

struct sockaddr_in
loopback_address(unsigned port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons((in_port_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int
loopback_bind(unsigned *port)
{
	struct sockaddr_in address = loopback_address(0);
	socklen_t length = sizeof address;
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE_CALL(descriptor);
	REQUIRE_CALL(bind(descriptor, (struct sockaddr *)&address, length));
	REQUIRE_CALL(getsockname(descriptor, (struct sockaddr *)&address, &length));
	*port = ntohs(address.sin_port);
	return descriptor;
}

int
loopback_listen(unsigned *port)
{
	int descriptor = loopback_bind(port);

	REQUIRE_CALL(listen(descriptor, SOMAXCONN));
	return descriptor;
}
