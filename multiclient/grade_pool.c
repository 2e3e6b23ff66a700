/*
 * NAME
 *	grade_pool - demands about many clients at once
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grade_demands.h"
#include "grade_message.h"
#include "grade_talk.h"
#include "monotonic.h"

/* Clients that are served at once (assignment: "Your thread pool should contain 32 threads"). */
#define SERVED 32

/*
 * R26: clients that are dormant; others, each of which must be served at once; and the invalid
 * lines that one more client, the flood, sends in one send.
 */
#define DORMANT       16
#define OTHERS        3
#define INVALID_LINES 20

/*
 * R33: messages of each client with an even index; the others deliver one each. A backup is made
 * among them.
 */
#define CROWD_MESSAGES 2

/* ---- 32 clients ---- */

/* Close connections, without a look at what was received, and free the array. */
static void
close_all(struct talk talks[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		conn_close(&talks[i].conn);
	}
	free(talks);
}

/* Allocate and initialize connections. Returns NULL, with the demand not seen, without memory. */
static struct talk *
new_talks(struct grade *grade, unsigned demand, size_t count)
{
	struct talk *talks = calloc(count, sizeof *talks);

	if (talks == NULL) {
		grade_not_seen(grade, demand, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		talk_init(&talks[i], grade, demand);
	}
	return talks;
}

/* Open 32 connections. Returns how many of the first have a greeting, up to one that has none. */
static size_t
open_served(struct talk talks[SERVED])
{
	size_t count = 0;

	for (size_t i = 0; i < SERVED; i++) {
		talks[i].ended = !talk_connect(&talks[i]);
	}
	for (size_t i = 0; i < SERVED && !talks[i].ended; i++) {
		if (!talk_receive(&talks[i], talks[i].deadline) || !talk_has_code(&talks[i], "2")) {
			break;
		}
		count++;
	}
	return count;
}

void
demand_32_served(struct grade *grade, unsigned demand)
{
	struct talk *talks = new_talks(grade, demand, SERVED);
	char expected[80];
	size_t served;

	if (talks == NULL) {
		return;
	}
	served = open_served(talks);
	if (served == 0) {
		talk_check_greeting(&talks[0]);
	} else if (served < SERVED) {
		snprintf(expected, sizeof expected, "a greeting for client %zu of %d", served + 1,
		    SERVED);
		talk_fail(&talks[served], expected);
	}
	for (size_t i = 0; i < served && served == SERVED; i++) {
		snprintf(talks[i].host, sizeof talks[i].host, "client");
		if (!talk_require(&talks[i], "HELO client", "2") ||
		    !message_deliver(&talks[i], 1)) {
			if (!talks[i].replied) {
				talk_fail(&talks[i], "each of 32 clients delivers a message");
			}
			break;
		}
	}
	close_all(talks, SERVED);
}

/*
 * Hold 32 clients that are served, and connect one more. Returns the array of all, or NULL with the
 * demand not seen.
 */
static struct talk *
hold_32(struct grade *grade, unsigned demand)
{
	struct talk *talks;
	size_t served;

	if (grade_verdict(grade, DEMAND_SERVED) != VERDICT_PASSED) {
		grade_not_seen(grade, demand,
		    grade_verdict(grade, DEMAND_SERVED) == VERDICT_FAILED
			? "32 clients are not served at once (R23)"
			: "that 32 clients are served at once was not seen (R23)");
		return NULL;
	}
	talks = new_talks(grade, demand, SERVED + 1);
	if (talks == NULL) {
		return NULL;
	}
	served = open_served(talks);
	if (served == SERVED && talk_connect(&talks[SERVED])) {
		return talks;
	}
	/* The first that has no greeting; or the last, which has no connection. */
	talk_check_greeting(&talks[served]);
	close_all(talks, SERVED + 1);
	return NULL;
}

/* ---- the 33rd ---- */

void
demand_33rd_waits(struct grade *grade, unsigned demand)
{
	struct talk *talks = hold_32(grade, demand);
	int64_t watch = grade->options->timeout / 4;

	if (talks == NULL) {
		return;
	}
	if (watch > WATCH_TIME) {
		watch = WATCH_TIME;
	}
	talks[SERVED].deadline = monotonic_now() + watch;
	if (talk_receive(&talks[SERVED], talks[SERVED].deadline)) {
		talk_fail(&talks[SERVED], "no greeting while 32 clients are served");
	} else if (talks[SERVED].ended) {
		talk_fail(&talks[SERVED], "the client waits until one of 32 leaves");
	} else {
		conn_close(&talks[SERVED / 2].conn);
		talks[SERVED].deadline = monotonic_now() + SERVED_TIME;
		if (!talk_receive(&talks[SERVED], talks[SERVED].deadline)) {
			talk_fail(&talks[SERVED], "a greeting within 1 s after a client has left");
		}
	}
	close_all(talks, SERVED + 1);
}

static unsigned
port_of(const struct sockaddr_storage *address)
{
	in_port_t port = address->ss_family == AF_INET6
			     ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
			     : ((const struct sockaddr_in *)(const void *)address)->sin_port;

	return ntohs(port);
}

/*
 * Find the server's end of a connection in a table of proc(5), and set *inode to that of its
 * socket: 0 while it is not accepted. Returns false if the table does not have it.
 */
static bool
find_inode(const char *table, unsigned server_port, unsigned client_port, unsigned long *inode)
{
	FILE *file = fopen(table, "re");
	char line[512];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
		unsigned local, remote, state;

		/* NOLINTNEXTLINE(cert-err34-c): numbers that the kernel has printed. */
		found = sscanf(line,
			    " %*u: %*[0-9A-F]:%4x %*[0-9A-F]:%4x %2x %*[0-9A-F:] %*[0-9A-F:] %*x "
			    "%*u %*u %lu",
			    &local, &remote, &state, inode) == 4 &&
			local == server_port && remote == client_port;
	}
	if (file != NULL) {
		fclose(file);
	}
	return found;
}

