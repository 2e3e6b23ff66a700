/*
 * command.h - one command line taken apart
 *
 * Knows the grammar of RFC 5321 4.1.1 as far as the assignment wants it, and no state:
 *
 *	HELO WSP host
 *	MAIL WSP FROM [WSP] : [WSP] address
 *	RCPT WSP TO   [WSP] : [WSP] address
 *	DATA
 *
 * in any letter case, with white space (SP, HT) ignored at both ends.
 */

#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>

enum verb {
	VERB_UNRECOGNIZED,
	VERB_HELO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERBS
};

enum command_fault {
	COMMAND_FINE,
	COMMAND_SYNTAX,     /* an argument is missing, not wanted, or not a host name */
	COMMAND_BAD_ADDRESS /* the address holds a byte outside 0x21-0x7E */
};

struct command {
	enum verb verb;
	enum command_fault fault; /* COMMAND_FINE if the verb is not recognized */
	const char *argument;     /* points into the line; no outer white space */
	size_t length;            /* bytes of argument */
};

/*
 * Take apart `line`, `length` bytes without the line ending. Any bytes may be in it. The result
 * points into `line` and lives as long. Never fails; any thread.
 */
struct command command_parse(const char *line, size_t length);

#endif
