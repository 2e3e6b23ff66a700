/*
 * NAME
 *	mailbox_append - append records to the file `mailbox`, or remove them again
 *
 * DESCRIPTION
 *	A batch of records is written with one writev(), each record as three parts: the number line
 *	between the two parts of struct record. The bytes of one writev() are together, because the
 *	file is open with O_APPEND.
 *
 *	If the system takes only some bytes of a batch, the rest of the record where it stopped is
 *	written with further calls, and the records up to this one become the batch. If that fails,
 *	the records before this one become the batch. If another program has appended between two of
 *	these calls, the record is written again as a whole after all that is there, and after an
 *	empty line. Its beginning stays if bytes of another program follow it: then its number is
 *	twice in the file, and the last one is the message.
 *
 *	After each write, one lstat() of the name shows whether another program has changed the file
 *	since the lstat() before. Records that are in another file by now, or begin inside a line,
 *	are removed again and written where they belong. To look after the write is enough: nothing
 *	is acknowledged before. To look before it as well would cost another system call.
 *
 * DIAGNOSTICS
 *	mailbox: N bytes of an unacknowledged message remain before those of another program
 *	mailbox: N bytes of an unacknowledged message remain in the file that was moved: why
 *
 * BUGS
 *	If a commit fails, and another program has appended to the file since the write, the refused
 *	records stay.
 *
 *	The first records after another program has moved the file, or has appended a line that does
 *	not end, are in the wrong place until they are removed. If the server is killed, or another
 *	program appends once more, in these microseconds, they stay there. If another program
 *	truncates the file inside the records in this time, all of them are written again, after
 *	those that remain.
 *
 *	If another program truncates the file and appends as many bytes as it removed, between two
 *	looks, that goes unnoticed, and the next record may begin inside a line.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "mailbox_file.h"
#include "record.h"

/* Parts of a record in the file: the number line is between the two parts of struct record. */
#define RECORD_PARTS 3

/* How often a batch is written, at most, while other programs change the file. */
#define APPEND_ATTEMPTS 8

/* Not an error number: the records must be written again. */
#define WRITE_AGAIN (-1)

static struct iovec
make_iovec(const char *bytes, size_t length)
{
	return (struct iovec){.iov_base = (char *)bytes, .iov_len = length};
}

/* A batch: the separator, which may be empty, then the parts of the records. */
struct batch {
	struct iovec parts[1 + BACKUP_EVERY * RECORD_PARTS];
	int part_count;
	char number_lines[BACKUP_EVERY][RECORD_NUMBER_SIZE];
	size_t ends[BACKUP_EVERY]; /* for each record, the bytes of the batch up to its end */
	size_t length;             /* bytes of the batch */
};

/* Fill `batch` with `count` records under the next numbers. */
static void
fill_batch(struct batch *batch, const struct mailbox_file *file,
    const struct record *const *records, size_t count)
{
	struct iovec *part = &batch->parts[0];
	size_t end = strlen(file->separator);

	/* Not needed, but clang-tidy cannot see that `count` is above 0. */
	memset(batch->ends, 0, sizeof batch->ends);
	*part++ = make_iovec(file->separator, end);
	for (size_t i = 0; i < count; i++) {
		const struct record *record = records[i];
		size_t line_length =
		    record_format_number(file->last_number + 1 + i, batch->number_lines[i]);

		*part++ = make_iovec(record->received, record->received_length);
		*part++ = make_iovec(batch->number_lines[i], line_length);
		*part++ = make_iovec(record->rest, record->rest_length);
		end += record->received_length + line_length + record->rest_length;
		batch->ends[i] = end;
	}
	batch->part_count = (int)(part - batch->parts);
	batch->length = end;
}

/* Return where the last write ended: with O_APPEND, that is the file offset. */
static off_t
last_write_end(const struct mailbox_file *file)
{
	return lseek(file->descriptor, 0, SEEK_CUR);
}

/*
 * Remove the `length` bytes before `end`, which are the server's own, if they are at the end of the
 * file. If bytes of another program follow them, log that they stay: they count as bytes of another
 * program from now on. If the file ends before `end`, another program has truncated it, and nothing
 * is done. Returns 0, also in these two cases; or the error number.
 */
static int
remove_bytes(struct mailbox_file *file, off_t end, off_t length)
{
	struct stat status;

	if (length == 0) {
		return 0;
	}
	if (fstat(file->descriptor, &status) == -1) {
		return errno;
	}
	if (status.st_size == end) {
		return file_truncate(file->descriptor, end - length);
	}
	if (status.st_size > end) {
		log_defer(&file->log, LOG_WARNING,
		    MAILBOX_NAME ": %jd bytes of an unacknowledged message remain before those of "
				 "another program",
		    (intmax_t)length);
	}
	return 0;
}

/* Set `appended_end` to where the last write ended, instead of computing it. */
static void
locate_appended(struct mailbox_file *file)
{
	if (!file->located) {
		file->appended_end = last_write_end(file);
		file->located = true;
	}
}

/* Remove the last `length` appended bytes as remove_bytes() does; they are appended no more. */
static int
remove_last(struct mailbox_file *file, off_t length)
{
	int error;

	locate_appended(file);
	error = remove_bytes(file, file->appended_end, length);
	if (error == 0) {
		file->appended_length -= length;
		file->appended_end -= length;
	}
	return error;
}

/*
 * Write the rest of record `index`, of which the system took only some bytes. Returns as
 * write_records() does. If a write is not adjacent to the one before it, its bytes are removed, and
 * do not count as appended.
 */
