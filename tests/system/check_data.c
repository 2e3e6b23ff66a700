/*
 * NAME
 *	check_data - the data sent, and the body stored
 *
 * DESCRIPTION
 *	A table of bodies, each delivered in one send() with its commands, and again with each byte
 *	in a segment of its own. They cover the end of the data, the dots, line ends, every byte,
 *	and lines that look like the first of a record.
 */

#include <limits.h>
#include <string.h>

#include "client.h"
#include "ledger.h"
#include "stream.h"
#include "suite.h"

/* The data before the line of the dot, and the body stored. */
struct body {
	const char *sent;
	size_t sent_length;
	const char *stored;
	size_t stored_length;
};

/* A line that could start a record. */
#define FORGED "Received: from x by netid (CS4410MP3)"

static const struct body bodies[] = {
    {LITERAL(""), LITERAL("")},
    {LITERAL("\r\n"), LITERAL("\n")},
    {LITERAL("\r\n\r\n"), LITERAL("\n\n")},
    {LITERAL("a\r\n"), LITERAL("a\n")},
    {LITERAL("a\r\n\r\nb\r\n"), LITERAL("a\n\nb\n")},
    {LITERAL(" a \t\r\n"), LITERAL(" a \t\n")},

    /* The first dot of a line is removed if other bytes follow. */
    {LITERAL("..\r\n"), LITERAL(".\n")},
    {LITERAL("...\r\n"), LITERAL("..\n")},
    {LITERAL(".a\r\n"), LITERAL("a\n")},
    {LITERAL(".a\r\n.b\r\n..c\r\n"), LITERAL("a\nb\n.c\n")},
    {LITERAL(". \r\n"), LITERAL(" \n")},
    {LITERAL(" .\r\n"), LITERAL(" .\n")},
    {LITERAL("a.\r\n"), LITERAL("a.\n")},
    {LITERAL("\r\n..\r\n"), LITERAL("\n.\n")},
    {LITERAL(".\0\r\n"), LITERAL("\0\n")},

    /* Only <CR><LF>.<CR><LF> ends the data. */
    {LITERAL("a\n.\nb\r\n"), LITERAL("a\n.\nb\n")},
    {LITERAL("a\n.\r\nb\r\n"), LITERAL("a\n.\nb\n")},
    {LITERAL("a\r.\rb\r\n"), LITERAL("a\r.\rb\n")},
    {LITERAL("a\r.\r\nb\r\n"), LITERAL("a\r.\nb\n")},
    {LITERAL("a\r\n.\nb\r\n"), LITERAL("a\n\nb\n")},
    {LITERAL("a\r\n.\rb\r\n"), LITERAL("a\n\rb\n")},
    {LITERAL("a\r\n.\r\r\nb\r\n"), LITERAL("a\n\r\nb\n")},
    {LITERAL("a\r\n\n.\r\nb\r\n"), LITERAL("a\n\n.\nb\n")},
    {LITERAL("a\r\n\r.\r\nb\r\n"), LITERAL("a\n\r.\nb\n")},
    {LITERAL("a\n\r.\n\rb\r\n"), LITERAL("a\n\r.\n\rb\n")},
    {LITERAL("a\r\0\n.\r\nb\r\n"), LITERAL("a\r\0\n.\nb\n")},
    {LITERAL("a\r\n.\0\r\nb\r\n"), LITERAL("a\n\0\nb\n")},
    {LITERAL("\n.\r\nb\r\n"), LITERAL("\n.\nb\n")},
    {LITERAL("\r.\r\nb\r\n"), LITERAL("\r.\nb\n")},
    {LITERAL(".\nb\r\n"), LITERAL("\nb\n")},
    {LITERAL(".\rb\r\n"), LITERAL("\rb\n")},
    {LITERAL(".\r\r\n"), LITERAL("\r\n")},
    {LITERAL("a\n.\nHELO x\nMAIL FROM:x\nRCPT TO:x\nDATA\n.\n\r\n"),
	LITERAL("a\n.\nHELO x\nMAIL FROM:x\nRCPT TO:x\nDATA\n.\n\n")},

    /* A lone CR or LF is kept. */
    {LITERAL("a\nb\r\n"), LITERAL("a\nb\n")},
    {LITERAL("a\rb\r\n"), LITERAL("a\rb\n")},
    {LITERAL("a\r\r\n"), LITERAL("a\r\n")},
    {LITERAL("a\n\r\n"), LITERAL("a\n\n")},
    {LITERAL("\r\r\r\n"), LITERAL("\r\r\n")},
    {LITERAL("\n\n\n\r\n"), LITERAL("\n\n\n\n")},
    {LITERAL("\n\r\n\r\r\n"), LITERAL("\n\n\r\n")},

    /* Every byte is allowed. */
    {LITERAL("\0\r\n"), LITERAL("\0\n")},
    {LITERAL("a\0b\0\0\r\n"), LITERAL("a\0b\0\0\n")},
    {LITERAL("\200\377\303\266\r\n"), LITERAL("\200\377\303\266\n")},
    {LITERAL("\033[2J\a\b\f\v\177\r\n"), LITERAL("\033[2J\a\b\f\v\177\n")},
    {LITERAL("%s%n\\r\\n.\\r\\n\r\n"), LITERAL("%s%n\\r\\n.\\r\\n\n")},
    {LITERAL("\377\364\377\375\006\r\n"), LITERAL("\377\364\377\375\006\n")},

    /* Commands and replies have no meaning in the data. */
    {LITERAL("HELO x\r\nQUIT\r\n250 OK\r\n"), LITERAL("HELO x\nQUIT\n250 OK\n")},
    {LITERAL("From x\r\n>From y\r\nNumber: 1\r\n"), LITERAL("From x\n>From y\nNumber: 1\n")},

    /* A line that could start a record gets a `>`, also in front of others. */
    {LITERAL(FORGED "\r\n"), LITERAL(">" FORGED "\n")},
    {LITERAL(">" FORGED "\r\n"), LITERAL(">>" FORGED "\n")},
    {LITERAL(">>>" FORGED "\r\n"), LITERAL(">>>>" FORGED "\n")},
    {LITERAL("\r\n" FORGED "\r\nNumber: 9\r\nFrom: z\r\nTo: z\r\n\r\nz\r\n"),
	LITERAL("\n>" FORGED "\nNumber: 9\nFrom: z\nTo: z\n\nz\n")},
    {LITERAL(FORGED "\r\n" FORGED "\r\n"), LITERAL(">" FORGED "\n>" FORGED "\n")},
    {LITERAL("Received: from  by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from  by netid (CS4410MP3)\n")},
    {LITERAL("Received: from a b by netid (CS4410MP3) by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from a b by netid (CS4410MP3) by netid (CS4410MP3)\n")},
    /* So does one after a dot that was removed, or next to a bare LF. */
    {LITERAL("." FORGED "\r\n"), LITERAL(">" FORGED "\n")},
    {LITERAL("a\n" FORGED "\r\n"), LITERAL("a\n>" FORGED "\n")},
    {LITERAL(FORGED "\nb\r\n"), LITERAL(">" FORGED "\nb\n")},
    {LITERAL("a\n" FORGED "\nb\r\n"), LITERAL("a\n>" FORGED "\nb\n")},
    {LITERAL(".\n" FORGED "\r\n"), LITERAL("\n>" FORGED "\n")},
    {LITERAL("..\r\n." FORGED "\r\n"), LITERAL(".\n>" FORGED "\n")},
    /* Any bytes may be in its middle, and any netid. */
    {LITERAL("Received: from a\rb\0c\377 by netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from a\rb\0c\377 by netid (CS4410MP3)\n")},
    {LITERAL("Received: from x by Netid (CS4410MP3)\r\n"),
	LITERAL(">Received: from x by Netid (CS4410MP3)\n")},
    {LITERAL("Received: from x by other (CS4410MP3)\r\n"),
	LITERAL(">Received: from x by other (CS4410MP3)\n")},
    /* A line that differs, or of which it is only a part, is unchanged. */
    {LITERAL(" " FORGED "\r\n"), LITERAL(" " FORGED "\n")},
    {LITERAL("> " FORGED "\r\n"), LITERAL("> " FORGED "\n")},
    {LITERAL("\r" FORGED "\r\n"), LITERAL("\r" FORGED "\n")},
    {LITERAL("\n.>" FORGED "\r\n"), LITERAL("\n.>" FORGED "\n")},
    {LITERAL(FORGED " \r\n"), LITERAL(FORGED " \n")},
    {LITERAL(FORGED "\r\r\n"), LITERAL(FORGED "\r\n")},
    {LITERAL(FORGED "\0\r\n"), LITERAL(FORGED "\0\n")},
    {LITERAL(FORGED FORGED "x\r\n"), LITERAL(FORGED FORGED "x\n")},
    {LITERAL("received: from x by netid (CS4410MP3)\r\n"),
	LITERAL("received: from x by netid (CS4410MP3)\n")},
    {LITERAL("Received: from x by netid (CS4410MP3\r\n"),
	LITERAL("Received: from x by netid (CS4410MP3\n")},
    {LITERAL("Received: from by netid (CS4410MP3)\r\n"),
	LITERAL("Received: from by netid (CS4410MP3)\n")},
    {LITERAL("Received: from x\r\n by netid (CS4410MP3)\r\n"),
	LITERAL("Received: from x\n by netid (CS4410MP3)\n")},
    {LITERAL("Received: from x\n by netid (CS4410MP3)\r\n"),
	LITERAL("Received: from x\n by netid (CS4410MP3)\n")},
};

