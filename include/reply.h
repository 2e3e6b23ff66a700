/*
 * reply.h - the text of every reply
 *
 * The table is in reply.c. The session decides when to send which.
 */

#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "params.h"

enum reply {
	REPLY_NONE, /* has no text: never sent */
	REPLY_HELP,
	REPLY_HELP_LOGIN,
	REPLY_GREETING,       /* names the server */
	REPLY_ESMTP_GREETING, /* names the server */
	REPLY_CLOSING,        /* names the server */
	REPLY_LOGGED_IN,
	REPLY_HELO, /* names the server */
	REPLY_OK,
	REPLY_DELIVERED, /* inserts the message's number */
	REPLY_EHLO,      /* names the server; the next five continue it */
	REPLY_EHLO_PIPELINING,
	REPLY_EHLO_SIZE, /* inserts the limit in bytes */
	REPLY_EHLO_8BITMIME,
	REPLY_EHLO_AUTH,
	REPLY_EHLO_SMTPUTF8,
	REPLY_CANNOT_VERIFY,
	REPLY_ASK_CREDENTIALS,
	REPLY_ASK_USERNAME,
	REPLY_ASK_PASSWORD,
	REPLY_START_DATA,
	REPLY_SHUTTING_DOWN,     /* names the server */
	REPLY_TIMEOUT,           /* names the server */
	REPLY_TOO_MANY_COMMANDS, /* names the server */
	REPLY_LOCAL_ERROR,
	REPLY_STORAGE_FULL,
	REPLY_TOO_MANY_RECIPIENTS,
	REPLY_UNRECOGNIZED,
	REPLY_LINE_TOO_LONG,
	REPLY_SYNTAX_HELO,
	REPLY_SYNTAX_MAIL,
	REPLY_SYNTAX_RCPT,
	REPLY_SYNTAX_DATA,
	REPLY_SYNTAX_RSET,
	REPLY_SYNTAX_VRFY,
	REPLY_SYNTAX_QUIT,
	REPLY_SYNTAX_AUTH,
	REPLY_NEED_HELO,
	REPLY_NEED_MAIL,
	REPLY_NEED_RCPT,
	REPLY_DUPLICATE_HELO,
	REPLY_NESTED_MAIL,
	REPLY_NESTED_AUTH,
	REPLY_DUPLICATE_AUTH,
	REPLY_UNKNOWN_MECHANISM,
	REPLY_MESSAGE_TOO_BIG,
	REPLY_NOT_A_MAIL_CLIENT,
	REPLY_SENDER_REJECTED,   /* inserts the address */
	REPLY_RECIPIENT_INVALID, /* inserts the address */
	REPLY_UNSUPPORTED_PARAMETER,
	REPLIES
};

/*
 * Write a reply line with its CRLF to `out`.
 *
 * `insert`, `length` bytes, is inserted into the replies marked above and ignored for the others.
 * It may contain any bytes: each one outside 0x20-0x7E is replaced by '?'. It is cut so that the
 * line has at most REPLY_TEXT_MAX bytes before its CRLF. So no client input can break a reply.
 * Returns the length of the line in bytes. Never fails.
 */
size_t reply_format(
    enum reply reply, const char *insert, size_t length, char out[static REPLY_SIZE]);

/* Return whether a reply inserts the name of the server. */
bool reply_takes_netid(enum reply reply);

/* Return whether a reply accepts a command (RFC 5321 4.2.1): its code is below 400. */
bool reply_is_positive(enum reply reply);

/*
 * Return the reply to a message or command that failed with `error`, an error number other than 0:
 * EMSGSIZE is 552; ENOSPC, EDQUOT and EFBIG are 452; all others are 451.
 */
enum reply reply_for_error(int error);

/* Bytes of a 64-bit number in decimal, as a string. */
#define REPLY_NUMBER_SIZE sizeof "18446744073709551615"

/* Format a number for a reply. Returns the count of digits. */
size_t reply_format_number(uint64_t number, char digits[static REPLY_NUMBER_SIZE]);

#endif