void
demand_33rd_in_backlog(struct grade *grade, unsigned demand)
{
	struct talk *talks = hold_32(grade, demand);
	struct sockaddr_storage own;
	socklen_t length = sizeof own;
	unsigned long inode = 0;
	unsigned server_port = port_of(&grade->address.socket);

	if (talks == NULL) {
		return;
	}
	/* A server that accepts the 33rd client does so within this time. */
	talks[SERVED].deadline = monotonic_now() + ACCEPT_TIME;
	talk_receive(&talks[SERVED], talks[SERVED].deadline);
	if (talks[SERVED].ended) {
		talk_check_greeting(&talks[SERVED]);
	} else if (getsockname(talks[SERVED].conn.descriptor, (struct sockaddr *)&own, &length) !=
		       0 ||
		   (!find_inode("/proc/net/tcp", server_port, port_of(&own), &inode) &&
		       !find_inode("/proc/net/tcp6", server_port, port_of(&own), &inode))) {
		grade_not_seen(grade, demand, "the server's sockets are not those of this machine");
	} else if (inode != 0) {
		grade_fail(grade, demand, NULL, "the connection waits in the operating system",
		    "the server has accepted it: its socket has an inode in /proc/net/tcp");
	}
	close_all(talks, SERVED + 1);
}

/* ---- no impact ---- */

/* Send invalid lines without reading the replies. */
static void
send_invalid_lines(struct talk *talk)
{
	static const char line[] = "rubbish\r\n";
	struct buffer text = {0};

	for (int i = 0; i < INVALID_LINES; i++) {
		buffer_add_string(&text, line);
	}
	if (!text.failed && !talk->ended) {
		talk->ended = !conn_send(&talk->conn, (struct span){text.bytes, text.length});
	}
	buffer_destroy(&text);
}

/*
 * Send commands while another client, `flood`, sends invalid lines. Returns false, with the demand
 * failed, unless each reply is received in time.
 */
static bool
send_in_time(struct talk *talk, struct talk *flood)
{
	static const char *const lines[] = {
	    "HELO client", "MAIL FROM: student@CS4410", "RCPT TO: TA@CS4410"};
	bool in_time;

	talk->deadline = monotonic_now() + SERVED_TIME;
	in_time = talk_connect(talk) && talk_receive(talk, talk->deadline);
	for (size_t i = 0; i < ARRAY_LENGTH(lines) && in_time; i++) {
		if (i == 1) {
			send_invalid_lines(flood);
		}
		talk->deadline = monotonic_now() + SERVED_TIME;
		in_time = talk_command(talk, lines[i]);
	}
	if (!in_time) {
		talk_fail(talk, "a reply within 1 s beside other clients");
	}
	return in_time;
}

void
demand_no_impact(struct grade *grade, unsigned demand)
{
	const size_t count = DORMANT + 1 + OTHERS;
	struct talk *talks = new_talks(grade, demand, count);
	struct talk *flood;

	if (talks == NULL) {
		return;
	}
	flood = &talks[DORMANT];
	if (!talk_open(flood)) {
		close_all(talks, count);
		return;
	}
	for (size_t i = 0; i < DORMANT; i++) {
		talk_connect(&talks[i]);
	}
	send_invalid_lines(flood);
	/* At least one, and as many as there is time for. */
	for (size_t i = DORMANT + 1; i < count; i++) {
		if (!send_in_time(&talks[i], flood) || monotonic_now() > grade->deadline) {
			break;
		}
	}
	close_all(talks, count);
}

/* ---- a crowd ---- */

struct member {
	pthread_t thread;
	size_t messages; /* how many it delivers */
	bool started;    /* `thread` runs */
	struct talk talk;
};

/* Deliver messages, each on a connection of its own. */
static void *
member_main(void *argument)
{
	struct member *member = argument;

	for (size_t i = 0; i < member->messages; i++) {
		if (i > 0) {
			talk_init(&member->talk, member->talk.grade, member->talk.demand);
		}
		if (talk_open_helo(&member->talk)) {
			message_deliver(&member->talk, 1);
		}
		talk_close(&member->talk);
	}
	return NULL;
}

/* After all messages are delivered, judge_crowd() judges their records in the files. */
void
demand_crowd(struct grade *grade, unsigned demand)
{
	struct member *members = calloc(SERVED, sizeof *members);

	for (size_t i = 0; i < SERVED && members != NULL; i++) {
		talk_init(&members[i].talk, grade, demand);
		members[i].messages = i % 2 == 0 ? CROWD_MESSAGES : 1;
		members[i].started =
		    pthread_create(&members[i].thread, NULL, member_main, &members[i]) == 0;
	}
	for (size_t i = 0; i < SERVED && members != NULL; i++) {
		if (members[i].started) {
			pthread_join(members[i].thread, NULL);
		}
	}
	free(members);
	judge_crowd(grade, demand);
}
