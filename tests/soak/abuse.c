/*
 * NAME
 *	abuse - abusive clients
 *
 * DESCRIPTION
 *	Each function of the table below connects, abuses the server and disconnects. Timeouts are
 *	checked where they must happen; no timeout may be early. The start of a timeout is taken to
 *	be the time at which the command that starts it was sent, because the server receives it
 *	later. A late timeout depends on the machine, and is limited by `patience` only.
 *
 * DIAGNOSTICS
 *	Through checks_fail().
 */

#include "abuse.h"

#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "clock.h"
#include "fail.h"
#include "wire.h"

/* Bytes of a giant line or body (11 MiB), and of one send(). */
#define GIANT_SIZE 11534336UL
#define BLOCK_SIZE 65536

/* Connections of a flood before one that waits for its greeting. */
#define FLOOD_SIZE 50

/* Small chunks per timeout, with a pause after each; timeouts for which a body is sent so. */
#define PAUSES_IN_TIMEOUT 10
#define BODY_TIMEOUTS     3

#define TIMED_OUT "421 4.4.2 netid Error: timeout exceeded"
#define ENVELOPE  "MAIL FROM: abuser\r\nRCPT TO: victim\r\nDATA\r\n"

/* ---- steps ---- */

/* Receive a reply. Returns whether it is `expected`. */
static bool
expect(struct wire *wire, const char *expected)
{
	char line[WIRE_LINE_SIZE];

	return wire_receive(wire, line) == WIRE_LINE && strcmp(line, expected) == 0;
}

/* Close with FIN or with RST, at random. */
static void
close_or_reset(struct abuser *abuser, struct wire *wire)
{
	if (prng_one_in(&abuser->prng, 2)) {
		wire_reset(wire);
	} else {
		wire_close(wire);
	}
}

/* Connect and receive the greeting. On failure returns false; the connection is then closed. */
static bool
connect_client(struct wire *wire)
{
	if (!wire_open(wire)) {
		return false;
	}
	if (!expect(wire, "220 netid SMTP CS4410MP3")) {
		wire_reset(wire);
		return false;
	}
	return true;
}

/* Do that, send HELO at the time stored in `*since`, and receive its reply. */
static bool
connect_with_helo(struct wire *wire, double *since)
{
	if (!connect_client(wire)) {
		return false;
	}
	*since = clock_now();
	if (!wire_send_text(wire, "HELO abuser\r\n") || !expect(wire, "250 netid")) {
		wire_reset(wire);
		return false;
	}
	return true;
}

/*
 * Wait for the 421 of a timeout, skipping other replies, and check that it is not early. Returns
 * false if it does not come.
 */
static bool
await_timeout(const struct abuser *abuser, struct wire *wire, double since)
{
	char line[WIRE_LINE_SIZE];

	while (wire_receive(wire, line) == WIRE_LINE) {
		if (strcmp(line, TIMED_OUT) == 0) {
			double waited = clock_now() - since;

			if (waited < abuser->rules->timeout) {
				checks_fail(CHECK_TIMEOUTS, "timed out after %.3f s", waited);
			}
			return true;
		}
	}
	return false;
}

/*
 * Send copies of a text: `size` bytes, rounded up to whole blocks of BLOCK_SIZE. Returns false if
 * send() fails or there is no memory.
 */
static bool
send_giant(struct wire *wire, const char *text, size_t size)
{
	size_t length = strlen(text);
	char *block = malloc(BLOCK_SIZE);
	bool sent = block != NULL;

	for (size_t i = 0; sent && i < BLOCK_SIZE; i++) {
		block[i] = text[i % length];
	}
	for (size_t i = 0; sent && i < size; i += BLOCK_SIZE) {
		sent = wire_send(wire, block, BLOCK_SIZE);
	}
	free(block);
	return sent;
}

static double
pause_time(const struct abuser *abuser)
{
	return abuser->rules->timeout / PAUSES_IN_TIMEOUT;
}

/* ---- slow and silent clients ---- */

/* Send a text repeatedly with pauses, for some timeouts or until send() fails. */
static void
send_slowly(const struct abuser *abuser, struct wire *wire, const char *text, unsigned timeouts)
{
	for (unsigned i = 0; i < timeouts * PAUSES_IN_TIMEOUT; i++) {
		if (atomic_load(abuser->stopping) || !wire_send_text(wire, text)) {
			return;
		}
		clock_sleep(pause_time(abuser));
	}
}

/*
 * Send a line without an end byte by byte, or invalid commands only, for two timeouts. Neither
 * extends the timeout, so that the 421 must come.
 */
static void
send_commands_slowly(struct abuser *abuser)
{
	const char *text = prng_one_in(&abuser->prng, 2) ? "M" : "mkdir\r\n";
	struct wire wire;
	double since;

	if (connect_with_helo(&wire, &since)) {
		send_slowly(abuser, &wire, text, 2);
		if (!await_timeout(abuser, &wire, since)) {
			checks_fail(
			    CHECK_TIMEOUTS, "a client that sent only %.5s got no 421", text);
		}
		wire_close(&wire);
		checks_count(COUNTER_SLOW);
	}
}

/* Send a body in small chunks, for BODY_TIMEOUTS, and leave it incomplete. */
static void
send_body_slowly(struct abuser *abuser)
{
	struct wire wire;
	double since;

	if (connect_with_helo(&wire, &since)) {
		wire_send_text(&wire, ENVELOPE);
		send_slowly(abuser, &wire, "a\r\n.", BODY_TIMEOUTS);
		close_or_reset(abuser, &wire);
		checks_count(COUNTER_SLOW);
	}
}

