/*
 * mail.h - messages for a mailbox, and its expected content
 */

#ifndef MAIL_H
#define MAIL_H

#include <stdint.h>
#include <sys/types.h>

#include "bytes.h"
#include "mailbox.h"

/* The arguments `keep` and `sync` of mailbox_open(), for calls that show what they mean. */
#define KEEP    true
#define NO_KEEP false
#define SYNC    true
#define NO_SYNC false

/*
 * Deliver a message of the client `host` to `mailbox`. Returns 0 and stores its number in `number`,
 * which may be NULL; otherwise returns the error.
 */
int mail_deliver(struct mailbox *mailbox, const char *host, uint64_t *number);

/* Deliver messages, which must get the numbers from `first` to `last`. */
void mail_deliver_range(struct mailbox *mailbox, uint64_t first, uint64_t last);

/* Add the lines before and after the line with the number in the record of such a message. */
void mail_add_parts(struct bytes *received, struct bytes *rest, const char *host);

/* Add to `content` the record of such a message. */
void mail_add_record(struct bytes *content, const char *host, uint64_t number);

/* Add the records of the messages from `first` to `last`. */
void mail_add_range(struct bytes *content, uint64_t first, uint64_t last);

/* Return the length in bytes of the records that mail_add_range() adds. */
off_t mail_length(uint64_t first, uint64_t last);

/* Fail unless the file has exactly these records; none if `last` is below `first`. */
void mail_expect_file(const char *name, uint64_t first, uint64_t last);

/* Write a file of these records. */
void mail_write_file(const char *name, uint64_t first, uint64_t last);

#endif
