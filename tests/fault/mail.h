/*
 * mail.h - messages that are known by their contents, and what became of each
 *
 * Every message has an identity, the number of its connection times MAILS_A_CONNECTION plus its
 * place on it; from that and its number of body lines follows every byte of it. The ledger of a test
 * holds what is known about all of them.
 */

#ifndef MAIL_H
#define MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "text.h"

#define MAILS_A_CONNECTION ((size_t)16)
#define CONNECTIONS_MAX    ((size_t)256)
#define MAILS_MAX          (MAILS_A_CONNECTION * CONNECTIONS_MAX)

/* What a client knows about its message. */
enum outcome {
	OUTCOME_NOT_SENT, /* not to its end */
	OUTCOME_UNKNOWN,  /* sent, but not answered: it may be delivered, once */
	OUTCOME_REFUSED,  /* answered with 451 or 452 */
	OUTCOME_DELIVERED /* answered with 250 and its number */
};

struct mail {
	enum outcome outcome;
	uint64_t number; /* if it is known, else 0; it must have this one if it is stored */
	unsigned lines;  /* of its body */
};

struct ledger {
	size_t connections;               /* so far */
	size_t mails_on[CONNECTIONS_MAX]; /* messages of each */
	struct mail mails[MAILS_MAX];
};

/* One client's conversation, in which it does not wait for replies. */
struct conversation {
	size_t connection;
	size_t mails;
	struct text out;
	struct text in;
	size_t sent;
	size_t ends[MAILS_A_CONNECTION]; /* bytes of `out` up to the end of each message */
	int socket;
	bool stays; /* it does not end of itself, but waits for the server to end it */
	bool ended;
};

/* Whom to kill when the clients have heard that many bytes together. */
struct kill_trigger {
	pid_t process;
	size_t bytes;
};

/*
 * Connect to the server on `port` of 127.0.0.1, and prepare to send messages with that many lines
 * each; their number is limited by MAILS_A_CONNECTION. If it cannot be reached the conversation has
 * ended already.
 */
void conversation_open(struct conversation *conversation, struct ledger *ledger, unsigned port,
    size_t mails, const unsigned lines[]);

/*
 * Send and receive until the server has ended all conversations, at most until nothing has moved
 * for PATIENCE: then it returns false. `ambush` may be NULL.
 */
bool conversations_run(
    struct conversation conversations[], size_t count, const struct kill_trigger *kill_trigger);

/*
 * Close, and enter into the ledger what became of the messages. Anything that the server should not
 * have said goes to `complaint`.
 */
void conversation_close(
    struct conversation *conversation, struct ledger *ledger, struct text *complaint);

/* Close, whatever became of it. */
void conversation_free(struct conversation *conversation);

/*
 * Deliver one message of a line on a connection of its own. It must be accepted, or `complaint`
 * says why not.
 */
void mail_deliver_one(struct ledger *ledger, unsigned port, struct text *complaint);

/* Add the record of a message as it must be stored. */
void mail_add_record(
    struct text *text, const struct ledger *ledger, size_t identity, uint64_t number);

/* Read the identity from a record, up to whose first three lines it is checked. */
bool mail_identify(const char *record, size_t *identity);

#endif
