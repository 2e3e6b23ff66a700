/*
 * NAME
 *	check_environment - a server in an unusual environment
 *
 * DESCRIPTION
 *	A standard error that is full, limits, a scheduling policy, sockets and a notification
 *	address of a service manager, a server that is stopped and continued (SIGSTOP, SIGCONT), and
 *	a stop while much input is unread.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "activation.h"
#include "client.h"
#include "clock.h"
#include "ledger.h"
#include "loopback.h"
#include "proc.h"
#include "stream.h"
#include "suite.h"

/* ---- a server in a prepared environment ---- */

#define SOCKETS 2

/* What the child does before it executes the server. */
struct setup {
	int sockets[SOCKETS]; /* to be passed */
	unsigned socket_count;
	const char *notify_address; /* NOTIFY_SOCKET, or NULL */
	int resource;               /* RLIMIT_..., or -1 */
	struct rlimit limit;        /* of this resource */
	int policy;                 /* SCHED_..., or -1 */
	bool unprivileged;          /* the server may not raise a hard limit, even as root */
};

/* In the child: do that. Returns false on failure. */
static bool
prepare(const void *context)
{
	const struct setup *setup = context;
	const struct sched_param parameters = {.sched_priority = 0};

	if (setup->socket_count > 0 && !activation_pass(setup->sockets, setup->socket_count)) {
		return false;
	}
	if (setup->notify_address != NULL && !activation_set_notify(setup->notify_address)) {
		return false;
	}
	if (setup->resource != -1 &&
	    setrlimit((__rlimit_resource_t)setup->resource, &setup->limit) == -1) {
		return false;
	}
	/* With execve() root keeps only capabilities of the bounding set: capabilities(7). */
	if (setup->unprivileged && geteuid() == 0 &&
	    prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) == -1) {
		return false;
	}
	return setup->policy == -1 || sched_setscheduler(0, setup->policy, &parameters) == 0;
}

static const struct setup no_setup = {.resource = -1, .policy = -1};

/* Start a server with these options only, after this setup, in a new directory. */
static struct server *
start(const char *options, const struct setup *setup)
{
	struct path directory = files_directory();
	struct arguments arguments;

	arguments_set(&arguments, options);
	arguments.prepare = prepare;
	arguments.context = setup;
	return server_start_arguments(directory.name, &arguments);
}

/* Deliver two messages, and stop. */
static void
use_and_stop(struct server *server)
{
	struct client client = client_connect_in_state(server, STATE_GREETED);

	client_deliver(&client, "a\r\n", 1);
	client_deliver(&client, "a\r\n", 2);
	client_close(&client);
	server_stop(server);
}

/* ---- passed sockets ---- */

/* Each of two passed sockets has a readiness line, and its clients are served. */
START_TEST(two_sockets_are_served)
{
	struct setup setup = no_setup;
	unsigned ports[SOCKETS];
	struct server *server;
	struct bytes lines = {0};

	setup.socket_count = SOCKETS;
	for (unsigned i = 0; i < SOCKETS; i++) {
		setup.sockets[i] = loopback_listen(&ports[i]);
		bytes_add_format(&lines, "Server coming up on 127.0.0.1:%u\n", ports[i]);
	}
	server = start("", &setup);
	for (unsigned i = 0; i < SOCKETS; i++) {
		struct client client = client_connect_to("127.0.0.1", ports[i]);

		client_expect(&client, GREETING);
		client_command(&client, "HELO client\r\n", HELO_OK);
		client_deliver(&client, "a\r\n", i + 1);
		client_close(&client);
	}
	server_end(server);
	ck_assert_ptr_nonnull(strstr(server->log.at, lines.at));
	server_release(server);
	bytes_free(&lines);
}
END_TEST

/* ---- a standard error that is full ---- */

enum sink_kind {
	SINK_PIPE,
	SINK_SOCKET,
	SINK_TERMINAL,
	SINKS
};

/* Where standard error goes; never read. */
struct sink {
	int writer;
	int reader;
};

/* Bytes that a pipe or a socket holds, approximately. */
#define SINK_BYTES 4096

