/*
 * NAME
 *	faulty_mailbox - the mailbox of faulty_server
 *
 * DESCRIPTION
 *	A record is written correctly and then, for most defects, changed by the defect's own
 *	function. A function that finds nothing to change leaves the record as it is;
 *	`applied_count` counts the changes, so that a test can verify that its defect occurred.
 */

#include "faulty_mailbox.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "add_number.h"
#include "files.h"
#include "params.h"
#include "record.h"
#include "suite.h"

/* A defect of one message affects one in so many: the client of a single one may have closed. */
#define AFFECTED_IN 20

#define FILE_NAME_SIZE 64

/* The netid in a record that no client sent. */
#define NETID "netid"

/* MAILBOX_CUT cuts a longer record after so many bytes, its head included. */
#define CUT_LENGTH 5000

/* Return the offset of the body of a record: after the first empty line. */
static size_t
body_of(const struct buffer *text)
{
	for (size_t at = 0; at + 1 < text->length; at++) {
		if (text->bytes[at] == '\n' && text->bytes[at + 1] == '\n') {
			return at + 2;
		}
	}
	return text->length;
}

static void
remove_bytes(struct buffer *text, size_t at, size_t length)
{
	memmove(text->bytes + at, text->bytes + at + length, text->length - at - length);
	text->length -= length;
}

static void
insert_byte(struct buffer *text, size_t at, char byte)
{
	buffer_add_byte(text, byte);
	memmove(text->bytes + at + 1, text->bytes + at, text->length - at - 1);
	text->bytes[at] = byte;
}

/* Return the offset of the line after the one at `at`. */
static size_t
next_line(const struct buffer *text, size_t at)
{
	const char *end = memchr(text->bytes + at, '\n', text->length - at);

	return end != NULL ? (size_t)(end - text->bytes) + 1 : text->length;
}

/* Change the byte at `at`. */
static void
change(struct buffer *text, size_t at)
{
	text->bytes[at] = text->bytes[at] == 'A' ? 'B' : 'A';
}

/*
 * Each of the following functions applies its defect to a record without its number, which belongs
 * after `head` bytes. Returns false, with the record as it is, if there is nothing to change.
 */
static bool
change_host(struct buffer *text, size_t head)
{
	(void)head;
	change(text, sizeof "Received: from " - 1);
	return true;
}

static bool
change_sender(struct buffer *text, size_t head)
{
	change(text, head + sizeof "From: " - 1);
	return true;
}

/* Find the lines of the first two recipients. Returns false if there is only one. */
static bool
find_recipients(const struct buffer *text, size_t head, size_t *first, size_t *second)
{
	*first = next_line(text, head);
	*second = next_line(text, *first);
	return text->bytes[*second] != '\n';
}

static bool
remove_recipient(struct buffer *text, size_t head)
{
	size_t first, second;

	if (!find_recipients(text, head, &first, &second)) {
		return false;
	}
	remove_bytes(text, second, next_line(text, second) - second);
	return true;
}

static bool
reverse_recipients(struct buffer *text, size_t head)
{
	struct buffer reversed = {0};
	size_t first, second, end;
	bool differ;

	if (!find_recipients(text, head, &first, &second)) {
		return false;
	}
	end = next_line(text, second);
	buffer_add(&reversed, text->bytes + second, end - second);
	buffer_add(&reversed, text->bytes + first, second - first);
	differ = memcmp(text->bytes + first, reversed.bytes, reversed.length) != 0;
	memcpy(text->bytes + first, reversed.bytes, reversed.length);
	buffer_destroy(&reversed);
	return differ;
}

static bool
remove_line(struct buffer *text, size_t head)
{
	size_t body = body_of(text);

	(void)head;
	if (body + 1 >= text->length) {
		return false;
	}
	remove_bytes(text, body, next_line(text, body) - body);
	return true;
}

/* Return the first quoted line of the body; the end of the text if there is none. */
static size_t
find_quoted(const struct buffer *text)
{
	size_t at, marks;

	for (at = body_of(text); at < text->length; at = next_line(text, at)) {
		struct span line = {text->bytes + at, next_line(text, at) - at - 1};

		if (record_is_start(line, &marks) && marks > 0) {
			break;
		}
	}
	return at;
}

