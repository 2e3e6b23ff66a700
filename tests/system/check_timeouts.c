/*
 * NAME
 *	check_timeouts - the timeout of slow clients
 *
 * DESCRIPTION
 *	The time until the 421 is measured from before the last accepted command was sent. The
 *	server's wait begins later, so that a timeout is never found too early by mistake. The upper
 *	limit has an allowance.
 *
 *	A client must sometimes send before the timeout. If the machine delays it, the attempt
 *	proves nothing and is repeated.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "clock.h"
#include "suite.h"

/* Attempts to send before a timeout, until the machine is considered too slow. */
#define ATTEMPTS 10

/* Return whether this was the last attempt; then report that the rest of the test is skipped. */
static bool
is_too_slow(unsigned attempt)
{
	if (attempt < ATTEMPTS) {
		return false;
	}
	suite_skip("this machine is too busy to keep pace with a short timeout");
	return true;
}

/* ---- idle clients ---- */

/* A line of more than 2,048 bytes. */
#define HUNDRED                                              \
	"01234567890123456789012345678901234567890123456789" \
	"01234567890123456789012345678901234567890123456789"
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define LONG     THOUSAND THOUSAND THOUSAND "\r\n"

/* Sessions without progress. */
static const struct idle_case {
	enum state state;              /* reached by accepted commands */
	const char *progress;          /* sent once then, or NULL; it is progress */
	const char *progress_reply;    /* the reply to it */
	const char *no_progress;       /* sent repeatedly; it is no progress */
	const char *no_progress_reply; /* each reply to it */
} idle_cases[] = {
    {STATE_CONNECTED, NULL, "", "", ""},
    {STATE_GREETED, NULL, "", "", ""},
    {STATE_SENDER, NULL, "", "", ""},
    {STATE_RECIPIENT, NULL, "", "", ""},
    {STATE_DATA, NULL, "", "", ""},
    {STATE_DATA, "half a line", "", "", ""},
    {STATE_DATA, "a line\r\n.", "", "", ""},
    {STATE_DATA, ".\r\n", "250 OK:  delivered message 1\r\n", "", ""},
    {STATE_CONNECTED, NULL, "", "mkdir\r\n", UNKNOWN},
    {STATE_CONNECTED, NULL, "", "DATA\r\n", NEED_HELO},
    {STATE_CONNECTED, NULL, "", "\n", UNKNOWN},
    {STATE_GREETED, NULL, "", "HELO\r\n", HELO_SYNTAX},
    {STATE_GREETED, NULL, "", "HELO again\r\n", DUPLICATE},
    {STATE_SENDER, NULL, "", "MAIL FROM:a\r\n", NESTED},
    {STATE_RECIPIENT, NULL, "", "RCPT TO:a b\r\n", "555 <a b>: Recipient address invalid\r\n"},
    {STATE_RECIPIENT, NULL, "", "DATA x\r\n", DATA_SYNTAX},
    {STATE_RECIPIENT, NULL, "", LONG, TOO_LONG},
    {STATE_CONNECTED, NULL, "", "H", ""},
    {STATE_RECIPIENT, NULL, "", " ", ""},
    {STATE_RECIPIENT, NULL, "", THOUSAND, ""},
};

/* A client of such a session. */
struct idle_client {
	const struct idle_case *idle_case;
	struct client client;
	struct bytes input;
	double last_receive;
	bool ended;
};

static struct idle_client
begin_idle(const struct server *server, const struct idle_case *idle_case)
{
	struct idle_client idle_client = {.idle_case = idle_case};

	idle_client.client = client_connect_in_state(server, idle_case->state);
	if (idle_case->progress != NULL) {
		client_command(&idle_client.client, idle_case->progress, idle_case->progress_reply);
	}
	return idle_client;
}

/* Receive without blocking. */
static void
receive_available(struct idle_client *idle_client)
{
	char block[4096];
	ssize_t received = recv(idle_client->client.socket, block, sizeof block, MSG_DONTWAIT);

	if (received > 0) {
		bytes_add(&idle_client->input, block, (size_t)received);
		idle_client->last_receive = clock_now();
	} else if (received == 0 || errno != EAGAIN) {
		/* Input after the server's close() causes RST, correctly. */
		idle_client->ended = true;
	}
}

