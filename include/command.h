/*
 * command.h - one command line taken apart
 *
 * Knows the grammar, and no state: of SMTP, RFC 5321 4.1.1 as far as the assignment
 * wants it,
 *
 *	HELO WSP host
 *	MAIL WSP FROM [WSP] : [WSP] address
 *	RCPT WSP TO   [WSP] : [WSP] address
 *	DATA
 *
 * and of the extended one, as mail programs speak it:
 *
 *	HELO WSP host		EHLO WSP host
 *	MAIL WSP FROM [WSP] : [WSP] path [WSP SIZE=n] [WSP BODY=7BIT|8BITMIME]
 *	RCPT WSP TO   [WSP] : [WSP] path
 *	DATA	RSET	QUIT	VRFY WSP string	NOOP [WSP string]	HELP [WSP string]
 *
 * in any letter case, with white space (SP, HT) ignored at both ends.
 */

#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>
#include <stdint.h>

/* Each a bit, so that a rule can hold in both. */
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
	COMMAND_SYNTAX,       /* an argument is missing, not wanted, or not a host name */
	COMMAND_BAD_ADDRESS,  /* the address holds a byte that it must not */
	COMMAND_BAD_PARAMETER /* a parameter follows the path that is not supported */
};

struct command {
	enum verb verb;
	enum command_error error; /* COMMAND_OK if the verb is not recognized */
	const char *argument;     /* points into the line; no outer white space, no brackets */
	size_t length;            /* bytes of argument */
	uint64_t size;            /* bytes, as SIZE= announces them; 0 if it does not */
};

/*
 * Take apart `line`, `length` bytes without the line ending. Any bytes may be in it. The result
 * points into `line` and lives as long. Never fails; any thread.
 */
struct command command_parse(const char *line, size_t length, enum protocol protocol);

#endif