static bool
unquote(struct buffer *text, size_t head)
{
	size_t at = find_quoted(text);

	(void)head;
	if (at == text->length) {
		return false;
	}
	remove_bytes(text, at, 1);
	return true;
}

static bool
quote_twice(struct buffer *text, size_t head)
{
	size_t at = find_quoted(text);

	(void)head;
	if (at == text->length) {
		return false;
	}
	insert_byte(text, at, '>');
	return true;
}

static bool
add_dot(struct buffer *text, size_t head)
{
	size_t at;

	(void)head;
	for (at = body_of(text); at < text->length; at = next_line(text, at)) {
		if (text->bytes[at] == '.') {
			break;
		}
	}
	if (at == text->length) {
		return false;
	}
	insert_byte(text, at, '.');
	return true;
}

static bool
keep_crlf(struct buffer *text, size_t head)
{
	size_t body = body_of(text);

	(void)head;
	if (body + 1 >= text->length) {
		return false;
	}
	insert_byte(text, next_line(text, body) - 1, '\r');
	return true;
}

/*
 * Return the position of the first byte of the body whose bits in `mask` are `value`; the end of
 * the text if there is none.
 */
static size_t
find_byte(const struct buffer *text, unsigned mask, unsigned value)
{
	size_t at = body_of(text);

	while (at < text->length && ((unsigned char)text->bytes[at] & mask) != value) {
		at++;
	}
	return at;
}

/* Remove the first byte of the body with this value. Returns false if there is none. */
static bool
remove_byte(struct buffer *text, char byte)
{
	size_t at = find_byte(text, 0xff, (unsigned char)byte);

	if (at == text->length) {
		return false;
	}
	remove_bytes(text, at, 1);
	return true;
}

static bool
remove_cr(struct buffer *text, size_t head)
{
	(void)head;
	return remove_byte(text, '\r');
}

static bool
remove_nul(struct buffer *text, size_t head)
{
	(void)head;
	return remove_byte(text, '\0');
}

static bool
clear_bit(struct buffer *text, size_t head)
{
	size_t at = find_byte(text, 0x80, 0x80);

	(void)head;
	if (at == text->length) {
		return false;
	}
	text->bytes[at] = (char)(text->bytes[at] & 0x7f);
	return true;
}

static bool
cut_body(struct buffer *text, size_t head)
{
	(void)head;
	if (text->length < CUT_LENGTH) {
		return false;
	}
	remove_bytes(text, CUT_LENGTH, text->length - CUT_LENGTH - 2);
	return true;
}

static bool
remove_empty_line(struct buffer *text, size_t head)
{
	(void)head;
	text->length--;
	return true;
}

static bool (*const changers[MAILBOX_DEFECTS])(struct buffer *, size_t) = {
    [MAILBOX_HOST] = change_host,
    [MAILBOX_SENDER] = change_sender,
    [MAILBOX_RECIPIENT_LOST] = remove_recipient,
    [MAILBOX_RECIPIENTS_REVERSED] = reverse_recipients,
    [MAILBOX_LINE_LOST] = remove_line,
    [MAILBOX_UNQUOTED] = unquote,
    [MAILBOX_QUOTED_TWICE] = quote_twice,
    [MAILBOX_DOT] = add_dot,
    [MAILBOX_CRLF] = keep_crlf,
    [MAILBOX_CR] = remove_cr,
    [MAILBOX_NUL] = remove_nul,
    [MAILBOX_SEVEN_BIT] = clear_bit,
    [MAILBOX_CUT] = cut_body,
    [MAILBOX_NO_EMPTY_LINE] = remove_empty_line,
};

static void
write_all(int descriptor, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(descriptor, bytes, length);

		ck_assert_int_gt(written, 0);
		bytes += written;
		length -= (size_t)written;
	}
}

static void
append(struct faulty_mailbox *faulty_mailbox, const char *name, const struct buffer *text)
{
	int descriptor = openat(faulty_mailbox->directory, name,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, (mode_t)0600);

	ck_assert_int_ge(descriptor, 0);
	write_all(descriptor, text->bytes, text->length);
	ck_assert_int_eq(close(descriptor), 0);
}

/* Append a record to `mailbox`, with its number after `head` bytes; with 0, without a number. */
static void
append_record(
    struct faulty_mailbox *faulty_mailbox, const struct buffer *text, size_t head, uint64_t number)
{
	struct buffer *record = &faulty_mailbox->scratch;

