/*
 * NAME
 *	reference - a second implementation of the protocol, slow and simple
 *
 * DESCRIPTION
 *	A command line is collected to its line feed, and then parsed. The data are collected to
 *	their end, and then rewritten, with one pass for each rule: dots, line ends, quotes.
 */

#include "reference.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- replies ---- */

void
reference_reply(struct reference *reference, const char *text)
{
	bytes_add_string(&reference->replies, text);
	bytes_add_string(&reference->replies, "\r\n");
}

void
reference_reply_netid(struct reference *reference, const char *before, const char *after)
{
	bytes_add_string(&reference->replies, before);
	bytes_add_string(&reference->replies, reference->netid);
	reference_reply(reference, after);
}

void
reference_greet(struct reference *reference)
{
	reference_reply_netid(
	    reference, "220 ", reference->extended ? " ESMTP CS4410MP3" : " SMTP CS4410MP3");
}

void
reference_reply_timeout(struct reference *reference)
{
	reference_reply_netid(reference, "421 4.4.2 ", " Error: timeout exceeded");
}

void
reference_reply_shutdown(struct reference *reference)
{
	reference_reply_netid(reference, "421 4.3.2 ", " Error: shutting down");
}

/* ---- data ---- */

/* Remove the last line of the data and the first dot of each line, and convert CRLF to LF. */
static void
undo_transparency(const struct bytes *data, struct bytes *lines)
{
	size_t length = data->length - strlen(".\r\n");
	bool at_start = true;

	bytes_add(lines, "", 0);
	for (size_t i = 0; i < length; i++) {
		if (at_start && data->at[i] == '.') {
			at_start = false;
			continue;
		}
		at_start = i + 1 < length && data->at[i] == '\r' && data->at[i + 1] == '\n';
		if (at_start) {
			i++;
		}
		bytes_add(lines, &data->at[i], 1);
	}
}

/* Return whether a stored line is like the first of a record, quoted or not. */
static bool
is_record_like(struct bytes line)
{
	static const char end[] = " (CS4410MP3)";

	while (bytes_start_with(&line, ">")) {
		line.at++;
		line.length--;
	}
	if (!bytes_start_with(&line, "Received: from ")) {
		return false;
	}
	line.at += strlen("Received: from ");
	line.length -= strlen("Received: from ");
	if (!bytes_end_with(&line, end)) {
		return false;
	}
	for (line.length -= strlen(end); line.length > 0; line.length--) {
		if (bytes_start_with(&line, " by ")) {
			return true;
		}
		line.at++;
	}
	return false;
}

/* Append the lines to `body`, quoted if needed; add a line feed to the last one if it has none. */
static void
quote(const struct bytes *lines, struct bytes *body)
{
	size_t start = 0;

	for (size_t i = 0; i <= lines->length; i++) {
		bool ends = i == lines->length ? start < i : lines->at[i] == '\n';

		if (ends) {
			struct bytes line = {.at = lines->at + start, .length = i - start};

			bytes_add_string(body, is_record_like(line) ? ">" : "");
			bytes_add(body, line.at, line.length);
			bytes_add_string(body, "\n");
			start = i + 1;
		}
	}
}

void
reference_reset(struct reference *reference)
{
	reference->mail_open = false;
	reference->recipients = 0;
	reference->in_data = false;
	reference->complete = false;
	reference->too_big = false;
	bytes_clear(&reference->rest);
	bytes_clear(&reference->data);
}

/* Make the record from the complete data, or refuse it. */
static void
end_data(struct reference *reference)
{
	struct bytes lines = {.at = NULL}, body = {.at = NULL};
	size_t record;

	undo_transparency(&reference->data, &lines);
	quote(&lines, &body);
	bytes_add_string(&reference->rest, "\n");
	record = reference->received.length + reference->rest.length + body.length;
	/*
	 * The envelope was accepted with space for its line feeds, so an empty body always fits.
	 * The server keeps space for two line feeds after any other body, although one follows.
	 */
	if (body.length > reference->max_size ||
	    (body.length > 0 && record + 2 > reference->max_size + REFERENCE_ENVELOPE_MAX)) {
		reference->too_big = true;
	} else {
		bytes_add(&reference->rest, body.at, body.length);
		bytes_add_string(&reference->rest, "\n");
	}
	reference->in_data = false;
	reference->complete = true;
	if (!reference->too_big) {
		reference->junk_commands = 0;
	}
	bytes_free(&lines);
	bytes_free(&body);
}

void
reference_delivered(struct reference *reference, int error, uint64_t number)
{
	if (error == 0) {
		bytes_add_format(
		    &reference->replies, "250 OK:  delivered message %" PRIu64 "\r\n", number);
	} else if (reference->too_big) {
		reference_reply(reference, "552 Error: message too big");
	} else if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
		reference_reply(reference, "452 Error: insufficient system storage");
	} else {
		reference_reply(reference, "451 Error: local error in processing");
	}
	reference->accepted++;
	reference_reset(reference);
}

/* ---- clients and input ---- */

void
reference_init(
    struct reference *reference, const char *netid, size_t max_size, bool extended, bool any_login)
{
	reference->netid = netid;
	reference->max_size = max_size;
	reference->extended = extended;
	reference->any_login = any_login;
	reference->first_line = true;
	reference->greeted = false;
	reference->logged_in = false;
	reference->responses = 0;
	reference->closing = false;
	reference->junk_commands = 0;
	reference_reset(reference);
	reference->accepted = 0;
	bytes_clear(&reference->line);
	bytes_clear(&reference->received);
	bytes_clear(&reference->replies);
}

void
reference_destroy(struct reference *reference)
{
	bytes_free(&reference->line);
	bytes_free(&reference->data);
	bytes_free(&reference->received);
	bytes_free(&reference->rest);
	bytes_free(&reference->replies);
}

void
reference_feed(struct reference *reference, char byte)
{
	if (reference->closing) {
		return;
	}
	if (!reference->in_data) {
		if (byte != '\n') {
			bytes_add(&reference->line, &byte, 1);
			return;
		}
		reference_command(reference);
		reference->first_line = false;
		bytes_clear(&reference->line);
		return;
	}
	bytes_add(&reference->data, &byte, 1);
	if (byte == '\n' && (bytes_equal(&reference->data, ".\r\n") ||
				bytes_end_with(&reference->data, "\r\n.\r\n"))) {
		end_data(reference);
	}
}
