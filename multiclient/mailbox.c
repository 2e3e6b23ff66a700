/*
 * NAME
 *	mailbox - the server's files, compared with what was sent
 *
 * DESCRIPTION
 *	A file is cut into records at each line that can only be the first of one, for the server
 *	must quote such lines elsewhere. Head and rest of a record, all but its number, are compared
 *	by a digest of 128 bits and their length; where they differ, the record is made again from
 *	the script to show how.
 *
 *	Files that were there before are not ours: backups of the same device and inode, `.~N~`
 *	files, and the numbers that `mailbox` held when we began.
 *
 * DIAGNOSTICS
 *	Each fault is told through complaint.h, once, after the last look.
 */

#include "mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monotonic.h"
#include "params.h"

/* Bytes of one read. */
#define READ_SIZE 65536

/* Time between two looks at files that are not right yet. */
#define RETRY_INTERVAL (20 * MILLISECOND)

/* How much is shown of a record from where it differs, and how much before, in bytes. */
#define SHOWN_AFTER  100
#define SHOWN_BEFORE 20

/* Digits of a number in a file or its name; 18 always fit. */
#define DIGITS_MAX 18

#define NAME_SIZE 64
#define TEXT_SIZE 256

/* One look at all files. */
struct look {
	struct mailbox *mailbox;
	const struct config *config;
	struct ledger *ledger;
	struct mismatch_log *mismatch_log; /* NULL: only count */
	struct buffer contents;
	char name[NAME_SIZE]; /* of the file at hand */
	uint64_t next;        /* the number that the next record must have; 0: any */
	uint64_t first;       /* number of the first record of the file; 0: none yet */
	uint64_t failures;
};

struct record {
	uint64_t number; /* 0: it has none */
	struct span head, rest;
};

/* Digits without leading zero at the beginning of `text`; 0 if there are none. */
static uint64_t
take_number(struct span *text)
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < text->length && i < DIGITS_MAX; i++) {
		if (text->bytes[i] < '0' || text->bytes[i] > '9' || (i > 0 && number == 0)) {
			break;
		}
		number = number * 10 + (uint64_t)(text->bytes[i] - '0');
	}
	text->bytes += i;
	text->length -= i;
	return number;
}

static bool
take_text(struct span *text, const char *expected)
{
	size_t length = strlen(expected);

	if (text->length < length || memcmp(text->bytes, expected, length) != 0) {
		return false;
	}
	text->bytes += length;
	text->length -= length;
	return true;
}

/* Whether a file's name is `mailbox.A-B`. */
static bool
is_backup_name(const char *name, struct backup_file *piece)
{
	struct span text = {name, strlen(name)};

	if (!take_text(&text, "mailbox.")) {
		return false;
	}
	piece->first = take_number(&text);
	if (piece->first == 0 || !take_text(&text, "-")) {
		return false;
	}
	piece->last = take_number(&text);
	return piece->last != 0 && text.length == 0;
}

static int
compare_backups(const void *one, const void *other)
{
	const struct backup_file *a = one, *b = other;

	return (a->first > b->first) - (a->first < b->first);
}

static bool
add_backup(struct backup_file **pieces, size_t *count, const struct backup_file *piece)
{
	/* Powers of two: the array grows when the count reaches one. */
	if ((*count & (*count - 1)) == 0) {
		size_t capacity = *count > 0 ? 2 * *count : 1;
		struct backup_file *more = realloc(*pieces, capacity * sizeof *more);

		if (more == NULL) {
			return false;
		}
		*pieces = more;
	}
	(*pieces)[(*count)++] = *piece;
	return true;
}

/* A stream of the directory's names, or NULL with errno set. */
static DIR *
open_names(int directory)
{
	int descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = descriptor >= 0 ? fdopendir(descriptor) : NULL;

	if (names == NULL && descriptor >= 0) {
		close(descriptor);
	}
	return names;
}

/* Add the backups among the names. 0 or an error number. */
static int
add_backups(int directory, DIR *names, struct backup_file **pieces, size_t *count)
{
	const struct dirent *entry;
	struct backup_file piece;
	struct stat status;

	for (;;) {
		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream. */
		entry = readdir(names);
		if (entry == NULL) {
			return errno;
		}
		if (!is_backup_name(entry->d_name, &piece) ||
		    fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
			continue;
		}
		piece.device = status.st_dev;
		piece.inode = status.st_ino;
		if (!add_backup(pieces, count, &piece)) {
			return ENOMEM;
		}
	}
}

