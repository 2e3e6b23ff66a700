/*
 * NAME
 *	ledger - the number of each delivered message, compared with the files
 *
 * DIAGNOSTICS
 *	Through checks_fail(): a number given twice or never; a file that differs, and from where.
 */

#include "ledger.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "fail.h"
#include "files.h"
#include "message.h"

/* Messages in a backup. */
#define BACKUP_EVERY 32

#define NAME_SIZE 80

/* Entries of the first allocation. */
#define INITIAL_CAPACITY 65536

/* Numbers above this, which no run reaches, are invalid. */
#define NUMBER_LIMIT 100000000UL

struct entry {
	bool recorded;
	unsigned stream;
	unsigned sequence;
};

static struct {
	pthread_mutex_t mutex;
	struct entry *entries; /* message `number` is at number - 1 */
	unsigned long capacity;
	unsigned long highest;
	unsigned long count;
	unsigned long whole;    /* all numbers from 1 to this one are recorded */
	unsigned long checked;  /* messages whose backup has been compared */
	struct message message; /* these three only hold memory for compare_file() */
	struct bytes expected;
	struct bytes found;
} ledger = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- functions called with the mutex held ---- */

static void
grow(unsigned long number)
{
	unsigned long capacity = ledger.capacity ? ledger.capacity : INITIAL_CAPACITY;

	while (capacity < number) {
		capacity *= 2;
	}
	if (capacity > ledger.capacity) {
		ledger.entries = realloc(ledger.entries, capacity * sizeof *ledger.entries);
		REQUIRE(ledger.entries != NULL, "out of memory");
		memset(ledger.entries + ledger.capacity, 0,
		    (capacity - ledger.capacity) * sizeof *ledger.entries);
		ledger.capacity = capacity;
	}
}

/* Read a file into `found`. Returns false if it does not exist. */
static bool
read_file(const char *name)
{
	bytes_clear(&ledger.found);
	return files_read_append(name, &ledger.found);
}

/* Check that the file holds exactly the records of these numbers. Returns whether it does. */
static bool
compare_file(const char *name, unsigned long first, unsigned long last)
{
	size_t same = 0;

	bytes_clear(&ledger.expected);
	bytes_add_string(&ledger.expected, "");
	for (unsigned long number = first; number <= last; number++) {
		const struct entry *entry = &ledger.entries[number - 1];

		message_make(&ledger.message, entry->stream, entry->sequence);
		message_record(&ledger.message, number, &ledger.expected);
	}
	if (!read_file(name)) {
		checks_fail(CHECK_NORMAL_RECORDS, "%s cannot be read", name);
		return false;
	}
	while (same < ledger.found.length && same < ledger.expected.length &&
	       ledger.found.at[same] == ledger.expected.at[same]) {
		same++;
	}
	if (same < ledger.found.length || same < ledger.expected.length) {
		checks_fail(CHECK_NORMAL_RECORDS,
		    "%s has %zu bytes, expected are %zu, different from %zu on", name,
		    ledger.found.length, ledger.expected.length, same);
		return false;
	}
	return true;
}

/* Compare and remove the backups of messages up to this number. */
static void
check_backups(unsigned long up_to)
{
	while (ledger.checked + BACKUP_EVERY <= up_to) {
		char name[NAME_SIZE];

		snprintf(name, sizeof name, "mailbox.%lu-%lu", ledger.checked + 1,
		    ledger.checked + BACKUP_EVERY);
		if (compare_file(name, ledger.checked + 1, ledger.checked + BACKUP_EVERY)) {
			unlink(name);
		}
		ledger.checked += BACKUP_EVERY;
	}
}

/* ---- public ---- */

void
ledger_record(unsigned long number, unsigned stream, unsigned sequence)
{
	if (number == 0 || number > NUMBER_LIMIT) {
		checks_fail(CHECK_NORMAL_RECORDS, "number %lu was given", number);
		return;
	}
	pthread_mutex_lock(&ledger.mutex);
	grow(number);
	if (ledger.entries[number - 1].recorded) {
		checks_fail(CHECK_NORMAL_RECORDS, "number %lu was given twice", number);
	}
	ledger.entries[number - 1] = (struct entry){true, stream, sequence};
	ledger.count++;
	if (number > ledger.highest) {
		ledger.highest = number;
	}
	while (ledger.whole < ledger.highest && ledger.entries[ledger.whole].recorded) {
		ledger.whole++;
	}
	/* A backup may still be missing only while no later message has been delivered. */
	check_backups(ledger.whole < ledger.highest ? ledger.whole : ledger.highest - 1);
	pthread_mutex_unlock(&ledger.mutex);
}

unsigned long
ledger_count(void)
{
	unsigned long count;

	pthread_mutex_lock(&ledger.mutex);
	count = ledger.count;
	pthread_mutex_unlock(&ledger.mutex);
	return count;
}

void
ledger_finish(void)
{
	pthread_mutex_lock(&ledger.mutex);
	if (ledger.whole < ledger.highest) {
		checks_fail(CHECK_NORMAL_RECORDS, "number %lu was not given", ledger.whole + 1);
	} else {
		check_backups(ledger.highest);
		compare_file("mailbox", ledger.checked + 1, ledger.highest);
		if (files_count(".") != 1) {
			checks_fail(CHECK_NOTHING_ELSE, "%u files are left", files_count("."));
		}
	}
	message_free(&ledger.message);
	bytes_free(&ledger.expected);
	bytes_free(&ledger.found);
	free(ledger.entries);
	pthread_mutex_unlock(&ledger.mutex);
}
