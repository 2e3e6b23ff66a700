/*
 * NAME
 *	check_listener - the listening sockets, on the loopback interface
 */

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "monotonic.h"
#include "params.h"
#include "suite.h"
#include "threads.h"

static struct listener listener;
static unsigned bind_failures; /* how many calls of bind() fail: those that name a port */

/* In the place of the system's. */
int
bind(int descriptor, const struct sockaddr *address, socklen_t length)
{
	const struct sockaddr_in *named = (const struct sockaddr_in *)address;

	if (bind_failures > 0 && address->sa_family == AF_INET && named->sin_port != 0) {
		bind_failures--;
		errno = EADDRINUSE;
		return -1;
	}
	return (int)syscall(SYS_bind, descriptor, address, length);
}

/* Bind a socket to each address of one host. */
static bool
bind_one(struct listener *to, const char *host, const char *port)
{
	return listener_bind(to, &host, 1, port);
}

static void
bind_loopback(struct listener *bound)
{
	ck_assert(bind_one(bound, "127.0.0.1", "0"));
}

static void
listen_loopback(void)
{
	bind_loopback(&listener);
	ck_assert(listener_listen(&listener));
}

static void
close_listener(struct listener *open)
{
	listener_close(open);
	listener_destroy(open);
}

/* Return the port of the first socket, a string. */
static const char *
port_of(const struct listener *bound)
{
	return strrchr(bound->sockets[0].name, ':') + 1;
}

/* Connect to the first socket of `listener`. Returns the client's socket, or -1 with errno. */
static int
connect_client(void)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int client;

	ck_assert_int_eq(
	    getsockname(listener.sockets[0].descriptor, (struct sockaddr *)&address, &length), 0);
	client = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ne(client, -1);
	if (connect(client, (struct sockaddr *)&address, length) == -1) {
		int error = errno;

		close(client);
		errno = error;
		return -1;
	}
	return client;
}

/* ---- bind ---- */

