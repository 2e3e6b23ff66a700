/*
 * NAME
 *	message - a client's messages in memory, in the form in which they will be stored
 *
 * DESCRIPTION
 *	The body is scanned by this automaton. A line here is one that ends in CRLF; a lone CR or LF
 *	is text, and nothing but CR LF . CR LF ends the data.
 *
 *	state		 seen so far		'.'	CR	LF		other
 *	BODY_LINE_START  start of a line	DOT	CR	TEXT +LF	TEXT +it
 *	BODY_TEXT	 text of a line		+it	CR	+LF		+it
 *	BODY_CR		 a CR, not stored yet	see *	CR +CR	LINE_START +LF	TEXT +CR, +it
 *	BODY_DOT	 a dot at the start	TEXT+it	DOT_CR	TEXT +LF	TEXT +it
 *	BODY_DOT_CR	 a dot, a CR		see *	CR +CR	END		TEXT +CR, +it
 *
 *	(* like any other byte.) In BODY_DOT the dot is forgotten unless the line ends right there:
 *	so a first dot is dropped when more follows it. Text is not looked at byte by byte: from
 *	BODY_TEXT the next LF is searched with memchr(), and all before it copied in one run.
 *
 *	Lines as stored end in LF, whether that came as CRLF or alone. Each is looked at when it is
 *	complete: one that reads like the first line of a record is stored with a '>' more.
 *
 *	After a fault the automaton goes on to the end of the data, but nothing is stored.
 *
 *	When a message ends the next one begins behind it, with a copy of its Received line, for
 *	which there is always room. Once the ended ones are forgotten it is moved to the front.
 *
 * DIAGNOSTICS
 *	ENOMEM: realloc() failed. EMSGSIZE: the body exceeds max_size, or the
 *	whole record that and ENVELOPE_ALLOWANCE.
 */

#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_START "Received: from "
#define SENDER_START "From: "

/* ---- memory ---- */

/* The first byte of the record that is growing. */
static char *
current_record(const struct message_buffer *message)
{
	return message->bytes + message->begin;
}

/* Make room for `extra` more bytes, and then for the Received line of the next message. */
static int
reserve(struct message_buffer *message, size_t extra)
{
	size_t limit = message->max_size + ENVELOPE_ALLOWANCE;
	size_t around = message->begin + message->received;
	size_t capacity = message->capacity ? message->capacity : MESSAGE_BUFFER_INITIAL;

	if (extra > limit - message->length) {
		return EMSGSIZE;
	}
	if (around + message->length + extra <= message->capacity) {
		return 0;
	}
	while (capacity < around + message->length + extra) {
		capacity *= 2;
	}
	if (capacity > around + limit) {
		capacity = around + limit;
	}
	char *bytes = realloc(message->bytes, capacity);
	if (bytes == NULL) {
		return ENOMEM;
	}
	message->bytes = bytes;
	message->capacity = capacity;
	return 0;
}

/* Add bytes for which room is reserved. */
static void
append(struct message_buffer *message, const char *bytes, size_t length)
{
	memcpy(current_record(message) + message->length, bytes, length);
	message->length += length;
}

void
message_init(struct message_buffer *message, const char *netid, size_t max_size)
{
	static const char by[] = " by ", protocol[] = " (CS4410MP3)";
	size_t netid_length = strnlen(netid, NETID_MAX);

	*message = (struct message_buffer){.max_size = max_size};
	memcpy(message->trace, by, sizeof by - 1);
	memcpy(message->trace + sizeof by - 1, netid, netid_length);
	memcpy(message->trace + sizeof by - 1 + netid_length, protocol, sizeof protocol - 1);
	message->trace_length = sizeof by - 1 + netid_length + sizeof protocol - 1;
}

static void
free_buffer(struct message_buffer *message)
{
	free(message->bytes);
	message->bytes = NULL;
	message->capacity = 0;
}

void
message_clear(struct message_buffer *message)
{
	if (message->capacity > MESSAGE_BUFFER_INITIAL) {
		free_buffer(message);
	}
	message->completed_count = 0;
	message->begin = 0;
	message->received = 0;
	message_reset(message);
}

