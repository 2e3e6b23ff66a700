/*
 * ledger.h - the messages of all connections. Those that were accepted, by number; those of which
 * it is not known whether they were, by what they would be stored as. A monitor: every function
 * takes the lock itself, and any thread may call it, but for those at the end.
 *
 * Invariant: no number is there twice.
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
	size_t connection; /* from 0 */
	size_t index;      /* of the message in its connection, from 0 */
	uint64_t after;    /* the message must have a number above this one */
	bool certain;      /* it must have been delivered */
	bool found;        /* set by the verification of the files */
};

struct ledger {
	pthread_mutex_t lock;
	struct ledger_entry *entries; /* accepted, in the order in which we learned of it */
	size_t count, capacity;
	size_t *slots; /* hash table: 1 + index into entries, 0 for none */
	size_t slot_count;
	struct ledger_entry *unacknowledged;
	size_t unacknowledged_count, unacknowledged_capacity;
	uint64_t highest;
	uint64_t lowest; /* 0: none yet */
};

enum ledger_result {
	LEDGER_OK,
	LEDGER_DUPLICATE,    /* another message has this number */
	LEDGER_OUT_OF_ORDER, /* a message delivered before this one was sent has a higher number */
	LEDGER_NO_MEMORY
};

/* An empty ledger, and the end of one. */
void ledger_init(struct ledger *ledger);
void ledger_destroy(struct ledger *ledger);

/*
 * The highest number seen so far. A message sent after this call must get a higher one: the other
 * had already been delivered.
 */
uint64_t ledger_highest(struct ledger *ledger);

/* Note an accepted message. `entry->after` is what ledger_highest() said before it was sent. */
enum ledger_result ledger_add(struct ledger *ledger, const struct ledger_entry *entry);

/*
 * Note a message sent to its end whose reply we did not see. Certain: nothing was wrong, and a
 * right server has it. False when there is no memory.
 */
bool ledger_add_unacknowledged(struct ledger *ledger, const struct ledger_entry *entry);

/* For the end, when no other thread is left: the accepted message with this number, or NULL. */
struct ledger_entry *ledger_find(struct ledger *ledger, uint64_t number);

/* Likewise: one without number that is not yet found, can have this number, and is equal; a certain
 * one if there is a choice. */
struct ledger_entry *ledger_match(
    struct ledger *ledger, uint64_t number, const struct digest *digest);

/*
 * Likewise: how many numbers are missing from 1 to the highest, beyond those that messages without
 * number can account for. 0 when the lowest is not 1: the server had other clients before.
 */
uint64_t ledger_missing(const struct ledger *ledger);

#endif