static struct sink
open_sink(enum sink_kind kind)
{
	int ends[2], size = SINK_BYTES;

	if (kind == SINK_TERMINAL) {
		ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		ck_assert_int_eq(grantpt(ends[0]), 0);
		ck_assert_int_eq(unlockpt(ends[0]), 0);
		ends[1] = open(ptsname(ends[0]), /* NOLINT(concurrency-mt-unsafe) */
		    O_RDWR | O_NOCTTY | O_CLOEXEC);
	} else if (kind == SINK_SOCKET) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	} else {
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		fcntl(ends[1], F_SETPIPE_SZ, size);
	}
	ck_assert_int_ne(ends[1], -1);
	return (struct sink){.reader = ends[0], .writer = ends[1]};
}

/* Write until the sink is full. */
static void
fill(const struct sink *sink)
{
	static const char line[] = "a line that is not read\n";
	int flags = fcntl(sink->writer, F_GETFL);

	ck_assert_int_eq(fcntl(sink->writer, F_SETFL, flags | O_NONBLOCK), 0);
	while (write(sink->writer, line, sizeof line - 1) > 0) {
	}
	while (write(sink->writer, line, 1) > 0) {
	}
	ck_assert_int_eq(fcntl(sink->writer, F_SETFL, flags), 0);
}

/* Connections at the same time, and messages over each. */
#define LOAD_CLIENTS  8
#define LOAD_MESSAGES 60

/* Return how often `needle` is in the bytes. */
static unsigned
count(const struct bytes *bytes, const char *needle)
{
	unsigned number = 0;

	for (const char *at = bytes_string(bytes); (at = strstr(at, needle)) != NULL; at++) {
		number++;
	}
	return number;
}

/* Send messages over some connections at the same time; each must get a reply with this text. */
static void
load(const struct server *server, const char *reply)
{
	struct stream streams[LOAD_CLIENTS];

	for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
		streams[i] = stream_open(server);
		bytes_add_string(&streams[i].out, "HELO client\r\n");
		for (unsigned j = 0; j < LOAD_MESSAGES; j++) {
			bytes_add_string(&streams[i].out,
			    "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\nbody\r\n.\r\n");
		}
	}
	streams_run(streams, LOAD_CLIENTS);
	for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
		ck_assert_uint_eq(count(&streams[i].in, reply), LOAD_MESSAGES);
		stream_free(&streams[i]);
	}
}

/* Wait for the end of a process, at most for PATIENCE. Returns the status of waitpid(). */
static int
await_end(pid_t process)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	double deadline = clock_now() + PATIENCE;
	int status;

	while (waitpid(process, &status, WNOHANG) != process) {
		ck_assert_msg(clock_now() < deadline, "the server does not end");
		nanosleep(&pause, NULL);
	}
	return status;
}

/* Seconds that a stop may take. */
#define STOP_SECONDS 2.0

/*
 * Standard error holds up neither the start nor mail nor the stop. It is a pipe, a socket or a
 * terminal; it is full before the start, or becomes full. There is a line for each message, which
 * is delivered, or refused because a file may not grow.
 */
START_TEST(a_full_standard_error_delays_nothing)
{
	struct sink sink = open_sink((enum sink_kind)(_i % SINKS));
	bool full_before = _i / SINKS % 2 == 1, refused = _i / SINKS / 2 == 1;
	struct path directory = files_directory();
	struct server server = {.directory = directory};
	struct setup setup = no_setup;
	struct arguments arguments;
	double stopped;

	if (full_before) {
		fill(&sink);
	}
	setup.socket_count = 1;
	setup.sockets[0] = loopback_listen(&server.port);
	arguments_set(&arguments, "--verbose");
	arguments.prepare = prepare;
	arguments.context = &setup;
	server.process = program_start(directory.name, &arguments, -1, sink.writer);
	if (refused) {
		/*
		 * Not before the server is ready: ThreadSanitizer writes a file before main(), and
		 * SIGXFSZ would end the process.
		 */
		client_expect_greeting("127.0.0.1", server.port);
		proc_limit(server.process, RLIMIT_FSIZE, 0);
	}
	load(&server, refused ? NO_SPACE : "250 OK:  delivered message ");
	stopped = clock_now();
	server_signal(&server, SIGTERM);
	ck_assert_int_eq(await_end(server.process), 0);
	ck_assert_double_lt(clock_now() - stopped, STOP_SECONDS + clock_lateness());
	close(sink.writer);
	close(sink.reader);
}
END_TEST

