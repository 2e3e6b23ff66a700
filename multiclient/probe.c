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

#include "moment.h"

#define REASON_SIZE 160

/* What stands around the netid in a banner. */
static const char banner_begin[] = "220 ";
static const char banner_end[] = " SMTP CS4410MP3\r\n";

/* Try the addresses of a name in turn. The wire is open, or `reason` says why the last failed. */
static void
connect_any(struct context *context, const struct addrinfo *list, struct wire *wire,
    char reason[REASON_SIZE])
{
	for (; list != NULL && wire->descriptor < 0; list = list->ai_next) {
		if (list->ai_addrlen > sizeof context->address.socket) {
			continue;
		}
		memcpy(&context->address.socket, list->ai_addr, list->ai_addrlen);
		context->address.length = list->ai_addrlen;
		if (!wire_open(wire, &context->address, context->patience)) {
			strerror_r(errno, reason, REASON_SIZE);
		}
	}
}

static void
find(struct context *context, const char *host, const char *port, struct wire *wire,
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
	connect_any(context, list, wire, reason);
	freeaddrinfo(list);
}

/* Read until the end of a line; false, with the reason, if nothing comes at all. */
static bool
read_line(struct context *context, struct wire *wire, char reason[REASON_SIZE])
{
	int64_t deadline = moment_now() + context->timeout + context->patience;
	enum wire_event event = WIRE_ARRIVED;

	while (event == WIRE_ARRIVED) {
		struct span unread = wire_unread(wire);

		if (memchr(unread.bytes, '\n', unread.length) != NULL ||
		    unread.length > REPLY_MOST + 2) {
			return true;
		}
		event = wire_receive(wire, deadline);
	}
	if (event == WIRE_ERROR) {
		strerror_r(errno, reason, REASON_SIZE);
	} else if (event == WIRE_END) {
		snprintf(reason, REASON_SIZE, "it closes the connection without a banner");
	} else {
		snprintf(reason, REASON_SIZE, "it accepts the connection and says nothing for %g s",
		    (double)(context->timeout + context->patience) / (double)SECOND);
	}
	return wire_unread(wire).length > 0;
}

/* Take the netid out of a banner. False: it is not one. */
static bool
parse_banner(struct span banner, char netid[NETID_MOST + 1])
{
	size_t begins = sizeof banner_begin - 1, ends = sizeof banner_end - 1;
	size_t length, i;

	if (banner.length <= begins + ends || banner.length > begins + NETID_MOST + ends ||
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
    struct context *context, struct span banner, const char *required, char netid[NETID_MOST + 1])
{
	struct reply expected;

	if (parse_banner(banner, netid) && (required == NULL || strcmp(netid, required) == 0)) {
		return PROBE_FOUND;
	}
	reply_write(&expected, ANSWER_BANNER, required != NULL ? required : "NETID",
	    (struct span){NULL, 0});
	complaint_difference(&context->complaints, "the banner is wrong",
	    (struct span){expected.bytes, expected.length}, banner);
	return PROBE_WRONG;
}

enum probe_result
probe(struct context *context, const char *host, const char *port, const char *required,
    char netid[NETID_MOST + 1])
{
	enum probe_result result = PROBE_NOBODY;
	char reason[REASON_SIZE];
	struct wire wire;

	wire_begin(&wire, &context->stop);
	find(context, host, port, &wire, reason);
	if (wire.descriptor >= 0 && read_line(context, &wire, reason)) {
		result = judge_banner(context, wire_unread(&wire), required, netid);
	}
	wire_close(&wire);
	if (result == PROBE_NOBODY) {
		fprintf(stderr, "multiclient: %s port %s: %s\n", host, port, reason);
	}
	return result;
}