START_TEST(a_free_port_is_taken_and_named)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	char name[64];

	bind_loopback(&listener);
	ck_assert_int_eq(
	    getsockname(listener.sockets[0].descriptor, (struct sockaddr *)&address, &length), 0);
	ck_assert_int_eq(address.sin_family, AF_INET);
	ck_assert_uint_eq(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	ck_assert_uint_ne(address.sin_port, 0);
	snprintf(name, sizeof name, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	ck_assert_str_eq(listener.sockets[0].name, name);
	capture_expect(&errors, "");
	close_listener(&listener);
}
END_TEST

START_TEST(a_connection_before_listen_is_refused)
{
	int client;

	bind_loopback(&listener);
	ck_assert_int_eq(connect_client(), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert(listener_listen(&listener));
	client = connect_client();
	ck_assert_int_ne(client, -1);
	close(client);
	close_listener(&listener);
}
END_TEST

/* Expect the line `HOST:PORT: WHAT: Address already in use` with the listener's port. */
static void
expect_in_use(const char *what)
{
	struct bytes line = {.at = NULL};

	bytes_add_format(
	    &line, "smtpd: %s: %s: Address already in use\n", listener.sockets[0].name, what);
	capture_expect(&errors, line.at);
	bytes_free(&line);
}

START_TEST(a_port_in_use_is_refused)
{
	struct listener second;

	listen_loopback();
	ck_assert(!bind_one(&second, "127.0.0.1", port_of(&listener)));
	expect_in_use("cannot bind");
	close_listener(&listener);
}
END_TEST

START_TEST(of_two_that_are_bound_one_can_listen)
{
	const char *what = "cannot bind";
	struct listener second;

	bind_loopback(&listener);
	/* Some kernels refuse the second bind(), the others the second listen(). */
	if (bind_one(&second, "127.0.0.1", port_of(&listener))) {
		what = "cannot listen";
		ck_assert(listener_listen(&listener));
		ck_assert(!listener_listen(&second));
		close_listener(&second);
	}
	expect_in_use(what);
	close_listener(&listener);
}
END_TEST

START_TEST(a_port_just_left_is_taken_again)
{
	char port[16];
	int client, connection;

	listen_loopback();
	client = connect_client();
	connection = listener_accept(&listener);
	/* The side that closes first is in TIME_WAIT: here the server's. */
	close(connection);
	close(client);
	snprintf(port, sizeof port, "%s", port_of(&listener));
	close_listener(&listener);
	ck_assert(bind_one(&listener, "127.0.0.1", port));
	ck_assert_str_eq(port_of(&listener), port);
	ck_assert(listener_listen(&listener));
	close_listener(&listener);
}
END_TEST

START_TEST(ipv6_is_named_in_brackets)
{
	int probe = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool available =
	    probe != -1 && bind(probe, (struct sockaddr *)&address, sizeof address) == 0;
	struct listener second;

	if (available) {
		int client;

		ck_assert(bind_one(&listener, "::1", "0"));
		ck_assert_int_eq(strncmp(listener.sockets[0].name, "[::1]:", strlen("[::1]:")), 0);
		ck_assert(listener_listen(&listener));
		client = connect_client();
		ck_assert_int_ne(client, -1);
		close(client);
		ck_assert(!bind_one(&second, "::1", port_of(&listener)));
		expect_in_use("cannot bind");
		close_listener(&listener);
	}
	if (probe != -1) {
		close(probe);
	}
}
END_TEST

START_TEST(an_address_of_another_machine_is_refused)
{
	ck_assert(!bind_one(&listener, "192.0.2.1", "0"));
	capture_expect(
	    &errors, "smtpd: 192.0.2.1:0: cannot bind: Cannot assign requested address\n");
}
END_TEST

START_TEST(an_invalid_name_is_refused)
{
	/* Longer than a label of a name may be, so that no name server is queried. */
	char host[256];
	struct bytes output;

	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	ck_assert(!bind_one(&listener, host, "0"));
	output = capture_take(&errors);
	ck_assert_int_eq(strncmp(output.at, "smtpd: --host hhh", strlen("smtpd: --host hhh")), 0);
	ck_assert_ptr_eq(strchr(output.at, '\n'), output.at + output.length - 1);
	bytes_free(&output);
}
END_TEST

/* ---- a passed socket ---- */

/* Return a TCP socket bound to the loopback interface, not listening. */
static int
make_socket(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ne(descriptor, -1);
	ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
	return descriptor;
}

START_TEST(a_listening_socket_is_adopted)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	struct bytes name = {.at = NULL};
	int client, connection, descriptor = make_socket();

	ck_assert_int_eq(listen(descriptor, 5), 0);
	ck_assert_int_eq(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
	bytes_add_format(&name, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	ck_assert(listener_adopt(&listener, descriptor, 1));
	ck_assert(listener_listen(&listener));
	ck_assert_str_eq(listener.sockets[0].name, name.at);
	ck_assert_int_ne(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
	client = connect_client();
	connection = listener_accept(&listener);
	ck_assert_int_ne(connection, -1);
	ck_assert_int_eq(fcntl(connection, F_GETFL) & O_NONBLOCK, 0);
	/* After a stop the next call returns, although no other client connects. */
	listener_stop(&listener);
	ck_assert_int_eq(listener_accept(&listener), -1);
	capture_expect(&errors, "");
	close(client);
	close(connection);
	close_listener(&listener);
	bytes_free(&name);
}
END_TEST

/* Fail unless the descriptor is refused, with this at the end of the line in the log. */
static void
expect_not_adopted(int descriptor, const char *why)
{
	struct bytes line = {.at = NULL};

	bytes_add_format(&line, "smtpd: LISTEN_FDS: descriptor %d%s\n", descriptor, why);
	ck_assert(!listener_adopt(&listener, descriptor, 1));
	capture_expect(&errors, line.at);
	bytes_free(&line);
}

START_TEST(another_descriptor_is_not_adopted)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int descriptor = make_socket();

	expect_not_adopted(descriptor, " is not a listening TCP socket");
	close(descriptor);
	expect_not_adopted(descriptor, ": Bad file descriptor");
	descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
	expect_not_adopted(descriptor, ": Socket operation on non-socket");
	close(descriptor);
	/* A listening socket that is not TCP. */
	suite_enter_directory();
	descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(descriptor, 5), 0);
	expect_not_adopted(descriptor, " is not a listening TCP socket");
	close(descriptor);
}
END_TEST

/* ---- accept ---- */

START_TEST(a_connection_is_ready_to_be_served)
{
	int on = 0, client, connection;
	socklen_t length = sizeof on;
	char byte = '\0';

	listen_loopback();
	client = connect_client();
	connection = listener_accept(&listener);
	ck_assert_int_ne(connection, -1);
	/* Reads are blocking, and writes are not delayed. */
	ck_assert_int_eq(fcntl(connection, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(getsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
	ck_assert_int_ne(on, 0);
	ck_assert_int_eq(write(client, "x", 1), 1);
	ck_assert_int_eq(read(connection, &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
	close(client);
	close(connection);
	close_listener(&listener);
}
END_TEST

START_TEST(clients_are_accepted_in_order)
{
	int clients[5];

	listen_loopback();
	for (size_t i = 0; i < ARRAY_LENGTH(clients); i++) {
		clients[i] = connect_client();
		ck_assert_int_ne(clients[i], -1);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(clients); i++) {
		int connection = listener_accept(&listener);
		struct sockaddr_in own, peer;
		socklen_t length = sizeof own, peer_length = sizeof peer;

		ck_assert_int_eq(getsockname(clients[i], (struct sockaddr *)&own, &length), 0);
		ck_assert_int_eq(
		    getpeername(connection, (struct sockaddr *)&peer, &peer_length), 0);
		ck_assert_uint_eq(own.sin_port, peer.sin_port);
		close(connection);
		close(clients[i]);
	}
	close_listener(&listener);
}
END_TEST

START_TEST(waiting_clients_are_counted)
{
	int clients[3];

	listen_loopback();
	if (listener_backlog(&listener) != -1) {
		for (int i = 0; i < (int)ARRAY_LENGTH(clients); i++) {
			ck_assert_int_eq(listener_backlog(&listener), i);
			clients[i] = connect_client();
			ck_assert_int_ne(clients[i], -1);
		}
		for (int i = ARRAY_LENGTH(clients); i > 0; i--) {
			ck_assert_int_eq(listener_backlog(&listener), i);
			close(listener_accept(&listener));
			close(clients[i - 1]);
		}
		ck_assert_int_eq(listener_backlog(&listener), 0);
	}
	listener_close(&listener);
	ck_assert_int_eq(listener_backlog(&listener), -1);
	listener_destroy(&listener);
}
END_TEST

/* Accept once, and store the result in `*descriptor`. */
static void *
accept_once(void *descriptor)
{
	*(int *)descriptor = listener_accept(&listener);
	return NULL;
}

START_TEST(accept_waits_for_a_client)
{
	int connection = -1, client;
	pthread_t acceptor;

	listen_loopback();
	acceptor = threads_start(accept_once, &connection);
	client = connect_client();
	threads_join(acceptor);
	ck_assert_int_ne(connection, -1);
	close(connection);
	close(client);
	close_listener(&listener);
}
END_TEST

/* Wait once, and store in `*ended` that the wait has ended. */
static void *
wait_once(void *ended)
{
	listener_wait(&listener);
	atomic_store((atomic_bool *)ended, true);
	return NULL;
}

START_TEST(a_wait_accepts_nothing)
{
	atomic_bool ended = false;
	int client, connection;
	pthread_t acceptor;

	listen_loopback();
	acceptor = threads_start(wait_once, &ended);
	client = connect_client();
	threads_join(acceptor);
	ck_assert(atomic_load(&ended));
	/* The client is still there, for another wait and for accept(). */
	listener_wait(&listener);
	connection = listener_accept(&listener);
	ck_assert_int_ne(connection, -1);
	close(connection);
	close(client);
	close_listener(&listener);
}
END_TEST

START_TEST(a_stop_ends_a_wait)
{
	atomic_bool ended = false;
	pthread_t acceptor;

	listen_loopback();
	acceptor = threads_start(wait_once, &ended);
	listener_stop(&listener);
	threads_join(acceptor);
	ck_assert(atomic_load(&ended));
	/* Every later wait ends at once. */
	listener_wait(&listener);
	close_listener(&listener);
}
END_TEST

START_TEST(a_stop_wakes_accept)
{
	int connection = 0;
	pthread_t acceptor;

	listen_loopback();
	acceptor = threads_start(accept_once, &connection);
	listener_stop(&listener);
	threads_join(acceptor);
	ck_assert_int_eq(connection, -1);
	/* A stop is permanent, and may be repeated. */
	ck_assert_int_eq(listener_accept(&listener), -1);
	listener_stop(&listener);
	ck_assert_int_eq(listener_accept(&listener), -1);
	ck_assert_int_eq(listener_accept(&listener), -1);
	capture_expect(&errors, "");
	close_listener(&listener);
}
END_TEST

START_TEST(a_stop_comes_before_a_client_that_waits)
{
	int client;

	listen_loopback();
	client = connect_client();
	ck_assert_int_ne(client, -1);
	listener_stop(&listener);
	ck_assert_int_eq(listener_accept(&listener), -1);
	close(client);
	close_listener(&listener);
}
END_TEST

START_TEST(closing_disconnects_waiting_clients)
{
	int client;
	char byte;

	listen_loopback();
	client = connect_client();
	listener_close(&listener);
	ck_assert_int_le(read(client, &byte, 1), 0);
	/* A stop is still possible: the pipe outlives the socket. */
	listener_stop(&listener);
	listener_destroy(&listener);
	close(client);
}
END_TEST

/* ---- several sockets ---- */

/* Connect to the socket of `listener` with this index. Returns the client's socket. */
static int
connect_to(unsigned index)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int client;

	ck_assert_int_eq(
	    getsockname(listener.sockets[index].descriptor, (struct sockaddr *)&address, &length),
	    0);
	client = socket(address.ss_family, SOCK_STREAM, 0);
	ck_assert_int_ne(client, -1);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&address, length), 0);
	return client;
}

START_TEST(several_hosts_have_one_port)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "[127.0.0.3]"};
	const char *port;

	ck_assert(listener_bind(&listener, hosts, ARRAY_LENGTH(hosts), "0"));
	ck_assert_uint_eq(listener.count, ARRAY_LENGTH(hosts));
	port = port_of(&listener);
	ck_assert_str_ne(port, "0");
	for (unsigned i = 0; i < listener.count; i++) {
		struct bytes name = {.at = NULL};

		bytes_add_format(&name, "127.0.0.%u:%s", i + 1, port);
		ck_assert_str_eq(listener.sockets[i].name, name.at);
		bytes_free(&name);
	}
	close_listener(&listener);
	capture_expect(&errors, "");
}
END_TEST

START_TEST(a_port_that_is_not_free_on_each_host_is_replaced)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2"};

	bind_failures = 15;
	ck_assert(listener_bind(&listener, hosts, ARRAY_LENGTH(hosts), "0"));
	ck_assert_uint_eq(bind_failures, 0);
	ck_assert_uint_eq(listener.count, ARRAY_LENGTH(hosts));
	close_listener(&listener);
	capture_expect(&errors, "");
	bind_failures = 16;
	ck_assert(!listener_bind(&listener, hosts, ARRAY_LENGTH(hosts), "0"));
	ck_assert_uint_eq(bind_failures, 0);
	capture_expect(&errors, "smtpd: --port 0: found no port that is free on each host: Address "
				"already in use\n");
}
END_TEST

START_TEST(clients_of_all_sockets_are_accepted_in_turn)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
	int clients[2 * ARRAY_LENGTH(hosts)];

	ck_assert(listener_bind(&listener, hosts, ARRAY_LENGTH(hosts), "0"));
	ck_assert(listener_listen(&listener));
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++) {
		clients[i] = connect_to(i / 2);
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++) {
		struct sockaddr_in address;
		socklen_t length = sizeof address;
		int connection = listener_accept(&listener);

		ck_assert_int_ne(connection, -1);
		ck_assert_int_eq(getsockname(connection, (struct sockaddr *)&address, &length), 0);
		ck_assert_uint_eq(ntohl(address.sin_addr.s_addr), 0x7f000001 + i % 3);
		close(connection);
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(clients); i++) {
		close(clients[i]);
	}
	close_listener(&listener);
}
END_TEST