static void
slow_client(struct abuser *abuser)
{
	if (prng_one_in(&abuser->prng, 2)) {
		send_commands_slowly(abuser);
	} else {
		send_body_slowly(abuser);
	}
}

/* Send nothing (kind 0), nothing after HELO (1), or nothing after DATA (2). */
static void
silent_client(struct abuser *abuser)
{
	unsigned kind = (unsigned)prng_below(&abuser->prng, 3);
	double since = clock_now();
	struct wire wire;

	if (kind == 0 ? !connect_client(&wire) : !connect_with_helo(&wire, &since)) {
		return;
	}
	if (kind == 2) {
		wire_send_text(&wire, ENVELOPE);
	}
	if (!await_timeout(abuser, &wire, since) || !wire_drain(&wire)) {
		checks_fail(CHECK_TIMEOUTS, "a silent client was not disconnected");
	}
	wire_close(&wire);
	checks_count(COUNTER_SILENT);
}

/* ---- many connections ---- */

/* Connect, send one of several texts, and disconnect. */
static void
flood_once(struct abuser *abuser)
{
	static const char *const texts[] = {"", "HELO x\r\n", "HELO x\r\n" ENVELOPE "half a mess"};
	const char *text = texts[prng_below(&abuser->prng, ARRAY_LENGTH(texts))];
	struct wire wire;

	if (wire_open(&wire)) {
		wire_send_text(&wire, text);
		close_or_reset(abuser, &wire);
		checks_count(COUNTER_FLOOD);
	}
}

/* Make many connections, then one that waits for its greeting, so that the backlog can drain. */
static void
flood(struct abuser *abuser)
{
	struct wire wire;

	for (unsigned i = 0; i < FLOOD_SIZE && !atomic_load(abuser->stopping); i++) {
		flood_once(abuser);
	}
	if (connect_client(&wire)) {
		close_or_reset(abuser, &wire);
	}
}

/* Close or reset the connection before the end of a message; sometimes after the first reply. */
static void
abandon_message(struct abuser *abuser)
{
	static const char *const ends[] = {"", "\r\n", "\r\n.", "\r\n.\r", "\n.\n", "\r.\r"};
	const char *end = ends[prng_below(&abuser->prng, ARRAY_LENGTH(ends))];
	struct wire wire;
	double since;

	if (connect_with_helo(&wire, &since)) {
		wire_send_text(&wire, ENVELOPE "INCOMPLETE");
		wire_send_text(&wire, end);
		if (prng_one_in(&abuser->prng, 2)) {
			expect(&wire, "250 OK");
		}
		close_or_reset(abuser, &wire);
		checks_count(COUNTER_INCOMPLETE);
	}
}

/* ---- large input, and replies that are not read ---- */

/*
 * Send a line of many megabytes. The reply is 500; or, if the machine is too slow, a 421 or none,
 * because the end of the connection may discard the 421.
 */
static void
send_giant_line(struct abuser *abuser)
{
	char line[WIRE_LINE_SIZE] = "";
	struct wire wire;
	double since;

	if (!connect_with_helo(&wire, &since)) {
		return;
	}
	send_giant(&wire, "x", GIANT_SIZE);
	wire_send_text(&wire, "\r\n");
	if (wire_receive(&wire, line) == WIRE_LINE &&
	    strcmp(line, "500 Error: line too long") != 0 &&
	    (strcmp(line, TIMED_OUT) != 0 || clock_now() - since < abuser->rules->timeout)) {
		checks_fail(CHECK_ABUSE_ANSWERED, "giant line: %s", line);
	}
	wire_close(&wire);
	checks_count(COUNTER_GIANT_LINE);
}

/*
 * Send a body above the limit. The server reads all of it and replies 552, or 421 if the machine is
 * too slow.
 */
static void
send_giant_body(struct abuser *abuser)
{
	char line[WIRE_LINE_SIZE] = "";
	struct wire wire;
	double since;

	(void)abuser;
	if (!connect_with_helo(&wire, &since)) {
		return;
	}
	if (wire_send_text(&wire, ENVELOPE) && expect(&wire, "250 OK") && expect(&wire, "250 OK") &&
	    expect(&wire, "354 End data with <CR><LF>.<CR><LF>")) {
		send_giant(&wire, "0123456789\r\n", GIANT_SIZE);
		wire_send_text(&wire, "\r\n.\r\n");
		if (wire_receive(&wire, line) != WIRE_LINE ||
		    (strcmp(line, "552 Error: message too big") != 0 &&
			strcmp(line, TIMED_OUT) != 0)) {
			checks_fail(CHECK_ABUSE_ANSWERED, "giant body: %s", line);
		}
	}
	wire_close(&wire);
	checks_count(COUNTER_GIANT_BODY);
}

/* Send commands without reading replies. The server must close the connection in time. */
static void
non_reading_client(struct abuser *abuser)
{
	double since = clock_now();
	struct wire wire;

	if (!wire_open(&wire)) {
		return;
	}
	while (!atomic_load(abuser->stopping) && send_giant(&wire, "?\r\n", BLOCK_SIZE)) {
	}
	if (clock_now() - since >= abuser->rules->patience) {
		checks_fail(CHECK_ABUSE_ANSWERED, "a client that never reads was kept");
	}
	close_or_reset(abuser, &wire);
	checks_count(COUNTER_NOT_READING);
}

/* As many slow clients as the server has workers, and some of each other kind. */
const struct abuse abuses[] = {
    {slow_client, 32},
    {silent_client, 8},
    {flood, 3},
    {abandon_message, 2},
    {send_giant_line, 1},
    {send_giant_body, 1},
    {non_reading_client, 2},
    {NULL, 0},
};
