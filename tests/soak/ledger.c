/*
 * NAME
 *	ledger - the number of each delivered message, compared with the files
 *
 * DIAGNOSTICS
 *	Through checks_fail(): a number given twice or never; a file that differs, and from where.
 */

#include "ledger.h"

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "message.h"

/* Messages in a backup. */
#define GROUP 32

#define NAME_SIZE  80
#define BLOCK_SIZE 65536

/* Numbers above this, which no run reaches, are invalid. */
#define NUMBER_LIMIT 100000000UL

struct entry {
	bool noted;
	unsigned stream;
	unsigned sequence;
};

static struct {
	pthread_mutex_t mutex;
	struct entry *entries; /* message `number` is at number - 1 */
	unsigned long capacity;
	unsigned long highest;
	unsigned long count;
	unsigned long whole;   /* all numbers up to this one are recorded */
	unsigned long checked; /* messages whose backup has been compared */
	struct message message;
	struct text expected;
	struct text found;
} ledger = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- functions called with the mutex held ---- */

static void
grow(unsigned long number)
{
	unsigned long capacity = ledger.capacity ? ledger.capacity : BLOCK_SIZE;

	while (capacity < number) {
		capacity *= 2;
	}
	if (capacity > ledger.capacity) {
		ledger.entries = realloc(ledger.entries, capacity * sizeof *ledger.entries);
		if (ledger.entries == NULL) {
			perror("soak");
			abort();
		}
		memset(ledger.entries + ledger.capacity, 0,
		    (capacity - ledger.capacity) * sizeof *ledger.entries);
		ledger.capacity = capacity;
	}
}

/* Read a file into `found`. Returns false if it does not exist. */
static bool
read_file(const char *name)
{
	static char block[BLOCK_SIZE];
	FILE *file = fopen(name, "re");
	size_t length;

	text_clear(&ledger.found);
	text_add_string(&ledger.found, "");
	if (file == NULL) {
		return false;
	}
	while ((length = fread(block, 1, sizeof block, file)) > 0) {
		text_add(&ledger.found, block, length);
	}
	fclose(file);
	return true;
}

/* Check that the file holds exactly these records. Returns whether it does. */
static bool
compare_file(const char *name, unsigned long first, unsigned long last)
{
	size_t same = 0;

	text_clear(&ledger.expected);
	text_add_string(&ledger.expected, "");
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
	       ledger.found.bytes[same] == ledger.expected.bytes[same]) {
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

/* Compare the backups up to this number; each was made before the message after it was accepted. */
static void
check_backups(unsigned long up_to)
{
	while (ledger.checked + GROUP <= up_to) {
		char name[NAME_SIZE];

		snprintf(name, sizeof name, "mailbox.%lu-%lu", ledger.checked + 1,
		    ledger.checked + GROUP);
		if (compare_file(name, ledger.checked + 1, ledger.checked + GROUP)) {
			unlink(name);
		}
		ledger.checked += GROUP;
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
	if (ledger.entries[number - 1].noted) {
		checks_fail(CHECK_NORMAL_RECORDS, "number %lu was given twice", number);
	}
	ledger.entries[number - 1] = (struct entry){true, stream, sequence};
	ledger.count++;
	if (number > ledger.highest) {
		ledger.highest = number;
	}
	while (ledger.whole < ledger.highest && ledger.entries[ledger.whole].noted) {
		ledger.whole++;
	}
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

/* Return the number of names in the current directory. */
static unsigned
count_names(void)
{
	DIR *entries = opendir(".");
	unsigned count = 0;

	if (entries == NULL) {
		return 0;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while (readdir(entries) != NULL) {
		count++;
	}
	closedir(entries);
	return count - 2; /* "." and ".." */
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
		if (count_names() != 1) {
			checks_fail(CHECK_NOTHING_ELSE, "%u files are left", count_names());
		}
	}
	message_free(&ledger.message);
	text_free(&ledger.expected);
	text_free(&ledger.found);
	free(ledger.entries);
	pthread_mutex_unlock(&ledger.mutex);
}