/* List the backups, by number. 0 or an error number; `*pieces` is to be freed in any case. */
static int
list_backups(int directory, struct backup_file **pieces, size_t *count)
{
	DIR *names = open_names(directory);
	int error;

	*pieces = NULL;
	*count = 0;
	if (names == NULL) {
		return errno;
	}
	error = add_backups(directory, names, pieces, count);
	closedir(names);
	if (*count > 0) {
		qsort(*pieces, *count, sizeof **pieces, compare_backups);
	}
	return error;
}

/* 0 or an error number. */
static int
read_file(int directory, const char *name, struct buffer *contents)
{
	int descriptor = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t got = 1;
	int error = 0;

	buffer_clear(contents);
	if (descriptor < 0) {
		return errno;
	}
	while (got != 0 && error == 0) {
		char *place = buffer_extend(contents, READ_SIZE);

		got = place != NULL ? read(descriptor, place, READ_SIZE) : 0;
		if (place == NULL) {
			error = ENOMEM;
		} else {
			contents->length -= READ_SIZE - (got > 0 ? (size_t)got : 0);
		}
		if (got < 0 && errno != EINTR) {
			error = errno;
		}
	}
	close(descriptor);
	return error;
}

/* Whether a record begins at `from`, and where its first line ends, with its LF. */
static bool
is_head(struct span text, size_t from, const char *netid, size_t *end)
{
	const char *begin = text.bytes + from;
	const char *line_end;
	size_t marks;

	if (*begin != 'R') {
		return false;
	}
	line_end = memchr(begin, '\n', text.length - from);
	if (line_end == NULL ||
	    !record_is_start((struct span){begin, (size_t)(line_end - begin)}, netid, &marks)) {
		return false;
	}
	*end = from + (size_t)(line_end - begin) + 1;
	return marks == 0;
}

/* The beginning of the first record from `from` on, which is the beginning of a line. */
static size_t
find_record(struct span text, size_t from, const char *netid)
{
	size_t end;

	while (from < text.length && !is_head(text, from, netid, &end)) {
		const char *line_end = memchr(text.bytes + from, '\n', text.length - from);

		from = line_end != NULL ? (size_t)(line_end - text.bytes) + 1 : text.length;
	}
	return from;
}

/* Take a record off the beginning of `text`, which begins with one. */
static struct record
take_record(struct span *text, const char *netid)
{
	struct record record = {0};
	size_t head_end = 0;
	size_t end;
	struct span rest;

	is_head(*text, 0, netid, &head_end);
	end = find_record(*text, head_end, netid);
	record.head = (struct span){text->bytes, head_end};
	rest = (struct span){text->bytes + head_end, end - head_end};
	if (take_text(&rest, "Number: ")) {
		record.number = take_number(&rest);
		if (!take_text(&rest, "\n")) {
			record.number = 0;
		}
	}
	record.rest = rest;
	text->bytes += end;
	text->length -= end;
	return record;
}

static void
add_failure(struct look *look, const char *text)
{
	look->failures++;
	if (look->mismatch_log != NULL) {
		mismatch_report_text(look->mismatch_log, text);
	}
}

/* From a little before where two texts differ. */
static struct span
excerpt(const struct buffer *text, size_t from)
{
	size_t length = text->length - from;

	return (struct span){text->bytes + from,
	    length < SHOWN_BEFORE + SHOWN_AFTER ? length : SHOWN_BEFORE + SHOWN_AFTER};
}

