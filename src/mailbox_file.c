/*
 * NAME
 *	mailbox_file - the file `mailbox` and its commit point
 *
 * DESCRIPTION
 *	A batch of records is written with one writev(), each record as three parts: the number line
 *	between the two that the message brought. The bytes of one writev() are together, because
 *	the file is open with O_APPEND.
 *
 *	If the system takes only a part, the rest of the record where it stopped is written with
 *	further calls, and the records up to this one are a batch of their own. If that fails, those
 *	before it are. Where two parts of a record are not adjacent, because another program came
 *	between them, the record is written again as a whole after all that is there, and after an
 *	empty line. Its first part stays if bytes of another program follow: then its number stands
 *	twice in the file, and the last one is the message.
 *
 * DIAGNOSTICS
 *	those of safe_open()
 *	mailbox: N bytes of another program at its end: going on after them
 *	mailbox: N bytes shorter than before: going on from its end
 *	mailbox: replaced by another file: going on there with message N
 *	mailbox: removed, and made again: going on there with message N
 *	mailbox: N bytes of an unacknowledged message remain before those of another program
 *	mailbox: changed by another program during a write
 *	mailbox: cannot truncate: why
 *
 * BUGS
 *	Bytes that another program appends in the microseconds between the last look at the size
 *	and a truncation are lost. If it truncates the file then, NULs can take their place.
 *
 *	If a commit fails, and another program has appended to the file in the meantime, the refused
 *	records stay. If it appends both directly before and directly after a write, the first
 *	record of that batch is inside a line, and all of it is written again.
 */

#include "mailbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "commit.h"
#include "file.h"
#include "log.h"
#include "record.h"
#include "safe_open.h"

#define MAILBOX_MODE (S_IRUSR | S_IWUSR)

/* Parts of a record in the file: the number line comes between two that the message brought. */
#define RECORD_PARTS 3

/* Attempts to append a batch at the begin of a line while other programs append, too. */
#define APPEND_ATTEMPTS 8

/* Not an error number: the records must be written again. */
#define WRITE_AGAIN (-1)

/* What follows if another server has locked the file. */
#define AT_START      "start this one in another directory"
#define WHILE_RUNNING "messages are refused until it stops"

/* ---- start ---- */

/* Remember which file is open. */
static void
set_identity(struct mailbox_file *file, int descriptor, const struct stat *status)
{
	file->descriptor = descriptor;
	file->device = status->st_dev;
	file->inode = status->st_ino;
}

bool
mailbox_file_open(struct mailbox_file *file, bool keep, bool sync)
{
	static const char *const others[] = {BACKUP_TEMP_NAME, COMMIT_NAME, COMMIT_NEW_NAME};
	struct refusal refusal;
	struct stat status;
	int descriptor;

	*file = (struct mailbox_file){
	    .descriptor = -1, .commit_descriptor = -1, .keep = keep, .sync = sync, .separator = ""};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		refusal = safe_open_check(others[i]);
		if (refusal.error != 0) {
			safe_open_log(&file->log, others[i], &refusal, AT_START);
			log_write_deferred(&file->log);
			return false;
		}
	}
	refusal = safe_open(MAILBOX_NAME, &descriptor, &status);
	if (refusal.error != 0) {
		safe_open_log(&file->log, MAILBOX_NAME, &refusal, AT_START);
		log_write_deferred(&file->log);
		return false;
	}
	set_identity(file, descriptor, &status);
	return true;
}

/* Find what must follow the first `length` bytes before a record. Returns 0 or the error number. */
static int
find_separator(struct mailbox_file *file, off_t length)
{
	return file_missing_line_feeds(file->descriptor, length, &file->separator);
}

/* With `keep`, write the commit point, and with `sync` flush it. Returns 0 or the error number. */
static int
write_commit(const struct mailbox_file *file, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};
	int error = file->keep ? commit_write(file->commit_descriptor, &commit) : 0;

	if (error == 0 && file->keep && file->sync) {
		error = file_sync(file->commit_descriptor);
	}
	return error;
}

/* Flush the open files and the directory. Returns 0 or the error number. */
static int
flush_files(const struct mailbox_file *file)
{
	int error = file_sync(file->descriptor);

	if (error == 0 && file->commit_descriptor != -1) {
		error = file_sync(file->commit_descriptor);
	}
	return error == 0 ? file_sync_directory() : error;
}

