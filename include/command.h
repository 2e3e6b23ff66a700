/*
 * command.h - parse one command line
 *
 * The grammar does not depend on the state of a session. With SMTP it is the part of RFC 5321 4.1.1
 * that the assignment asks for:
 *
 *	HELO WSP host
 *	MAIL WSP FROM [WSP] : [WSP] address
 *	RCPT WSP TO   [WSP] : [WSP] address
 *	DATA
 *
 * With ESMTP it is what mail programs use:
 *
 *	HELO [WSP string]	EHLO [WSP string]
 *	MAIL WSP FROM [WSP] : [WSP] path [WSP SIZE=n] [WSP BODY=7BIT|8BITMIME] [WSP SMTPUTF8]
 *	RCPT WSP TO   [WSP] : [WSP] path
 *	DATA	RSET	QUIT	VRFY WSP string	NOOP [WSP string]	HELP [WSP string]
 *
 * and, with --any-login, also (RFC 4954):
 *
 *	AUTH WSP PLAIN [WSP base64|=]	AUTH WSP LOGIN [WSP base64|=]
 *	MAIL WSP FROM ... [WSP AUTH=value]
 *
 * A path may be bare. A source route in it (RFC 5321 4.1.1.3) is skipped. It may contain UTF-8
 * (RFC 3629) in a transaction with SMTPUTF8 (RFC 6531).
 *
 * WSP is one or more of SP and HT; at both ends of a line it is ignored. Letter case does not
 * matter. The parameters of MAIL FROM may come in any order, each once.
 */

#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits, so that a row of the grammar can apply to several protocols. */
enum protocol {
	PROTOCOL_SMTP = 1,
	PROTOCOL_ESMTP = 2,
	PROTOCOL_ESMTP_LOGIN = 4 /* ESMTP with AUTH: every login is accepted (--any-login) */
};

/*
 * A new command is a verb here, a row of grammar[] in command.c, a row of rules[] in rules.c, its
 * name in the replies to HELP in reply.c and, if it needs new replies, rows in reply.h and reply.c;
 * and its text in smtpd.8.
 */
enum verb {
	VERB_UNRECOGNIZED, /* in neither table */
	VERB_HELO,
	VERB_EHLO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_RSET,
	VERB_NOOP,
	VERB_VRFY,
	VERB_HELP,
	VERB_QUIT,
	VERB_AUTH_PLAIN,
	VERB_AUTH_LOGIN,
	VERB_AUTH,         /* with another mechanism */
	VERB_HTTP_REQUEST, /* not a command of SMTP: METHOD TARGET HTTP/VERSION; only in rules[] */
	VERBS
};

enum command_error {
	COMMAND_OK,
	COMMAND_SYNTAX,       /* an argument is missing, malformed or superfluous */
	COMMAND_BAD_ADDRESS,  /* no path, <> as a recipient, or a byte that is not allowed */
	COMMAND_BAD_PARAMETER /* a parameter after the path is not supported */
};

struct command {
	enum verb verb;
	enum command_error error; /* COMMAND_OK if the verb is not recognized */
	const char *argument;     /* in the line: see command_parse() */
	size_t length;            /* bytes of argument */
	uint64_t size;            /* bytes, as declared by SIZE=; 0 without it */
	bool smtputf8;            /* the addresses of this transaction may contain UTF-8 */
};

/*
 * Parse `line`, `length` bytes of any value without the line ending. `smtputf8` says whether the
 * transaction was started with SMTPUTF8: only then may a recipient contain UTF-8. Returns the
 * command. Its argument has no outer white space. If it is a valid path of ESMTP, it has no source
 * route, no parameters and, except for <>, no brackets either. It points into `line` and is valid
 * as long. Never fails. Any thread.
 */
struct command command_parse(
    const char *line, size_t length, enum protocol protocol, bool smtputf8);

/*
 * Return whether the end of a long line, `length` bytes at `tail` with its CR, if any, is that of
 * an HTTP request: the last word begins with "HTTP/" (RFC 9112 3).
 */
bool command_ends_http_request(const char *tail, size_t length);

/*
 * Return whether a line is the response to a challenge of AUTH: base64 (RFC 4648 4), also of no
 * bytes at all. White space around it is ignored.
 */
bool command_is_response(const char *line, size_t length);

#endif
