/*
 * NAME
 *	check_idle - clients of ESMTP that keep their connections
 *
 * DESCRIPTION
 *	An idle client stays as long as no other client waits in the backlog. For each one that
 *	waits, one client that has been idle for longer than the timeout is ended, and no more.
 */

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "server.h"
#include "suite.h"

/* Threads of the server: the clients served at once. */
#define WORKERS 32

/* Most clients of a test. */
#define CLIENTS_MAX 48

/* The timeout in seconds, as a number and as an option. */
#define T       0.5
#define OPTIONS "--extended --timeout 0.5"

#define ESMTP_GREETING "220 netid ESMTP CS4410MP3\r\n"

/* A pool of clients of which each sends a message as soon as it is served. */
struct clients {
	struct client clients[CLIENTS_MAX];
	bool served[CLIENTS_MAX];
	bool ended[CLIENTS_MAX];
	double last[CLIENTS_MAX]; /* when each sent its last message */
	unsigned count;
	unsigned number; /* of the last message */
	unsigned ended_count;
};

static void
deliver(struct clients *pool, unsigned index)
{
	struct client *client = &pool->clients[index];

	pool->last[index] = clock_now();
	client_deliver(client, "body\r\n", ++pool->number);
}

/* Connect `count` more clients. */
static void
connect_clients(struct clients *pool, const struct server *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		pool->clients[pool->count++] = client_connect(server);
	}
}

/* Receive the greeting of an accepted client, and send its first message. */
static void
serve(struct clients *pool, unsigned index)
{
	client_expect(&pool->clients[index], ESMTP_GREETING);
	client_command(&pool->clients[index], "HELO client\r\n", HELO_OK);
	deliver(pool, index);
	pool->served[index] = true;
}

/* Close a client that has received the 421; fail if that was too early, or for no other client. */
static void
end(struct clients *pool, unsigned index)
{
	ck_assert_double_ge(clock_now() - pool->last[index], T);
	client_expect(&pool->clients[index], TIMED_OUT);
	client_expect_end(&pool->clients[index]);
	pool->ended[index] = true;
	pool->ended_count++;
	ck_assert_uint_le(pool->ended_count, pool->count - WORKERS);
}

/* Poll each client once, and serve or end those with input. Returns how many are not served yet. */
static unsigned
poll_all(struct clients *pool)
{
	unsigned unserved = 0;

	for (unsigned i = 0; i < pool->count; i++) {
		if (pool->ended[i]) {
			continue;
		}
		if (client_has_input(&pool->clients[i], 0.001)) {
			if (pool->served[i]) {
				end(pool, i);
			} else {
				serve(pool, i);
			}
		}
		unserved += !pool->served[i];
	}
	return unserved;
}

/* Continue until all clients have been served. Returns the seconds that it took. */
static double
serve_all(struct clients *pool)
{
	double start = clock_now();

	while (poll_all(pool) > 0) {
		ck_assert_double_lt(clock_now() - start, PATIENCE);
	}
	return clock_now() - start;
}

/* Fail unless all clients that have not been ended still have their sessions. Closes them. */
static void
expect_sessions(struct clients *pool)
{
	for (unsigned i = 0; i < pool->count; i++) {
		if (!pool->ended[i]) {
			client_command(&pool->clients[i], "NOOP\r\n", OK);
			client_close(&pool->clients[i]);
		}
	}
}

/* With free workers a client may be idle between two commands, and within a line or a message. */
START_TEST(idle_clients_stay)
{
	struct server *server = server_start(OPTIONS);
	struct clients pool = {.count = 0};

	connect_clients(&pool, server, 4);
	ck_assert_double_lt(serve_all(&pool), PATIENCE);
	client_send(&pool.clients[1], "NO");
	client_command(
	    &pool.clients[2], "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", OK OK START_DATA);
	client_send(&pool.clients[2], "half a line");
	for (unsigned i = 0; i < pool.count; i++) {
		client_expect_silence(&pool.clients[i], i == 0 ? 4 * T : 0);
	}
	client_command(&pool.clients[1], "OP\r\n", OK);
	client_command(&pool.clients[2], "\r\n.\r\n", "250 OK:  delivered message 5\r\n");
	expect_sessions(&pool);
	server_stop(server);
}
END_TEST

/* All workers have idle clients, and one more client connects. */
START_TEST(one_idle_client_is_ended_for_one_that_waits)
{
	struct server *server = server_start(OPTIONS);
	struct clients pool = {.count = 0};

	connect_clients(&pool, server, WORKERS);
	ck_assert_double_lt(serve_all(&pool), PATIENCE);
	client_expect_silence(&pool.clients[0], 2 * T);
	ck_assert_uint_eq(pool.ended_count, 0);
	connect_clients(&pool, server, 1);
	/* They have been idle for long enough: the server need not wait for the timeout. */
	ck_assert_double_lt(serve_all(&pool), T + clock_lateness());
	client_expect_silence(&pool.clients[WORKERS], T / 2);
	poll_all(&pool);
	ck_assert_uint_eq(pool.ended_count, 1);
	expect_sessions(&pool);
	server_stop(server);
}
END_TEST

/* More clients than workers connect at once, and keep their connections. */
START_TEST(no_client_waits_much_longer_than_the_timeout)
{
	static const unsigned counts[] = {WORKERS + 1, CLIENTS_MAX};
	struct server *server = server_start(OPTIONS);
	struct clients pool = {.count = 0};

	connect_clients(&pool, server, counts[_i]);
	ck_assert_double_lt(serve_all(&pool), T + 2 * clock_lateness());
	client_expect_silence(&pool.clients[counts[_i] - 1], T / 2);
	poll_all(&pool);
	ck_assert_uint_eq(pool.ended_count, counts[_i] - WORKERS);
	expect_sessions(&pool);
	server_stop(server);
}
END_TEST

/* A client that sends commands all the time is not ended, though another one waits. */
START_TEST(a_busy_client_is_not_ended)
{
	struct server *server = server_start(OPTIONS);
	struct clients pool = {.count = 0};
	double start;

	connect_clients(&pool, server, WORKERS);
	ck_assert_double_lt(serve_all(&pool), PATIENCE);
	connect_clients(&pool, server, 1);
	start = clock_now();
	while (clock_now() - start < 2 * T) {
		for (unsigned i = 0; i < WORKERS; i++) {
			pool.last[i] = clock_now();
			/* A machine that is too busy may have let the timeout pass. */
			if (!pool.ended[i] && client_has_input(&pool.clients[i], 0)) {
				suite_skip("this machine is too busy to keep pace with a timeout");
				server_stop(server);
				return;
			}
			deliver(&pool, i);
		}
		clock_sleep(T / 10);
	}
	ck_assert(!client_has_input(&pool.clients[WORKERS], 0));
	client_close(&pool.clients[--pool.count]);
	expect_sessions(&pool);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, idle_clients_stay);
	tcase_add_test(tests, one_idle_client_is_ended_for_one_that_waits);
	tcase_add_loop_test(tests, no_client_waits_much_longer_than_the_timeout, 0, 2);
	tcase_add_test(tests, a_busy_client_is_not_ended);
	return suite_run("idle", tests);
}