START_TEST(too_many_addresses_are_refused)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4",
	    "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9"};

	ck_assert(!listener_bind(&listener, hosts, ARRAY_LENGTH(hosts), "0"));
	capture_expect(&errors, "smtpd: --host 127.0.0.9: more than 8 addresses\n");
	ck_assert(listener_bind(&listener, hosts, SOCKETS_MAX, "0"));
	close_listener(&listener);
}
END_TEST

START_TEST(one_address_in_use_refuses_all)
{
	static const char *const hosts[] = {"127.0.0.2", "127.0.0.1"};
	struct listener second;
	struct bytes line = {.at = NULL};

	listen_loopback();
	ck_assert(!listener_bind(&second, hosts, ARRAY_LENGTH(hosts), port_of(&listener)));
	bytes_add_format(
	    &line, "smtpd: %s: cannot bind: Address already in use\n", listener.sockets[0].name);
	capture_expect(&errors, line.at);
	bytes_free(&line);
	close_listener(&listener);
}
END_TEST

/* ---- exhaustion ---- */

/* Lower RLIMIT_NOFILE to the lowest free descriptor. Returns the previous limit. */
static struct rlimit
use_up_descriptors(void)
{
	struct rlimit before, now;
	int lowest = dup(STDIN_FILENO);

	REQUIRE(lowest != -1 && getrlimit(RLIMIT_NOFILE, &before) == 0, "no limit");
	close(lowest);
	now = before;
	now.rlim_cur = (rlim_t)lowest;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &now) == 0, "the limit cannot be set");
	return before;
}

