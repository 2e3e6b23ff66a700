/*
 * NAME
 *	check_connection - segments, half-closes and disconnections
 *
 * DESCRIPTION
 *	Segment boundaries do not change the replies. However a client disconnects, an incomplete
 *	message is discarded; one whose end has arrived is delivered.
 */

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "clock.h"
#include "ledger.h"
#include "stream.h"
#include "suite.h"

/* The commands of a session up to the body. */
#define OPENING "HELO client\r\nMAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n"

/*
 * Check that exactly the messages of the ledger were delivered: the next one must have the next
 * number, and after the end of the server its files must be as expected. Release both.
 */
static void
expect_nothing_else(struct server *server, struct ledger *ledger)
{
	struct client client = client_connect_in_state(server, STATE_GREETED);

	client_deliver(&client, "next\r\n", ledger_add_delivered(ledger, "next\n"));
	client_close(&client);
	server_end(server);
	ledger_check(ledger, server);
	ledger_free(ledger);
	server_release(server);
}

/* What a client sends before it disconnects, and the replies to it. */
static const struct {
	const char *sent;
	const char *replies;
} endings[] = {
    {"", GREETING},
    {"HEL", GREETING},
    {"HELO client", GREETING},
    {"HELO client\r", GREETING},
    {"HELO client\r\n", GREETING HELO_OK},
    {"HELO client\r\nMAIL FROM:a@b\r\nRC", GREETING HELO_OK OK},
    {"HELO client\r\nMAIL FROM:a@b\r\nRCPT TO:c@d\r\n", GREETING HELO_OK OK OK},
    {OPENING, GREETING HELO_OK OK OK START_DATA},
    {OPENING "a", GREETING HELO_OK OK OK START_DATA},
    {OPENING ".", GREETING HELO_OK OK OK START_DATA},
    {OPENING ".\r", GREETING HELO_OK OK OK START_DATA},
    {OPENING ".\n", GREETING HELO_OK OK OK START_DATA},
    {OPENING "a\r\n.\r", GREETING HELO_OK OK OK START_DATA},
    {OPENING "a\r\n.\n", GREETING HELO_OK OK OK START_DATA},
    {OPENING "a\n.\r\n", GREETING HELO_OK OK OK START_DATA},
    {"bad\r\nbad\r\nbad", GREETING UNKNOWN UNKNOWN},
};

/* After shutdown() by the client every reply is sent, and an incomplete message is discarded. */
START_TEST(replies_are_sent_after_a_half_close)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
		struct client client = client_connect(server);

		client_send(&client, endings[i].sent);
		client_half_close(&client);
		client_expect(&client, endings[i].replies);
		client_expect_end(&client);
	}
	expect_nothing_else(server, &ledger);
}
END_TEST

/* A client that has read the replies disconnects, by RST or by close(). */
START_TEST(a_closed_connection_leaves_no_message)
{
	void (*const ways[])(struct client *) = {client_reset, client_close};
	struct server *server = server_start("");
	struct ledger ledger = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
		struct client client = client_connect(server);

		client_send(&client, endings[i].sent);
		client_expect(&client, endings[i].replies);
		ways[_i](&client);
	}
	expect_nothing_else(server, &ledger);
}
END_TEST

/*
 * A message is delivered although the client closes after its last byte. All replies until then
 * were read, so that close() sends no RST, which could overtake the message.
 */
START_TEST(a_message_is_delivered_although_its_client_closes)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client client = client_connect_in_state(server, STATE_DATA);

	client_send(&client, "complete\r\n.\r\n");
	client_close(&client);
	ledger_add_delivered(&ledger, "complete\n");
	ledger_check(&ledger, server);
	expect_nothing_else(server, &ledger);
}
END_TEST

/* The client closes without having read a reply to its messages. */
START_TEST(several_messages_are_delivered_although_their_client_closes)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct bytes sent = {0};

	for (const char *mark = "123"; *mark != '\0'; mark++) {
		char stored[] = {*mark, '\n', '\0'};

		bytes_add_format(
		    &sent, "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n%c\r\n.\r\n", *mark);
		ledger_add_delivered(&ledger, stored);
	}
	client_send_bytes(&client, sent.at, sent.length);
	client_close(&client);
	bytes_free(&sent);
	ledger_check(&ledger, server);
	expect_nothing_else(server, &ledger);
}
END_TEST

START_TEST(interleaved_messages_are_stored_apart)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client first = client_connect_in_state(server, STATE_DATA);
	struct client second = client_connect_in_state(server, STATE_DATA);

	client_send(&first, "first ");
	client_send(&second, "second ");
	client_send(&first, "of two\r\n.\r");
	client_command(&second, "of two\r\n.\r\n", "250 OK:  delivered message 1\r\n");
	client_command(&first, "\n", "250 OK:  delivered message 2\r\n");
	ledger_add_delivered(&ledger, "second of two\n");
	ledger_add_delivered(&ledger, "first of two\n");
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	client_close(&first);
	client_close(&second);
	server_stop(server);
}
END_TEST