/* Send input that is no progress; the next receive_available() detects a closed connection. */
static void
send_no_progress(const struct idle_client *idle_client)
{
	const char *no_progress = idle_client->idle_case->no_progress;

	if (!idle_client->ended && no_progress[0] != '\0') {
		send(idle_client->client.socket, no_progress, strlen(no_progress),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* Wait for input on any connection, at most for `seconds`. Returns how many are open. */
static unsigned
receive_all(struct idle_client *idle_clients, double seconds)
{
	struct pollfd waits[ARRAY_LENGTH(idle_cases)];
	unsigned left = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(idle_cases); i++) {
		waits[i] = (struct pollfd){.fd = idle_clients[i].client.socket, .events = POLLIN};
		if (idle_clients[i].ended) {
			waits[i].fd = -1;
		}
		left += !idle_clients[i].ended;
	}
	if (left > 0 && seconds > 0) {
		poll(waits, ARRAY_LENGTH(idle_cases), (int)(seconds * MILLISECONDS) + 1);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(idle_cases); i++) {
		if (waits[i].fd != -1) {
			receive_available(&idle_clients[i]);
		}
	}
	return left;
}

/* Send and receive until all have timed out. */
static void
run_until_timed_out(struct idle_client *idle_clients, double timeout)
{
	double interval = timeout / 20;
	double next = clock_now();
	double limit = next + timeout + PATIENCE;

	while (receive_all(idle_clients, next - clock_now()) > 0) {
		ck_assert_msg(clock_now() < limit, "some clients have not received a 421");
		if (clock_now() < next) {
			continue;
		}
		for (size_t i = 0; i < ARRAY_LENGTH(idle_cases); i++) {
			send_no_progress(&idle_clients[i]);
		}
		next = clock_now() + interval;
	}
}

/* Check the replies to a client, then the 421, and its time. */
static void
judge(struct idle_client *idle_client, double timeout)
{
	const char *reply = idle_client->idle_case->no_progress_reply;
	const char *input = bytes_string(&idle_client->input);
	double waited = idle_client->last_receive - idle_client->client.sent_at;

	while (reply[0] != '\0' && strncmp(input, reply, strlen(reply)) == 0) {
		input += strlen(reply);
	}
	ck_assert_str_eq(input, TIMED_OUT);
	if (waited < timeout || waited > timeout + clock_lateness()) {
		ck_abort_msg("after %s and %s the timeout of %g s came after %.6f s",
		    idle_client->client.sent,
		    bytes_visible(idle_client->idle_case->no_progress,
			strlen(idle_client->idle_case->no_progress)),
		    timeout, waited);
	}
	bytes_free(&idle_client->input);
	client_close(&idle_client->client);
}

/* Options and their timeout: a short one, and the assignment's. */
static const struct {
	const char *options;
	double timeout;
} idle_times[] = {{"--timeout 0.5", 0.5}, {"", 10}};

START_TEST(idle_clients_time_out)
{
	double timeout = idle_times[_i].timeout;
	struct server *server = server_start(idle_times[_i].options);
	struct idle_client idle_clients[ARRAY_LENGTH(idle_cases)];
	struct path mailbox = server_mailbox(server);

	for (size_t i = 0; i < ARRAY_LENGTH(idle_cases); i++) {
		idle_clients[i] = begin_idle(server, &idle_cases[i]);
	}
	run_until_timed_out(idle_clients, timeout);
	for (size_t i = 0; i < ARRAY_LENGTH(idle_cases); i++) {
		judge(&idle_clients[i], timeout);
	}
	/* One of the messages begun was completed. */
	files_expect_string(mailbox.name,
	    "Received: from client by netid (CS4410MP3)\nNumber: 1\nFrom: a@b\nTo: c@d\n\n\n");
	server_stop(server);
}
END_TEST

/* ---- clients that make progress ---- */

#define STEP_TIMEOUT "--timeout 0.5"
#define STEP_SECONDS 0.5

/* Seconds before each step: a part of the timeout. */
#define STEP_PAUSE (0.6 * STEP_SECONDS)

/* Each step is progress, without which the next one would be too late. */
static const struct {
	const char *sent;
	const char *reply;
} steps[] = {
    {"HELO client\r\n", HELO_OK},
    {"MAIL FROM:a@b\r\n", OK},
    {"RCPT TO:c@d\r\n", OK},
    {"RCPT TO:c@d\r\n", OK},
    {"DATA\r\n", START_DATA},
    {"a", ""},
    {"b", ""},
    {"\r\n", ""},
    {".\r\n", NULL}, /* delivered, with a number */
    {"MAIL FROM:a@b\r\n", OK},
};

/* Take all steps. Returns false if one was too late to prove anything. */
static bool
take_steps(const struct server *server, unsigned number)
{
	char delivered[REPLY_STRING_SIZE];
	struct client client = client_connect(server);

	snprintf(delivered, sizeof delivered, DELIVERED, number);
	client_expect(&client, GREETING);
	for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
		double begin = client.sent_at;

		if (client_has_input(&client, STEP_PAUSE) && clock_now() - begin < STEP_SECONDS) {
			ck_abort_msg("after %s: not silence", client.sent);
		}
		client_send(&client, steps[i].sent);
		if (clock_now() - begin >= STEP_SECONDS) {
			client_close(&client);
			return false;
		}
		client_expect(&client, steps[i].reply == NULL ? delivered : steps[i].reply);
	}
	client_expect(&client, TIMED_OUT);
	ck_assert_double_ge(clock_now() - client.sent_at, STEP_SECONDS);
	client_expect_end(&client);
	return true;
}

START_TEST(progress_extends_the_deadline)
{
	struct server *server = server_start(STEP_TIMEOUT);
	unsigned attempt = 1;

	/* Each attempt has a new server, so that its message has the number 1. */
	while (!take_steps(server, 1)) {
		server_stop(server);
		if (is_too_slow(attempt++)) {
			return;
		}
		server = server_start(STEP_TIMEOUT);
	}
	server_stop(server);
}
END_TEST

/* ---- clients that send slowly ---- */

/*
 * A timeout, as option and in seconds; the limit for a message, 60 timeouts; and the seconds
 * between two bytes.
 */
#define SLOW_TIMEOUT  "--timeout 0.1"
#define SLOW_SECONDS  0.1
#define SLOW_MESSAGE  (60 * SLOW_SECONDS)
#define SLOW_INTERVAL (SLOW_SECONDS / 10)

/* Send single bytes until the server replies. Returns false if one was too late. */
static bool
send_slowly(struct client *client)
{
	double begin = client->sent_at;

	while (!client_has_input(client, SLOW_INTERVAL)) {
		double last = client->sent_at;

		ck_assert(last - begin < SLOW_MESSAGE + clock_lateness());
		client_send(client, "x");
		if (clock_now() - last >= SLOW_SECONDS) {
			return false;
		}
	}
	return clock_now() - client->sent_at < SLOW_SECONDS;
}

START_TEST(a_slow_body_has_a_time_limit)
{
	struct server *server = server_start(SLOW_TIMEOUT);
	struct path mailbox = server_mailbox(server);
	double begin;
	unsigned attempt = 1;
	struct client client = client_connect_in_state(server, STATE_DATA);

	begin = client.sent_at;
	while (!send_slowly(&client)) {
		client_close(&client);
		if (is_too_slow(attempt++)) {
			server_stop(server);
			return;
		}
		client = client_connect_in_state(server, STATE_DATA);
		begin = client.sent_at;
	}
	ck_assert_double_ge(clock_now() - begin, SLOW_MESSAGE);
	client_expect(&client, TIMED_OUT);
	client_expect_end(&client);
	files_expect_string(mailbox.name, "");
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, idle_clients_time_out, 0, ARRAY_LENGTH(idle_times));
	tcase_add_test(tests, progress_extends_the_deadline);
	tcase_add_test(tests, a_slow_body_has_a_time_limit);
	return suite_run("timeouts", tests);
}
