/*
 * NAME
 *	check_pool - 32 clients at once, and waiting clients
 *
 * DESCRIPTION
 *	A client waits in the kernel's backlog: the number of the server's descriptors and the
 *	length of the backlog show that no client is accepted before a worker is idle.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "client.h"
#include "clock.h"
#include "ledger.h"
#include "proc.h"
#include "stream.h"
#include "suite.h"

/* Threads of the server: the clients served at once. */
#define WORKERS 32

/* Clients beyond them. */
#define WAITING 5

/* Seconds to wait for something that must not happen. */
#define SILENCE 0.2

/* Occupy workers: each session is in the state after HELO. */
static void
occupy(const struct server *server, struct client *clients, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		clients[i] = client_connect_in_state(server, STATE_GREETED);
	}
}

static void
close_clients(struct client *clients, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		client_close(&clients[i]);
	}
}

/* ---- the 33rd client ---- */

/*
 * Check that these clients are not served and that all of them are in the kernel's backlog. The
 * server must have `descriptors` open descriptors.
 */
static void
expect_waiting(
    const struct server *server, struct client *waiting, unsigned count, unsigned descriptors)
{
	client_expect_silence(&waiting[count - 1], SILENCE);
	for (unsigned i = 0; i < count; i++) {
		client_expect_silence(&waiting[i], 0);
	}
	ck_assert_uint_eq(proc_backlog(server->port), count);
	ck_assert_uint_eq(proc_descriptors(server->process), descriptors);
}

/* Waiting clients are served in order, one after each client that disconnects. */
START_TEST(waiting_clients_are_not_accepted)
{
	struct server *server = server_start("");
	struct client served[WORKERS];
	struct client waiting[WAITING];
	unsigned descriptors = proc_descriptors(server->process) + WORKERS;

	occupy(server, served, WORKERS);
	for (unsigned i = 0; i < WAITING; i++) {
		waiting[i] = client_connect(server);
	}
	expect_waiting(server, waiting, WAITING, descriptors);
	for (unsigned i = 0; i < WAITING; i++) {
		client_close(&served[i]);
		client_expect(&waiting[i], GREETING);
		if (i + 1 < WAITING) {
			expect_waiting(server, waiting + i + 1, WAITING - i - 1, descriptors);
		}
	}
	/* The other sessions are unchanged. */
	for (unsigned i = WAITING; i < WORKERS; i++) {
		client_command(&served[i], "MAIL FROM:a@b\r\n", OK);
	}
	close_clients(served + WAITING, WORKERS - WAITING);
	close_clients(waiting, WAITING);
	server_stop(server);
}
END_TEST

/* The input is executed when the client is accepted. */
START_TEST(input_of_a_waiting_client_is_executed_later)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client served[WORKERS];
	struct client waiting;

	occupy(server, served, WORKERS);
	waiting = client_connect(server);
	client_send(&waiting, "HELO client\r\nMAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n.\r\n");
	client_half_close(&waiting);
	client_expect_silence(&waiting, SILENCE);
	client_close(&served[0]);
	client_expect(
	    &waiting, GREETING HELO_OK OK OK START_DATA "250 OK:  delivered message 1\r\n");
	client_expect_end(&waiting);
	ledger_add_delivered(&ledger, "");
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	close_clients(served + 1, WORKERS - 1);
	server_stop(server);
}
END_TEST

START_TEST(a_waiting_client_that_closes_delays_no_other)
{
	struct server *server = server_start("");
	struct client served[WORKERS];
	struct client waiting[WAITING];
	struct client last;

	occupy(server, served, WORKERS);
	for (unsigned i = 0; i < WAITING; i++) {
		waiting[i] = client_connect(server);
	}
	last = client_connect(server);
	for (unsigned i = 0; i < WAITING; i++) {
		client_reset(&waiting[i]);
	}
	client_expect_silence(&last, SILENCE);
	client_close(&served[0]);
	client_expect(&last, GREETING);
	client_close(&last);
	close_clients(served + 1, WORKERS - 1);
	server_stop(server);
}
END_TEST

/* ---- silent clients ---- */

#define TIMEOUT         "--timeout 0.3"
#define TIMEOUT_SECONDS 0.3

/*
 * 32 silent clients occupy all workers until the timeout; the timeout of a waiting client begins
 * when it is accepted.
 */
START_TEST(a_waiting_client_is_served_after_the_timeout)
{
	struct server *server = server_start(TIMEOUT);
	double start = clock_now();
	struct client silent[WORKERS];
	struct client waiting;

	for (unsigned i = 0; i < WORKERS; i++) {
		silent[i] = client_connect(server);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		client_expect(&silent[i], GREETING);
	}
	waiting = client_connect(server);
	client_expect(&waiting, GREETING);
	ck_assert_double_ge(clock_now() - start, TIMEOUT_SECONDS);
	client_expect(&waiting, TIMED_OUT);
	ck_assert_double_ge(clock_now() - start, 2 * TIMEOUT_SECONDS);
	client_expect_end(&waiting);
	for (unsigned i = 0; i < WORKERS; i++) {
		client_expect(&silent[i], TIMED_OUT);
		client_expect_end(&silent[i]);
	}
	server_stop(server);
}
END_TEST

/* ---- many clients that deliver ---- */

/*
 * Clients; messages of each, and of all; the body of a message as stored, and as sent with the line
 * of the dot.
 */
#define CLIENTS        ((size_t)64)
#define MESSAGES       5
#define DELIVERIES     (CLIENTS * MESSAGES)
#define BODY_FORMAT    "message %zu of client %zu\nReceived: from nobody by nobody\n"
#define BODY_WIRE      "message %zu of client %zu\r\nReceived: from nobody by nobody\r\n.\r\n"
#define DELIVERED_TEXT "250 OK:  delivered message "
#define DECIMAL        10

