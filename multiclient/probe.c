/*
 * NAME
 *	probe - finds the server, and learns what it calls itself
 *
 * DIAGNOSTICS
 *	multiclient: HOST port PORT: what the system says, or that there was no banner.
 */

#include "probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "monotonic.h"

#define REASON_SIZE 160

/* What stands around the netid in a banner. */
static const char banner_begin[] = "220 ";
static const char banner_end[] = " SMTP CS4410MP3\r\n";

/*
 * Connect to the first address of a name that answers. The connection is open afterwards, or
 * `reason` says why the last attempt failed.
 */
static void
connect_any(struct context *context, const struct addrinfo *list, struct conn *conn,
    char reason[REASON_SIZE])
{
	for (; list != NULL && conn->descriptor < 0; list = list->ai_next) {
		if (list->ai_addrlen > sizeof context->address.socket) {
			continue;
		}
		memcpy(&context->address.socket, list->ai_addr, list->ai_addrlen);
		context->address.length = list->ai_addrlen;
		if (!conn_open(conn, &context->address, context->patience)) {
			strerror_r(errno, reason, REASON_SIZE);
		}
	}
}

static void
find(struct context *context, const char *host, const char *port, struct conn *conn,
    char reason[REASON_SIZE])
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int error = getaddrinfo(host, port, &hints, &list);

	snprintf(reason, REASON_SIZE, "no address");
	if (error != 0) {
		snprintf(reason, REASON_SIZE, "%s", gai_strerror(error));
		return;
	}
	connect_any(context, list, conn, reason);
	freeaddrinfo(list);
}

/* Read until the end of a line; false, with the reason, if nothing comes at all. */
static bool
read_line(struct context *context, struct conn *conn, char reason[REASON_SIZE])
{
	int64_t deadline = monotonic_now() + context->timeout + context->patience;
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
		strerror_r(errno, reason, REASON_SIZE);
	} else if (event == CONN_EOF) {
		snprintf(reason, REASON_SIZE, "it closes the connection without a banner");
	} else {
		snprintf(reason, REASON_SIZE, "it accepts the connection and says nothing for %g s",
		    (double)(context->timeout + context->patience) / (double)SECOND);
	}
	return conn_unread(conn).length > 0;
}

/* Take the netid out of a banner. False: it is not one. */
static bool
parse_banner(struct span banner, char netid[NETID_MAX + 1])
{
	size_t begins = sizeof banner_begin - 1, ends = sizeof banner_end - 1;
	size_t length, i;

	if (banner.length <= begins + ends || banner.length > begins + NETID_MAX + ends ||
	    memcmp(banner.bytes, banner_begin, begins) != 0 ||
	    memcmp(banner.bytes + banner.length - ends, banner_end, ends) != 0) {
		return false;
	}
	length = banner.length - begins - ends;
	for (i = 0; i < length; i++) {
		if (banner.bytes[begins + i] < 0x21 || banner.bytes[begins + i] > 0x7e) {
			return false;
		}
	}
	memcpy(netid, banner.bytes + begins, length);
	netid[length] = '\0';
	return true;
}

static enum probe_result
judge_banner(
    struct context *context, struct span banner, const char *required, char netid[NETID_MAX + 1])
{
	struct reply expected;

	if (parse_banner(banner, netid) && (required == NULL || strcmp(netid, required) == 0)) {
		return PROBE_FOUND;
	}
	reply_write(
	    &expected, REPLY_BANNER, required != NULL ? required : "NETID", (struct span){NULL, 0});
	mismatch_report_diff(&context->mismatch_log, "the banner is wrong",
	    (struct span){expected.bytes, expected.length}, banner);
	return PROBE_BAD_BANNER;
}

enum probe_result
probe(struct context *context, const char *host, const char *port, const char *required,
    char netid[NETID_MAX + 1])
{
	enum probe_result result = PROBE_NO_SERVER;
	char reason[REASON_SIZE];
	struct conn conn;

	conn_init(&conn, &context->stop);
	find(context, host, port, &conn, reason);
	if (conn.descriptor >= 0 && read_line(context, &conn, reason)) {
		result = judge_banner(context, conn_unread(&conn), required, netid);
	}
	conn_close(&conn);
	if (result == PROBE_NO_SERVER) {
		fprintf(stderr, "multiclient: %s port %s: %s\n", host, port, reason);
	}
	return result;
}
