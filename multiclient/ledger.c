/*
 * NAME
 *	ledger - the messages of all clients
 *
 * DESCRIPTION
 *	Numbers are kept in an open hash table, because a faulty server can send any number.
 *
 *	Missing numbers can be found because a script closes a connection without waiting for the
 *	reply to a message only after another of its messages was acknowledged (walk.c). So the
 *	lowest number of a run was always received. If it is 1, the server had no earlier messages,
 *	and every number up to the highest belongs to this run.
 *
 * BUGS
 *	Memory grows with the messages accepted, by about a hundred bytes each.
 */

#include "ledger.h"

#include <stdlib.h>

#include "prng.h"

#define INITIAL_CAPACITY 256

void
ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){0};
	pthread_mutex_init(&ledger->lock, NULL);
}

void
ledger_destroy(struct ledger *ledger)
{
	free(ledger->entries);
	free(ledger->slots);
	free(ledger->unacknowledged);
	pthread_mutex_destroy(&ledger->lock);
}

uint64_t
ledger_highest(struct ledger *ledger)
{
	uint64_t highest;

	pthread_mutex_lock(&ledger->lock);
	highest = ledger->highest;
	pthread_mutex_unlock(&ledger->lock);
	return highest;
}

/* Return the slot of a number in the table, or the free slot in which it belongs. */
static size_t
slot_of(const struct ledger *ledger, uint64_t number)
{
	size_t place = (size_t)hash64(number) & (ledger->slot_count - 1);

	while (ledger->slots[place] != 0 &&
	       ledger->entries[ledger->slots[place] - 1].number != number) {
		place = (place + 1) & (ledger->slot_count - 1);
	}
	return place;
}

/* Double the entries, and keep the table at most half full. */
static bool
grow(struct ledger *ledger)
{
	size_t capacity = ledger->capacity > 0 ? 2 * ledger->capacity : INITIAL_CAPACITY;
	struct ledger_entry *entries = realloc(ledger->entries, capacity * sizeof *entries);
	size_t *slots = calloc(2 * capacity, sizeof *slots);

	if (entries != NULL) {
		ledger->entries = entries;
	}
	if (entries == NULL || slots == NULL) {
		free(slots);
		return false;
	}
	free(ledger->slots);
	ledger->slots = slots;
	ledger->slot_count = 2 * capacity;
	ledger->capacity = capacity;
	for (size_t i = 0; i < ledger->count; i++) {
		slots[slot_of(ledger, entries[i].number)] = i + 1;
	}
	return true;
}

static enum ledger_result
add_locked(struct ledger *ledger, const struct ledger_entry *entry)
{
	size_t place;

	if (ledger->count == ledger->capacity && !grow(ledger)) {
		return LEDGER_NO_MEMORY;
	}
	place = slot_of(ledger, entry->number);
	if (ledger->slots[place] != 0) {
		return LEDGER_DUPLICATE;
	}
	if (entry->number <= entry->after) {
		return LEDGER_OUT_OF_ORDER;
	}
	ledger->entries[ledger->count++] = *entry;
	ledger->slots[place] = ledger->count;
	if (entry->number > ledger->highest) {
		ledger->highest = entry->number;
	}
	if (ledger->lowest == 0 || entry->number < ledger->lowest) {
		ledger->lowest = entry->number;
	}
	return LEDGER_OK;
}

enum ledger_result
ledger_add(struct ledger *ledger, const struct ledger_entry *entry)
{
	enum ledger_result verdict;

	pthread_mutex_lock(&ledger->lock);
	verdict = add_locked(ledger, entry);
	pthread_mutex_unlock(&ledger->lock);
	return verdict;
}

static bool
add_unacknowledged_locked(struct ledger *ledger, const struct ledger_entry *entry)
{
	if (ledger->unacknowledged_count == ledger->unacknowledged_capacity) {
		size_t capacity = 2 * ledger->unacknowledged_capacity + 16;
		struct ledger_entry *more =
		    realloc(ledger->unacknowledged, capacity * sizeof *ledger->unacknowledged);

		if (more == NULL) {
			return false;
		}
		ledger->unacknowledged = more;
		ledger->unacknowledged_capacity = capacity;
	}
	ledger->unacknowledged[ledger->unacknowledged_count++] = *entry;
	return true;
}

bool
ledger_add_unacknowledged(struct ledger *ledger, const struct ledger_entry *entry)
{
	bool added;

	pthread_mutex_lock(&ledger->lock);
	added = add_unacknowledged_locked(ledger, entry);
	pthread_mutex_unlock(&ledger->lock);
	return added;
}

struct ledger_entry *
ledger_find(struct ledger *ledger, uint64_t number)
{
	size_t place;

	if (ledger->slot_count == 0) {
		return NULL;
	}
	place = ledger->slots[slot_of(ledger, number)];
	return place != 0 ? &ledger->entries[place - 1] : NULL;
}

struct ledger_entry *
ledger_match(struct ledger *ledger, uint64_t number, const struct digest *digest)
{
	struct ledger_entry *match = NULL;

	for (size_t i = 0; i < ledger->unacknowledged_count; i++) {
		struct ledger_entry *entry = &ledger->unacknowledged[i];

		if (!entry->found && number > entry->after &&
		    record_digest_equal(&entry->digest, digest) &&
		    (match == NULL || entry->certain)) {
			match = entry;
		}
	}
	return match;
}

uint64_t
ledger_missing(const struct ledger *ledger)
{
	uint64_t missing = ledger->highest - ledger->count;

	if (ledger->lowest != 1 || missing <= ledger->unacknowledged_count) {
		return 0;
	}
	return missing - ledger->unacknowledged_count;
}
