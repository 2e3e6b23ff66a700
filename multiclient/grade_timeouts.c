/*
 * NAME
 *	grade_timeouts - demands about clients that are too slow
 *
 * DESCRIPTION
 *	Each slow client has a connection and a thread of its own, so that all of them together take
 *	as long as one. The server counts T from a time after the client has sent the last step, and
 *	before the client has read the reply to it. A 421 that comes less than T after the former is
 *	early; one that comes more than T + LATE_MAX after the latter is late. The steps have until
 *	grade->deadline.
 *
 *	If the connection ends before T, and the server serves no other client, it has crashed: that
 *	is not taken for a fault in its timeouts.
 */

#include <stdio.h>
#include <string.h>

#include "grade_demands.h"
#include "grade_talk.h"
#include "monotonic.h"

/* How often a slow client sends something while it waits: so many times in T. */
#define SENDS_IN_TIMEOUT 8

#define TIMEOUT_REPLY "421 4.4.2 %n Error: timeout exceeded"

/* What a client sends that is too slow. */
struct slow_client {
	unsigned demand;
	const char *steps[6]; /* before the wait; each must be accepted */
	const char *start;    /* sent after them, without a reply; NULL: nothing */
	const char *repeated; /* sent again and again during the wait; NULL: nothing */
};

#define DATA_STEPS "HELO client", "MAIL FROM: student@CS4410", "RCPT TO: TA@CS4410", "DATA"

static const struct slow_client slow_clients[] = {
    {.demand = 19, .steps = {NULL}},
    {.demand = 19, .steps = {"HELO client", "MAIL FROM: student@CS4410"}},
    {.demand = 20, .steps = {DATA_STEPS}},
    {.demand = 20, .steps = {DATA_STEPS}, .start = "I'm going to send and wait\r\n"},
    {.demand = 21, .steps = {NULL}, .repeated = "mkdir\r\n"},
    {.demand = 21, .steps = {"HELO client"}, .repeated = "mkdir\r\n"},
    {.demand = 22, .steps = {NULL}, .repeated = "H"},
};

/* A slow client, its thread and its connection. */
struct watch {
	pthread_t thread;
	const struct slow_client *slow_client;
	bool started; /* `thread` runs */
	struct talk talk;
};

/* ---- one connection ---- */

/*
 * Send the repeated lines, skip the replies to them (5xx), and receive the first other reply.
 * Returns false if none comes by `deadline`.
 */
static bool
await_timeout(struct talk *talk, const struct slow_client *slow_client, int64_t deadline)
{
	int64_t interval = talk->grade->options->timeout / SENDS_IN_TIMEOUT;
	int64_t next = monotonic_now() + interval;

	while (slow_client->repeated != NULL && monotonic_now() < deadline) {
		struct span line = {slow_client->repeated, strlen(slow_client->repeated)};

		while (talk_receive(talk, next < deadline ? next : deadline)) {
			if (!talk_has_code(talk, "5")) {
				return true;
			}
		}
		if (talk->ended || monotonic_now() >= deadline) {
			return false;
		}
		next = monotonic_now() + interval;
		if (!talk_send(talk, line)) {
			return talk_receive(talk, deadline);
		}
	}
	return talk_receive(talk, deadline);
}

/*
 * Perform the steps before the wait. *since is just before the last send, or the connect. Returns
 * false if they cannot be performed.
 */
static bool
perform(struct talk *talk, const struct slow_client *slow_client, int64_t *since)
{
	*since = monotonic_now();
	if (!talk_open(talk)) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(slow_client->steps) && slow_client->steps[i] != NULL;
	     i++) {
		*since = monotonic_now();
		if (!talk_require(talk, slow_client->steps[i],
			strcmp(slow_client->steps[i], "DATA") == 0 ? "3" : "2")) {
			return false;
		}
	}
	if (slow_client->start != NULL) {
		*since = monotonic_now();
		return talk_send(
		    talk, (struct span){slow_client->start, strlen(slow_client->start)});
	}
	return true;
}

/* After the 421, end of file must come, or a reset. */
static void
judge_end(struct talk *talk)
{
	talk->deadline = monotonic_now() + END_TIME;
	if (!talk->ended && (talk_receive(talk, talk->deadline) || !talk->ended)) {
		talk_fail(talk, "end of file after the 421");
	}
}

/* Set the demand to not seen if the server serves no client any more. Returns whether it is so. */
static bool
set_not_seen_if_crashed(const struct talk *talk)
{
	char reason[TALK_REPLY_SIZE + 64];
	struct talk other;
	bool serves;

	talk_init(&other, talk->grade, talk->demand);
	other.deadline = monotonic_now() + END_TIME;
	/* While the kernel ends the process, a connection can be accepted, and is then reset. */
	serves = talk_connect(&other) && talk_receive(&other, other.deadline);
	if (!serves) {
		snprintf(reason, sizeof reason, "the connection has ended; for another client: %s",
		    other.reply);
		grade_not_seen(talk->grade, talk->demand, reason);
	}
	talk_close(&other);
	return !serves;
}

static void *
watch_main(void *argument)
{
	struct watch *watch = argument;
	struct talk *talk = &watch->talk;
	int64_t timeout = talk->grade->options->timeout;
	int64_t since, took;
	char text[160];

	if (perform(talk, watch->slow_client, &since)) {
		bool replied;

		talk->deadline = monotonic_now() + timeout + LATE_MAX;
		replied = await_timeout(talk, watch->slow_client, talk->deadline);
		took = monotonic_now() - since;
		if (!replied && talk->ended && took < timeout && set_not_seen_if_crashed(talk)) {
			talk_close(talk);
			return NULL;
		}
		if (!replied && !talk->ended) {
			snprintf(text, sizeof text, "no 421 within %.1f s",
			    (double)took / (double)SECOND);
			talk_set_reason(talk, text);
		}
		if (talk_check(talk, TIMEOUT_REPLY) && replied && took < timeout) {
			snprintf(text, sizeof text, "the 421 not before %g s; it came after %.2f s",
			    (double)timeout / (double)SECOND, (double)took / (double)SECOND);
			talk_fail(talk, text);
		} else if (replied && talk_has_code(talk, "421")) {
			judge_end(talk);
		}
	}
	talk_close(talk);
	return NULL;
}

/* ---- all connections of a demand ---- */

void
demand_timeout(struct grade *grade, unsigned demand)
{
	/* One for each row, so that the threads of two demands share none. */
	static struct watch watches[ARRAY_LENGTH(slow_clients)];

	for (size_t i = 0; i < ARRAY_LENGTH(slow_clients); i++) {
		struct watch *watch = &watches[i];

		if (slow_clients[i].demand != demand) {
			continue;
		}
		watch->slow_client = &slow_clients[i];
		talk_init(&watch->talk, grade, demand);
		watch->started = pthread_create(&watch->thread, NULL, watch_main, watch) == 0;
		if (!watch->started) {
			grade_not_seen(grade, demand, "no more threads");
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(slow_clients); i++) {
		if (slow_clients[i].demand == demand && watches[i].started) {
			pthread_join(watches[i].thread, NULL);
		}
	}
}
