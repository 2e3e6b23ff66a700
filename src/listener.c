/*
 * NAME
 *	listener - the listening socket
 *
 * DESCRIPTION
 *	The socket does not block: accept() is tried first, and only if no client waits does poll()
 *	wait, for a client or for a byte in the stop pipe. Under load that is one system call a
 *	connection.
 *
 * DIAGNOSTICS
 *	HOST:PORT: what is wrong with it
 *	accept: retrying: why	once, until it has worked again
 *
 * BUGS
 *	A connection must not inherit O_NONBLOCK from the listening socket. POSIX leaves that open;
 *	on Linux it does not.
 */

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "log.h"
#include "params.h"
#include "platform.h"

/* Set `name` to the address of the socket. Returns false on failure. */
static bool
set_name(struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	return getsockname(listener->socket, (struct sockaddr *)&address, &length) == 0 &&
	       address_format(&address, length, listener->name);
}

/*
 * Set O_NONBLOCK and TCP_NODELAY: replies are sent in whole batches, so that Nagle's algorithm
 * could only delay them. Returns false on failure.
 */
static bool
prepare_socket(int descriptor)
{
	const int on = 1;

	return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	       fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

/* Create a socket bound to `address`. Returns its descriptor; -1 with errno on failure. */
static int
bind_socket(const struct addrinfo *address)
{
	const int on = 1;
	int descriptor = socket(address->ai_family, address->ai_socktype, address->ai_protocol);

	if (descriptor == -1) {
		return -1;
	}
	if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
	    prepare_socket(descriptor)) {
		return descriptor;
	}
	int error = errno;
	close(descriptor);
	errno = error;
	return -1;
}

/* Finish the setup: wake pipe and printable address. Returns false if there is no socket. */
static bool
finish_setup(struct listener *listener)
{
	return listener->socket != -1 && pipe(listener->wake_pipe) == 0 && set_name(listener);
}

bool
listener_adopt(struct listener *listener, int descriptor)
{
	int listening;
	socklen_t length = sizeof listening;

	*listener = (struct listener){.socket = descriptor, .wake_pipe = {-1, -1}};
	if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == -1) {
		log_error(errno, "the socket that was passed");
		return false;
	}
	if (!listening || !prepare_socket(descriptor) || !finish_setup(listener)) {
		log_line(LOG_ERR, "the socket that was passed: not a listening TCP socket");
		return false;
	}
	return true;
}

bool
listener_bind(struct listener *listener, const char *host, const char *port)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *addresses;
	int error = getaddrinfo(host, port, &hints, &addresses);

	*listener = (struct listener){.socket = -1, .wake_pipe = {-1, -1}};
	if (error == EAI_SYSTEM) {
		log_error(errno, "%s", host);
		return false;
	}
	if (error != 0) {
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
		log_line(LOG_ERR, "%s: %s", host, gai_strerror(error));
		return false;
	}
	for (struct addrinfo *at = addresses; at != NULL && listener->socket == -1;
	     at = at->ai_next) {
		listener->socket = bind_socket(at);
	}
	freeaddrinfo(addresses);
	if (!finish_setup(listener)) {
		log_error(errno, "%s:%s", host, port);
		return false;
	}
	return true;
}

bool
listener_listen(struct listener *listener)
{
	if (listen(listener->socket, SOMAXCONN) == -1) {
		log_error(errno, "%s", listener->name);
		return false;
	}
	return true;
}

/* Wait until a client has connected, or the listener is stopped. */
static void
wait_for_client(const struct listener *listener)
{
	struct pollfd events[] = {
	    {.fd = listener->wake_pipe[0], .events = POLLIN},
	    {.fd = listener->socket, .events = POLLIN},
	};

	poll(events, 2, -1);
}

/*
 * Return whether this error of accept() means that the listening socket is unusable. EOPNOTSUPP may
 * also come from the network, as accept(2) has it, and ours is of a type that supports it.
 */
static bool
is_fatal(int error)
{
	return error == EBADF || error == EINVAL || error == ENOTSOCK || error == EFAULT;
}

/*
 * Back off after accept() failed for lack of descriptors or memory, or because the network is down:
 * wait for ACCEPT_RETRY_MILLISECONDS, or until the listener is stopped.
 */
static void
back_off(struct listener *listener, int error)
{
	struct pollfd event = {.fd = listener->wake_pipe[0], .events = POLLIN};

	if (!listener->accept_failing) {
		log_error(error, "accept: retrying");
	}
	listener->accept_failing = true;
	poll(&event, 1, ACCEPT_RETRY_MILLISECONDS);
}

int
listener_accept(struct listener *listener)
{
	while (!atomic_load(&listener->stopped)) {
		int descriptor = accept(listener->socket, NULL, NULL);

		if (descriptor != -1) {
			listener->accept_failing = false;
			return descriptor;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			wait_for_client(listener);
		} else if (is_fatal(errno)) {
			log_error(errno, "accept");
			return -1;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			back_off(listener, errno);
		}
	}
	return -1;
}

void
listener_stop(struct listener *listener)
{
	atomic_store(&listener->stopped, true);
	/* A byte in an empty pipe: it can fail only by EINTR. */
	while (write(listener->wake_pipe[1], "", 1) == -1 && errno == EINTR) {
	}
}

int
listener_backlog(const struct listener *listener)
{
	return platform_accept_queue_length(listener->socket);
}

void
listener_close(struct listener *listener)
{
	close(listener->socket);
}

void
listener_destroy(struct listener *listener)
{
	close(listener->wake_pipe[0]);
	close(listener->wake_pipe[1]);
}
