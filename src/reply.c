/*
 * NAME
 *	reply - every text that the server says to a client
 *
 * DESCRIPTION
 *	A reply is the text of the table below, with the insertion, if it has one, in place of its
 *	'*'. The table is in the order of the codes.
 */

#include "reply.h"

#include <string.h>

#define INSERTION '*'

static const char *const replies[REPLIES] = {
    [REPLY_GREETING] = "220 * SMTP CS4410MP3",
    [REPLY_HELO] = "250 *",
    [REPLY_OK] = "250 OK",
    [REPLY_DELIVERED] = "250 OK:  delivered message *",
    [REPLY_START_DATA] = "354 End data with <CR><LF>.<CR><LF>",
    [REPLY_SHUTTING_DOWN] = "421 4.3.2 * Error: shutting down",
    [REPLY_TIMEOUT] = "421 4.4.2 * Error: timeout exceeded",
    [REPLY_LOCAL_ERROR] = "451 Error: local error in processing",
    [REPLY_STORAGE_FULL] = "452 Error: insufficient system storage",
    [REPLY_TOO_MANY_RECIPIENTS] = "452 Error: too many recipients",
    [REPLY_UNRECOGNIZED] = "500 Error: command not recognized",
    [REPLY_LINE_TOO_LONG] = "500 Error: line too long",
    [REPLY_SYNTAX_HELO] = "501 Syntax:  HELO yourhostname",
    [REPLY_SYNTAX_MAIL] = "501 Syntax:  MAIL FROM: address",
    [REPLY_SYNTAX_RCPT] = "501 Syntax:  RCPT TO: address",
    [REPLY_SYNTAX_DATA] = "501 Syntax:  DATA",
    [REPLY_NEED_HELO] = "503 Error: need HELO command",
    [REPLY_NEED_MAIL] = "503 Error: need MAIL FROM command",
    [REPLY_NEED_RCPT] = "503 Error: need RCPT TO command",
    [REPLY_DUPLICATE_HELO] = "503 Error: duplicate HELO",
    [REPLY_NESTED_MAIL] = "503 Error: nested MAIL command",
    [REPLY_MESSAGE_TOO_BIG] = "552 Error: message too big",
    [REPLY_SENDER_REJECTED] = "555 <*>: Sender address rejected",
    [REPLY_RECIPIENT_INVALID] = "555 <*>: Recipient address invalid",
};

static bool
is_printable(char byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

/* Copy `length` bytes to `out`, each one that is not printable ASCII or a space as '?'. */
static void
copy_printable(char *out, const char *bytes, size_t length)
{
	memcpy(out, bytes, length);
	for (size_t i = 0; i < length; i++) {
		if (!is_printable(out[i])) {
			out[i] = '?';
		}
	}
}

size_t
reply_format(enum reply reply, const char *insert, size_t length, char out[static REPLY_SIZE])
{
	const char *text = replies[reply];
	size_t text_length = strlen(text);
	const char *mark = memchr(text, INSERTION, text_length);
	size_t before = mark ? (size_t)(mark - text) : text_length;
	size_t used = before;

	memcpy(out, text, before);
	if (mark) {
		size_t after = text_length - before - 1;
		size_t room = REPLY_TEXT_MAX - before - after;
		size_t inserted = length < room ? length : room;

		copy_printable(out + before, insert, inserted);
		memcpy(out + before + inserted, mark + 1, after);
		used += inserted + after;
	}
	memcpy(out + used, "\r\n", 2);
	return used + 2;
}

bool
reply_accepts(enum reply reply)
{
	return replies[reply][0] < '4';
}