/* Which message of which client, both from 0, has got a number. */
struct origin {
	size_t client;
	size_t message;
	bool taken; /* the number was acknowledged */
};

/* Add all that one client sends. */
static void
add_conversation(struct bytes *out, size_t client)
{
	bytes_add_format(out, "HELO host%zu\r\n", client);
	for (size_t message = 0; message < MESSAGES; message++) {
		bytes_add_format(
		    out, "MAIL FROM:sender%zu@b\r\nRCPT TO:c%zu@d\r\nDATA\r\n", client, message);
		bytes_add_format(out, BODY_WIRE, message, client);
	}
}

/* Skip an expected text at the start of the replies. */
static const char *
skip(const char *replies, const char *expected)
{
	if (strncmp(replies, expected, strlen(expected)) != 0) {
		ck_abort_msg("%s instead of %s", bytes_visible(replies, strlen(replies)),
		    bytes_visible(expected, strlen(expected)));
	}
	return replies + strlen(expected);
}

/* Parse the replies to one client, and store it as the origin of each number in them. */
static void
parse_origins(struct origin *origins, const char *replies, size_t client)
{
	unsigned long last = 0;

	replies = skip(replies, GREETING HELO_OK);
	for (size_t message = 0; message < MESSAGES; message++) {
		char *end;
		unsigned long number;

		replies = skip(replies, OK OK START_DATA DELIVERED_TEXT);
		number = strtoul(replies, &end, DECIMAL);
		replies = skip(end, "\r\n");
		ck_assert_uint_gt(number, last);
		ck_assert_uint_le(number, DELIVERIES);
		ck_assert(!origins[number].taken);
		origins[number] = (struct origin){client, message, true};
		last = number;
	}
	ck_assert_str_eq(replies, "");
}

/* Check that each message is complete, and in the right file under its number. */
static void
expect_origins(const struct server *server, const struct origin *origins)
{
	struct ledger ledger = {0};

	for (size_t number = 1; number <= DELIVERIES; number++) {
		const struct origin *origin = &origins[number];
		struct bytes host = {0};
		struct bytes from = {0};
		struct bytes to = {0};
		struct bytes body = {0};

		bytes_add_format(&host, "host%zu", origin->client);
		bytes_add_format(&from, "sender%zu@b", origin->client);
		bytes_add_format(&to, "c%zu@d", origin->message);
		bytes_add_format(&body, BODY_FORMAT, origin->message, origin->client);
		ledger_add(&ledger, host.at, from.at, to.at, body.at, body.length);
		bytes_free(&host);
		bytes_free(&from);
		bytes_free(&to);
		bytes_free(&body);
	}
	ledger_check(&ledger, server);
	ledger_free(&ledger);
}

/* Twice as many clients as workers, each with several messages, across ten backups. */
START_TEST(messages_of_many_clients_have_their_numbers)
{
	struct server *server = server_start("");
	struct stream streams[CLIENTS];
	struct origin origins[DELIVERIES + 1] = {0}; /* by number */

	for (size_t i = 0; i < CLIENTS; i++) {
		streams[i] = stream_open(server);
		add_conversation(&streams[i].out, i);
	}
	streams_run(streams, CLIENTS);
	for (size_t i = 0; i < CLIENTS; i++) {
		parse_origins(origins, bytes_string(&streams[i].in), i);
		stream_free(&streams[i]);
	}
	expect_origins(server, origins);
	server_stop(server);
}
END_TEST

/* ---- no descriptors left ---- */

/* Free descriptors of the server; more clients than that connect. */
#define SPARE 3

/* Seconds in which processor time is measured, and the part of them that it may be. */
#define WATCHED   0.5
#define IDLE_PART 0.08

/*
 * EMFILE is logged once and causes no busy loop; a waiting client is served as soon as a descriptor
 * is free.
 */
START_TEST(accept_is_retried_without_descriptors)
{
	struct server *server = server_start("");
	struct client served[SPARE];
	struct client waiting[2];
	double used;

	proc_limit(server->process, RLIMIT_NOFILE, proc_descriptor_limit(server->process, SPARE));
	occupy(server, served, SPARE);
	waiting[0] = client_connect(server);
	waiting[1] = client_connect(server);
	server_await_lines(server, 1);
	ck_assert(server_log_has(server, "accept: retrying"));
	used = proc_processor_time(server->process);
	client_expect_silence(&waiting[0], WATCHED);
	ck_assert_double_lt(proc_processor_time(server->process) - used, WATCHED * IDLE_PART);
	ck_assert_uint_eq(server_log_lines(server), 1);
	client_command(&served[1], "MAIL FROM:a@b\r\n", OK);
	client_close(&served[0]);
	client_expect(&waiting[0], GREETING);
	client_expect_silence(&waiting[1], SILENCE);
	proc_unlimit(server->process, RLIMIT_NOFILE);
	client_expect(&waiting[1], GREETING);
	close_clients(served + 1, SPARE - 1);
	close_clients(waiting, 2);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, waiting_clients_are_not_accepted);
	tcase_add_test(tests, input_of_a_waiting_client_is_executed_later);
	tcase_add_test(tests, a_waiting_client_that_closes_delays_no_other);
	tcase_add_test(tests, a_waiting_client_is_served_after_the_timeout);
	tcase_add_test(tests, messages_of_many_clients_have_their_numbers);
	tcase_add_test(tests, accept_is_retried_without_descriptors);
	return suite_run("pool", tests);
}
