/*
 * NAME
 *	mailbox - the server's files, compared with what was sent
 *
 * DESCRIPTION
 *	Head and rest of a record, all but its number, are compared with what was sent by a digest
 *	of 128 bits and their length. Where they differ, the record is made again from the script to
 *	show the difference.
 *
 *	What was there before the run is not checked: backups of the same device and inode, and the
 *	messages with numbers up to the highest that `mailbox` held then. A file with another name,
 *	such as `mailbox.1-32.~1~`, is never checked.
 *
 * DIAGNOSTICS
 *	Each failure of the last check is reported once, through mismatch.h.
 */

#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error_text.h"
#include "monotonic.h"
#include "params.h"
#include "script.h"

/* Time between two checks, while the files are not as expected. */
#define RETRY_INTERVAL (20 * MILLISECOND)

/* Bytes shown of a record from the first difference on, and before it. */
#define SHOWN_AFTER  100
#define SHOWN_BEFORE 20

#define FILE_NAME_SIZE 64
#define TEXT_SIZE      256

/* One check of all files. */
struct verification {
	struct mailbox *mailbox;
	const struct config *config;
	struct ledger *ledger;
	struct mismatch_log *mismatch_log; /* NULL: only count */
	struct buffer contents;
	char name[FILE_NAME_SIZE]; /* of the file at hand */
	uint64_t next;  /* the number that the next record of all files must have; 0: any */
	uint64_t first; /* number of the first record of the file at hand; 0: none yet */
	uint64_t failures;
};

/* ---- failures ---- */

static void
add_failure(struct verification *verification, const char *text)
{
	verification->failures++;
	if (verification->mismatch_log != NULL) {
		mismatch_report_text(verification->mismatch_log, text);
	}
}

/* Return what is shown of a text from `from` on. */
static struct span
excerpt(const struct buffer *text, size_t from)
{
	size_t length = text->length - from;

	return (struct span){text->bytes + from,
	    length < SHOWN_BEFORE + SHOWN_AFTER ? length : SHOWN_BEFORE + SHOWN_AFTER};
}

/* Report where a record differs from what was sent, if that can be made again. */
static void
report_difference(struct verification *verification, const struct record *record,
    const struct ledger_entry *entry)
{
	struct buffer expected = {0}, actual = {0};
	char text[TEXT_SIZE];
	size_t at = 0, head, from;

	buffer_add(&actual, record->head.bytes, record->head.length);
	buffer_add(&actual, record->rest.bytes, record->rest.length);
	if (script_replay(
		verification->config, entry->connection, entry->message_index, &expected, &head) &&
	    !actual.failed) {
		while (at < expected.length && at < actual.length &&
		       expected.bytes[at] == actual.bytes[at]) {
			at++;
		}
		from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
		snprintf(text, sizeof text,
		    "message %" PRIu64 " of connection %zu in %s is not what was sent: its record "
		    "without the number has %zu bytes, not %zu, and differs from byte %zu on",
		    record->number, entry->connection + 1, verification->name, actual.length,
		    expected.length, at);
		mismatch_report_diff(verification->mismatch_log, text, excerpt(&expected, from),
		    excerpt(&actual, from));
	}
	buffer_destroy(&expected);
	buffer_destroy(&actual);
}

/* ---- records ---- */

/* Check a record with a new number: a client must have sent it. */
static void
check_new_record(struct verification *verification, const struct record *record)
{
	struct ledger_entry *entry = ledger_find(verification->ledger, record->number);
	struct digest digest;
	char text[TEXT_SIZE];

	verification->mailbox->record_count++;
	record_digest(record->head, record->rest, &digest);
	if (entry == NULL) {
		entry = ledger_match(verification->ledger, record->number, &digest);
	}
	if (entry == NULL) {
		snprintf(text, sizeof text,
		    "message %" PRIu64 " in %s was not sent, or differs from what was sent",
		    record->number, verification->name);
		add_failure(verification, text);
	} else if (entry->found) {
		snprintf(text, sizeof text, "%s: duplicate of message %" PRIu64, verification->name,
		    record->number);
		add_failure(verification, text);
	} else if (!record_digest_equal(&entry->digest, &digest)) {
		verification->failures++;
		if (verification->mismatch_log != NULL) {
			report_difference(verification, record, entry);
		}
	}
	if (entry != NULL) {
		entry->found = true;
	}
}