/* Open `mailbox.commit`; make it first if it is missing. Returns 0 or the error number. */
static int
open_commit(struct mailbox_file *file, off_t length, uint64_t number)
{
	const struct commit commit = {.length = length, .number = number};
	int error = 0;

	/* Flush what a run without --sync left, before mailbox.commit refers to it. */
	if (file->sync) {
		error = flush_files(file);
	}
	if (error == 0) {
		error = commit_create(&commit, file->sync);
	}
	if (error == 0) {
		file->commit_descriptor = commit_open();
		error = file->commit_descriptor == -1 ? errno : 0;
	}
	return error;
}

/*
 * Find out whether the file is to be truncated to `start`: without keep always, with it only if it ends
 * in a torn tail, and if nothing was appended since that was found. Sets `size`. Returns 0 or the error
 * number.
 */
static int
has_excess(
    const struct mailbox_file *file, const struct resume_point *start, bool *excess, off_t *size)
{
	struct stat status;

	if (fstat(file->descriptor, &status) == -1) {
		return errno;
	}
	*size = status.st_size;
	*excess = file->keep ? start->torn > 0 && *size == start->length + start->torn
			     : *size > start->length;
	return 0;
}

/* Truncate the file to `start`, if that is due. Returns 0 or the error number. */
static int
remove_excess(struct mailbox_file *file, struct resume_point *start)
{
	bool excess;
	off_t size;
	int error = has_excess(file, start, &excess, &size);

	if (error == 0 && excess) {
		error = file_truncate(file->descriptor, start->length);
	} else {
		start->torn = 0;
	}
	return error;
}

int
mailbox_file_resume(struct mailbox_file *file, struct resume_point *start)
{
	bool excess;
	off_t size;
	int error;

	/* Not fatal: the file system may have no modes. */
	if (fchmod(file->descriptor, MAILBOX_MODE) == -1) {
		log_error(errno, MAILBOX_NAME ": cannot set mode 0600, continuing");
	}
	/* Probe: a file that cannot be truncated must not cost the commit point. */
	error = has_excess(file, start, &excess, &size);
	if (error == 0 && excess) {
		error = file_truncate(file->descriptor, size);
	}
	if (error != 0) {
		return error;
	}
	if (file->keep) {
		error = open_commit(file, start->length, start->number);
	} else {
		error = commit_remove();
	}
	if (error == 0) {
		error = remove_excess(file, start);
	}
	if (error == 0) {
		error = find_separator(file, start->length);
	}
	if (error == 0) {
		error = write_commit(file, start->length, start->number);
	}
	if (error == 0 && file->sync) {
		error = flush_files(file);
	}
	file->length = start->length;
	file->last_number = start->number;
	return error;
}

/* ---- other programs ---- */

/* Go on from the end of the open file, `size` bytes. Returns 0 or the error number. */
static int
adopt_size(struct mailbox_file *file, off_t size)
{
	int error = find_separator(file, size);

	if (error == 0) {
		error = write_commit(file, size, file->last_number);
	}
	if (error != 0) {
		return error;
	}
	log_defer(&file->log, LOG_WARNING,
	    size > file->length
		? MAILBOX_NAME ": %jd bytes of another program at its end: going on after them"
		: MAILBOX_NAME ": %jd bytes shorter than before: going on from its end",
	    (intmax_t)(size > file->length ? size - file->length : file->length - size));
	file->length = size;
	return 0;
}

/*
 * Go on in the file that now has the name. The commit file may have gone with the other one: it is
 * closed. Returns 0 or the error number.
 */
static int
adopt_file(struct mailbox_file *file, bool missing)
{
	struct refusal refusal;
	struct stat status;
	int descriptor;

	refusal = safe_open(MAILBOX_NAME, &descriptor, &status);
	if (refusal.error != 0) {
		if (refusal.error != file->refusal) {
			safe_open_log(&file->log, MAILBOX_NAME, &refusal, WHILE_RUNNING);
		}
		file->refusal = refusal.error;
		return refusal.error;
	}
	fchmod(descriptor, MAILBOX_MODE);
	close(file->descriptor);
	set_identity(file, descriptor, &status);
	file->length = status.st_size;
	file->refusal = 0;
	if (file->keep) {
		close(file->commit_descriptor);
		file->commit_descriptor = -1;
	}
	log_defer(&file->log, LOG_WARNING,
	    MAILBOX_NAME ": %s: going on there with message %" PRIu64,
	    missing ? "removed, and made again" : "replaced by another file",
	    file->last_number + 1);
	return find_separator(file, file->length);
}

