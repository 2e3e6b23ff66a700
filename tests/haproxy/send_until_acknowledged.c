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
 *	the reply to each command. An attempt fails if the connection is lost before the message is
 *	acknowledged. The message is then sent again, over a new connection and under another name,
 *	because the server may have stored it. The options are:
 *
 *	-c	concurrent connections (32)
 *	-e	messages of a connection, after which a new one is opened (5)
 *	-f	the number of the first message (1)
 *	-m	total of messages (1000)
 *	-k	send SIGKILL to PROCESS when COUNT messages have been acknowledged
 *	-r	an attempt also fails after a transient reply (4yz, RFC 5321, 4.2.1); the pauses are
 *		longer
 *
 *	The name of an attempt is MESSAGE-ATTEMPT, two numbers. Its sender is NAME@client, and its
 *	body is 1 to LINES_MAX lines "NAME line N of N", so that a record that is not complete can
 *	be detected.
 *
 *	Standard output has a line with the name of each attempt that was acknowledged. The last
 *	line on standard error has the numbers of messages acknowledged and of attempts failed.
 *
 * DIAGNOSTICS
 *	Exit status 1 after an unexpected reply, or if ATTEMPTS_MAX attempts of a message failed; 2
 *	for wrong usage.
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

/*
 * Attempts of a message, and the seconds of the pause after one that fails. With the long pause
 * they take longer than the disk stays full in tests/service/in_systemd on a busy machine.
 */
#define ATTEMPTS_MAX 400
#define PAUSE        0.02
#define LONG_PAUSE   0.1

/* Limits of the options. */
#define CONNECTIONS_MAX 1000
#define MESSAGES_MAX    100000000

/* Lines of the longest body. */
#define LINES_MAX 40

/* Bytes, with a NUL: of a name, of a line of a body, of a body and the end of the data. */
#define NAME_SIZE 32
#define LINE_SIZE (NAME_SIZE + 32)
#define BODY_SIZE (LINES_MAX * LINE_SIZE + 8)

/* Bytes of the stack of a thread. */
#define STACK_SIZE ((size_t)256 * 1024)

struct sender {
	/* Set before the threads start: */
	unsigned long connections, messages_per_connection, first, messages;
	unsigned long kill_after; /* acknowledgements before the signal; 0: no signal */
	pid_t kill_process;
	bool retries_transient;
	pthread_mutex_t lock;       /* guards what follows, and standard output */
	unsigned long taken;        /* messages that a thread has begun */
	unsigned long acknowledged; /* messages */
	unsigned long failed_attempts;
	bool failed; /* a message or the signal cannot be sent: no thread takes another message */
};