static void
check_record(struct verification *verification, const struct record *record)
{
	char text[TEXT_SIZE];

	if (record->number == 0) {
		snprintf(text, sizeof text, "a record in %s has no number", verification->name);
		add_failure(verification, text);
		return;
	}
	if (verification->next != 0 && record->number != verification->next) {
		snprintf(text, sizeof text,
		    "%s: message %" PRIu64 " where %" PRIu64 " was expected", verification->name,
		    record->number, verification->next);
		add_failure(verification, text);
	}
	verification->next = record->number + 1;
	if (verification->first == 0) {
		verification->first = record->number;
	}
	if (record->number > verification->mailbox->highest_at_start) {
		check_new_record(verification, record);
	}
}

/* ---- files ---- */

/* Check the records of one file. */
static void
check_file(struct verification *verification)
{
	struct span text;
	char words[TEXT_SIZE];
	int error = mailbox_read_file(
	    verification->mailbox->directory, verification->name, &verification->contents);

	verification->first = 0;
	if (error != 0) {
		char reason[ERROR_TEXT_SIZE];

		snprintf(words, sizeof words, "%s cannot be read: %s", verification->name,
		    error_text(error, reason));
		add_failure(verification, words);
		return;
	}
	text = (struct span){verification->contents.bytes, verification->contents.length};
	while (text.length > 0) {
		size_t begin = mailbox_find_record(text, 0);
		struct record record;

		if (begin > 0) {
			snprintf(words, sizeof words,
			    "%s holds %zu bytes that belong to no message", verification->name,
			    begin);
			add_failure(verification, words);
		}
		text.bytes += begin;
		text.length -= begin;
		if (text.length > 0) {
			record = mailbox_parse_record(&text);
			check_record(verification, &record);
		}
	}
}

static bool
is_old(const struct mailbox *mailbox, const struct backup_file *backup)
{
	for (size_t i = 0; i < mailbox->backup_count; i++) {
		if (mailbox->backups[i].inode == backup->inode &&
		    mailbox->backups[i].device == backup->device) {
			return true;
		}
	}
	return false;
}

/* Check a backup: it must hold a whole group, and exactly the messages of its name. */
static void
check_backup(struct verification *verification, const struct backup_file *backup)
{
	char text[TEXT_SIZE];

	snprintf(verification->name, sizeof verification->name, "mailbox.%" PRIu64 "-%" PRIu64,
	    backup->first, backup->last);
	if (backup->last % BACKUP_EVERY != 0 || backup->first + BACKUP_EVERY - 1 != backup->last) {
		snprintf(
		    text, sizeof text, "%s is not a group of %d", verification->name, BACKUP_EVERY);
		add_failure(verification, text);
	}
	check_file(verification);
	if (verification->first != backup->first || verification->next != backup->last + 1) {
		snprintf(text, sizeof text, "%s holds other messages than its name says",
		    verification->name);
		add_failure(verification, text);
	}
}

/* Check `mailbox`: it must hold less than a group, from the first message of the group on. */
static void
check_mailbox(struct verification *verification)
{
	snprintf(verification->name, sizeof verification->name, "mailbox");
	check_file(verification);
	if (verification->first != 0 && verification->first % BACKUP_EVERY != 1) {
		add_failure(
		    verification, "mailbox does not begin with the first message of a group");
	}
	if (verification->first != 0 &&
	    (verification->next - 1) / BACKUP_EVERY != verification->first / BACKUP_EVERY) {
		add_failure(verification, "mailbox holds a whole group that is not backed up");
	}
}