/* Open the commit file again, after it was closed. Returns 0 or the error number. */
static int
reopen_commit(struct mailbox_file *file)
{
	int error = 0;

	if (file->keep && file->commit_descriptor == -1) {
		error = open_commit(file, file->length, file->last_number);
		if (error == 0) {
			error = write_commit(file, file->length, file->last_number);
		}
	}
	return error;
}

int
mailbox_file_check(struct mailbox_file *file)
{
	struct stat status;
	bool missing = lstat(MAILBOX_NAME, &status) == -1;
	int error;

	if (missing && errno != ENOENT) {
		return errno;
	}
	if (missing || status.st_ino != file->inode || status.st_dev != file->device) {
		error = adopt_file(file, missing);
		if (error == 0) {
			error = reopen_commit(file);
		}
		return error == 0 && file->sync ? flush_files(file) : error;
	}
	error = reopen_commit(file);
	return error == 0 && status.st_size != file->length ? adopt_size(file, status.st_size)
							    : error;
}

/* ---- records ---- */

static struct iovec
make_iovec(const char *bytes, size_t length)
{
	return (struct iovec){.iov_base = (char *)bytes, .iov_len = length};
}

/* A batch: the separator, which may be empty, then the parts of the records. */
struct batch {
	struct iovec parts[1 + BACKUP_EVERY * RECORD_PARTS];
	int part_count;
	char lines[BACKUP_EVERY][RECORD_NUMBER_SIZE];
	size_t ends[BACKUP_EVERY]; /* bytes up to the end of each record */
};

static void
fill_batch(struct batch *batch, const struct mailbox_file *file,
    const struct record *const *records, size_t count)
{
	struct iovec *part = batch->parts;
	size_t end = strlen(file->separator);

	*part++ = make_iovec(file->separator, end);
	for (size_t i = 0; i < count; i++) {
		const struct record *record = records[i];
		size_t line_length =
		    record_format_number(file->last_number + 1 + i, batch->lines[i]);

		*part++ = make_iovec(record->received, record->received_length);
		*part++ = make_iovec(batch->lines[i], line_length);
		*part++ = make_iovec(record->rest, record->rest_length);
		end += record->received_length + line_length + record->rest_length;
		batch->ends[i] = end;
	}
	batch->part_count = (int)(part - batch->parts);
}

/* Return where the last write ended: with O_APPEND, that is the offset. */
static off_t
last_write_end(const struct mailbox_file *file)
{
	return lseek(file->descriptor, 0, SEEK_CUR);
}

/*
 * Remove the `length` bytes before `end`, our own, if they are at the end of the file. If bytes of
 * another program follow them, they stay, and count as bytes of another program. Returns 0 or the
 * error number.
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

/* Remove the last `length` appended bytes in the same way. */
static int
remove_last(struct mailbox_file *file, off_t length)
{
	int error = remove_bytes(file, file->appended_end, length);

	if (error == 0) {
		file->appended -= length;
		file->appended_end -= length;
	}
	return error;
}

/*
 * Write the rest of record `index`, of which the system took only a part. Returns as write_records()
 * does; what is appended ends before the first part that is not adjacent to the one before it.
 */
static int
write_rest(struct mailbox_file *file, struct batch *batch, size_t index)
{
	struct iovec *parts = batch->parts;
	size_t written = (size_t)file->appended;
	int left = 1 + RECORD_PARTS * (int)(index + 1), error;
	off_t end;

	while ((left = file_skip(&parts, left, written)) > 0) {
		error = file_write(file->descriptor, parts, left, &written);
		if (error != 0) {
			return error;
		}
		end = last_write_end(file);
		if (end - (off_t)written != file->appended_end) {
			error = remove_bytes(file, end, (off_t)written);
			return error == 0 ? WRITE_AGAIN : error;
		}
		file->appended += (off_t)written;
		file->appended_end = end;
	}
	return 0;
}

/*
 * The system has taken only a part of the batch: write the rest of the record where it stopped, and
 * none after it, so that no whole record can follow bytes of another program inside a line. If that
 * fails, keep the whole records before it, if any. Returns as write_records() does.
 */
static int
finish_short_write(struct mailbox_file *file, struct batch *batch, size_t *count)
{
	size_t whole = 0, kept;
	int error, removal_error;

	file->appended_end = last_write_end(file);
	file->located = true;
	while (batch->ends[whole] <= (size_t)file->appended) {
		whole++;
	}
	kept = whole > 0 ? batch->ends[whole - 1] : 0;
	*count = whole + 1;
	error = write_rest(file, batch, whole);
	if (error == 0 || (whole == 0 && error != WRITE_AGAIN)) {
		return error;
	}
	removal_error = remove_last(file, file->appended - (off_t)kept);
	if (removal_error != 0) {
		return error == WRITE_AGAIN ? removal_error : error;
	}
	if (whole > 0) {
		*count = whole;
		error = 0;
	}
	return error;
}

