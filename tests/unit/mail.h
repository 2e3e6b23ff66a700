/*
 * mail.h - messages for a mailbox, and what is in the file after them
 */

#ifndef MAIL_H
#define MAIL_H

#include <stdint.h>

#include "bytes.h"
#include "mailbox.h"

/*
 * Deliver a message that came from `host` to `mailbox`. Returns 0, with the number in `number`,
 * which may be NULL, or why it was refused.
 */
int mail_deliver(struct mailbox *mailbox, const char *host, uint64_t *number);

/* Deliver the messages that are to get the numbers from `first` to `last`; fails if one does not. */
void mail_deliver_range(struct mailbox *mailbox, uint64_t first, uint64_t last);

/* Add what stands before and behind the line with the number in the record of such a message. */
void mail_add_parts(struct bytes *received, struct bytes *rest, const char *host);

/* Add to `content` the record of such a message. */
void mail_add_record(struct bytes *content, const char *host, uint64_t number);

/* Add the records of the messages from `first` to `last`. */
void mail_add_range(struct bytes *content, uint64_t first, uint64_t last);

/* Fail unless the file of this name holds just these; none if `last` is below `first`. */
void mail_expect_file(const char *name, uint64_t first, uint64_t last);

/* Make such a file. */
void mail_write_file(const char *name, uint64_t first, uint64_t last);

#endif
