/*
 * path.h - parse a path of ESMTP: the address of a sender or a recipient
 *
 *	<mailbox>	<@domain,@domain:mailbox>	<>	mailbox
 *
 * A mailbox, here that of RFC 5321, may have a quoted string with spaces and brackets (4.1.2) and
 * UTF-8 (RFC 6531 3.3). No other white space, no control character and no further bracket is
 * allowed. What else a mailbox is made of does not matter.
 */

#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>

struct path {
	/* The part of the text without brackets and source route; "<>" for the null path. */
	const char *mailbox;
	size_t length; /* bytes of the mailbox */
	bool is_null;  /* the null path: "<>" */
	bool has_utf8; /* it contains characters other than ASCII */
};

/*
 * Parse the path at the start of `text`, `length` bytes of any value. Returns the length of the
 * path in bytes, brackets included; or 0 if there is none, or if it is not allowed. Any thread.
 */
size_t path_parse(const char *text, size_t length, struct path *path);

#endif
