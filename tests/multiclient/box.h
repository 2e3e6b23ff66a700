/*
 * box.h - the liar's mailbox: numbers messages, and writes files like those of the real server, right
 * in everything but one lie
 */

#ifndef MULTICLIENT_BOX_H
#define MULTICLIENT_BOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../multiclient/buffer.h"

enum box_lie {
	BOX_HONEST,

	/* About numbers: */
	BOX_REPEATED,
	BOX_SKIPPED,
	BOX_BACKWARDS,
	BOX_FROM_TWO,

	/* About one message: */
	BOX_BYTE_CHANGED,
	BOX_LOST,
	BOX_TWICE,
	BOX_RENUMBERED, /* another number in the file than in the reply */
	BOX_NO_NUMBER,

	/* About the one message after it: */
	BOX_INVENTED, /* a message that nobody sent, with a number of its own */
	BOX_JUNK,     /* bytes that are no message */

	/* About each message to which it applies: */
	BOX_HOST,
	BOX_SENDER,
	BOX_RECIPIENT_LOST,
	BOX_RECIPIENTS_TURNED,
	BOX_LINE_LOST,
	BOX_UNQUOTED,
	BOX_QUOTED_TWICE,
	BOX_DOT,           /* a dot at the beginning of a line is one too many */
	BOX_CRLF,          /* line ends stay as they came */
	BOX_CR,            /* a lone CR is lost */
	BOX_NUL,           /* a NUL is lost */
	BOX_SEVEN_BIT,     /* the eighth bit is */
	BOX_CUT,           /* a long body is cut */
	BOX_NO_EMPTY_LINE, /* no empty line after it */

	/* About backups: */
	BOX_NO_BACKUP,
	BOX_NOT_EMPTIED,
	BOX_BACKUP_NAME,
	BOX_BACKUP_SHORT, /* the last message of the group stays in mailbox */
	BOX_BACKUP_LOST,

	BOX_LIES
};

struct box {
	enum box_lie lie;
	int directory; /* descriptor; -1: no files */
	pthread_mutex_t lock;
	uint64_t number;   /* of the last message */
	uint64_t messages; /* delivered */
	size_t told;       /* how often the lie was told */
	struct buffer scratch;
};

/* Begin with an empty `mailbox` in the directory at `path`; NULL: keep nothing. */
void box_begin(struct box *box, enum box_lie lie, const char *path);
void box_end(struct box *box);

/*
 * Deliver a message, of which `record` has `head` bytes before its number and the rest after it.
 * Returns the number for the reply. Any thread.
 */
uint64_t box_deliver(struct box *box, const struct buffer *record, size_t head);

#endif