/* How a session is sent. */
enum sending {
	AT_ONCE, /* as the client of the course does */
	BYTEWISE /* each byte in a segment of its own */
};

/* Deliver one body. */
static void
deliver(const struct server *server, struct ledger *ledger, const struct body *body,
    enum sending sending)
{
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO h\r\nMAIL FROM:f\r\nRCPT TO:t\r\nDATA\r\n");
	bytes_add(&sent, body->sent, body->sent_length);
	bytes_add_string(&sent, ".\r\n");
	bytes_add_string(&expected, GREETING HELO_OK OK OK START_DATA);
	bytes_add_format(&expected, DELIVERED,
	    ledger_add(ledger, "h", "f", "t", body->stored, body->stored_length));
	if (sending == BYTEWISE) {
		converse_compare_bytewise(server, &sent, &expected);
	} else {
		converse_compare(server, &sent, &expected);
	}
}

START_TEST(each_body_is_stored_as_in_the_table)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		deliver(server, &ledger, &bodies[i], (enum sending)_i);
		ledger_check(&ledger, server);
	}
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* With all bodies on one connection, no state of one message affects the next. */
START_TEST(bodies_on_one_connection_are_independent)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO h\r\n");
	bytes_add_string(&expected, GREETING HELO_OK);
	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		bytes_add_string(&sent, "MAIL FROM:f\r\nRCPT TO:t\r\nDATA\r\n");
		bytes_add(&sent, bodies[i].sent, bodies[i].sent_length);
		bytes_add_string(&sent, ".\r\n");
		bytes_add_string(&expected, OK OK START_DATA);
		bytes_add_format(&expected, DELIVERED,
		    ledger_add(&ledger, "h", "f", "t", bodies[i].stored, bodies[i].stored_length));
	}
	converse_compare(server, &sent, &expected);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* The body is sent after the 354, and split in the middle of line ends. */
