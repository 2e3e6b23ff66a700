/*
 * mail.h - test messages, their deliveries and the ledger of outcomes
 *
 * The identity of a message is the number of its connection times MAILS_A_CONNECTION plus its index
 * on it, both from 0. Identity and number of body lines determine every byte of the message. The
 * ledger of a test holds the outcome of each.
 */

#ifndef MAIL_H
#define MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bytes.h"

#define MAILS_A_CONNECTION ((size_t)16)
#define CONNECTIONS_MAX    ((size_t)256)
#define MAILS_MAX          (MAILS_A_CONNECTION * CONNECTIONS_MAX)

/* The outcome of a message, as its client knows it. */
enum outcome {
	OUTCOME_NOT_SENT, /* not sent, or not completely */
	OUTCOME_UNKNOWN,  /* sent without a reply: may be delivered once */
	OUTCOME_REFUSED,  /* no 354 to DATA, or reply 451 or 452 to the message */
	OUTCOME_DELIVERED /* reply 250 with its number */
};

struct mail {
	enum outcome outcome;
	uint64_t number; /* 0 if unknown; otherwise the number of its record */
	unsigned lines;  /* of its body */
};

struct ledger {
	size_t connections;               /* so far */
	size_t mails_on[CONNECTIONS_MAX]; /* messages of each */
	struct mail mails[MAILS_MAX];
};

/* One connection. The client pipelines everything without waiting for replies. */
struct conversation {
	size_t connection; /* its number */
	size_t mails;      /* how many messages it has */
	struct bytes out;
	struct bytes in;
	size_t sent;                     /* bytes of `out` */
	size_t ends[MAILS_A_CONNECTION]; /* offset in `out` of the end of each message */
	int socket;
	bool stays; /* keep the connection open until the server closes it */
	bool ended; /* end of file, or an error */
};

/* Kill `process` when the clients have received `bytes` bytes in all. */
struct kill_trigger {
	pid_t process;
	size_t bytes;
};

/*
 * Connect to `port` of 127.0.0.1, and prepare `mails` messages (at most MAILS_A_CONNECTION) with
 * `lines[i]` body lines each. If connect() fails, the conversation has `ended`.
 */
void conversation_open(struct conversation *conversation, struct ledger *ledger, unsigned port,
    size_t mails, const unsigned lines[]);

/*
 * Send and receive until the server has closed all connections, at most AT_ONCE_MAX of mail.c.
 * Returns false if there was no progress for PATIENCE. `kill_trigger` may be NULL.
 */
bool conversations_run(
    struct conversation conversations[], size_t count, const struct kill_trigger *kill_trigger);

/*
 * Close the connection, and enter the outcomes into the ledger. Appends unexpected replies to
 * `failures`.
 */
void conversation_close(
    struct conversation *conversation, struct ledger *ledger, struct bytes *failures);

/* Close the connection and free its memory; the ledger is unchanged. */
void conversation_free(struct conversation *conversation);

/*
 * Send `mails` messages over each of `count` new connections at once, and enter the outcomes: see
 * the functions above. Appends to `failures` if there was no progress for PATIENCE.
 */
void mail_send_all(struct ledger *ledger, unsigned port, size_t count, size_t mails,
    const unsigned lines[], const struct kill_trigger *kill_trigger, struct bytes *failures);

/*
 * Deliver a message of one line over a new connection. Appends to `failures` if it is not accepted.
 */
void mail_deliver_one(struct ledger *ledger, unsigned port, struct bytes *failures);

/* Append the expected record of a message. */
void mail_add_record(
    struct bytes *text, const struct ledger *ledger, size_t identity, uint64_t number);

/* Parse the identity in the first three lines of a record. Returns false if they are invalid. */
bool mail_identify(const char *record, size_t *identity);

#endif