	buffer_clear(record);
	buffer_add(record, text->bytes, head);
	if (number > 0) {
		buffer_add_string(record, "Number: ");
		buffer_add_number(record, number);
		buffer_add_byte(record, '\n');
	}
	buffer_add(record, text->bytes + head, text->length - head);
	append(faulty_mailbox, "mailbox", record);
}

static void
read_mailbox(struct faulty_mailbox *faulty_mailbox, struct buffer *text)
{
	int descriptor = openat(faulty_mailbox->directory, "mailbox", O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *place;

	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(fstat(descriptor, &status), 0);
	place = buffer_extend(text, (size_t)status.st_size);
	ck_assert_ptr_nonnull(place);
	ck_assert_int_eq(read(descriptor, place, (size_t)status.st_size), status.st_size);
	ck_assert_int_eq(close(descriptor), 0);
}

static void
empty_mailbox(struct faulty_mailbox *faulty_mailbox)
{
	int descriptor =
	    openat(faulty_mailbox->directory, "mailbox", O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(close(descriptor), 0);
}

/* Back up a complete group. `last_length` is the length of its last record. */
static void
back_up(struct faulty_mailbox *faulty_mailbox, size_t last_length)
{
	struct buffer text = {0}, kept = {0};
	char name[FILE_NAME_SIZE];
	unsigned long last = (unsigned long)faulty_mailbox->number;

	snprintf(name, sizeof name, "mailbox.%lu-%lu", last - BACKUP_EVERY + 1,
	    faulty_mailbox->defect == MAILBOX_BACKUP_NAME ? last - 1 : last);
	read_mailbox(faulty_mailbox, &text);
	faulty_mailbox->applied_count += faulty_mailbox->defect >= MAILBOX_NO_BACKUP;
	if (faulty_mailbox->defect == MAILBOX_FIRST_REMOVED && last > BACKUP_EVERY) {
		unlinkat(faulty_mailbox->directory, "mailbox.1-32", 0);
	}
	if (faulty_mailbox->defect == MAILBOX_BACKUP_SHORT ||
	    (faulty_mailbox->defect == MAILBOX_FIRST_SHORT && last == BACKUP_EVERY)) {
		buffer_add(&kept, text.bytes + text.length - last_length, last_length);
		text.length -= last_length;
	}
	if (faulty_mailbox->defect != MAILBOX_NO_BACKUP &&
	    faulty_mailbox->defect != MAILBOX_BACKUP_LOST) {
		append(faulty_mailbox, name, &text);
	}
	if (faulty_mailbox->defect != MAILBOX_NO_BACKUP &&
	    faulty_mailbox->defect != MAILBOX_NOT_EMPTIED) {
		empty_mailbox(faulty_mailbox);
	}
	append(faulty_mailbox, "mailbox", &kept);
	buffer_destroy(&text);
	buffer_destroy(&kept);
}

/* Append what no client sent: a message, or bytes that are none. */
static void
append_invented(struct faulty_mailbox *faulty_mailbox)
{
	static const char record[] = "Received: from nobody by " NETID " (CS4410MP3)\n"
				     "From: nobody\nTo: nobody\n\nnothing\n\n";
	struct buffer text = {0};

	if (faulty_mailbox->defect == MAILBOX_JUNK) {
		buffer_add_string(&text, "junk\n");
		append(faulty_mailbox, "mailbox", &text);
	} else {
		buffer_add_string(&text, record);
		append_record(
		    faulty_mailbox, &text, strcspn(record, "\n") + 1, ++faulty_mailbox->number);
	}
	buffer_destroy(&text);
	faulty_mailbox->applied_count++;
}

/* Return the number of the next message. The lock is held. */
static uint64_t
next_number(struct faulty_mailbox *faulty_mailbox)
{
	bool affected = ++faulty_mailbox->messages % AFFECTED_IN == 0;

	if (faulty_mailbox->defect == MAILBOX_BACKWARDS) {
		faulty_mailbox->applied_count++;
		return 1000000 - faulty_mailbox->messages;
	}
	faulty_mailbox->number++;
	if ((affected && faulty_mailbox->defect == MAILBOX_SKIPPED) ||
	    (faulty_mailbox->messages == 1 && faulty_mailbox->defect == MAILBOX_FROM_TWO)) {
		faulty_mailbox->applied_count++;
		faulty_mailbox->number++;
	}
	if (affected && faulty_mailbox->defect == MAILBOX_REPEATED) {
		faulty_mailbox->applied_count++;
		faulty_mailbox->number--;
	}
	return faulty_mailbox->number;
}

/* Store a message that the defect affects. */
static void
store_affected(struct faulty_mailbox *faulty_mailbox, struct buffer *text, size_t head)
{
	uint64_t number = faulty_mailbox->number;

	if (faulty_mailbox->defect == MAILBOX_BYTE_CHANGED) {
		change(text, (head + text->length) / 2);
	} else if (faulty_mailbox->defect == MAILBOX_RENUMBERED) {
		number += 1000;
	} else if (faulty_mailbox->defect == MAILBOX_NO_NUMBER) {
		number = 0;
	}
	if (faulty_mailbox->defect != MAILBOX_LOST) {
		append_record(faulty_mailbox, text, head, number);
	}
	if (faulty_mailbox->defect == MAILBOX_TWICE) {
		append_record(faulty_mailbox, text, head, number);
	}
	if (faulty_mailbox->defect == MAILBOX_INVENTED || faulty_mailbox->defect == MAILBOX_JUNK) {
		append_invented(faulty_mailbox);
	} else {
		faulty_mailbox->applied_count++;
	}
}

/* Store a message, changed by the defect, and make the backup that is due. The lock is held. */
static void
store(struct faulty_mailbox *faulty_mailbox, const struct buffer *record, size_t head)
{
	struct buffer text = {0};

	buffer_add(&text, record->bytes, record->length);
	if (faulty_mailbox->defect == MAILBOX_100_LOST && faulty_mailbox->number == 100) {
		buffer_destroy(&text);
		return;
	}
	if (faulty_mailbox->defect == MAILBOX_SWAPPED && faulty_mailbox->number == 3) {
		buffer_add(&faulty_mailbox->held, record->bytes, record->length);
		faulty_mailbox->held_head = head;
		buffer_destroy(&text);
		return;
	}
	if (changers[faulty_mailbox->defect] != NULL) {
		faulty_mailbox->applied_count += changers[faulty_mailbox->defect](&text, head);
	}
	if (faulty_mailbox->messages % AFFECTED_IN == 0 &&
	    faulty_mailbox->defect >= MAILBOX_BYTE_CHANGED &&
	    faulty_mailbox->defect <= MAILBOX_JUNK) {
		store_affected(faulty_mailbox, &text, head);
	} else {
		append_record(faulty_mailbox, &text, head, faulty_mailbox->number);
	}
	if (faulty_mailbox->held.length > 0) {
		append_record(faulty_mailbox, &faulty_mailbox->held, faulty_mailbox->held_head, 3);
		buffer_clear(&faulty_mailbox->held);
	}
	buffer_destroy(&text);
	if (faulty_mailbox->number % BACKUP_EVERY == 0) {
		back_up(faulty_mailbox, faulty_mailbox->scratch.length);
	}
}

void
faulty_mailbox_create(
    struct faulty_mailbox *faulty_mailbox, enum mailbox_defect defect, const char *path)
{
	*faulty_mailbox = (struct faulty_mailbox){.defect = defect, .directory = -1};
	pthread_mutex_init(&faulty_mailbox->lock, NULL);
	if (path == NULL) {
		return;
	}
	files_write_in(path, "mailbox", "", 0);
	faulty_mailbox->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(faulty_mailbox->directory, 0);
}

void
faulty_mailbox_destroy(struct faulty_mailbox *faulty_mailbox)
{
	if (faulty_mailbox->directory >= 0) {
		close(faulty_mailbox->directory);
	}
	buffer_destroy(&faulty_mailbox->scratch);
	buffer_destroy(&faulty_mailbox->held);
	pthread_mutex_destroy(&faulty_mailbox->lock);
}

uint64_t
faulty_mailbox_deliver(
    struct faulty_mailbox *faulty_mailbox, const struct buffer *record, size_t head)
{
	uint64_t number;

	pthread_mutex_lock(&faulty_mailbox->lock);
	number = next_number(faulty_mailbox);
	if (faulty_mailbox->directory >= 0) {
		store(faulty_mailbox, record, head);
	}
	pthread_mutex_unlock(&faulty_mailbox->lock);
	return number;
}