START_TEST(a_body_in_pieces_is_stored)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_DATA);
	struct ledger ledger = {0};

	client_send(&client, "one\r");
	client_send(&client, "\n.");
	client_send(&client, ".two");
	client_send(&client, "\r\n.\r");
	client_command(&client, "\n", "250 OK:  delivered message 1\r\n");
	ledger_add_delivered(&ledger, "one\n.two\n");
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	client_close(&client);
	server_stop(server);
}
END_TEST

/* DATA is in one segment with its body, as the course's client sends it. */
START_TEST(a_body_in_one_segment_with_data_is_stored)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_RECIPIENT);
	struct ledger ledger = {0};

	client_command(
	    &client, "DATA\r\nbody\r\n.\r\n", START_DATA "250 OK:  delivered message 1\r\n");
	client_command(&client, "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n.\r\nMAIL FROM:x\r\n",
	    OK OK START_DATA "250 OK:  delivered message 2\r\n" OK);
	ledger_add_delivered(&ledger, "body\n");
	ledger_add_delivered(&ledger, "");
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	client_close(&client);
	server_stop(server);
}
END_TEST

/* Add a line with these two bytes between two letters, as sent and as stored. */
static void
add_bytes(struct bytes *sent, struct bytes *stored, char first, char second)
{
	char line[] = {'x', first, second, 'y', '\r', '\n'};
	bool is_line_end = first == '\r' && second == '\n';

	bytes_add(sent, line, sizeof line);
	if (is_line_end) {
		bytes_add_string(stored, "x\ny\n");
	} else {
		bytes_add_format(stored, "x%c%cy\n", first, second);
	}
}

/* Add every byte, each followed by CR, by LF, by a dot and by a letter. */
static void
add_every_byte(struct bytes *sent, struct bytes *stored)
{
	static const char seconds[] = "\r\n.a";

	for (unsigned byte = 0; byte <= UCHAR_MAX; byte++) {
		for (const char *second = seconds; *second != '\0'; second++) {
			add_bytes(sent, stored, (char)byte, *second);
		}
	}
}

