/*
 * NAME
 *	mailbox_file - list and read the server's files, and split them into records
 */

#include "mailbox_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "params.h"

/* Bytes of one read. */
#define READ_SIZE 65536

/* Digits at most of a number in a file or its name: so many always fit its type. */
#define DIGITS_MAX 18

/* Remove a number without leading zeros from the text, and return it; 0 if there is none. */
static uint64_t
parse_number(struct span *text)
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

/* Remove `expected` from the beginning of the text. Returns whether it was there. */
static bool
parse_text(struct span *text, const char *expected)
{
	size_t length = strlen(expected);

	if (text->length < length || memcmp(text->bytes, expected, length) != 0) {
		return false;
	}
	text->bytes += length;
	text->length -= length;
	return true;
}

/* Set `first` and `last` from a file name. Returns whether it is `mailbox.A-B`. */
static bool
parse_backup_name(const char *name, struct backup_file *backup)
{
	struct span text = {name, strlen(name)};

	if (!parse_text(&text, "mailbox.")) {
		return false;
	}
	backup->first = parse_number(&text);
	if (backup->first == 0 || !parse_text(&text, "-")) {
		return false;
	}
	backup->last = parse_number(&text);
	return backup->last != 0 && text.length == 0;
}

static int
compare_backups(const void *one, const void *other)
{
	const struct backup_file *a = one, *b = other;

	return (a->first > b->first) - (a->first < b->first);
}

static bool
add_backup(struct backup_file **backups, size_t *count, const struct backup_file *backup)
{
	/* Powers of two: the array grows when the count reaches one. */
	if ((*count & (*count - 1)) == 0) {
		size_t capacity = *count > 0 ? 2 * *count : 1;
		struct backup_file *more = realloc(*backups, capacity * sizeof *more);

		if (more == NULL) {
			return false;
		}
		*backups = more;
	}
	(*backups)[(*count)++] = *backup;
	return true;
}

/* Open a stream of the directory's entries. Returns NULL with errno set on failure. */
static DIR *
open_names(int directory)
{
	int descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = descriptor != -1 ? fdopendir(descriptor) : NULL;

	if (names == NULL && descriptor != -1) {
		close(descriptor);
	}
	return names;
}

/* Add the backups among the names. Returns 0 or an error number. */
static int
add_backups(int directory, DIR *names, struct backup_file **backups, size_t *count)
{
	const struct dirent *entry;
	struct backup_file backup;
	struct stat status;

	for (;;) {
		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): this stream is not shared. */
		entry = readdir(names);
		if (entry == NULL) {
			return errno;
		}
		if (!parse_backup_name(entry->d_name, &backup) ||
		    fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
			continue;
		}
		backup.device = status.st_dev;
		backup.inode = status.st_ino;
		if (!add_backup(backups, count, &backup)) {
			return ENOMEM;
		}
	}
}

int
mailbox_list_backups(int directory, struct backup_file **backups, size_t *count)
{
	DIR *names = open_names(directory);
	int error;

	*backups = NULL;
	*count = 0;
	if (names == NULL) {
		return errno;
	}
	error = add_backups(directory, names, backups, count);
	closedir(names);
	if (*count > 0) {
		qsort(*backups, *count, sizeof **backups, compare_backups);
	}
	return error;
}

int
mailbox_read_file(int directory, const char *name, struct buffer *contents)
{
	int descriptor = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t got = 1;
	int error = 0;

	buffer_clear(contents);
	if (descriptor == -1) {
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

/* Return whether a record starts at `from`, with `end` set to the end of its first line. */
static bool
is_record_start(struct span text, size_t from, size_t *end)
{
	const char *begin = text.bytes + from;
	const char *line_end;
	size_t marks;

	if (*begin != 'R') {
		return false;
	}
	line_end = memchr(begin, '\n', text.length - from);
	if (line_end == NULL ||
	    !record_is_start((struct span){begin, (size_t)(line_end - begin)}, &marks)) {
		return false;
	}
	*end = from + (size_t)(line_end - begin) + 1;
	return marks == 0;
}

size_t
mailbox_find_record(struct span text, size_t from)
{
	size_t end;

	while (from < text.length && !is_record_start(text, from, &end)) {
		const char *line_end = memchr(text.bytes + from, '\n', text.length - from);

		from = line_end != NULL ? (size_t)(line_end - text.bytes) + 1 : text.length;
	}
	return from;
}

struct record
mailbox_parse_record(struct span *text)
{
	struct record record = {0};
	size_t head_end = 0;
	size_t end;
	struct span rest;

	is_record_start(*text, 0, &head_end);
	end = mailbox_find_record(*text, head_end);
	record.head = (struct span){text->bytes, head_end};
	rest = (struct span){text->bytes + head_end, end - head_end};
	if (parse_text(&rest, "Number: ")) {
		record.number = parse_number(&rest);
		if (!parse_text(&rest, "\n")) {
			record.number = 0;
		}
	}
	record.rest = rest;
	text->bytes += end;
	text->length -= end;
	return record;
}