/* Return the number of data segments received on a connection. */
static unsigned
segments_received(const struct client *client)
{
	struct tcp_info information = {0};
	socklen_t length = sizeof information;

	ck_assert_int_eq(
	    getsockopt(client->socket, IPPROTO_TCP, TCP_INFO, &information, &length), 0);
	return information.tcpi_data_segs_in;
}

/*
 * Commands in one segment, and the most segments with their replies: one, or two if the server
 * receives the commands in two parts.
 */
#define COMMANDS     100
#define SEGMENTS_MAX 2

START_TEST(replies_to_pipelined_commands_are_sent_together)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_SENDER);
	struct bytes sent = {0};
	struct bytes expected = {0};
	unsigned before = segments_received(&client);

	for (unsigned i = 0; i < COMMANDS; i++) {
		bytes_add_string(&sent, "RCPT TO:c@d\r\n");
		bytes_add_string(&expected, OK);
	}
	client_command(&client, sent.at, expected.at);
	ck_assert_uint_le(segments_received(&client) - before, SEGMENTS_MAX);
	bytes_free(&sent);
	bytes_free(&expected);
	client_close(&client);
	server_stop(server);
}
END_TEST

/* Pairs of commands: more bytes than any buffer of the server holds. */
#define PIPELINED 20000

START_TEST(replies_to_a_long_pipeline_keep_their_order)
{
	struct server *server = server_start("");
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO client\r\n");
	bytes_add_string(&expected, GREETING HELO_OK);
	for (unsigned i = 0; i < PIPELINED; i++) {
		bytes_add_format(&sent, "%s", i % 3 == 0 ? "HELO\r\n" : "DATA\r\n");
		bytes_add_string(&expected, i % 3 == 0 ? HELO_SYNTAX : NEED_MAIL);
		bytes_add_format(&sent, "MAIL FROM:%u x\r\n", i);
		bytes_add_format(&expected, "555 <%u x>: Sender address rejected\r\n", i);
	}
	converse_compare(server, &sent, &expected);
	server_stop(server);
}
END_TEST

/* Messages of a client under Nagle's algorithm, and the seconds by which Linux may delay an ACK. */
#define NAGLE_MESSAGES 50
#define DELAYED_ACK    0.04

/* Bytes of the larger body: one segment over loopback, and nearly a full buffer of the server. */
#define NAGLE_BODY 65000

/*
 * A client writes a body and its final dot separately, and its kernel holds the dot back until the
 * body is acknowledged (RFC 896). That must not cost the time of a delayed acknowledgement. The
 * cases are SMTP and ESMTP, first with a short body, then with the larger one.
 */
START_TEST(input_is_acknowledged_at_once)
{
	static const char *const options[] = {"", "--extended"};
	static const char *const greetings[] = {GREETING, "220 netid ESMTP CS4410MP3\r\n"};
	static char large[NAGLE_BODY + 1];
	const int off = 0;
	struct server *server = server_start(options[_i % 2]);
	struct client client = client_connect(server);
	double start;

	memset(large, 'x', NAGLE_BODY - 2);
	memcpy(large + NAGLE_BODY - 2, "\r\n", sizeof "\r\n");
	ck_assert_int_eq(setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off), 0);
	client_expect(&client, greetings[_i % 2]);
	client_command(&client, "HELO client\r\n", HELO_OK);
	start = clock_now();
	for (unsigned i = 1; i <= NAGLE_MESSAGES; i++) {
		char reply[REPLY_STRING_SIZE];

		snprintf(reply, sizeof reply, DELIVERED, i);
		client_begin_message(&client);
		client_send(&client, _i < 2 ? "body\r\n" : large);
		client_command(&client, ".\r\n", reply);
	}
	ck_assert_double_lt(clock_now() - start, NAGLE_MESSAGES * DELAYED_ACK / 2);
	client_close(&client);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, replies_are_sent_after_a_half_close);
	tcase_add_loop_test(tests, a_closed_connection_leaves_no_message, 0, 2);
	tcase_add_test(tests, a_message_is_delivered_although_its_client_closes);
	tcase_add_test(tests, several_messages_are_delivered_although_their_client_closes);
	tcase_add_test(tests, interleaved_messages_are_stored_apart);
	tcase_add_test(tests, replies_to_pipelined_commands_are_sent_together);
	tcase_add_test(tests, replies_to_a_long_pipeline_keep_their_order);
	tcase_add_loop_test(tests, input_is_acknowledged_at_once, 0, 4);
	return suite_run("connection", tests);
}