static struct sender sender = {
    .connections = 32,
    .messages_per_connection = 5,
    .first = 1,
    .messages = 1000,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

/* One thread's connection. */
struct connection {
	bool open;
	struct wire wire;
	unsigned long delivered; /* messages since it was opened */
};

/* Result of a command, and of a whole attempt. */
enum outcome {
	OUTCOME_OK,
	OUTCOME_RETRY,  /* the connection is lost, or with -r the reply is transient */
	OUTCOME_INVALID /* the reply is another than expected */
};

/* ---- one connection ---- */

static void
disconnect(struct connection *connection)
{
	if (connection->open) {
		wire_close(&connection->wire);
	}
	connection->open = false;
	connection->delivered = 0;
}

/* Send a command, with its line ending, and compare the beginning of the reply to it. */
static enum outcome
send_command(struct connection *connection, const char *command, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	if (!wire_send_text(&connection->wire, command) ||
	    wire_receive(&connection->wire, line) != WIRE_LINE) {
		return OUTCOME_RETRY;
	}
	if (line[0] == '4' && sender.retries_transient) {
		return OUTCOME_RETRY;
	}
	if (strncmp(line, expected, strlen(expected)) != 0) {
		warnx("unexpected reply to '%.20s...': %s", command, line);
		return OUTCOME_INVALID;
	}
	return OUTCOME_OK;
}

/* Connect, receive the greeting and send HELO. */
static enum outcome
open_session(struct connection *connection)
{
	enum outcome outcome;

	connection->open = wire_open(&connection->wire);
	if (!connection->open) {
		return OUTCOME_RETRY;
	}
	outcome = send_command(connection, "", "220 ");
	return outcome == OUTCOME_OK ? send_command(connection, "HELO client\r\n", "250 ")
				     : outcome;
}

/* ---- one message ---- */

/* Write the body of an attempt, and the end of the data. */
static void
write_body(char body[static BODY_SIZE], const char *name, unsigned long message)
{
	unsigned lines = 1 + (unsigned)(message % LINES_MAX);

	for (unsigned line = 1; line <= lines; line++) {
		body += snprintf(body, LINE_SIZE, "%s line %u of %u\r\n", name, line, lines);
	}
	memcpy(body, ".\r\n", sizeof ".\r\n");
}

/* Send MAIL FROM, RCPT TO, DATA and the body. */
static enum outcome
send_message(struct connection *connection, const char *name, unsigned long message)
{
	char mail[LINE_SIZE], body[BODY_SIZE];
	enum outcome outcome;

	snprintf(mail, sizeof mail, "MAIL FROM: %s@client\r\n", name);
	write_body(body, name, message);
	outcome = send_command(connection, mail, "250 OK");
	if (outcome == OUTCOME_OK) {
		outcome = send_command(connection, "RCPT TO: mailbox@client\r\n", "250 OK");
	}
	if (outcome == OUTCOME_OK) {
		outcome = send_command(connection, "DATA\r\n", "354 ");
	}
	return outcome == OUTCOME_OK ? send_command(connection, body, "250 OK:  delivered message ")
				     : outcome;
}

/* Print and count an acknowledged attempt. Sends SIGKILL after `kill_after` of them. */
static void
count_acknowledged(const char *name)
{
	pthread_mutex_lock(&sender.lock);
	puts(name);
	sender.acknowledged++;
	if (sender.acknowledged == sender.kill_after && kill(sender.kill_process, SIGKILL) == -1) {
		warn("process %ld", (long)sender.kill_process);
		sender.failed = true;
	}
	pthread_mutex_unlock(&sender.lock);
}

/* Send a message once, over the open connection or a new one. */
static enum outcome
attempt(struct connection *connection, unsigned long message, unsigned number)
{
	char name[NAME_SIZE];
	enum outcome outcome = OUTCOME_OK;

	snprintf(name, sizeof name, "%lu-%u", message, number);
	if (!connection->open) {
		outcome = open_session(connection);
	}
	if (outcome == OUTCOME_OK) {
		outcome = send_message(connection, name, message);
	}
	if (outcome == OUTCOME_OK) {
		count_acknowledged(name);
		connection->delivered++;
	}
	if (outcome != OUTCOME_OK || connection->delivered == sender.messages_per_connection) {
		disconnect(connection);
	}
	return outcome;
}

/* Count a failed attempt, and pause so that the server can restart. */
static void
count_failed(void)
{
	pthread_mutex_lock(&sender.lock);
	sender.failed_attempts++;
	pthread_mutex_unlock(&sender.lock);
	clock_sleep(sender.retries_transient ? LONG_PAUSE : PAUSE);
}

/* Send a message until it is acknowledged. Returns whether it was. */
static bool
deliver(struct connection *connection, unsigned long message)
{
	for (unsigned number = 1; number <= ATTEMPTS_MAX; number++) {
		enum outcome outcome = attempt(connection, message, number);

		if (outcome != OUTCOME_RETRY) {
			return outcome == OUTCOME_OK;
		}
		count_failed();
	}
	warnx("message %lu: %u attempts failed", message, ATTEMPTS_MAX);
	return false;
}

/* ---- all messages ---- */

/* Take the number of the next message from the counter. Returns false if there is none. */
static bool
take_message(unsigned long *message)
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
sender_main(void *unused)
{
	struct connection connection = {.open = false};
	unsigned long message;

	(void)unused;
	while (take_message(&message)) {
		if (!deliver(&connection, message)) {
			pthread_mutex_lock(&sender.lock);
			sender.failed = true;
			pthread_mutex_unlock(&sender.lock);
		}
	}
	disconnect(&connection);
	return NULL;
}

/* Run all threads to their end. Returns whether all could be started. */
static bool
run(void)
{
	pthread_t threads[CONNECTIONS_MAX];
	pthread_attr_t attributes;
	unsigned long started = 0;
	int error = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	while (started < sender.connections && error == 0) {
		error = pthread_create(&threads[started], &attributes, sender_main, NULL);
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
set_kill(const char *text)
{
	unsigned long process;

	text = read_number(text, ':', MESSAGES_MAX, &sender.kill_after);
	read_number(text + 1, '\0', INT32_MAX, &process);
	sender.kill_process = (pid_t)process;
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
			read_number(optarg, '\0', MESSAGES_MAX, &sender.messages_per_connection);
			break;
		case 'f':
			read_number(optarg, '\0', MESSAGES_MAX, &sender.first);
			break;
		case 'm':
			read_number(optarg, '\0', MESSAGES_MAX, &sender.messages);
			break;
		case 'k':
			set_kill(optarg);
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
	bool success;

	read_options(argc, argv);
	read_number(argv[optind], '\0', UINT16_MAX, &port);
	/* PATIENCE includes the wait in the queue of HAProxy. */
	wire_prepare((unsigned)port, PATIENCE);
	success = run() && !sender.failed && sender.acknowledged == sender.messages;
	if (fclose(stdout) == EOF) {
		err(EXIT_FAILURE, "standard output");
	}
	warnx("%lu messages acknowledged, %lu attempts failed", sender.acknowledged,
	    sender.failed_attempts);
	return success ? EXIT_SUCCESS : EXIT_FAILURE;
}
