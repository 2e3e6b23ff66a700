/*
 * DESCRIPTION
 *	Bytes are split into lines or, in the data phase, scanned into a message. Each line is
 *	parsed into a command, which is checked and carried out by its rule.
 */

#include "session.h"

#include <string.h>

#include "rules.h"

/* ---- lines ---- */

/* Carry out the command in a line and add the reply to it. */
static void
handle_command(struct session *session, const char *line, size_t length)
{
	struct command command = command_parse(line, length, session->protocol, session->smtputf8);
	enum reply reply = rules_apply(session, &command);

	session->progressed |= reply_is_positive(reply);
	if (reply_takes_netid(reply)) {
		output_add(&session->output, reply);
	} else {
		output_add_with(&session->output, reply, command.argument, command.length);
	}
}

static void
handle_response(struct session *session, const char *line, size_t length)
{
	enum reply reply = rules_take_response(session, line, length);

	session->progressed |= reply_is_positive(reply);
	output_add(&session->output, reply);
}

/*
 * Handle a line that is too long. `line` has at least its last COMMAND_LINE_TAIL bytes. Only these
 * count, so that the result does not depend on how the input was split. A response that is too long
 * ends the exchange of AUTH.
 */
static void
handle_long_line(struct session *session, const char *line, size_t length)
{
	size_t tail_length = length < COMMAND_LINE_TAIL ? length : COMMAND_LINE_TAIL;

	if (rules_expect_response(session)) {
		session->login = LOGIN_NONE;
	}
	if (session->first_line && session->protocol != PROTOCOL_SMTP &&
	    command_ends_http_request(line + length - tail_length, tail_length)) {
		session->end = SESSION_NOT_A_MAIL_CLIENT;
		output_add(&session->output, REPLY_NOT_A_MAIL_CLIENT);
	} else {
		output_add(&session->output, REPLY_LINE_TOO_LONG);
	}
}

/* Handle a line without its line feed. If it is too long, `line` may be only the end of it. */
static void
handle_line(struct session *session, const char *line, size_t length)
{
	size_t text_length = length > 0 && line[length - 1] == '\r' ? length - 1 : length;

	if (session->line_too_long || text_length > COMMAND_LINE_MAX) {
		handle_long_line(session, line, length);
	} else if (rules_expect_response(session)) {
		handle_response(session, line, text_length);
	} else {
		handle_command(session, line, text_length);
	}
	session->first_line = false;
}

/*
 * Append to a line that is too long. All but its last COMMAND_LINE_TAIL bytes are discarded.
 */
static void
buffer_tail(struct session *session, const char *bytes, size_t length)
{
	size_t added = length < COMMAND_LINE_TAIL ? length : COMMAND_LINE_TAIL;
	size_t space = COMMAND_LINE_TAIL - added;
	size_t kept = session->line_length < space ? session->line_length : space;

	memmove(session->line, session->line + session->line_length - kept, kept);
	memcpy(session->line + kept, bytes + length - added, added);
	session->line_length = kept + added;
}

/* Buffer a partial line or, if it is too long, its end. */
static void
buffer_line(struct session *session, const char *bytes, size_t length)
{
	session->line_too_long |= length > sizeof session->line - session->line_length;
	if (session->line_too_long) {
		buffer_tail(session, bytes, length);
	} else {
		memcpy(session->line + session->line_length, bytes, length);
		session->line_length += length;
	}
}

/* Consume bytes of the command phase up to and including the next LF. Returns the count. */
static size_t
feed_line(struct session *session, const char *bytes, size_t length)
{
	const char *line_feed = memchr(bytes, '\n', length);
	size_t chunk = line_feed != NULL ? (size_t)(line_feed - bytes) : length;

	if (line_feed != NULL && session->line_length == 0 && !session->line_too_long) {
		handle_line(session, bytes, chunk);
		return chunk + 1;
	}
	buffer_line(session, bytes, chunk);
	if (line_feed == NULL) {
		return chunk;
	}
	handle_line(session, session->line, session->line_length);
	session->line_too_long = false;
	session->line_length = 0;
	return chunk + 1;
}

