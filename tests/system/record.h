/*
 * record.h - what the mailbox should hold
 */

#ifndef RECORD_H
#define RECORD_H

#include "text.h"

/* Append the record of a message; `body` is as stored. The netid is the default. */
void record_add(struct text *mailbox, unsigned number, const char *host, const char *from,
    const char *to, const char *body);

/* Append the record of a message as client_deliver() sends it. */
void record_add_delivered(struct text *mailbox, unsigned number, const char *body);

#endif