START_TEST(every_byte_is_stored)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct bytes sent = {0};
	struct bytes stored = {0};
	struct body body;

	add_every_byte(&sent, &stored);
	body = (struct body){sent.at, sent.length, stored.at, stored.length};
	deliver(server, &ledger, &body, AT_ONCE);
	deliver(server, &ledger, &body, BYTEWISE);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	bytes_free(&sent);
	bytes_free(&stored);
	server_stop(server);
}
END_TEST

/* Bytes between the beginning and the end of a line that could start a record. */
#define FORGED_LENGTH 100000

START_TEST(a_long_line_that_could_start_a_record_is_quoted)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct bytes sent = {0};
	struct bytes stored = {0};
	struct body body;

	bytes_add_string(&stored, ">");
	bytes_add_string(&sent, "Received: from ");
	bytes_add_repeated(&sent, 'x', FORGED_LENGTH);
	bytes_add_string(&sent, " by netid (CS4410MP3)");
	bytes_add(&stored, sent.at, sent.length);
	bytes_add_string(&sent, "\r\n");
	bytes_add_string(&stored, "\n");
	body = (struct body){sent.at, sent.length, stored.at, stored.length};
	deliver(server, &ledger, &body, AT_ONCE);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	bytes_free(&sent);
	bytes_free(&stored);
	server_stop(server);
}
END_TEST

/*
 * Characters with a meaning in patterns have none in a netid. A line that could start a record is
 * quoted with any netid in it.
 */
START_TEST(a_netid_with_pattern_characters_is_used_unchanged)
{
	struct server *server = server_start("--netid x.y(z*");
	struct path mailbox = server_mailbox(server);

	converse_expect(server,
	    "HELO h\r\nMAIL FROM:f\r\nRCPT TO:t\r\nDATA\r\n"
	    "Received: from h by x.y(z* (CS4410MP3)\r\n"
	    "Received: from h by xzy(z* (CS4410MP3)\r\n"
	    "Received: from h by netid (CS4410MP3)\r\n"
	    ".\r\n",
	    "220 x.y(z* SMTP CS4410MP3\r\n"
	    "250 x.y(z*\r\n" OK OK START_DATA "250 OK:  delivered message 1\r\n");
	files_expect_string(mailbox.name, "Received: from h by x.y(z* (CS4410MP3)\n"
					  "Number: 1\nFrom: f\nTo: t\n\n"
					  ">Received: from h by x.y(z* (CS4410MP3)\n"
					  ">Received: from h by xzy(z* (CS4410MP3)\n"
					  ">Received: from h by netid (CS4410MP3)\n"
					  "\n");
	server_stop(server);
}
END_TEST

/* Also: one HELO is enough for several messages, and a message may have several recipients. */
START_TEST(numbers_continue_on_other_connections)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};

	converse_expect(server,
	    "HELO one\r\n"
	    "MAIL FROM:f\r\nRCPT TO:t1\r\nRCPT TO:t2\r\nRCPT TO:t1\r\nDATA\r\na\r\n.\r\n"
	    "MAIL FROM:g\r\nRCPT TO:t3\r\nDATA\r\nb\r\n.\r\n",
	    GREETING HELO_OK OK OK OK OK START_DATA
	    "250 OK:  delivered message 1\r\n" OK OK START_DATA "250 OK:  delivered message 2\r\n");
	ledger_add(&ledger, "one", "f", "t1\nTo: t2\nTo: t1", "a\n", 2);
	ledger_add(&ledger, "one", "g", "t3", "b\n", 2);
	converse_expect(server, "HELO two\r\nMAIL FROM:f\r\nRCPT TO:t\r\nDATA\r\n.\r\n",
	    GREETING HELO_OK OK OK START_DATA "250 OK:  delivered message 3\r\n");
	ledger_add(&ledger, "two", "f", "t", "", 0);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, each_body_is_stored_as_in_the_table, 0, 2);
	tcase_add_test(tests, bodies_on_one_connection_are_independent);
	tcase_add_test(tests, a_body_in_pieces_is_stored);
	tcase_add_test(tests, a_body_in_one_segment_with_data_is_stored);
	tcase_add_test(tests, every_byte_is_stored);
	tcase_add_test(tests, a_long_line_that_could_start_a_record_is_quoted);
	tcase_add_test(tests, a_netid_with_pattern_characters_is_used_unchanged);
	tcase_add_test(tests, numbers_continue_on_other_connections);
	return suite_run("data", tests);
}
