/*
 * NAME
 *	probe - find the server and its netid
 *
 * DIAGNOSTICS
 *	multiclient: HOST port PORT: what the system says, or that there was no greeting.
 */

#include "probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "monotonic.h"

/* What stands around the netid in a greeting. */
static const char greeting_begin[] = "220 ";
static const char greeting_end[] = " SMTP CS4410MP3\r\n";

bool
probe_connect(const char *host, const char *port, int64_t patience, struct conn *conn,
    struct address *address, char reason[ERROR_TEXT_SIZE])
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int error = getaddrinfo(host, port, &hints, &list);

	snprintf(reason, ERROR_TEXT_SIZE, "no address");
	if (error != 0) {
		snprintf(reason, ERROR_TEXT_SIZE, "%s", gai_strerror(error));
		return false;
	}
	for (const struct addrinfo *entry = list; entry != NULL && conn->descriptor == -1;
	     entry = entry->ai_next) {
		if (entry->ai_addrlen > sizeof address->socket) {
			continue;
		}
		memcpy(&address->socket, entry->ai_addr, entry->ai_addrlen);
		address->length = entry->ai_addrlen;
		if (!conn_open(conn, address, patience)) {
			error_text(errno, reason);
		}
	}
	freeaddrinfo(list);
	return conn->descriptor != -1;
}

/*
 * Read up to the end of a line, or what arrives of it. Returns false, with the reason, if nothing
 * arrives.
 */
static bool
read_line(const struct probe *probe, struct conn *conn, char reason[ERROR_TEXT_SIZE])
{
	int64_t deadline = monotonic_now() + probe->greeting_patience;
	enum conn_event event = CONN_DATA;

	while (event == CONN_DATA) {
		struct span unread = conn_unread(conn);

		if (memchr(unread.bytes, '\n', unread.length) != NULL ||
		    unread.length > REPLY_MAX + 2) {
			return true;
		}
		event = conn_receive(conn, deadline);
	}
	if (event == CONN_ERROR) {
		error_text(errno, reason);
	} else if (event == CONN_EOF) {
		snprintf(
		    reason, ERROR_TEXT_SIZE, "the server closes the connection without a greeting");
	} else {
		snprintf(reason, ERROR_TEXT_SIZE,
		    "the server accepts the connection and sends nothing for %g s",
		    (double)probe->greeting_patience / (double)SECOND);
	}
	return conn_unread(conn).length > 0;
}

/* Set `netid` to that of a greeting. Returns false if `greeting` is none. */
static bool
parse_greeting(struct span greeting, char netid[NETID_MAX + 1])
{
	size_t begins = sizeof greeting_begin - 1, ends = sizeof greeting_end - 1;
	size_t length;

	if (greeting.length <= begins + ends || greeting.length > begins + NETID_MAX + ends ||
	    memcmp(greeting.bytes, greeting_begin, begins) != 0 ||
	    memcmp(greeting.bytes + greeting.length - ends, greeting_end, ends) != 0) {
		return false;
	}
	length = greeting.length - begins - ends;
	for (size_t i = 0; i < length; i++) {
		if (greeting.bytes[begins + i] < 0x21 || greeting.bytes[begins + i] > 0x7e) {
			return false;
		}
	}
	memcpy(netid, greeting.bytes + begins, length);
	netid[length] = '\0';
	return true;
}

static enum probe_result
judge_greeting(const struct probe *probe, struct mismatch_log *mismatch_log, struct span greeting,
    char netid[NETID_MAX + 1])
{
	const char *required = probe->netid;
	struct reply expected;

	if (parse_greeting(greeting, netid) && (required == NULL || strcmp(netid, required) == 0)) {
		return PROBE_FOUND;
	}
	reply_write(&expected, REPLY_GREETING, required != NULL ? required : "NETID",
	    (struct span){NULL, 0});
	mismatch_report_diff(mismatch_log, "the banner is wrong",
	    (struct span){expected.bytes, expected.length}, greeting);
	return PROBE_BAD_GREETING;
}

enum probe_result
probe_server(const struct probe *probe, struct mismatch_log *mismatch_log, struct address *address,
    char netid[NETID_MAX + 1])
{
	enum probe_result result = PROBE_NO_SERVER;
	char reason[ERROR_TEXT_SIZE];
	struct conn conn;

	conn_init(&conn, probe->stop);
	if (probe_connect(probe->host, probe->port, probe->patience, &conn, address, reason) &&
	    read_line(probe, &conn, reason)) {
		result = judge_greeting(probe, mismatch_log, conn_unread(&conn), netid);
	}
	conn_close(&conn);
	if (result == PROBE_NO_SERVER) {
		fprintf(stderr, "multiclient: %s port %s: %s\n", probe->host, probe->port, reason);
	}
	return result;
}
