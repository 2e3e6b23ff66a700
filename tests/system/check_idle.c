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

/* Clients of which each sends a message as soon as it is served. */
struct clients {
	struct client clients[CLIENTS_MAX];
	bool served[CLIENTS_MAX]; /* it has had its first message delivered */
	bool ended[CLIENTS_MAX];  /* it has received the 421 */
	double last[CLIENTS_MAX]; /* when each sent its last message */
	unsigned count;           /* connected so far */
	unsigned number;          /* of the last message */
	unsigned ended_count;     /* elements of `ended` that are true */
};

/* Deliver the next message over one of the connections. */
static void
deliver(struct clients *all, unsigned index)
{
	struct client *client = &all->clients[index];

	all->last[index] = clock_now();
	client_deliver(client, "body\r\n", ++all->number);
}

/* Connect `count` more clients. */
static void
connect_clients(struct clients *all, const struct server *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		all->clients[all->count++] = client_connect(server);
	}
}

/* Receive the greeting of an accepted client, and send its first message. */
static void
serve(struct clients *all, unsigned index)
{
	client_expect(&all->clients[index], ESMTP_GREETING);
	client_command(&all->clients[index], "HELO client\r\n", HELO_OK);
	deliver(all, index);
	all->served[index] = true;
}

/*
 * Receive the 421 and the end. Fail if that was too early, or if more clients were ended than wait
 * or have waited.
 */
static void
end(struct clients *all, unsigned index)
{
	ck_assert_double_ge(clock_now() - all->last[index], T);
	client_expect(&all->clients[index], TIMED_OUT);
	client_expect_end(&all->clients[index]);
	all->ended[index] = true;
	all->ended_count++;
	ck_assert_uint_le(all->ended_count, all->count - WORKERS);
}

/* Poll each client once, and serve or end those with input. Returns how many are not served yet. */
static unsigned
poll_all(struct clients *all)
{
	unsigned unserved = 0;

	for (unsigned i = 0; i < all->count; i++) {
		if (all->ended[i]) {
			continue;
		}
		if (client_has_input(&all->clients[i], 0.001)) {
			if (all->served[i]) {
				end(all, i);
			} else {
				serve(all, i);
			}
		}
		unserved += !all->served[i];
	}
	return unserved;
}

/* Continue until all clients have been served. Returns the seconds that it took. */
static double
serve_all(struct clients *all)
{
	double start = clock_now();

	while (poll_all(all) > 0) {
		ck_assert_double_lt(clock_now() - start, PATIENCE);
	}
	return clock_now() - start;
}

/* Fail unless all clients that have not been ended still have their sessions. Close them. */
static void
expect_sessions(struct clients *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		if (!all->ended[i]) {
			client_command(&all->clients[i], "NOOP\r\n", OK);
			client_close(&all->clients[i]);
		}
	}
}

/* With free workers a client may be idle between two commands, and within a line or a message. */
START_TEST(idle_clients_stay)
{
	struct server *server = server_start(OPTIONS);
	struct clients all = {.count = 0};

	connect_clients(&all, server, 4);
	ck_assert_double_lt(serve_all(&all), PATIENCE);
	client_send(&all.clients[1], "NO");
	client_command(
	    &all.clients[2], "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", OK OK START_DATA);
	client_send(&all.clients[2], "half a line");
	for (unsigned i = 0; i < all.count; i++) {
		client_expect_silence(&all.clients[i], i == 0 ? 4 * T : 0);
	}
	client_command(&all.clients[1], "OP\r\n", OK);
	client_command(&all.clients[2], "\r\n.\r\n", "250 OK:  delivered message 5\r\n");
	expect_sessions(&all);
	server_stop(server);
}
END_TEST

/* All workers have idle clients, and one more client connects. */
START_TEST(one_idle_client_is_ended_for_one_that_waits)
{
	struct server *server = server_start(OPTIONS);
	struct clients all = {.count = 0};

	connect_clients(&all, server, WORKERS);
	ck_assert_double_lt(serve_all(&all), PATIENCE);
	client_expect_silence(&all.clients[0], 2 * T);
	ck_assert_uint_eq(all.ended_count, 0);
	connect_clients(&all, server, 1);
	/* They have been idle for longer than the timeout: it need not pass once more. */
	ck_assert_double_lt(serve_all(&all), T + clock_lateness());
	client_expect_silence(&all.clients[WORKERS], T / 2);
	poll_all(&all);
	ck_assert_uint_eq(all.ended_count, 1);
	expect_sessions(&all);
	server_stop(server);
}
END_TEST

/* More clients than workers connect at once, and keep their connections. */
START_TEST(no_client_waits_much_longer_than_the_timeout)
{
	static const unsigned counts[] = {WORKERS + 1, CLIENTS_MAX};
	struct server *server = server_start(OPTIONS);
	struct clients all = {.count = 0};

	connect_clients(&all, server, counts[_i]);
	ck_assert_double_lt(serve_all(&all), T + 2 * clock_lateness());
	client_expect_silence(&all.clients[counts[_i] - 1], T / 2);
	poll_all(&all);
	ck_assert_uint_eq(all.ended_count, counts[_i] - WORKERS);
	expect_sessions(&all);
	server_stop(server);
}
END_TEST

/* A client that sends commands all the time is not ended, though another one waits. */
START_TEST(a_busy_client_is_not_ended)
{
	struct server *server = server_start(OPTIONS);
	struct clients all = {.count = 0};
	double start;

	connect_clients(&all, server, WORKERS);
	ck_assert_double_lt(serve_all(&all), PATIENCE);
	connect_clients(&all, server, 1);
	start = clock_now();
	while (clock_now() - start < 2 * T) {
		for (unsigned i = 0; i < WORKERS; i++) {
			all.last[i] = clock_now();
			/* A machine that is too busy may have let the timeout pass. */
			if (!all.ended[i] && client_has_input(&all.clients[i], 0)) {
				suite_skip("this machine is too busy to keep pace with a timeout");
				server_stop(server);
				return;
			}
			deliver(&all, i);
		}
		clock_sleep(T / 10);
	}
	ck_assert(!client_has_input(&all.clients[WORKERS], 0));
	client_close(&all.clients[--all.count]);
	expect_sessions(&all);
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
