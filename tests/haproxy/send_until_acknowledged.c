/*
 * NAME
 *	send_until_acknowledged - send each message again until the server acknowledges it
 *
 * SYNOPSIS
 *	send_until_acknowledged [-r] [-c CONNECTIONS] [-e EACH] [-f FIRST] [-m MESSAGES]
 *	    [-k COUNT:PROCESS] PORT
 *
 * DESCRIPTION
 *	A thread for each connection to 127.0.0.1 takes messages from a shared counter and waits for
 *	the reply to each command. If the connection is lost before the acknowledgement, the message is
 *	sent again over a new connection under another name, because the outcome of the first attempt
 *	is unknown. The options are:
 *
 *	-c	concurrent connections (32)
 *	-e	messages of a connection before it is closed and a new one opened (5)
 *	-f	the number of the first message (1)
 *	-m	total of messages (1000)
 *	-k	send SIGKILL to PROCESS when COUNT messages have been acknowledged
 *	-r	a transient reply (4yz, RFC 5321 section 4.2.1) loses the connection, too; the pauses are
 *		longer
 *
 *	The name of a try is MESSAGE-TRY. Its sender is NAME@client, and its body is 1 to LINES_MAX
 *	lines "NAME line N of N", so that a torn record can be detected.
 *
 *	Standard output has a line with the name of each acknowledged try. The last line on standard
 *	error has the numbers of acknowledged and lost tries.
 *
 * DIAGNOSTICS
 *	Exit status 1 after an unexpected reply, or if a message was lost TRIES times; 2 for wrong
 *	usage.
 */

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "wire.h"

enum {
	EXIT_USAGE = 2
};

/* Tries of a message, and the seconds of the pause after each failure. */
#define TRIES      100
#define PAUSE      0.02
#define LONG_PAUSE 0.1

/* Limits of the options. */
#define CONNECTIONS_MAX 1000
#define NUMBER_MAX      100000000

/* Lines of the longest body. */
#define LINES_MAX 40

/* Bytes: of a name, of a line of a body, of a whole message with all commands. */
#define NAME_SIZE    32
#define LINE_SIZE    (NAME_SIZE + 32)
#define MESSAGE_SIZE (LINES_MAX * LINE_SIZE + 8)

#define BITS_OF_STACK 18

struct sender {
	unsigned long connections, each, first, messages;
	unsigned long victim_after; /* 0 for never */
	pid_t victim;
	bool retries_transient;
	pthread_mutex_t lock; /* guards what follows, and standard output */
	unsigned long taken, acknowledged, lost;
	bool failed;
};