/* Return whether a line was logged. */
static bool
is_logged(const void *unused)
{
	(void)unused;
	return lseek(errors.file, 0, SEEK_END) > 0;
}

/* Wait until the acceptor has logged a line: that about EMFILE. */
static void
await_exhaustion(void)
{
	static pthread_mutex_t unused = PTHREAD_MUTEX_INITIALIZER;

	threads_await("a line about descriptors", &unused, is_logged, NULL);
}

/* Return the processor time of this process in nanoseconds. */
static nanoseconds
processor_time(void)
{
	struct timespec used;

	REQUIRE(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0, "no such clock");
	return used.tv_sec * SECOND + used.tv_nsec;
}

/* Fail if the acceptor uses the processor during several attempts. */
static void
expect_idle_retries(void)
{
	const nanoseconds while_trying = 3 * MILLISECOND * ACCEPT_RETRY_MILLISECONDS;
	const struct timespec duration = {.tv_nsec = (long)while_trying};
	nanoseconds before = processor_time();

	nanosleep(&duration, NULL);
	REQUIRE(processor_time() - before < while_trying / 10,
	    "the acceptor does not wait between attempts");
}

/* Expect a line for the failure and, if `with_end`, one for its end. */
static void
expect_exhaustion_logged(bool with_end)
{
	static const char begin[] = "smtpd: accept: retrying: Too many open files\n";
	static const char end[] = "smtpd: accept: works again after ";
	struct bytes text = capture_take(&errors);

	ck_assert_uint_ge(text.length, strlen(begin));
	ck_assert_int_eq(strncmp(text.at, begin, strlen(begin)), 0);
	if (with_end) {
		ck_assert_int_eq(strncmp(text.at + strlen(begin), end, strlen(end)), 0);
	} else {
		/* Another end within LOG_FAULT_INTERVAL is not logged. */
		ck_assert_uint_eq(text.length, strlen(begin));
	}
	bytes_free(&text);
}

