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
 *	HELO WSP host		EHLO WSP host
 *	MAIL WSP FROM [WSP] : [WSP] path [WSP SIZE=n] [WSP BODY=7BIT|8BITMIME]
 *	RCPT WSP TO   [WSP] : [WSP] path
 *	DATA	RSET	QUIT	VRFY WSP string	NOOP [WSP string]	HELP [WSP string]
 *
 * Letter case does not matter, and white space (SP, HT) at both ends is ignored.
 */

#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>
#include <stdint.h>

/* Bits, so that a row of the grammar can apply to both. */
enum protocol {
	PROTOCOL_SMTP = 1,
	PROTOCOL_ESMTP = 2
};

enum verb {
	VERB_UNRECOGNIZED,
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
	VERBS
};

enum command_error {
	COMMAND_OK,
	COMMAND_SYNTAX,       /* an argument is missing, not allowed, or not a host name */
	COMMAND_BAD_ADDRESS,  /* the address contains a byte that is not allowed */
	COMMAND_BAD_PARAMETER /* a parameter after the path is not supported */
};

struct command {
	enum verb verb;
	enum command_error error; /* COMMAND_OK if the verb is not recognized */
	const char *argument;     /* in the line, without outer white space and brackets */
	size_t length;            /* bytes of argument */
	uint64_t size;            /* bytes, as declared by SIZE=; 0 without it */
};

/*
 * Parse `line`, `length` bytes of any value without the line ending. The result points into `line`
 * and is valid as long. Never fails. Any thread.
 */
struct command command_parse(const char *line, size_t length, enum protocol protocol);

#endif