/* The first refusal is one line, and the next delivery another, with the number of refusals. */
START_TEST(refusals_are_logged_once)
{
	struct server *server = server_start("");
	struct bytes expected = {0};

	proc_limit(server->process, RLIMIT_FSIZE, 0);
	load(server, NO_SPACE);
	proc_unlimit(server->process, RLIMIT_FSIZE);
	load(server, "250 OK:  delivered message ");
	server_end(server);
	bytes_add_format(&expected,
	    "smtpd: mailbox: 1 message refused: File too large\n"
	    "smtpd: mailbox: storing again, after %d messages were refused\n"
	    "smtpd: shutting down\n",
	    LOAD_CLIENTS * LOAD_MESSAGES);
	ck_assert_msg(bytes_end_with(&server->log, expected.at), "%s", server->log.at);
	ck_assert_uint_eq(count(&server->log, "mailbox"), 2);
	bytes_free(&expected);
	server_release(server);
}
END_TEST

/* ---- a frozen server ---- */

START_TEST(input_that_arrived_in_time_is_accepted_after_a_freeze)
{
	const struct timespec longer = {.tv_sec = 1, .tv_nsec = 200000000};
	struct server *server = server_start("--timeout 1");
	struct client command = client_connect_in_state(server, STATE_GREETED);
	struct client body = client_connect_in_state(server, STATE_DATA);
	int status;

	server_signal(server, SIGSTOP);
	ck_assert_int_eq(waitpid(server->process, &status, WUNTRACED), server->process);
	client_send(&command, "MAIL FROM:a@b\r\n");
	client_send(&body, "body\r\n.\r\n");
	nanosleep(&longer, NULL);
	server_signal(server, SIGCONT);
	client_expect(&command, OK);
	client_expect(&body, "250 OK:  delivered message 1\r\n");
	client_close(&command);
	client_close(&body);
	server_stop(server);
}
END_TEST

/* ---- a stop with unread input ---- */

/* Clients, one for each worker, and the messages that each pipelines. */
#define BUSY_CLIENTS  32
#define BUSY_MESSAGES 2000

START_TEST(a_stop_does_not_wait_for_pipelined_mail)
{
	static const char mail[] = "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n.\r\n";
	struct server *server = server_start("--keep --sync");
	struct client clients[BUSY_CLIENTS];
	struct bytes out = {0};
	double stopped;

	for (unsigned i = 0; i < BUSY_MESSAGES; i++) {
		bytes_add_string(&out, mail);
	}
	for (unsigned i = 0; i < BUSY_CLIENTS; i++) {
		clients[i] = client_connect_in_state(server, STATE_GREETED);
		ck_assert_int_gt(send(clients[i].socket, out.at, out.length, MSG_DONTWAIT), 0);
	}
	stopped = clock_now();
	server_signal(server, SIGTERM);
	ck_assert_int_eq(server_await_end(server), 0);
	ck_assert_double_lt(clock_now() - stopped, STOP_SECONDS + clock_lateness());
	for (unsigned i = 0; i < BUSY_CLIENTS; i++) {
		client_close(&clients[i]);
	}
	bytes_free(&out);
	server_release(server);
}
END_TEST

/* ---- limits and policy ---- */

/* Soft limits, as of `ulimit -n` and, in bytes, `ulimit -s`, with which the server works. */
static const struct {
	int resource;
	rlim_t soft;
} limits[] = {
    {RLIMIT_NOFILE, 10},
    {RLIMIT_NOFILE, 39},
    {RLIMIT_STACK, (rlim_t)128 << 10},
    {RLIMIT_STACK, (rlim_t)100 << 30},
};