static struct sender sender = {
    .connections = 32,
    .each = 5,
    .first = 1,
    .messages = 1000,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

/* One thread's connection. */
struct connection {
	bool open;
	struct wire wire;
	unsigned long delivered;
};

/* Result of a command. */
enum outcome {
	ASK_OK,
	ASK_LOST, /* the connection was lost */
	ASK_WRONG /* unexpected reply, or a failed system call */
};

/* ---- one connection ---- */

static void
disconnect(struct connection *connection)
{
	if (connection->open) {
		wire_close(&connection->wire, false);
	}
	connection->open = false;
	connection->delivered = 0;
}

/* Send a command and check the beginning of the reply. */
static enum outcome
ask(struct connection *connection, const char *command, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	if (!wire_send_text(&connection->wire, command) ||
	    wire_receive(&connection->wire, line) != WIRE_LINE) {
		return ASK_LOST;
	}
	if (line[0] == '4' && sender.retries_transient) {
		return ASK_LOST;
	}
	if (strncmp(line, expected, strlen(expected)) != 0) {
		warnx("'%.20s...' was answered with: %s", command, line);
		return ASK_WRONG;
	}
	return ASK_OK;
}

/* Connect, receive the greeting and send HELO. */
static enum outcome
greet(struct connection *connection)
{
	enum outcome outcome;

	connection->open = wire_open(&connection->wire);
	if (!connection->open) {
		return ASK_LOST;
	}
	outcome = ask(connection, "", "220 ");
	return outcome == ASK_OK ? ask(connection, "HELO client\r\n", "250 ") : outcome;
}

/* ---- one message ---- */

/* Write the body of a try and the end of the data. */
static void
write_body(char body[static MESSAGE_SIZE], const char *name, unsigned long message)
{
	unsigned lines = 1 + (unsigned)(message % LINES_MAX);

	for (unsigned line = 1; line <= lines; line++) {
		body += snprintf(body, LINE_SIZE, "%s line %u of %u\r\n", name, line, lines);
	}
	memcpy(body, ".\r\n", sizeof ".\r\n");
}

static enum outcome
deliver_all(struct connection *connection, const char *name, unsigned long message)
{
	char mail[LINE_SIZE], body[MESSAGE_SIZE];
	enum outcome outcome;

	snprintf(mail, sizeof mail, "MAIL FROM: %s@client\r\n", name);
	write_body(body, name, message);
	outcome = ask(connection, mail, "250 OK");
	if (outcome == ASK_OK) {
		outcome = ask(connection, "RCPT TO: mailbox@client\r\n", "250 OK");
	}
	if (outcome == ASK_OK) {
		outcome = ask(connection, "DATA\r\n", "354 ");
	}
	return outcome == ASK_OK ? ask(connection, body, "250 OK:  delivered message ") : outcome;
}

static void
acknowledge(const char *name)
{
	pthread_mutex_lock(&sender.lock);
	puts(name);
	sender.acknowledged++;
	if (sender.acknowledged == sender.victim_after && kill(sender.victim, SIGKILL) == -1) {
		warn("process %ld", (long)sender.victim);
		sender.failed = true;
	}
	pthread_mutex_unlock(&sender.lock);
}

/* Send a message once. */
static enum outcome
try(struct connection *connection, unsigned long message, unsigned number)
{
	char name[NAME_SIZE];
	enum outcome outcome = ASK_OK;

	snprintf(name, sizeof name, "%lu-%u", message, number);
	if (!connection->open) {
		outcome = greet(connection);
	}
	if (outcome == ASK_OK) {
		outcome = deliver_all(connection, name, message);
	}
	if (outcome == ASK_OK) {
		acknowledge(name);
		connection->delivered++;
	}
	if (outcome != ASK_OK || connection->delivered == sender.each) {
		disconnect(connection);
	}
	return outcome;
}

/* Count a lost try, and pause so that the server can restart. */
static void
count_lost(void)
{
	pthread_mutex_lock(&sender.lock);
	sender.lost++;
	pthread_mutex_unlock(&sender.lock);
	clock_sleep(sender.retries_transient ? LONG_PAUSE : PAUSE);
}

/* Send a message until it is acknowledged. Returns whether it was. */
static bool
deliver(struct connection *connection, unsigned long message)
{
	for (unsigned number = 1; number <= TRIES; number++) {
		enum outcome outcome = try(connection, message, number);

		if (outcome != ASK_LOST) {
			return outcome == ASK_OK;
		}
		count_lost();
	}
	warnx("message %lu was lost %u times", message, TRIES);
	return false;
}

/* ---- all messages ---- */

/* Take the number of the next message. Returns false if there is none. */
static bool
take(unsigned long *message)
{
	bool more;

	pthread_mutex_lock(&sender.lock);
	more = sender.taken < sender.messages && !sender.failed;
	*message = sender.first + sender.taken;
	sender.taken += more;
	pthread_mutex_unlock(&sender.lock);
	return more;
}

static void *
work(void *unused)
{
	struct connection connection = {.open = false};
	unsigned long message;

	(void)unused;
	while (take(&message)) {
		if (!deliver(&connection, message)) {
			pthread_mutex_lock(&sender.lock);
			sender.failed = true;
			pthread_mutex_unlock(&sender.lock);
		}
	}
	disconnect(&connection);
	return NULL;
}

/* Run all threads. Returns whether they could be started. */
static bool
run(void)
{
	pthread_t threads[CONNECTIONS_MAX];
	pthread_attr_t attributes;
	unsigned long started = 0;
	int error = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, (size_t)1 << BITS_OF_STACK);
	while (started < sender.connections && error == 0) {
		error = pthread_create(&threads[started], &attributes, work, NULL);
		started += error == 0;
	}
	pthread_attr_destroy(&attributes);
	for (unsigned long i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
	}
	if (error != 0) {
		errno = error;
		warn("threads");
	}
	return error == 0;
}

/* ---- the command line ---- */

static _Noreturn void
refuse_usage(void)
{
	warnx("usage: send_until_acknowledged [-r] [-c CONNECTIONS] [-e EACH] [-f FIRST] [-m "
	      "MESSAGES] "
	      "[-k COUNT:PROCESS] PORT");
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	exit(EXIT_USAGE);
}

/* Parse a number from 1 to `max` that is followed by `end`. Returns the position of `end`. */
static const char *
read_number(const char *text, char end, unsigned long max, unsigned long *number)
{
	char *rest;

	*number = strtoul(text, &rest, 10);
	if (rest == text || *rest != end || *number == 0 || *number > max) {
		refuse_usage();
	}
	return rest;
}

static void
set_victim(const char *text)
{
	unsigned long process;

	text = read_number(text, ':', NUMBER_MAX, &sender.victim_after);
	read_number(text + 1, '\0', INT32_MAX, &process);
	sender.victim = (pid_t)process;
}

static void
read_options(int argc, char *argv[])
{
	int letter;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	while ((letter = getopt(argc, argv, "c:e:f:m:k:r")) != -1) {
		switch (letter) {
		case 'c':
			read_number(optarg, '\0', CONNECTIONS_MAX, &sender.connections);
			break;
		case 'e':
			read_number(optarg, '\0', NUMBER_MAX, &sender.each);
			break;
		case 'f':
			read_number(optarg, '\0', NUMBER_MAX, &sender.first);
			break;
		case 'm':
			read_number(optarg, '\0', NUMBER_MAX, &sender.messages);
			break;
		case 'k':
			set_victim(optarg);
			break;
		case 'r':
			sender.retries_transient = true;
			break;
		default:
			refuse_usage();
		}
	}
	if (optind + 1 != argc) {
		refuse_usage();
	}
}

int
main(int argc, char *argv[])
{
	unsigned long port;
	bool good;

	read_options(argc, argv);
	read_number(argv[optind], '\0', UINT16_MAX, &port);
	/* PATIENCE includes the wait in the queue of HAProxy. */
	wire_prepare((unsigned)port, PATIENCE);
	good = run() && !sender.failed && sender.acknowledged == sender.messages;
	if (fclose(stdout) == EOF) {
		err(EXIT_FAILURE, "standard output");
	}
	warnx("%lu acknowledged, %lu tries lost", sender.acknowledged, sender.lost);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
