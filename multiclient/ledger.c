/*
 * NAME
 *	ledger - the messages of all connections
 *
 * DESCRIPTION
 *	Numbers are kept in an open hash table, because a lying server can name any number.
 *
 *	What makes gaps decidable is a promise of the script: a connection vanishes with a message
 *	only after another of its messages was accepted. So the lowest number of all is always one
 *	that we were told, and a fresh server shows itself by it being 1.
 *
 * BUGS
 *	Memory grows with the messages accepted, by about a hundred bytes each.
 */

#include "ledger.h"

#include <stdlib.h>

#include "chance.h"

#define FIRST_CAPACITY 256

void
ledger_begin(struct ledger *ledger)
{
	*ledger = (struct ledger){0};
	pthread_mutex_init(&ledger->lock, NULL);
}

void
ledger_release(struct ledger *ledger)
{
	free(ledger->entries);
	free(ledger->places);
	free(ledger->unnumbered);
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

/* The place of a number in the table, or the free one where it would go. */
static size_t
place_of(const struct ledger *ledger, uint64_t number)
{
	size_t place = (size_t)chance_scramble(number) & (ledger->place_count - 1);

	while (ledger->places[place] != 0 &&
	       ledger->entries[ledger->places[place] - 1].number != number) {
		place = (place + 1) & (ledger->place_count - 1);
	}
	return place;
}

/* Twice the entries, and a table that is never more than half full. */
static bool
grow(struct ledger *ledger)
{
	size_t capacity = ledger->capacity > 0 ? 2 * ledger->capacity : FIRST_CAPACITY;
	struct ledger_entry *entries = realloc(ledger->entries, capacity * sizeof *entries);
	size_t *places = calloc(2 * capacity, sizeof *places);
	size_t i;

	if (entries != NULL) {
		ledger->entries = entries;
	}
	if (entries == NULL || places == NULL) {
		free(places);
		return false;
	}
	free(ledger->places);
	ledger->places = places;
	ledger->place_count = 2 * capacity;
	ledger->capacity = capacity;
	for (i = 0; i < ledger->count; i++) {
		places[place_of(ledger, entries[i].number)] = i + 1;
	}
	return true;
}

static enum ledger_verdict
add_locked(struct ledger *ledger, const struct ledger_entry *entry)
{
	size_t place;

	if (ledger->count == ledger->capacity && !grow(ledger)) {
		return LEDGER_NO_MEMORY;
	}
	place = place_of(ledger, entry->number);
	if (ledger->places[place] != 0) {
		return LEDGER_REPEATED;
	}
	if (entry->number <= entry->after) {
		return LEDGER_NOT_RISING;
	}
	ledger->entries[ledger->count++] = *entry;
	ledger->places[place] = ledger->count;
	if (entry->number > ledger->highest) {
		ledger->highest = entry->number;
	}
	if (ledger->lowest == 0 || entry->number < ledger->lowest) {
		ledger->lowest = entry->number;
	}
	return LEDGER_GOOD;
}

enum ledger_verdict
ledger_add(struct ledger *ledger, const struct ledger_entry *entry)
{
	enum ledger_verdict verdict;

	pthread_mutex_lock(&ledger->lock);
	verdict = add_locked(ledger, entry);
	pthread_mutex_unlock(&ledger->lock);
	return verdict;
}

static bool
add_unnumbered_locked(struct ledger *ledger, const struct ledger_entry *entry)
{
	if (ledger->unnumbered_count == ledger->unnumbered_capacity) {
		size_t capacity = 2 * ledger->unnumbered_capacity + 16;
		struct ledger_entry *more =
		    realloc(ledger->unnumbered, capacity * sizeof *ledger->unnumbered);

		if (more == NULL) {
			return false;
		}
		ledger->unnumbered = more;
		ledger->unnumbered_capacity = capacity;
	}
	ledger->unnumbered[ledger->unnumbered_count++] = *entry;
	return true;
}

bool
ledger_add_unnumbered(struct ledger *ledger, const struct ledger_entry *entry)
{
	bool added;

	pthread_mutex_lock(&ledger->lock);
	added = add_unnumbered_locked(ledger, entry);
	pthread_mutex_unlock(&ledger->lock);
	return added;
}

struct ledger_entry *
ledger_find(struct ledger *ledger, uint64_t number)
{
	size_t place;

	if (ledger->place_count == 0) {
		return NULL;
	}
	place = ledger->places[place_of(ledger, number)];
	return place != 0 ? &ledger->entries[place - 1] : NULL;
}

struct ledger_entry *
ledger_match(struct ledger *ledger, uint64_t number, const struct digest *digest)
{
	struct ledger_entry *match = NULL;
	size_t i;

	for (i = 0; i < ledger->unnumbered_count; i++) {
		struct ledger_entry *entry = &ledger->unnumbered[i];

		if (!entry->found && number > entry->after &&
		    stored_digest_equal(&entry->digest, digest) &&
		    (match == NULL || entry->certain)) {
			match = entry;
		}
	}
	return match;
}

uint64_t
ledger_gaps(const struct ledger *ledger)
{
	uint64_t missing = ledger->highest - ledger->count;

	if (ledger->lowest != 1 || missing <= ledger->unnumbered_count) {
		return 0;
	}
	return missing - ledger->unnumbered_count;
}
