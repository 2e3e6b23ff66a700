/*
 * NAME
 *	listener - the listening sockets
 *
 * DESCRIPTION
 *	The sockets do not block: accept() is tried first, on each of them in turn, and only if no
 *	client waits does poll() wait, for a client or for a byte in the wake pipe. Under load, a
 *	single socket costs one system call a connection.
 *
 *	All sockets that are bound here have the same port. If the port is 0, the first one picks
 *	it; if another socket cannot have that port, all start over with another one.
 *
 * DIAGNOSTICS
 *	--host HOST: why its addresses cannot be found
 *	--host HOST: more than 8 addresses
 *	HOST:PORT: cannot bind: why
 *	--port 0: found no port that is free on each host: why
 *	HOST:PORT: cannot listen: why
 *	LISTEN_FDS: descriptor N is not a listening TCP socket
 *	LISTEN_FDS: descriptor N: why getsockopt() failed
 *	cannot create a pipe: why
 *	accept: retrying: why	once for each reason, until accept() works again
 *	accept: works again after N failures
 *	accept: shutting down: why	a listening socket is unusable
 *
 * BUGS
 *	A connection must not inherit O_NONBLOCK from the listening socket. On Linux it does not;
 *	POSIX leaves that open.
 */

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "log.h"
#include "params.h"
#include "platform.h"

/* Attempts to find a port that is free at all addresses. */
#define PORT_ATTEMPTS 16

/*
 * Set FD_CLOEXEC and O_NONBLOCK, which accepted connections do not inherit; and TCP_NODELAY, which
 * they do: all replies to one input are sent at once, so that Nagle's algorithm could only delay
 * them. Returns false, with errno, on failure.
 */
static bool
prepare_socket(int descriptor)
{
	const int on = 1;

	return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	       fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

/* ---- start ---- */

/* Close all sockets. */
static void
close_sockets(struct listener *listener)
{
	while (listener->count > 0) {
		close(listener->sockets[--listener->count].descriptor);
	}
}

/* Prepare a socket, and add it with its address as text. Returns false, with errno, on failure. */
static bool
add_socket(struct listener *listener, int descriptor)
{
	struct listening_socket *added = &listener->sockets[listener->count];
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	added->descriptor = descriptor;
	if (!prepare_socket(descriptor) ||
	    getsockname(descriptor, (struct sockaddr *)&address, &length) == -1 ||
	    !address_format(&address, length, added->name)) {
		return false;
	}
	listener->count++;
	return true;
}

/* Open the pipe for the byte that ends every wait. Returns false, having logged why, on failure. */
static bool
open_wake_pipe(struct listener *listener)
{
	if (pipe(listener->wake_pipe) == -1) {
		log_error(errno, "cannot create a pipe");
		return false;
	}
	return true;
}

/* Return the pointer to the port of an IPv4 or IPv6 address. */
static in_port_t *
port_of(struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? &((struct sockaddr_in6 *)address)->sin6_port
					      : &((struct sockaddr_in *)address)->sin_port;
}

/* Give an address with port 0 the port of the first socket, if there is one. */
static void
set_common_port(const struct listener *listener, struct sockaddr *address)
{
	struct sockaddr_storage first;
	socklen_t length = sizeof first;

	if (*port_of(address) == 0 && listener->count > 0 &&
	    getsockname(listener->sockets[0].descriptor, (struct sockaddr *)&first, &length) == 0) {
		*port_of(address) = *port_of((struct sockaddr *)&first);
	}
}

/* Bind one more socket. Returns 0 or the error number: EMFILE also if there are SOCKETS_MAX. */
static int
bind_socket(struct listener *listener, const struct addrinfo *address, bool only_ipv6)
{
	const int on = 1;
	int descriptor, error;

	if (listener->count == SOCKETS_MAX) {
		return EMFILE;
	}
	descriptor = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
	if (descriptor == -1) {
		return errno;
	}
	if (only_ipv6 && address->ai_family == AF_INET6) {
		/* Otherwise :: could not be bound beside 0.0.0.0. */
		setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	}
	if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
	    add_socket(listener, descriptor)) {
		return 0;
	}
	error = errno;
	close(descriptor);
	return error;
}

/*
 * Return whether an address of a host may be passed over because of this error: the machine does
 * not have the address, or not its family.
 */
static bool
is_unavailable(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

/*
 * Bind a socket to each address of a host, except those that are unavailable, but at least to one.
 * `several`: there are other hosts. Returns 0 or the error number.
 */
static int
bind_addresses(struct listener *listener, struct addrinfo *addresses, bool several)
{
	unsigned before = listener->count;
	int result = EADDRNOTAVAIL;

	for (struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
		int error;

		set_common_port(listener, at->ai_addr);
		error = bind_socket(listener, at, several || addresses->ai_next != NULL);
		if (error != 0 && !is_unavailable(error)) {
			return error;
		}
		result = error != 0 ? error : result;
	}
	return listener->count > before ? 0 : result;
}

/* Find the addresses of a host, also in brackets. Returns false, having logged why, on failure. */
static bool
find_addresses(const char *host, const char *port, struct addrinfo **addresses)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	char name[HOST_NAME_SIZE];
	size_t length = strlen(host);
	bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
	int error;

	snprintf(name, sizeof name, "%.*s", (int)(bracketed ? length - 2 : length),
	    bracketed ? host + 1 : host);
	error = getaddrinfo(name, port, &hints, addresses);
	if (error == EAI_SYSTEM) {
		log_error(errno, "--host %s", host);
	} else if (error != 0) {
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
		log_line(LOG_ERR, "--host %s: %s", host, gai_strerror(error));
	}
	return error == 0;
}