/* Show where a record differs from what was sent. */
static void
tell_difference(struct look *look, const struct record *record, const struct ledger_entry *entry)
{
	struct buffer expected = {0}, actual = {0};
	char text[TEXT_SIZE];
	size_t at = 0, head, from;

	buffer_add(&actual, record->head.bytes, record->head.length);
	buffer_add(&actual, record->rest.bytes, record->rest.length);
	if (script_replay(look->config, entry->connection, entry->index, &expected, &head) &&
	    !actual.failed) {
		while (at < expected.length && at < actual.length &&
		       expected.bytes[at] == actual.bytes[at]) {
			at++;
		}
		from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
		snprintf(text, sizeof text,
		    "message %" PRIu64 " of connection %zu in %s is not what was sent: its record "
		    "without the number has %zu bytes, not %zu, and differs from byte %zu on",
		    record->number, entry->connection + 1, look->name, actual.length,
		    expected.length, at);
		mismatch_report_diff(
		    look->mismatch_log, text, excerpt(&expected, from), excerpt(&actual, from));
	}
	buffer_destroy(&expected);
	buffer_destroy(&actual);
}

/* A record with a new number: it must be what somebody sent. */
static void
check_new_record(struct look *look, const struct record *record)
{
	struct ledger_entry *entry = ledger_find(look->ledger, record->number);
	struct digest digest;
	char text[TEXT_SIZE];

	look->mailbox->compared++;
	record_digest(record->head, record->rest, &digest);
	if (entry == NULL) {
		entry = ledger_match(look->ledger, record->number, &digest);
	}
	if (entry == NULL) {
		snprintf(text, sizeof text,
		    "message %" PRIu64 " in %s was sent by nobody, or differs from what was",
		    record->number, look->name);
		add_failure(look, text);
	} else if (entry->found) {
		snprintf(text, sizeof text, "message %" PRIu64 " is there again, in %s",
		    record->number, look->name);
		add_failure(look, text);
	} else if (!record_digest_equal(&entry->digest, &digest)) {
		look->failures++;
		if (look->mismatch_log != NULL) {
			tell_difference(look, record, entry);
		}
	}
	if (entry != NULL) {
		entry->found = true;
	}
}

static void
check_record(struct look *look, const struct record *record)
{
	char text[TEXT_SIZE];

	if (record->number == 0) {
		snprintf(text, sizeof text, "a record in %s has no number", look->name);
		add_failure(look, text);
		return;
	}
	if (look->next != 0 && record->number != look->next) {
		snprintf(text, sizeof text,
		    "in %s message %" PRIu64 " stands where %" PRIu64 " belongs", look->name,
		    record->number, look->next);
		add_failure(look, text);
	}
	look->next = record->number + 1;
	if (look->first == 0) {
		look->first = record->number;
	}
	if (record->number > look->mailbox->before) {
		check_new_record(look, record);
	}
}

/* The records of one file. */
static void
check_file(struct look *look)
{
	struct span text;
	char words[TEXT_SIZE];
	int error = read_file(look->mailbox->directory, look->name, &look->contents);

	look->first = 0;
	if (error != 0) {
		char reason[80];

		strerror_r(error, reason, sizeof reason);
		snprintf(words, sizeof words, "%s cannot be read: %s", look->name, reason);
		add_failure(look, words);
		return;
	}
	text = (struct span){look->contents.bytes, look->contents.length};
	while (text.length > 0) {
		size_t begin = find_record(text, 0, look->config->netid);
		struct record record;

		if (begin > 0) {
			snprintf(words, sizeof words,
			    "%s holds %zu bytes that belong to no message", look->name, begin);
			add_failure(look, words);
		}
		text.bytes += begin;
		text.length -= begin;
		if (text.length > 0) {
			record = take_record(&text, look->config->netid);
			check_record(look, &record);
		}
	}
}

static bool
is_old(const struct mailbox *mailbox, const struct backup_file *piece)
{
	size_t i;

	for (i = 0; i < mailbox->old_count; i++) {
		if (mailbox->old[i].inode == piece->inode &&
		    mailbox->old[i].device == piece->device) {
			return true;
		}
	}
	return false;
}

/* A backup: a whole group, and exactly the messages that its name says. */
static void
check_backup(struct look *look, const struct backup_file *piece)
{
	char text[TEXT_SIZE];

	snprintf(look->name, sizeof look->name, "mailbox.%" PRIu64 "-%" PRIu64, piece->first,
	    piece->last);
	if (piece->last % BACKUP_EVERY != 0 || piece->first + BACKUP_EVERY - 1 != piece->last) {
		snprintf(text, sizeof text, "%s is not a group of %d", look->name, BACKUP_EVERY);
		add_failure(look, text);
	}
	check_file(look);
	if (look->first != piece->first || look->next != piece->last + 1) {
		snprintf(
		    text, sizeof text, "%s holds other messages than its name says", look->name);
		add_failure(look, text);
	}
}

