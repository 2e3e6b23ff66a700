/*
 * DESCRIPTION
 *	This automaton scans the body. For it a line ends in CRLF; a lone CR or LF is text. Only
 *	CR LF . CR LF ends the data. A cell is the next state, without BODY_, and after '+' what is
 *	stored: `it` is the byte itself. "other" stands for the cell of that column.
 *
 *	state		 seen so far		'.'	CR	LF		other
 *	BODY_LINE_START  start of a line	DOT	CR	TEXT +LF	TEXT +it
 *	BODY_TEXT	 text of a line		+it	CR	+LF		+it
 *	BODY_CR		 a CR, not stored yet	other	CR +CR	LINE_START +LF	TEXT +CR, +it
 *	BODY_DOT	 a dot at the start	TEXT +it DOT_CR	TEXT +LF	TEXT +it
 *	BODY_DOT_CR	 a dot, a CR		other	CR +CR	END		TEXT +CR, +it
 *
 *	The dot that leads to BODY_DOT is never stored (RFC 5321 4.5.2). In BODY_TEXT, and mostly in
 *	BODY_LINE_START, memchr() finds the next LF, and all bytes before it are copied in one run.
 *
 *	Stored lines end in LF, whether they arrived with CRLF or LF. Each is checked when it is
 *	complete: if it looks like the first line of a record, a '>' is inserted before it (mboxrd).
 *
 *	When a message is complete the next one starts after it in the buffer, with a copy of its
 *	Received line; reserve() always leaves space for that. Discarding the completed messages
 *	moves the current one to the front.
 *
 * DIAGNOSTICS
 *	ENOMEM: realloc() failed. EMSGSIZE: the body exceeds max_size, the record exceeds max_size
 *	and ENVELOPE_ALLOWANCE together, or there are more than RECIPIENTS_MAX recipients. After an
 *	error in a body the rest of it is not stored, but scanned to the end of the data.
 */

#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

/* Return the first byte of the current record. */
static char *
current_record(const struct message_buffer *buffer)
{
	return buffer->bytes + buffer->current.begin;
}

/* Reserve `extra` bytes and the next message's Received line. Returns 0, EMSGSIZE or ENOMEM. */
static int
reserve(struct message_buffer *buffer, size_t extra)
{
	size_t limit = buffer->max_size + ENVELOPE_ALLOWANCE;
	/* Bytes before this record, and of the Received line of the next one. */
	size_t overhead = buffer->current.begin + buffer->current.received_length;
	size_t capacity = buffer->capacity > 0 ? buffer->capacity : MESSAGE_BUFFER_INITIAL;
	char *bytes;

	if (extra > limit - buffer->current.length) {
		return EMSGSIZE;
	}
	if (overhead + buffer->current.length + extra <= buffer->capacity) {
		return 0;
	}
	while (capacity < overhead + buffer->current.length + extra) {
		capacity *= 2;
	}
	if (capacity > overhead + limit) {
		capacity = overhead + limit;
	}
	bytes = realloc(buffer->bytes, capacity);
	if (bytes == NULL) {
		return ENOMEM;
	}
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return 0;
}

/* Append bytes that were reserved. */
static void
append(struct message_buffer *buffer, const char *bytes, size_t length)
{
	memcpy(current_record(buffer) + buffer->current.length, bytes, length);
	buffer->current.length += length;
}

void
message_init(struct message_buffer *buffer, const char *netid, size_t max_size)
{
	*buffer = (struct message_buffer){.max_size = max_size};
	record_trace_init(&buffer->trace, netid);
}

static void
free_buffer(struct message_buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->capacity = 0;
}

void
message_clear(struct message_buffer *buffer)
{
	if (buffer->capacity > MESSAGE_BUFFER_INITIAL) {
		free_buffer(buffer);
	}
	buffer->completed_count = 0;
	buffer->current.begin = 0;
	buffer->current.received_length = 0;
	message_reset(buffer);
}

void
message_destroy(struct message_buffer *buffer)
{
	free_buffer(buffer);
	message_clear(buffer);
}

/* ---- envelope ---- */

void
message_reset(struct message_buffer *buffer)
{
	buffer->current.length = buffer->current.received_length;
	buffer->current.recipient_count = 0;
	buffer->current.error = 0;
}

int
message_set_host(struct message_buffer *buffer, const char *host, size_t length)
{
	size_t received_length = sizeof RECORD_START - 1 + length + buffer->trace.length + 1;
	int error;

	buffer->current.received_length = 0;
	message_reset(buffer);
	error = reserve(buffer, received_length);
	if (error == 0) {
		append(buffer, RECORD_START, sizeof RECORD_START - 1);
		append(buffer, host, length);
		append(buffer, buffer->trace.text, buffer->trace.length);
		append(buffer, "\n", 1);
		buffer->current.received_length = received_length;
	}
	return error;
}

