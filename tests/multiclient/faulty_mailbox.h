/*
 * faulty_mailbox.h - the mailbox of faulty_server: numbers messages and writes files in the format
 * of the real server, with one defect
 */

#ifndef MULTICLIENT_FAULTY_MAILBOX_H
#define MULTICLIENT_FAULTY_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum mailbox_defect {
	MAILBOX_CORRECT,

	/* About numbers, in the replies and in the files: */
	MAILBOX_REPEATED,
	MAILBOX_SKIPPED,
	MAILBOX_BACKWARDS,
	MAILBOX_FROM_TWO,

	/* About one message in 20: */
	MAILBOX_BYTE_CHANGED,
	MAILBOX_LOST,
	MAILBOX_TWICE,
	MAILBOX_RENUMBERED, /* another number in the file than in the reply */
	MAILBOX_NO_NUMBER,

	/* After one message in 20: */
	MAILBOX_INVENTED, /* a message that no client sent, with a number of its own */
	MAILBOX_JUNK,     /* bytes that are no message */

	/* About each message to which it applies: */
	MAILBOX_HOST,
	MAILBOX_SENDER,
	MAILBOX_RECIPIENT_LOST,
	MAILBOX_RECIPIENTS_REVERSED,
	MAILBOX_LINE_LOST,
	MAILBOX_UNQUOTED,
	MAILBOX_QUOTED_TWICE,
	MAILBOX_DOT,           /* a line that begins with a dot has one more */
	MAILBOX_CRLF,          /* line ends are stored as received */
	MAILBOX_CR,            /* a lone CR is lost */
	MAILBOX_NUL,           /* a NUL is lost */
	MAILBOX_SEVEN_BIT,     /* the eighth bit of a byte is lost */
	MAILBOX_CUT,           /* a long body is cut */
	MAILBOX_NO_EMPTY_LINE, /* no empty line after it */

	/* About backups: */
	MAILBOX_NO_BACKUP,
	MAILBOX_NOT_EMPTIED,
	MAILBOX_BACKUP_NAME,
	MAILBOX_BACKUP_SHORT, /* the last message of the group stays in mailbox */
	MAILBOX_BACKUP_LOST,
	MAILBOX_FIRST_SHORT,   /* MAILBOX_BACKUP_SHORT, but only in the first backup */
	MAILBOX_FIRST_REMOVED, /* the second backup removes the first */

	/* About single messages of a long run: */
	MAILBOX_SWAPPED,  /* messages 3 and 4 are in the wrong order */
	MAILBOX_100_LOST, /* message 100 is in no file */

	MAILBOX_DEFECTS
};

struct faulty_mailbox {
	enum mailbox_defect defect;
	int directory; /* descriptor; -1: no files */
	pthread_mutex_t lock;
	uint64_t number;      /* of the last message */
	uint64_t messages;    /* how many were delivered */
	size_t applied_count; /* how often the defect was applied */
	struct buffer scratch;
	struct buffer held; /* the record of MAILBOX_SWAPPED that is still to be written */
	size_t held_head;
};

/* Create an empty `mailbox` in the directory `path`; with NULL, only number the messages. */
void faulty_mailbox_create(
    struct faulty_mailbox *faulty_mailbox, enum mailbox_defect defect, const char *path);

/* Free the memory, and close the directory. */
void faulty_mailbox_destroy(struct faulty_mailbox *faulty_mailbox);

/*
 * Deliver a message, of which `record` has `head` bytes before its number and the rest after it.
 * Returns the number for the reply. Any thread.
 */
uint64_t faulty_mailbox_deliver(
    struct faulty_mailbox *faulty_mailbox, const struct buffer *record, size_t head);

#endif