/* ---- data ---- */

/* Consume bytes of the data phase up to and including its end. Returns the count. */
static size_t
feed_data(struct session *session, const char *bytes, size_t length)
{
	size_t scanned = message_scan(&session->message, bytes, length);

	if (message_is_complete(&session->message)) {
		size_t index = session_messages(session) - 1;

		session->reply_offsets[index] = session->output.length;
		session->state = STATE_MAIL;
		session->progressed = true;
		if (session_message_error(session, index) == 0) {
			session->junk_commands = 0;
		}
	}
	return scanned;
}

size_t
session_messages(const struct session *session)
{
	return session->message.completed_count;
}

int
session_message_error(const struct session *session, size_t index)
{
	return session->message.completed[index].error;
}

struct record
session_record(const struct session *session, size_t index)
{
	return message_record(&session->message, index);
}

struct envelope
session_envelope(const struct session *session, size_t index)
{
	return message_envelope(&session->message, index);
}

void
session_delivered(struct session *session, const struct delivery_result *deliveries)
{
	/* Insert from last to first, so that earlier offsets stay valid. */
	for (size_t i = session_messages(session); i-- > 0;) {
		const struct delivery_result *delivery = &deliveries[i];
		enum reply reply =
		    delivery->error == 0 ? REPLY_DELIVERED : reply_for_error(delivery->error);
		char digits[REPLY_NUMBER_SIZE];
		size_t length = reply_format_number(delivery->number, digits);

		output_insert(&session->output, session->reply_offsets[i], reply, digits, length);
	}
	message_discard_completed(&session->message);
}

/* ---- the session ---- */

void
session_init(struct session *session, const char *netid, size_t max_size, enum protocol protocol)
{
	output_init(&session->output, netid);
	session->protocol = protocol;
	message_init(&session->message, netid, max_size);
	session_reset(session);
}

void
session_destroy(struct session *session)
{
	message_destroy(&session->message);
}

void
session_reset(struct session *session)
{
	session->state = STATE_HELO;
	session->login = LOGIN_NONE;
	session->smtputf8 = false;
	session->first_line = true;
	session->progressed = false;
	session->end = SESSION_OPEN;
	session->junk_commands = 0;
	session->line_too_long = false;
	session->line_length = 0;
	output_clear(&session->output);
	message_clear(&session->message);
}

void
session_greet(struct session *session)
{
	output_add(&session->output,
	    session->protocol == PROTOCOL_SMTP ? REPLY_GREETING : REPLY_ESMTP_GREETING);
}

void
session_abort(struct session *session, enum reply reply)
{
	if (session->end == SESSION_OPEN) {
		output_add(&session->output, reply);
	}
}

/*
 * Return whether the reply to one more line might not fit, with those still to be inserted. All
 * lines of the reply to a command, also to EHLO, fit into REPLY_SIZE together.
 */
static bool
is_output_full(const struct session *session)
{
	return output_is_full(&session->output, session_messages(session) * DELIVERY_REPLY_SIZE);
}

size_t
session_feed(struct session *session, const char *bytes, size_t length, enum session_want *want)
{
	size_t consumed = 0;

	while (consumed < length && session->end == SESSION_OPEN && !is_output_full(session) &&
	       !message_delivery_due(&session->message)) {
		if (session->state == STATE_DATA) {
			consumed += feed_data(session, bytes + consumed, length - consumed);
		} else {
			consumed += feed_line(session, bytes + consumed, length - consumed);
		}
	}
	if (session_messages(session) > 0) {
		*want = SESSION_DELIVERY;
	} else if (session->end != SESSION_OPEN) {
		*want = SESSION_CLOSE;
	} else {
		*want = consumed < length ? SESSION_FLUSH : SESSION_INPUT;
	}
	return consumed;
}

bool
session_in_data(const struct session *session)
{
	return session->state == STATE_DATA;
}

bool
session_progressed(struct session *session)
{
	bool progressed = session->progressed;

	session->progressed = false;
	return progressed;
}