/* Append a line of the envelope. Returns 0, EMSGSIZE or ENOMEM. */
static int
append_header(struct message_buffer *buffer, const char *name, const char *address, size_t length)
{
	size_t name_length = strlen(name);
	/* Three bytes for message_start_body() and finish(): a line feed each, and one spare. */
	int error = reserve(buffer, name_length + length + 1 + 3);

	if (error == 0) {
		append(buffer, name, name_length);
		append(buffer, address, length);
		append(buffer, "\n", 1);
	}
	return error;
}

int
message_set_sender(struct message_buffer *buffer, const char *address, size_t length)
{
	return append_header(buffer, RECORD_SENDER, address, length);
}

int
message_add_recipient(struct message_buffer *buffer, const char *address, size_t length)
{
	int error;

	if (buffer->current.recipient_count == RECIPIENTS_MAX) {
		return EMSGSIZE;
	}
	error = append_header(buffer, RECORD_RECIPIENT, address, length);
	if (error == 0) {
		buffer->current.recipient_count++;
	}
	return error;
}

/* ---- body ---- */

/* Append bytes of the body. On failure set `error`; after a failure do nothing. */
static void
append_body(struct message_buffer *buffer, const char *bytes, size_t length)
{
	if (buffer->current.error != 0 || length == 0) {
		return;
	}
	if (length > buffer->max_size - (buffer->current.length - buffer->current.body)) {
		buffer->current.error = EMSGSIZE;
		return;
	}
	/* Two bytes for finish(): a line feed, and one spare. */
	buffer->current.error = reserve(buffer, length + 2);
	if (buffer->current.error == 0) {
		append(buffer, bytes, length);
	}
}

/* Return whether `length` more bytes of the body can be appended; then they are reserved. */
static bool
can_append_body(struct message_buffer *buffer, size_t length)
{
	size_t body_length = buffer->current.length - buffer->current.body;

	return buffer->current.error == 0 && length <= buffer->max_size - body_length &&
	       reserve(buffer, length + 2) == 0;
}

/* Return whether a stored line matches ^>*Received: from .* by .* \(CS4410MP3\)$ */
static bool
looks_like_record_start(const char *line, size_t length)
{
	while (length > 0 && *line == '>') {
		line++;
		length--;
	}
	return record_is_start(line, length);
}

/* Insert a '>' before the stored line. */
static void
quote_line(struct message_buffer *buffer)
{
	size_t length = buffer->current.length - buffer->line_begin;

	append_body(buffer, ">", 1);
	if (buffer->current.error == 0) {
		char *line = current_record(buffer) + buffer->line_begin;

		memmove(line + 1, line, length);
		*line = '>';
	}
}

/* Append the last bytes of a line, make the last one a line feed, and quote the line if needed. */
static void
append_line_end(struct message_buffer *buffer, const char *bytes, size_t length)
{
	append_body(buffer, bytes, length);
	if (buffer->current.error == 0) {
		char *line = current_record(buffer) + buffer->line_begin;
		size_t line_length = buffer->current.length - 1 - buffer->line_begin;

		line[line_length] = '\n';
		if (looks_like_record_start(line, line_length)) {
			quote_line(buffer);
		}
	}
	buffer->line_begin = buffer->current.length;
}

void
message_start_body(struct message_buffer *buffer)
{
	append(buffer, "\n", 1);
	buffer->current.body = buffer->current.length;
	buffer->line_begin = buffer->current.length;
	buffer->state = BODY_LINE_START;
}

/* Add the current message to the completed ones, and start the next. */
static void
start_next(struct message_buffer *buffer)
{
	const char *received = current_record(buffer);

	buffer->completed[buffer->completed_count++] = buffer->current;
	buffer->current.begin += buffer->current.length;
	memcpy(current_record(buffer), received, buffer->current.received_length);
	message_reset(buffer);
}

/* End the record with an empty line, whose space is reserved. The line before it is complete. */
static void
finish(struct message_buffer *buffer)
{
	if (buffer->current.error == 0) {
		append(buffer, "\n", 1);
	}
	start_next(buffer);
	buffer->state = BODY_END;
}

/*
 * Scan the complete lines in BODY_LINE_START that are stored as they are, with LF for CRLF: they
 * have no lone LF, and begin neither with a dot nor like a line that may be quoted. Memory is
 * reserved once for all of them. Returns the count of bytes; the state does not change.
 */
