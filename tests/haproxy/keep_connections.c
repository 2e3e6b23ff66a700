/*
 * NAME
 *	keep_connections - clients that send a message each, and keep their connections
 *
 * SYNOPSIS
 *	keep_connections CONNECTIONS SECONDS PORT
 *
 * DESCRIPTION
 *	A thread for each connection to 127.0.0.1 waits for the greeting, sends a message, and keeps
 *	the connection open until the server closes it or the program ends. The program ends when
 *	the messages of all clients are acknowledged. Standard output then has a line with the
 *	seconds since the first connect.
 *
 * DIAGNOSTICS
 *	Exit status 1 if a message is not acknowledged after SECONDS, a reply is unexpected, or a
 *	connection is refused or lost; 2 for wrong usage.
 */

#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "wire.h"

enum {
	EXIT_USAGE = 2
};

#define CONNECTIONS_MAX 1000
#define SECONDS_MAX     3600

/* Seconds between two polls of `served`. */
#define INTERVAL 0.01

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long served; /* clients with an acknowledged message; guarded by `lock` */

/* A session, without QUIT. */
static const char session[] = "HELO client\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
			      "body\r\n.\r\n";

/* The beginnings of the replies, from the greeting to the reply to the message. */
static const char *const replies[] = {"220 ", "250 ", "250 OK", "250 OK", "354 ", "250 OK:"};

/* Receive a reply. The program ends if it is not as expected. */
static void
expect(struct wire *wire, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	if (wire_receive(wire, line) != WIRE_LINE) {
		errx(EXIT_FAILURE, "no reply, instead of %s", expected);
	}
	if (strncmp(line, expected, strlen(expected)) != 0) {
		errx(EXIT_FAILURE, "%s, instead of %s", line, expected);
	}
}

static void *
client_main(void *unused)
{
	char line[WIRE_LINE_SIZE];
	struct wire wire;

	(void)unused;
	if (!wire_open(&wire)) {
		errx(EXIT_FAILURE, "no connection");
	}
	expect(&wire, replies[0]);
	if (!wire_send_text(&wire, session)) {
		errx(EXIT_FAILURE, "the message cannot be sent");
	}
	for (size_t i = 1; i < sizeof replies / sizeof replies[0]; i++) {
		expect(&wire, replies[i]);
	}
	pthread_mutex_lock(&lock);
	served++;
	pthread_mutex_unlock(&lock);
	/* A 421, or the end of this program. */
	wire_receive(&wire, line);
	wire_close(&wire);
	return NULL;
}

static bool
all_are_served(unsigned long connections)
{
	bool all;

	pthread_mutex_lock(&lock);
	all = served == connections;
	pthread_mutex_unlock(&lock);
	return all;
}

/* Parse a number from 1 to `max`. The program ends if it is invalid. */
static unsigned long
read_number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > max) {
		errx(EXIT_USAGE, "%s: not a number from 1 to %lu", text, max);
	}
	return value;
}

int
main(int count, char *arguments[])
{
	unsigned long connections, seconds;
	double start;

	if (count != 4) {
		errx(EXIT_USAGE, "usage: keep_connections CONNECTIONS SECONDS PORT");
	}
	connections = read_number(arguments[1], CONNECTIONS_MAX);
	seconds = read_number(arguments[2], SECONDS_MAX);
	wire_prepare((unsigned)read_number(arguments[3], 65535), (double)seconds);
	start = clock_now();
	for (unsigned long i = 0; i < connections; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, client_main, NULL) != 0) {
			errx(EXIT_FAILURE, "no more threads");
		}
		pthread_detach(thread);
	}
	while (!all_are_served(connections)) {
		if (clock_now() - start > (double)seconds) {
			errx(EXIT_FAILURE, "not all clients are served after %lu s", seconds);
		}
		clock_sleep(INTERVAL);
	}
	printf("%.2f\n", clock_now() - start);
	return EXIT_SUCCESS;
}
