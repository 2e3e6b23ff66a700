/*
 * ledger.h - the messages of all clients
 *
 * An acknowledged message is found by its number; a message whose reply was not received, by the
 * digest of its record. Invariant: no two entries have the same number.
 *
 * A monitor: a function locks the mutex itself, and any thread may call it, unless its comment says
 * when it may be called: those functions, and the readers of the fields, do not lock.
 */

#ifndef MULTICLIENT_LEDGER_H
#define MULTICLIENT_LEDGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct ledger_entry {
	uint64_t number; /* 0: not known */
	struct digest digest;
	size_t connection;    /* of its client, from 0 */
	size_t message_index; /* among the messages of its client, from 0 */
	uint64_t after;       /* the message must have a number above this one */
	bool certain;         /* not acknowledged, and the server must deliver it nevertheless */
	bool found;           /* set by the verification of the files */
};

struct ledger {
	pthread_mutex_t lock;
	struct ledger_entry *entries; /* acknowledged, in the order of the calls of ledger_add() */
	size_t count, capacity;
	size_t *slots; /* hash table: 1 + index into entries, 0 for none */
	size_t slot_count;
	struct ledger_entry *unacknowledged;
	size_t unacknowledged_count, unacknowledged_capacity;
	uint64_t lowest, highest; /* numbers; 0: none yet */
};

enum ledger_result {
	LEDGER_OK,
	LEDGER_DUPLICATE,    /* another message has this number */
	LEDGER_OUT_OF_ORDER, /* a message delivered before this one was sent has a higher number */
	LEDGER_NO_MEMORY
};

/* Initialize an empty ledger; free its memory. No other thread may use it. */
void ledger_init(struct ledger *ledger);
void ledger_destroy(struct ledger *ledger);

/*
 * Return the highest number received so far. A message sent after this call must get a higher one,
 * because the message with that number was delivered before.
 */
uint64_t ledger_highest(struct ledger *ledger);

/*
 * Enter an acknowledged message. Its number must exceed `entry->after`: the greater of what
 * ledger_highest() returned before it was sent, and the last number of its client.
 */
enum ledger_result ledger_add(struct ledger *ledger, const struct ledger_entry *entry);

/*
 * Enter a message that was sent to its end, and whose reply was not received. If `entry->certain`
 * the server must have delivered it. Returns false if there is no memory.
 */
bool ledger_add_unacknowledged(struct ledger *ledger, const struct ledger_entry *entry);

/* After all other threads have ended: return the acknowledged message with this number, or NULL. */
struct ledger_entry *ledger_find(struct ledger *ledger, uint64_t number);

/*
 * After all other threads have ended: return a message without number that is not yet found, can
 * have this number, and has this digest; if there are several, one that is certain. NULL: none.
 */
struct ledger_entry *ledger_match(
    struct ledger *ledger, uint64_t number, const struct digest *digest);

/*
 * After all other threads have ended: return how many numbers are missing from 1 to the highest,
 * less the messages without number. 0 if the lowest is not 1, because the server had messages of
 * other clients before.
 */
uint64_t ledger_missing(const struct ledger *ledger);

#endif