static int
write_rest(struct mailbox_file *file, struct batch *batch, size_t index)
{
	struct iovec *parts = batch->parts;
	int parts_left = 1 + RECORD_PARTS * (int)(index + 1), error;
	size_t written;
	off_t end;

	parts_left = file_skip(&parts, parts_left, (size_t)file->appended_length);
	while (parts_left > 0) {
		error = file_write(file->descriptor, parts, parts_left, &written);
		if (error != 0) {
			return error;
		}
		end = last_write_end(file);
		if (end - (off_t)written != file->appended_end) {
			error = remove_bytes(file, end, (off_t)written);
			return error == 0 ? WRITE_AGAIN : error;
		}
		file->appended_length += (off_t)written;
		file->appended_end = end;
		parts_left = file_skip(&parts, parts_left, written);
	}
	return 0;
}

/* Remove what was appended, to be written again. Returns WRITE_AGAIN or the error number. */
static int
take_back(struct mailbox_file *file)
{
	int error = mailbox_file_remove_appended(file);

	return error == 0 ? WRITE_AGAIN : error;
}

/*
 * The system has taken only some bytes of the batch: write the rest of the record where it stopped,
 * and none after it, so that no whole record can follow bytes of another program inside a line. If
 * that fails, the whole records before it are the batch, and its own bytes are removed. If there
 * are none before it, and the result is WRITE_AGAIN, they are removed as well; if it is an error,
 * the roll back removes them. Returns as write_records() does.
 */
static int
finish_short_write(struct mailbox_file *file, struct batch *batch, size_t *count)
{
	size_t whole = 0;
	int error;

	locate_appended(file);
	/* The last record of the batch is not whole: bytes of it are missing. */
	while (whole < *count - 1 && batch->ends[whole] <= (size_t)file->appended_length) {
		whole++;
	}
	*count = whole + 1;
	error = write_rest(file, batch, whole);
	if (error == 0) {
		return 0;
	}
	if (whole == 0) {
		return error == WRITE_AGAIN ? take_back(file) : error;
	}
	*count = whole;
	return remove_last(file, file->appended_length - (off_t)batch->ends[whole - 1]);
}

/*
 * Write the separator and the records. `*count` is reduced to those that the result is for. Returns
 * 0; WRITE_AGAIN if another program has appended between two writes of a record; or the error
 * number. Sets `appended_length` and `appended_end`.
 */
static int
write_records(struct mailbox_file *file, const struct record *const *records, size_t *count)
{
	struct batch batch;
	size_t written;
	int error;

	fill_batch(&batch, file, records, *count);
	error = file_write(file->descriptor, batch.parts, batch.part_count, &written);
	file->appended_length = (off_t)written;
	file->appended_end = file->length + file->appended_length;
	file->located = false;
	if (error == 0 && written < batch.length) {
		error = finish_short_write(file, &batch, count);
	}
	return error;
}

/*
 * Find out whether what was appended, which begins at `start` in a file of `size` bytes, can stay
 * there, although another program has changed the file. Returns as check_appended() does.
 */
static int
check_place(struct mailbox_file *file, off_t start, off_t size)
{
	size_t written_separator = strlen(file->separator);
	int error;

	if (size < file->appended_end) {
		/* Another program has truncated the file inside or before the records. */
		file->appended_length = 0;
		return WRITE_AGAIN;
	}
	error = file_missing_line_feeds(file->descriptor, start, &file->separator);
	if (error != 0) {
		return error;
	}
	if (strlen(file->separator) > written_separator) {
		/* More line feeds are needed than were written. */
		return take_back(file);
	}
	if (start != file->length) {
		mailbox_file_log_size(file, start);
		file->length = start;
	}
	return 0;
}

/*
 * Check that the file that was written to still has the name `mailbox`, and that the records begin
 * there after an empty line. Returns 0; WRITE_AGAIN if they must be written again; or the error
 * number.
 */
static int
check_appended(struct mailbox_file *file)
{
	struct stat status;
	bool named;
	int error = mailbox_file_look(file, &status, &named);

	if (error != 0) {
		return error;
	}
	/* The last condition can be false only after a short write, whose end was looked up. */
	if (named && status.st_size == file->appended_end &&
	    file->appended_end - file->appended_length == file->length) {
		file->located = true;
		return 0;
	}
	locate_appended(file);
	return named ? check_place(file, file->appended_end - file->appended_length, status.st_size)
		     : take_back(file);
}

int
mailbox_file_append(struct mailbox_file *file, const struct record *const *records, size_t *count)
{
	int error = WRITE_AGAIN;

	for (int i = 0; i < APPEND_ATTEMPTS && error == WRITE_AGAIN; i++) {
		error = file->checked ? 0 : mailbox_file_check(file);
		if (error == 0) {
			error = write_records(file, records, count);
		}
		if (error == 0) {
			error = check_appended(file);
		}
		if (error == ESTALE) {
			/* Another program has truncated the file since the last lstat(). */
			error = take_back(file);
		}
		if (error == WRITE_AGAIN) {
			file->checked = false;
		}
	}
	return error == WRITE_AGAIN ? EAGAIN : error;
}

int
mailbox_file_remove_appended(struct mailbox_file *file)
{
	int error = remove_last(file, file->appended_length);
	struct stat status;
	bool named = true;

	if (error != 0 && mailbox_file_look(file, &status, &named) == 0 && !named) {
		log_defer_error(&file->log, error,
		    MAILBOX_NAME ": %jd bytes of an unacknowledged message remain in the file "
				 "that was moved",
		    (intmax_t)file->appended_length);
		file->appended_length = 0;
		error = 0;
	}
	return error;
}