/* ---- messages ---- */

/* Report every message that the server must have delivered, and that no file contains. */
static void
check_found(struct verification *verification)
{
	const struct ledger *ledger = verification->ledger;
	char text[TEXT_SIZE];

	for (size_t i = 0; i < ledger->count; i++) {
		if (ledger->entries[i].found) {
			continue;
		}
		snprintf(text, sizeof text,
		    "message %" PRIu64 " of connection %zu was accepted and is in no file",
		    ledger->entries[i].number, ledger->entries[i].connection + 1);
		add_failure(verification, text);
	}
	for (size_t i = 0; i < ledger->unacknowledged_count; i++) {
		if (ledger->unacknowledged[i].found || !ledger->unacknowledged[i].certain) {
			continue;
		}
		snprintf(text, sizeof text,
		    "a message of connection %zu, which was sent whole before the connection was "
		    "closed, is in no file",
		    ledger->unacknowledged[i].connection + 1);
		add_failure(verification, text);
	}
}

static void
clear_found(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->count; i++) {
		ledger->entries[i].found = false;
	}
	for (size_t i = 0; i < ledger->unacknowledged_count; i++) {
		ledger->unacknowledged[i].found = false;
	}
}

/* ---- all files ---- */

static void
verify_all(struct verification *verification)
{
	struct backup_file *backups;
	size_t count;
	int error = mailbox_list_backups(verification->mailbox->directory, &backups, &count);

	if (error != 0) {
		add_failure(verification, "the directory cannot be read");
	}
	for (size_t i = 0; i < count; i++) {
		if (!is_old(verification->mailbox, &backups[i])) {
			check_backup(verification, &backups[i]);
		}
	}
	free(backups);
	check_mailbox(verification);
	check_found(verification);
}

/* Return the highest number in the text of `mailbox`; 0: none. A torn record may have none. */
static uint64_t
highest_number(struct span text)
{
	uint64_t highest = 0;

	while (text.length > 0) {
		size_t begin = mailbox_find_record(text, 0);

		text.bytes += begin;
		text.length -= begin;
		if (text.length > 0) {
			uint64_t number = mailbox_parse_record(&text).number;

			highest = number > highest ? number : highest;
		}
	}
	return highest;
}

/* ---- public functions ---- */

int
mailbox_snapshot(struct mailbox *mailbox, const char *path)
{
	struct buffer contents = {0};
	int error;

	*mailbox = (struct mailbox){0};
	mailbox->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mailbox->directory < 0) {
		return errno;
	}
	error = mailbox_list_backups(mailbox->directory, &mailbox->backups, &mailbox->backup_count);
	if (error == 0) {
		error = mailbox_read_file(mailbox->directory, "mailbox", &contents);
	}
	if (error == 0) {
		mailbox->highest_at_start =
		    highest_number((struct span){contents.bytes, contents.length});
	}
	buffer_destroy(&contents);
	if (error != 0) {
		mailbox_destroy(mailbox);
	}
	return error;
}

void
mailbox_destroy(struct mailbox *mailbox)
{
	free(mailbox->backups);
	close(mailbox->directory);
}

uint64_t
mailbox_verify(struct mailbox *mailbox, const struct config *config, struct ledger *ledger,
    struct mismatch_log *mismatch_log, int64_t patience)
{
	int64_t deadline = monotonic_now() + patience;
	struct verification verification = {.mailbox = mailbox, .config = config, .ledger = ledger};

	for (;;) {
		bool is_last = monotonic_now() >= deadline;

		verification.failures = 0;
		verification.next = 0;
		verification.mismatch_log = is_last ? mismatch_log : NULL;
		mailbox->record_count = 0;
		clear_found(ledger);
		verify_all(&verification);
		if (verification.failures == 0 || is_last) {
			break;
		}
		sleep_until(monotonic_now() + RETRY_INTERVAL);
	}
	buffer_destroy(&verification.contents);
	return verification.failures;
}