static size_t
scan_plain_lines(struct message_buffer *buffer, const char *bytes, size_t length)
{
	const char *line = bytes, *end = bytes + length, *line_feed;
	char *stored;

	if (!can_append_body(buffer, length)) {
		return 0;
	}
	stored = current_record(buffer) + buffer->current.length;
	while (line < end && *line != '.' && *line != '>' && *line != RECORD_START[0] &&
	       (line_feed = memchr(line, '\n', (size_t)(end - line))) != NULL && line_feed > line &&
	       line_feed[-1] == '\r') {
		size_t text = (size_t)(line_feed - 1 - line);

		memcpy(stored, line, text);
		stored[text] = '\n';
		stored += text + 1;
		line = line_feed + 1;
	}
	buffer->current.length = (size_t)(stored - current_record(buffer));
	buffer->line_begin = buffer->current.length;
	return (size_t)(line - bytes);
}

/* Scan text in BODY_TEXT up to and including the next LF, or to the end. Returns the count. */
static size_t
scan_text(struct message_buffer *buffer, const char *bytes, size_t length)
{
	const char *line_feed = memchr(bytes, '\n', length);
	size_t text = line_feed != NULL ? (size_t)(line_feed - bytes) : length;
	bool carriage_return = text > 0 && bytes[text - 1] == '\r';

	if (line_feed == NULL) {
		append_body(buffer, bytes, carriage_return ? text - 1 : text);
		buffer->state = carriage_return ? BODY_CR : BODY_TEXT;
		return text;
	}
	/* CRLF is stored as LF, so one of the two bytes is left out. */
	append_line_end(buffer, bytes, carriage_return ? text : text + 1);
	buffer->state = carriage_return ? BODY_LINE_START : BODY_TEXT;
	return text + 1;
}

/*
 * Scan one byte in any state but BODY_TEXT and BODY_END. Returns 1 if it was consumed, 0 if it must
 * be scanned again in the new state.
 */
static size_t
scan_byte(struct message_buffer *buffer, char byte)
{
	switch (buffer->state) {
	case BODY_LINE_START:
		buffer->state = byte == '.' ? BODY_DOT : BODY_TEXT;
		return byte == '.';
	case BODY_CR:
		if (byte == '\n') {
			append_line_end(buffer, &byte, 1);
			buffer->state = BODY_LINE_START;
			return 1;
		}
		append_body(buffer, "\r", 1);
		buffer->state = BODY_TEXT;
		return 0;
	case BODY_DOT:
		buffer->state = byte == '\r' ? BODY_DOT_CR : BODY_TEXT;
		return byte == '\r';
	case BODY_DOT_CR:
		if (byte == '\n') {
			finish(buffer);
			return 1;
		}
		buffer->state = BODY_CR;
		return 0;
	case BODY_TEXT:
	case BODY_END:
		break;
	}
	return 0;
}

size_t
message_scan(struct message_buffer *buffer, const char *bytes, size_t length)
{
	size_t scanned = 0;

	while (scanned < length && buffer->state != BODY_END) {
		size_t run = 0;

		if (buffer->state == BODY_TEXT) {
			run = scan_text(buffer, bytes + scanned, length - scanned);
		} else if (buffer->state == BODY_LINE_START) {
			run = scan_plain_lines(buffer, bytes + scanned, length - scanned);
		}
		scanned += run > 0 ? run : scan_byte(buffer, bytes[scanned]);
	}
	return scanned;
}

bool
message_is_complete(const struct message_buffer *buffer)
{
	return buffer->state == BODY_END;
}

bool
message_delivery_due(const struct message_buffer *buffer)
{
	return buffer->completed_count == COMPLETED_MAX || buffer->current.begin >= COMPLETED_BYTES;
}

struct envelope
message_envelope(const struct message_buffer *buffer, size_t index)
{
	const struct draft *draft = &buffer->completed[index];
	const char *record = buffer->bytes + draft->begin;
	const char *sender = record + draft->received_length + sizeof RECORD_SENDER - 1;
	const char *body = record + draft->body;
	const char *sender_end = memchr(sender, '\n', (size_t)(body - sender));

	return (struct envelope){
	    .host = record + sizeof RECORD_START - 1,
	    .host_length =
		draft->received_length - (sizeof RECORD_START - 1) - buffer->trace.length - 1,
	    .sender = sender,
	    .sender_length = (size_t)(sender_end - sender),
	    .recipients = sender_end + 1,
	    .recipients_length = (size_t)(body - 1 - (sender_end + 1)), /* less an empty line */
	    .recipient_count = draft->recipient_count,
	};
}

struct record
message_record(const struct message_buffer *buffer, size_t index)
{
	const struct draft *draft = &buffer->completed[index];
	const char *record = buffer->bytes + draft->begin;

	return (struct record){
	    .received = record,
	    .received_length = draft->received_length,
	    .rest = record + draft->received_length,
	    .rest_length = draft->length - draft->received_length,
	};
}

void
message_discard_completed(struct message_buffer *buffer)
{
	if (buffer->completed_count > 0) {
		memmove(buffer->bytes, current_record(buffer), buffer->current.length);
		buffer->current.begin = 0;
		buffer->completed_count = 0;
	}
}