/*
 * Write the separator and `*count` records, or fewer: `*count` is then reduced. Returns 0; WRITE_AGAIN
 * if another program has come between two parts; or the error number. Sets what is appended.
 */
static int
write_records(struct mailbox_file *file, const struct record *const *records, size_t *count)
{
	struct batch batch;
	size_t written;
	int error;

	fill_batch(&batch, file, records, *count);
	error = file_write(file->descriptor, batch.parts, batch.part_count, &written);
	file->appended = (off_t)written;
	file->appended_end = file->length + file->appended;
	file->located = false;
	if (error == 0 && written < batch.ends[*count - 1]) {
		error = finish_short_write(file, &batch, count);
	}
	return error;
}

/*
 * Find out where the records were written while another program changed the file. Returns 0 if they
 * begin after an empty line; WRITE_AGAIN if they must be written again; or the error number.
 */
static int
locate_appended(struct mailbox_file *file, const struct stat *status)
{
	const char *separator = file->separator;
	off_t start;
	int error;

	if (status->st_nlink == 0) {
		/* The records went with the file. */
		file->appended = 0;
		return WRITE_AGAIN;
	}
	if (!file->located) {
		file->appended_end = last_write_end(file);
	}
	start = file->appended_end - file->appended;
	if (status->st_size <= start) {
		/* The records were truncated. */
		file->appended = 0;
		return WRITE_AGAIN;
	}
	error = start >= 0 ? find_separator(file, start) : 0;
	if (error != 0) {
		return error;
	}
	if (strlen(file->separator) <= strlen(separator)) {
		log_defer(&file->log, LOG_WARNING,
		    MAILBOX_NAME ": changed by another program during a write");
		return 0;
	}
	error = remove_last(file, file->appended);
	return error == 0 ? WRITE_AGAIN : error;
}

/* Check that the records are where they should be. Returns as locate_appended() does. */
static int
check_appended(struct mailbox_file *file)
{
	struct stat status;

	if (fstat(file->descriptor, &status) == -1) {
		return errno;
	}
	if (status.st_nlink > 0 && status.st_size == file->appended_end &&
	    file->appended_end - file->appended == file->length) {
		return 0;
	}
	return locate_appended(file, &status);
}

int
mailbox_file_append(struct mailbox_file *file, const struct record *const *records, size_t *count)
{
	int error = WRITE_AGAIN;

	for (int i = 0; i < APPEND_ATTEMPTS && error == WRITE_AGAIN; i++) {
		error = i > 0 ? mailbox_file_check(file) : 0;
		if (error == 0) {
			error = write_records(file, records, count);
		}
		if (error == 0) {
			error = check_appended(file);
		}
	}
	return error == WRITE_AGAIN ? EAGAIN : error;
}

int
mailbox_file_flush(const struct mailbox_file *file, uint64_t number)
{
	int error = file->sync ? file_sync(file->descriptor) : 0;

	/* Not before the flush: the commit point must never cover what could still be lost. */
	return error == 0 ? write_commit(file, file->appended_end, number) : error;
}

void
mailbox_file_committed(struct mailbox_file *file, uint64_t number)
{
	file->length = file->appended_end;
	file->last_number = number;
	file->appended = 0;
	file->separator = "";
}

int
mailbox_file_roll_back(struct mailbox_file *file)
{
	/* The commit point first: it must never be ahead of the file. */
	int error = write_commit(file, file->length, file->last_number);

	if (error == 0) {
		error = remove_last(file, file->appended);
	}
	file->torn = error != 0;
	if (error != 0) {
		log_defer_error(&file->log, error, MAILBOX_NAME ": cannot truncate");
	}
	return error;
}

int
mailbox_file_empty(struct mailbox_file *file)
{
	int error = file_truncate(file->descriptor, 0);

	if (error == 0) {
		file->length = 0;
		file->separator = "";
		/* Before any record is appended, which the old commit point would cover. */
		error = write_commit(file, 0, file->last_number);
	}
	return error;
}

/* ---- end ---- */

void
mailbox_file_close(struct mailbox_file *file)
{
	close(file->descriptor);
	if (file->commit_descriptor != -1) {
		close(file->commit_descriptor);
	}
}
