/*
 * DESCRIPTION
 *	TIME PEER delivered N, SIZE bytes, host HOST, from SENDER, COUNT recipients: RECIPIENT ...
 *	TIME PEER refused, SIZE bytes, host HOST, from SENDER, COUNT recipients: RECIPIENT ...: why
 *	TIME PEER ENDING after SECONDS s: COUNT delivered, COUNT refused
 *
 *	TIME is UTC (RFC 3339), PEER the address of the client, and ENDING one of the texts in
 *	connection.c. A host or a sender is cut after FIELD_MAX bytes. Recipients that do not fit in
 *	FIELD_MAX bytes are left out, and replaced by "...".
 */

#include "maillog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "record.h"

/* Bytes shown of a host, of a sender, and of all recipients together, at most. */
#define FIELD_MAX 256

/* The mark of recipients that are not shown; and bytes of the shown ones with it, as a string. */
#define MORE            " ..."
#define RECIPIENTS_SIZE (FIELD_MAX + sizeof MORE)

/* Bytes of a timestamp, as a string. */
#define TIME_SIZE sizeof "2026-12-31T23:59:60Z"

/* Format the current time, or "" if that fails. Returns `text`. */
static const char *
format_time(char text[static TIME_SIZE])
{
	time_t now = time(NULL);
	struct tm parts;

	if (gmtime_r(&now, &parts) == NULL ||
	    strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
		*text = '\0';
	}
	return text;
}

/* Format the recipients, each after a space, and MORE if some are left out. Returns `text`. */
static const char *
format_recipients(const struct envelope *envelope, char text[static RECIPIENTS_SIZE])
{
	const char *at = envelope->recipients;
	const char *end = at + envelope->recipients_length;
	size_t used = 0;

	while (at < end) {
		const char *line_feed = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)(line_feed - at) - (sizeof RECORD_RECIPIENT - 1);

		if (used + 1 + length > FIELD_MAX) {
			memcpy(text + used, MORE, sizeof MORE);
			return text;
		}
		text[used++] = ' ';
		memcpy(text + used, at + sizeof RECORD_RECIPIENT - 1, length);
		used += length;
		at = line_feed + 1;
	}
	text[used] = '\0';
	return text;
}

/* Replace each byte outside 0x20-0x7E by '?': an address of ESMTP may contain UTF-8. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e) {
			*text = '?';
		}
	}
}

/* Return the length up to which a field is shown. */
static int
cut_length(size_t length)
{
	return length < FIELD_MAX ? (int)length : FIELD_MAX;
}

void
maillog_format_peer(int descriptor, char peer[static ADDRESS_SIZE])
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	if (getpeername(descriptor, (struct sockaddr *)&address, &length) == -1 ||
	    !address_format(&address, length, peer)) {
		snprintf(peer, ADDRESS_SIZE, "unknown");
	}
}

void
maillog_delivery(
    const char *peer, const struct envelope *envelope, size_t size, int error, uint64_t number)
{
	char time_text[TIME_SIZE], recipients[RECIPIENTS_SIZE], details[LOG_LINE_MAX];

	snprintf(details, sizeof details, "%zu bytes, host %.*s, from %.*s, %u recipient%s:%s",
	    size, cut_length(envelope->host_length), envelope->host,
	    cut_length(envelope->sender_length), envelope->sender, envelope->recipient_count,
	    envelope->recipient_count == 1 ? "" : "s", format_recipients(envelope, recipients));
	make_printable(details);
	if (error == 0) {
		log_line(LOG_INFO, "%s %s delivered %" PRIu64 ", %s", format_time(time_text), peer,
		    number, details);
	} else {
		log_error(error, "%s %s refused, %s", format_time(time_text), peer, details);
	}
}

void
maillog_session(const char *peer, const char *ending, unsigned delivered_count,
    unsigned refused_count, nanoseconds duration)
{
	char time_text[TIME_SIZE];

	log_line(LOG_INFO, "%s %s %s after %" PRId64 ".%03" PRId64 " s: %u delivered, %u refused",
	    format_time(time_text), peer, ending, (int64_t)(duration / SECOND),
	    (int64_t)(duration % SECOND / MILLISECOND), delivered_count, refused_count);
}