void
message_destroy(struct message_buffer *message)
{
	free_buffer(message);
	message_clear(message);
}

/* ---- envelope ---- */

void
message_reset(struct message_buffer *message)
{
	message->length = message->received;
	message->recipients = 0;
	message->error = 0;
}

int
message_set_host(struct message_buffer *message, const char *host, size_t length)
{
	size_t received = sizeof RECORD_START - 1 + length + message->trace_length + 1;
	int error;

	message->received = 0;
	message_reset(message);
	error = reserve(message, received);
	if (error == 0) {
		append(message, RECORD_START, sizeof RECORD_START - 1);
		append(message, host, length);
		append(message, message->trace, message->trace_length);
		append(message, "\n", 1);
		message->received = received;
	}
	return error;
}

/* Add a line of the envelope. */
static int
append_header(struct message_buffer *message, const char *name, const char *address, size_t length)
{
	size_t name_length = strlen(name);
	/* The line feeds that end envelope and record must always fit. */
	int error = reserve(message, name_length + length + 1 + 3);

	if (error == 0) {
		append(message, name, name_length);
		append(message, address, length);
		append(message, "\n", 1);
	}
	return error;
}

int
message_set_sender(struct message_buffer *message, const char *address, size_t length)
{
	return append_header(message, SENDER_START, address, length);
}

int
message_add_recipient(struct message_buffer *message, const char *address, size_t length)
{
	int error;

	if (message->recipients == RECIPIENTS_MAX) {
		return EMSGSIZE;
	}
	error = append_header(message, "To: ", address, length);
	if (error == 0) {
		message->recipients++;
	}
	return error;
}

/* ---- body ---- */

/* Store bytes of the body, unless there is a fault or they make one. */
static void
append_body(struct message_buffer *message, const char *bytes, size_t length)
{
	if (message->error != 0 || length == 0) {
		return;
	}
	if (length > message->max_size - (message->length - message->body)) {
		message->error = EMSGSIZE;
		return;
	}
	/* Two more: the line feeds that end the record must always fit. */
	message->error = reserve(message, length + 2);
	if (message->error == 0) {
		append(message, bytes, length);
	}
}

/* Whether a stored line reads: >*Received: from .* by netid (CS4410MP3) */
static bool
looks_like_record_start(const struct message_buffer *message, const char *line, size_t length)
{
	while (length > 0 && *line == '>') {
		line++;
		length--;
	}
	return length >= sizeof RECORD_START - 1 + message->trace_length &&
	       memcmp(line, RECORD_START, sizeof RECORD_START - 1) == 0 &&
	       memcmp(line + length - message->trace_length, message->trace,
		   message->trace_length) == 0;
}

/* Put a '>' before the stored line. */
static void
quote_line(struct message_buffer *message)
{
	size_t length = message->length - message->line;

	append_body(message, ">", 1);
	if (message->error == 0) {
		char *line = current_record(message) + message->line;

		memmove(line + 1, line, length);
		*line = '>';
	}
}

/* Store a line's last bytes, whose last one becomes a line feed; quote the line if need be. */
static void
append_line_end(struct message_buffer *message, const char *bytes, size_t length)
{
	append_body(message, bytes, length);
	if (message->error == 0) {
		size_t line_length = message->length - 1 - message->line;

		current_record(message)[message->length - 1] = '\n';
		if (looks_like_record_start(
			message, current_record(message) + message->line, line_length)) {
			quote_line(message);
		}
	}
	message->line = message->length;
}

void
message_start_body(struct message_buffer *message)
{
	append(message, "\n", 1);
	message->body = message->length;
	message->line = message->length;
	message->state = BODY_LINE_START;
}

/* Put the message with those that have ended, and begin the next. */
static void
start_next(struct message_buffer *message)
{
	const char *received = current_record(message);

	message->ended[message->completed_count++] = (struct ended){
	    .begin = message->begin,
	    .received = message->received,
	    .body = message->body,
	    .length = message->length,
	    .recipients = message->recipients,
	    .error = message->error,
	};
	message->begin += message->length;
	memcpy(current_record(message), received, message->received);
	message_reset(message);
}