static void
log_bind_error(const char *host, const char *port, int error)
{
	bool needs_brackets = strchr(host, ':') != NULL && *host != '[';
	bool privileged = error == EACCES && strtoul(port, NULL, 10) < IPPORT_RESERVED;

	log_error(error, "%s%s%s:%s: cannot bind%s", needs_brackets ? "[" : "", host,
	    needs_brackets ? "]" : "", port,
	    privileged ? " (a port below 1024 needs root: see --user)" : "");
}

/*
 * Bind sockets for all hosts. Returns 0; EADDRINUSE, without a log line, if `any_port` and another
 * free port may do; or the error number, having logged why.
 */
static int
bind_hosts(struct listener *listener, const char *const *hosts, unsigned count, const char *port,
    bool any_port)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < count; i++) {
		struct addrinfo *addresses;

		if (!find_addresses(hosts[i], port, &addresses)) {
			return EINVAL;
		}
		error = bind_addresses(listener, addresses, count > 1);
		freeaddrinfo(addresses);
		if (error == EADDRINUSE && any_port) {
			return error;
		}
		if (error == EMFILE && listener->count == SOCKETS_MAX) {
			log_line(
			    LOG_ERR, "--host %s: more than %d addresses", hosts[i], SOCKETS_MAX);
		} else if (error != 0) {
			log_bind_error(hosts[i], port, error);
		}
	}
	return error;
}

bool
listener_bind(struct listener *listener, const char *const *hosts, unsigned count, const char *port)
{
	bool any_port = strtoul(port, NULL, 10) == 0;
	int attempts = 0, error;

	*listener = (struct listener){.count = 0};
	do {
		close_sockets(listener);
		error = bind_hosts(listener, hosts, count, port, any_port);
	} while (error == EADDRINUSE && any_port && ++attempts < PORT_ATTEMPTS);
	if (error == EADDRINUSE && any_port) {
		log_error(error, "--port 0: found no port that is free on each host");
	}
	return error == 0 && open_wake_pipe(listener);
}

bool
listener_adopt(struct listener *listener, int first, unsigned count)
{
	*listener = (struct listener){.count = 0};
	for (int descriptor = first; descriptor < first + (int)count; descriptor++) {
		int listening;
		socklen_t length = sizeof listening;

		if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == -1) {
			log_error(errno, "LISTEN_FDS: descriptor %d", descriptor);
			return false;
		}
		if (!listening || !add_socket(listener, descriptor)) {
			log_line(LOG_ERR, "LISTEN_FDS: descriptor %d is not a listening TCP socket",
			    descriptor);
			return false;
		}
	}
	return open_wake_pipe(listener);
}

bool
listener_listen(struct listener *listener)
{
	for (unsigned i = 0; i < listener->count; i++) {
		if (listen(listener->sockets[i].descriptor, SOMAXCONN) == -1) {
			log_error(errno, "%s: cannot listen", listener->sockets[i].name);
			return false;
		}
	}
	return true;
}

/* ---- accept ---- */

void
listener_wait(const struct listener *listener)
{
	struct pollfd events[1 + SOCKETS_MAX];

	events[0] = (struct pollfd){.fd = listener->wake_pipe[0], .events = POLLIN};
	for (unsigned i = 0; i < listener->count; i++) {
		events[1 + i] =
		    (struct pollfd){.fd = listener->sockets[i].descriptor, .events = POLLIN};
	}
	poll(events, 1 + listener->count, -1);
}

/*
 * Return whether this error of accept() means that the listening socket is unusable. EOPNOTSUPP
 * does not, because it may come from the network: see accept(2).
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

	if (log_fault_failed(&listener->fault, error, 1)) {
		log_error(error, "accept: retrying");
	}
	poll(&event, 1, ACCEPT_RETRY_MILLISECONDS);
}

/* Log that accept() works again, if it had failed. */
static void
log_recovery(struct listener *listener)
{
	uint64_t failures =
	    listener->fault.count > 0 ? log_fault_worked(&listener->fault, monotonic_now()) : 0;

	if (failures > 0) {
		log_line(LOG_WARNING, "accept: works again after %" PRIu64 " failure%s", failures,
		    failures == 1 ? "" : "s");
	}
}

/*
 * Accept a connection from any socket. The first one tried is the one after that of the last
 * connection. Returns the descriptor, or -1 with errno: EAGAIN if no client waits at any socket.
 */
static int
accept_any(struct listener *listener)
{
	for (unsigned i = 0; i < listener->count; i++) {
		unsigned at = (listener->next + i) % listener->count;
		int descriptor = accept(listener->sockets[at].descriptor, NULL, NULL);

		if (descriptor != -1 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
			listener->next = (at + 1) % listener->count;
			return descriptor;
		}
	}
	return -1;
}

int
listener_accept(struct listener *listener)
{
	while (!atomic_load(&listener->stopped)) {
		int descriptor = accept_any(listener);

		if (descriptor != -1) {
			log_recovery(listener);
			return descriptor;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			listener_wait(listener);
		} else if (is_fatal(errno)) {
			log_error(errno, "accept: shutting down");
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
	int total = 0;

	for (unsigned i = 0; i < listener->count; i++) {
		int length = platform_accept_queue_length(listener->sockets[i].descriptor);

		if (length == -1) {
			return -1;
		}
		total += length;
	}
	return listener->count > 0 ? total : -1;
}

void
listener_close(const struct listener *listener)
{
	/* `count` and the descriptors stay, because listener_backlog() may be reading them. */
	for (unsigned i = 0; i < listener->count; i++) {
		close(listener->sockets[i].descriptor);
	}
}

void
listener_destroy(struct listener *listener)
{
	close(listener->wake_pipe[0]);
	close(listener->wake_pipe[1]);
}
