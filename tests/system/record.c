/*
 * NAME
 *	record - what the mailbox should hold
 */

#include "record.h"

void
record_add(struct text *mailbox, unsigned number, const char *host, const char *from,
    const char *to, const char *body)
{
	text_add_format(mailbox,
	    "Received: from %s by netid (CS4410MP3)\n"
	    "Number: %u\n"
	    "From: %s\n"
	    "To: %s\n"
	    "\n"
	    "%s"
	    "\n",
	    host, number, from, to, body);
}

void
record_add_delivered(struct text *mailbox, unsigned number, const char *body)
{
	record_add(mailbox, number, "client", "a@b", "c@d", body);
}