/* End the record with an empty line, for which room is reserved. The body ends in a line feed. */
static void
finish(struct message_buffer *message)
{
	if (message->error == 0) {
		append(message, "\n", 1);
	}
	start_next(message);
	message->state = BODY_END;
}

/* BODY_TEXT: take all up to and with the next LF, or all there is. Returns how many bytes. */
static size_t
scan_text(struct message_buffer *message, const char *bytes, size_t length)
{
	const char *line_feed = memchr(bytes, '\n', length);
	size_t text = line_feed != NULL ? (size_t)(line_feed - bytes) : length;
	bool carriage_return = text > 0 && bytes[text - 1] == '\r';

	if (line_feed == NULL) {
		append_body(message, bytes, carriage_return ? text - 1 : text);
		message->state = carriage_return ? BODY_CR : BODY_TEXT;
		return text;
	}
	/* One of CR and LF is left out. */
	append_line_end(message, bytes, carriage_return ? text : text + 1);
	message->state = carriage_return ? BODY_LINE_START : BODY_TEXT;
	return text + 1;
}

/*
 * Take one byte in any state but BODY_TEXT, or none: then the state is one in which the same byte
 * is to be looked at again.
 */
static size_t
scan_byte(struct message_buffer *message, char byte)
{
	switch (message->state) {
	case BODY_LINE_START:
		message->state = byte == '.' ? BODY_DOT : BODY_TEXT;
		return byte == '.';
	case BODY_CR:
		if (byte == '\n') {
			append_line_end(message, &byte, 1);
			message->state = BODY_LINE_START;
			return 1;
		}
		append_body(message, "\r", 1);
		message->state = BODY_TEXT;
		return 0;
	case BODY_DOT:
		message->state = byte == '\r' ? BODY_DOT_CR : BODY_TEXT;
		return byte == '\r';
	case BODY_DOT_CR:
		if (byte == '\n') {
			finish(message);
			return 1;
		}
		message->state = BODY_CR;
		return 0;
	case BODY_TEXT:
	case BODY_END:
		break;
	}
	return 0;
}

size_t
message_scan(struct message_buffer *message, const char *bytes, size_t length)
{
	size_t scanned = 0;

	while (scanned < length && message->state != BODY_END) {
		if (message->state == BODY_TEXT) {
			scanned += scan_text(message, bytes + scanned, length - scanned);
		} else {
			scanned += scan_byte(message, bytes[scanned]);
		}
	}
	return scanned;
}

bool
message_complete(const struct message_buffer *message)
{
	return message->state == BODY_END;
}

bool
message_batch_full(const struct message_buffer *message)
{
	return message->completed_count == MESSAGE_BATCH_MAX ||
	       message->begin >= MESSAGE_BATCH_BYTES;
}

struct envelope
message_envelope(const struct message_buffer *message, size_t index)
{
	const struct ended *ended = &message->ended[index];
	const char *record = message->bytes + ended->begin;
	const char *sender = record + ended->received + sizeof SENDER_START - 1;
	const char *body = record + ended->body;
	const char *sender_end = memchr(sender, '\n', (size_t)(body - sender));

	return (struct envelope){
	    .host = record + sizeof RECORD_START - 1,
	    .host_length = ended->received - (sizeof RECORD_START - 1) - message->trace_length - 1,
	    .sender = sender,
	    .sender_length = (size_t)(sender_end - sender),
	    .recipients = sender_end + 1,
	    /* The body comes after the empty line. */
	    .recipients_length = (size_t)(body - 1 - (sender_end + 1)),
	    .recipient_count = ended->recipients,
	};
}

struct record
message_record(const struct message_buffer *message, size_t index)
{
	const struct ended *ended = &message->ended[index];
	const char *record = message->bytes + ended->begin;

	return (struct record){
	    .received = record,
	    .received_length = ended->received,
	    .rest = record + ended->received,
	    .rest_length = ended->length - ended->received,
	};
}

void
message_discard_completed(struct message_buffer *message)
{
	if (message->completed_count > 0) {
		memmove(message->bytes, current_record(message), message->length);
		message->begin = 0;
		message->completed_count = 0;
	}
}