START_TEST(the_server_works_with_unusual_limits)
{
	struct setup setup = no_setup;
	struct server *server;
	struct client idle[32];
	unsigned clients = ARRAY_LENGTH(idle) - 1;

	setup.resource = limits[_i].resource;
	ck_assert_int_eq(getrlimit((__rlimit_resource_t)setup.resource, &setup.limit), 0);
	if (limits[_i].soft > setup.limit.rlim_max) {
		suite_skip("the hard limit is lower");
		return;
	}
	setup.limit.rlim_cur = limits[_i].soft;
	server = start("-p 0", &setup);
	for (unsigned i = 0; i < clients; i++) {
		idle[i] = client_connect_in_state(server, STATE_GREETED);
	}
	for (unsigned i = 0; i <= BACKUP_EVERY; i++) {
		client_deliver(&idle[i % clients], "a\r\n", i + 1);
	}
	for (unsigned i = 0; i < clients; i++) {
		client_close(&idle[i]);
	}
	/* The mailbox and a backup. */
	ck_assert_uint_eq(files_count(server->directory.name), 2);
	server_stop(server);
}
END_TEST

/* Descriptors that the server needs: 32 workers, 8 sockets, and 24 for files and the rest. */
#define NEEDED_DESCRIPTORS 64

/*
 * A hard limit of open files that is too low, and that the server may not raise, is reported in one
 * line, and no file is changed. With the lowest limit that is enough the server starts.
 */
START_TEST(too_few_descriptors_prevent_the_start)
{
	struct path directory = files_directory();
	struct path mailbox = files_path(directory.name, "mailbox");
	struct setup setup = no_setup;
	struct arguments arguments;
	struct outcome outcome;

	setup.resource = RLIMIT_NOFILE;
	setup.limit = (struct rlimit){NEEDED_DESCRIPTORS - 1, NEEDED_DESCRIPTORS - 1};
	setup.unprivileged = true;
	files_write_string(mailbox.name, "precious");
	arguments_set(&arguments, "-p 0");
	arguments.prepare = prepare;
	arguments.context = &setup;
	outcome = program_run(directory.name, &arguments);
	ck_assert_int_eq(outcome_status(&outcome), 1);
	ck_assert_str_eq(bytes_string(&outcome.errors),
	    "smtpd: limit of open files: 64 needed, 63 allowed: see `ulimit -Hn`\n");
	files_expect_string(mailbox.name, "precious");
	ck_assert_uint_eq(files_count(directory.name), 1);
	outcome_free(&outcome);
	setup.limit = (struct rlimit){NEEDED_DESCRIPTORS, NEEDED_DESCRIPTORS};
	use_and_stop(start("-p 0", &setup));
}
END_TEST

static const int policies[] = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE};

/* SCHED_OTHER becomes SCHED_BATCH; a policy that was chosen stays. */
START_TEST(a_chosen_policy_is_kept)
{
	struct setup setup = no_setup;
	struct server *server;

	setup.policy = policies[_i];
	server = start("-p 0", &setup);
	ck_assert_int_eq(sched_getscheduler(server->process),
	    policies[_i] == SCHED_OTHER ? SCHED_BATCH : policies[_i]);
	use_and_stop(server);
}
END_TEST

/* A notification socket whose queue is full holds up neither the start nor the stop. */
START_TEST(a_full_notification_socket_delays_nothing)
{
	struct path directory = files_directory();
	struct path path = files_path(directory.name, "n");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct setup setup = no_setup;
	int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_uint_lt(strlen(path.name), sizeof address.sun_path);
	memcpy(address.sun_path, path.name, strlen(path.name) + 1);
	ck_assert_int_eq(bind(receiver, (struct sockaddr *)&address, sizeof address), 0);
	while (sendto(sender, "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1) {
	}
	ck_assert_int_eq(errno, EAGAIN);
	setup.notify_address = path.name;
	use_and_stop(start("-p 0", &setup));
	close(receiver);
	close(sender);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, a_full_standard_error_delays_nothing, 0, SINKS * 4);
	tcase_add_test(tests, refusals_are_logged_once);
	tcase_add_test(tests, input_that_arrived_in_time_is_accepted_after_a_freeze);
	tcase_add_test(tests, a_stop_does_not_wait_for_pipelined_mail);
	tcase_add_test(tests, two_sockets_are_served);
	tcase_add_loop_test(tests, the_server_works_with_unusual_limits, 0, ARRAY_LENGTH(limits));
	tcase_add_test(tests, too_few_descriptors_prevent_the_start);
	tcase_add_loop_test(tests, a_chosen_policy_is_kept, 0, ARRAY_LENGTH(policies));
	tcase_add_test(tests, a_full_notification_socket_delays_nothing);
	return suite_run("environment", tests);
}