/* What has not been backed up: less than a group, from its beginning. */
static void
check_mailbox(struct look *look)
{
	snprintf(look->name, sizeof look->name, "mailbox");
	check_file(look);
	if (look->first != 0 && look->first % BACKUP_EVERY != 1) {
		add_failure(look, "mailbox does not begin with the first message of a group");
	}
	if (look->first != 0 && (look->next - 1) / BACKUP_EVERY != look->first / BACKUP_EVERY) {
		add_failure(look, "mailbox holds a whole group that is not backed up");
	}
}

/* Everything that was sent must have been come upon. */
static void
check_found(struct look *look)
{
	const struct ledger *ledger = look->ledger;
	char text[TEXT_SIZE];
	size_t i;

	for (i = 0; i < ledger->count; i++) {
		if (ledger->entries[i].found) {
			continue;
		}
		snprintf(text, sizeof text,
		    "message %" PRIu64 " of connection %zu was accepted and is in no file",
		    ledger->entries[i].number, ledger->entries[i].connection + 1);
		add_failure(look, text);
	}
	for (i = 0; i < ledger->unacknowledged_count; i++) {
		if (ledger->unacknowledged[i].found || !ledger->unacknowledged[i].certain) {
			continue;
		}
		snprintf(text, sizeof text,
		    "a message of connection %zu, which was sent whole before the connection was "
		    "closed, is in no file",
		    ledger->unacknowledged[i].connection + 1);
		add_failure(look, text);
	}
}

static void
forget_found(struct ledger *ledger)
{
	size_t i;

	for (i = 0; i < ledger->count; i++) {
		ledger->entries[i].found = false;
	}
	for (i = 0; i < ledger->unacknowledged_count; i++) {
		ledger->unacknowledged[i].found = false;
	}
}

static void
verify_all(struct look *look)
{
	struct backup_file *pieces;
	size_t count, i;
	int error = list_backups(look->mailbox->directory, &pieces, &count);

	if (error != 0) {
		add_failure(look, "the directory cannot be read");
	}
	for (i = 0; i < count; i++) {
		if (!is_old(look->mailbox, &pieces[i])) {
			check_backup(look, &pieces[i]);
		}
	}
	free(pieces);
	check_mailbox(look);
	check_found(look);
}

/* The number of the last record of `mailbox`. */
static uint64_t
last_number(struct span text, const char *netid)
{
	uint64_t last = 0;

	while (text.length > 0) {
		size_t begin = find_record(text, 0, netid);

		text.bytes += begin;
		text.length -= begin;
		if (text.length > 0) {
			last = take_record(&text, netid).number;
		}
	}
	return last;
}

int
mailbox_snapshot(struct mailbox *mailbox, const char *path, const char *netid)
{
	struct buffer contents = {0};
	int error;

	*mailbox = (struct mailbox){0};
	mailbox->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mailbox->directory < 0) {
		return errno;
	}
	error = list_backups(mailbox->directory, &mailbox->old, &mailbox->old_count);
	if (error == 0) {
		error = read_file(mailbox->directory, "mailbox", &contents);
	}
	if (error == 0) {
		mailbox->before =
		    last_number((struct span){contents.bytes, contents.length}, netid);
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
	free(mailbox->old);
	close(mailbox->directory);
}

uint64_t
mailbox_verify(struct mailbox *mailbox, const struct config *config, struct ledger *ledger,
    struct mismatch_log *mismatch_log, int64_t patience)
{
	int64_t deadline = monotonic_now() + patience;
	struct look look = {.mailbox = mailbox, .config = config, .ledger = ledger};

	for (;;) {
		bool last = monotonic_now() >= deadline;

		look.failures = 0;
		look.next = 0;
		look.mismatch_log = last ? mismatch_log : NULL;
		mailbox->compared = 0;
		forget_found(ledger);
		verify_all(&look);
		if (look.failures == 0 || last) {
			break;
		}
		sleep_until(monotonic_now() + RETRY_INTERVAL);
	}
	buffer_destroy(&look.contents);
	return look.failures;
}