START_TEST(lack_of_descriptors_is_logged_once)
{
	listen_loopback();
	/* After a success the failure is logged again. */
	for (unsigned round = 0; round < 2; round++) {
		int connection = -1, client = connect_client();
		struct rlimit before = use_up_descriptors();
		pthread_t acceptor = threads_start(accept_once, &connection);

		await_exhaustion();
		expect_idle_retries();
		REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0, "the limit cannot be set");
		threads_join(acceptor);
		ck_assert_int_ne(connection, -1);
		expect_exhaustion_logged(round == 0);
		close(connection);
		close(client);
	}
	close_listener(&listener);
}
END_TEST

START_TEST(a_stop_ends_the_wait_for_descriptors)
{
	int connection = 0, client;
	struct rlimit before;
	pthread_t acceptor;

	listen_loopback();
	client = connect_client();
	before = use_up_descriptors();
	acceptor = threads_start(accept_once, &connection);
	await_exhaustion();
	listener_stop(&listener);
	threads_join(acceptor);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0, "the limit cannot be set");
	ck_assert_int_eq(connection, -1);
	close(client);
	close_listener(&listener);
}
END_TEST

START_TEST(a_socket_that_fails_ends_accept)
{
	int other = socket(AF_UNIX, SOCK_DGRAM, 0);

	listen_loopback();
	/* A closed descriptor: accept() fails with EBADF, which does not pass. */
	ck_assert_int_eq(close(listener.sockets[0].descriptor), 0);
	ck_assert_int_eq(listener_accept(&listener), -1);
	capture_expect(&errors, "smtpd: accept: shutting down: Bad file descriptor\n");
	/* close_listener() needs an open descriptor. */
	listener.sockets[0].descriptor = other;
	close_listener(&listener);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors, capture_errors_end);
	tcase_add_test(tests, a_free_port_is_taken_and_named);
	tcase_add_test(tests, a_connection_before_listen_is_refused);
	tcase_add_test(tests, a_port_in_use_is_refused);
	tcase_add_test(tests, of_two_that_are_bound_one_can_listen);
	tcase_add_test(tests, a_port_just_left_is_taken_again);
	tcase_add_test(tests, ipv6_is_named_in_brackets);
	tcase_add_test(tests, an_address_of_another_machine_is_refused);
	tcase_add_test(tests, an_invalid_name_is_refused);
	tcase_add_test(tests, a_listening_socket_is_adopted);
	tcase_add_test(tests, another_descriptor_is_not_adopted);
	tcase_add_test(tests, a_connection_is_ready_to_be_served);
	tcase_add_test(tests, clients_are_accepted_in_order);
	tcase_add_test(tests, waiting_clients_are_counted);
	tcase_add_test(tests, accept_waits_for_a_client);
	tcase_add_test(tests, a_wait_accepts_nothing);
	tcase_add_test(tests, a_stop_ends_a_wait);
	tcase_add_test(tests, a_stop_wakes_accept);
	tcase_add_test(tests, a_stop_comes_before_a_client_that_waits);
	tcase_add_test(tests, closing_disconnects_waiting_clients);
	tcase_add_test(tests, several_hosts_have_one_port);
	tcase_add_test(tests, a_port_that_is_not_free_on_each_host_is_replaced);
	tcase_add_test(tests, clients_of_all_sockets_are_accepted_in_turn);
	tcase_add_test(tests, too_many_addresses_are_refused);
	tcase_add_test(tests, one_address_in_use_refuses_all);
	tcase_add_test(tests, lack_of_descriptors_is_logged_once);
	tcase_add_test(tests, a_stop_ends_the_wait_for_descriptors);
	tcase_add_test(tests, a_socket_that_fails_ends_accept);
	return suite_run("listener", tests);
}
