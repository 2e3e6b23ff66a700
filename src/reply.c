/*
 * DESCRIPTION
 *	The table below has the text of every reply, in the order of the codes. The inserted bytes
 *	replace the '*' or, if they are the name of the server, the '@'. Replies marked "ESMTP" are
 *	sent with ESMTP only.
 */

#include "reply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENT_MARK '*'
#define NETID_MARK    '@'

static const char *const replies[REPLIES] = {
    [REPLY_HELP] = "214 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT",            /* ESMTP */
    [REPLY_HELP_LOGIN] = "214 HELO EHLO AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT", /* ESMTP */
    [REPLY_GREETING] = "220 @ SMTP CS4410MP3",
    [REPLY_ESMTP_GREETING] = "220 @ ESMTP CS4410MP3", /* ESMTP */
    [REPLY_CLOSING] = "221 @ closing connection",     /* ESMTP */
    [REPLY_LOGGED_IN] = "235 OK",                     /* ESMTP */
    [REPLY_HELO] = "250 @",
    [REPLY_OK] = "250 OK",
    [REPLY_DELIVERED] = "250 OK:  delivered message *",
    [REPLY_EHLO] = "250-@",                                             /* ESMTP */
    [REPLY_EHLO_PIPELINING] = "250-PIPELINING",                         /* ESMTP */
    [REPLY_EHLO_SIZE] = "250-SIZE *",                                   /* ESMTP */
    [REPLY_EHLO_8BITMIME] = "250-8BITMIME",                             /* ESMTP */
    [REPLY_EHLO_AUTH] = "250-AUTH PLAIN LOGIN",                         /* ESMTP */
    [REPLY_EHLO_SMTPUTF8] = "250 SMTPUTF8",                             /* ESMTP */
    [REPLY_CANNOT_VERIFY] = "252 Error: cannot verify, send some mail", /* ESMTP */
    [REPLY_ASK_CREDENTIALS] = "334 ",          /* ESMTP; the space is needed (RFC 4954 4) */
    [REPLY_ASK_USERNAME] = "334 VXNlcm5hbWU6", /* ESMTP; "Username:" in base64 */
    [REPLY_ASK_PASSWORD] = "334 UGFzc3dvcmQ6", /* ESMTP; "Password:" in base64 */
    [REPLY_START_DATA] = "354 End data with <CR><LF>.<CR><LF>",
    [REPLY_SHUTTING_DOWN] = "421 4.3.2 @ Error: shutting down",
    [REPLY_TIMEOUT] = "421 4.4.2 @ Error: timeout exceeded",
    [REPLY_TOO_MANY_COMMANDS] = "421 4.7.0 @ Error: too many commands", /* ESMTP */
    [REPLY_LOCAL_ERROR] = "451 Error: local error in processing",
    [REPLY_STORAGE_FULL] = "452 Error: insufficient system storage",
    [REPLY_TOO_MANY_RECIPIENTS] = "452 Error: too many recipients",
    [REPLY_UNRECOGNIZED] = "500 Error: command not recognized",
    [REPLY_LINE_TOO_LONG] = "500 Error: line too long",
    [REPLY_SYNTAX_HELO] = "501 Syntax:  HELO yourhostname",
    [REPLY_SYNTAX_MAIL] = "501 Syntax:  MAIL FROM: address",
    [REPLY_SYNTAX_RCPT] = "501 Syntax:  RCPT TO: address",
    [REPLY_SYNTAX_DATA] = "501 Syntax:  DATA",
    [REPLY_SYNTAX_RSET] = "501 Syntax:  RSET",         /* ESMTP */
    [REPLY_SYNTAX_VRFY] = "501 Syntax:  VRFY address", /* ESMTP */
    [REPLY_SYNTAX_QUIT] = "501 Syntax:  QUIT",         /* ESMTP */
    [REPLY_SYNTAX_AUTH] = "501 Syntax:  AUTH",         /* ESMTP */
    [REPLY_NEED_HELO] = "503 Error: need HELO command",
    [REPLY_NEED_MAIL] = "503 Error: need MAIL FROM command",
    [REPLY_NEED_RCPT] = "503 Error: need RCPT TO command",
    [REPLY_DUPLICATE_HELO] = "503 Error: duplicate HELO",
    [REPLY_NESTED_MAIL] = "503 Error: nested MAIL command",
    [REPLY_NESTED_AUTH] = "503 Error: AUTH within a transaction", /* ESMTP */
    [REPLY_DUPLICATE_AUTH] = "503 Error: duplicate AUTH",         /* ESMTP */
    [REPLY_UNKNOWN_MECHANISM] = "504 Error: unknown mechanism",   /* ESMTP */
    [REPLY_MESSAGE_TOO_BIG] = "552 Error: message too big",
    [REPLY_NOT_A_MAIL_CLIENT] = "554 Error: not a mail client", /* ESMTP */
    [REPLY_SENDER_REJECTED] = "555 <*>: Sender address rejected",
    [REPLY_RECIPIENT_INVALID] = "555 <*>: Recipient address invalid",
    [REPLY_UNSUPPORTED_PARAMETER] = "555 Error: unsupported option", /* ESMTP */
};

static bool
is_printable(char byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

/* Copy `length` bytes to `out`, with '?' for each one outside 0x20-0x7E. */
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
	static const char insertions[] = {ARGUMENT_MARK, NETID_MARK, '\0'};
	const char *text = replies[reply];
	size_t text_length = strlen(text);
	size_t before = strcspn(text, insertions);
	size_t used = before;

	memcpy(out, text, before);
	if (before < text_length) {
		size_t after = text_length - before - 1;
		size_t space = REPLY_TEXT_MAX - before - after;
		size_t inserted = length < space ? length : space;

		copy_printable(out + before, insert, inserted);
		memcpy(out + before + inserted, text + before + 1, after);
		used += inserted + after;
	}
	memcpy(out + used, "\r\n", 2);
	return used + 2;
}

bool
reply_takes_netid(enum reply reply)
{
	return strchr(replies[reply], NETID_MARK) != NULL;
}

bool
reply_is_positive(enum reply reply)
{
	return replies[reply][0] < '4';
}

enum reply
reply_for_error(int error)
{
	switch (error) {
	case EMSGSIZE:
		return REPLY_MESSAGE_TOO_BIG;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return REPLY_STORAGE_FULL;
	default:
		return REPLY_LOCAL_ERROR;
	}
}

size_t
reply_format_number(uint64_t number, char digits[static REPLY_NUMBER_SIZE])
{
	return (size_t)snprintf(digits, REPLY_NUMBER_SIZE, "%" PRIu64, number);
}
