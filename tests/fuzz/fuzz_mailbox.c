/*
 * NAME
 *	fuzz_mailbox - the mailbox while another program changes it and system calls fail
 *
 * DESCRIPTION
 *	The first byte of the input selects the options: bit 0 is --keep, bit 1 --sync. Then come
 *	the number of system calls before the first action, and pairs of bytes: the action (enum
 *	action), and the number of calls before the next one.
 *
 *	Messages are delivered, up to RECORDS_MAX at once, with a backup thread. Functions in place
 *	of the C library's take the actions. After SCRIPT_DELIVERIES all calls succeed, and each
 *	delivery must succeed at once. At the end
 *	- every acknowledged message must be whole, after an empty line, in a file, or have been in
 *	  one that the other program then truncated or removed;
 *	- the numbers must have no gap;
 *	- the bytes of the other program must be there as well;
 *	- with --keep, mailbox.commit must agree with the mailbox.
 *
 * BUGS
 *	The other program does not change the mailbox before pread(), pwrite(), fsync() and
 *	ftruncate(), because what it appends between the last look at the mailbox and its truncation
 *	is lost. That a message is stored only once is not checked here, but in
 *	tests/fault/other_programs.c.
 */

#define _GNU_SOURCE

#include "target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backup.h"
#include "bytes.h"
#include "commit.h"
#include "fail.h"
#include "files.h"
#include "mailbox.h"
#include "params.h"
#include "tempdir.h"

const char target_name[] = "mailbox";

/* Deliveries during the script and after it; records of one during the script. */
#define SCRIPT_DELIVERIES 24
#define LAST_DELIVERIES   40
#define RECORDS_MAX       6

/* Calls between two actions: fewer than SKIP_MAX. Calls among which those of one function fail. */
#define SKIP_MAX      32
#define FAILURES_LONG 30

#define MESSAGES_MAX (SCRIPT_DELIVERIES * RECORDS_MAX + LAST_DELIVERIES)

/* Bytes of each part of a record. */
#define PART_SIZE 128

/* Lengths of the texts of the other program are multiples of this, plus 1. */
#define TEXT_UNIT ((size_t)64)

/* Buffers of a writev(): more than the server has. */
#define BUFFERS_MAX 128

/* Bytes of the name of a moved file. */
#define NAME_SIZE 32

/* ---- the script ---- */

enum action {
	APPEND_PART,      /* a line without its end */
	APPEND_LINE,      /* a line */
	APPEND_PARAGRAPH, /* a line and an empty one */
	TRUNCATE,
	REMOVE,
	MOVE,
	MOVE_AND_MAKE, /* a new file, which ends inside a line */
	REPLACE,       /* by another file, which ends with an empty line */
	FAIL,          /* this call fails with EIO */
	FAIL_LONG,     /* it fails with ENOSPC; so do those next ones that are of its function */
	WRITE_SHORT,   /* the next writev() takes a half */
	ACTIONS
};

/* Calls of the server. The mailbox is changed only before those up to CALL_LAST_CHANGED. */
enum function {
	CALL_WRITEV,
	CALL_LSTAT,
	CALL_RENAME,
	CALL_FDATASYNC,
	CALL_LAST_CHANGED = CALL_FDATASYNC,
	CALL_PREAD,
	CALL_PWRITE,
	CALL_FSYNC,
	CALL_FTRUNCATE
};

static struct {
	const uint8_t *input; /* what is left of it */
	size_t left;
	unsigned skip; /* calls before the next action */

	enum function failing;
	unsigned failures; /* of that many next calls, those of `failing` fail */
	bool write_short;

	unsigned texts;       /* of the other program */
	unsigned moves;       /* files that it has moved */
	struct bytes removed; /* contents that it has truncated or removed */
} script;

/* The script is in use. The backup thread may take one more action after this becomes false. */
static atomic_bool running;

/* This thread takes an action: its calls are those of the other program. */
static _Thread_local bool acting;

/* Return the next byte of the input, 0 after its end. */
static unsigned
next_byte(void)
{
	if (script.left == 0) {
		return 0;
	}
	script.left--;
	return *script.input++;
}

/* ---- the other program ---- */

/* Add text `number` of the other program, without its end of `end_length` bytes. */
static void
add_text(struct bytes *bytes, unsigned number, size_t end_length)
{
	size_t start = bytes->length;

	bytes_add_format(bytes, "text %u.", number);
	bytes_add_repeated(
	    bytes, 'x', TEXT_UNIT * (number + 1) + 1 - end_length - (bytes->length - start));
}

/*
 * Append the next text to a file; make it first if `flags` say so. No text is as long as another
 * one, or as several together: if one takes the place of as many bytes, the server does not see
 * that.
 */
static void
append_text(const char *name, int flags, const char *end)
{
	struct bytes text = {.at = NULL};
	int descriptor = open(name, O_WRONLY | O_APPEND | O_CLOEXEC | flags, S_IRUSR | S_IWUSR);

	if (descriptor != -1) {
		add_text(&text, script.texts++, strlen(end));
		bytes_add_string(&text, end);
		if (write(descriptor, text.at, text.length) != (ssize_t)text.length) {
			test_fail("write: error %d", errno);
		}
		close(descriptor);
		bytes_free(&text);
	}
}

/* Save what the mailbox has before it is truncated or removed. */
static void
save_content(void)
{
	bytes_add_string(&script.removed, "\n\n");
	files_read_append(MAILBOX_NAME, &script.removed);
}

static void
move_mailbox(void)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof name, "moved.%u", script.moves++);
	syscall(SYS_renameat2, AT_FDCWD, MAILBOX_NAME, AT_FDCWD, name, 0);
}

static void
change_mailbox(enum action action)
{
	static const char *const ends[] = {
	    [APPEND_PART] = "", [APPEND_LINE] = "\n", [APPEND_PARAGRAPH] = "\n\n"};

	switch (action) {
	case APPEND_PART:
	case APPEND_LINE:
	case APPEND_PARAGRAPH:
		append_text(MAILBOX_NAME, 0, ends[action]);
		break;
	case TRUNCATE:
		save_content();
		syscall(SYS_truncate, MAILBOX_NAME, 0);
		break;
	case REMOVE:
		save_content();
		unlink(MAILBOX_NAME);
		break;
	case MOVE:
		move_mailbox();
		break;
	case MOVE_AND_MAKE:
		move_mailbox();
		append_text(MAILBOX_NAME, O_CREAT, "");
		break;
	case REPLACE:
		save_content();
		append_text("other", O_CREAT, "\n\n");
		syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, MAILBOX_NAME, 0);
		break;
	default:
		break;
	}
}

/*
 * Take the next action before a call of this function. Returns 0, or the error number with which
 * the call is to fail.
 */
static int
act(enum function function)
{
	enum action action = next_byte() % ACTIONS;

	script.skip = next_byte() % SKIP_MAX;
	switch (action) {
	case FAIL:
		return EIO;
	case FAIL_LONG:
		script.failing = function;
		script.failures = FAILURES_LONG;
		return ENOSPC;
	case WRITE_SHORT:
		script.write_short = true;
		return 0;
	default:
		if (function <= CALL_LAST_CHANGED) {
			change_mailbox(action);
		}
		return 0;
	}
}

/*
 * Do what the script has before a call of the server. No lock: only one thread at a time makes such
 * calls. Returns 0, or the error number with which the call is to fail.
 */
static int
before_call(enum function function)
{
	int error = 0;

	if (!atomic_load(&running) || acting) {
		return 0;
	}
	acting = true;
	if (script.failures > 0) {
		script.failures--;
		error = script.failing == function ? ENOSPC : 0;
	}
	if (script.skip > 0) {
		script.skip--;
	} else if (error == 0 && script.left > 0) {
		error = act(function);
	}
	acting = false;
	return error;
}

/* ---- in the place of the C library's ---- */

/* Return -1 with errno if the call is to fail, and otherwise the result of a system call. */
#define CALL(function, ...) ((errno = before_call(function)) != 0 ? -1 : syscall(__VA_ARGS__))

/* Write the first half of the bytes. */
static ssize_t
write_half(int descriptor, const struct iovec *buffers, int count)
{
	struct iovec half[BUFFERS_MAX];
	size_t length = 0;
	int used = 0;

	for (int i = 0; i < count; i++) {
		length += buffers[i].iov_len;
	}
	for (length = (length + 1) / 2; length > 0; used++) {
		half[used] = buffers[used];
		if (half[used].iov_len > length) {
			half[used].iov_len = length;
		}
		length -= half[used].iov_len;
	}
	return syscall(SYS_writev, descriptor, half, used);
}

ssize_t
writev(int descriptor, const struct iovec *buffers, int count)
{
	errno = before_call(CALL_WRITEV);
	if (errno != 0) {
		return -1;
	}
	if (script.write_short) {
		script.write_short = false;
		return write_half(descriptor, buffers, count);
	}
	return syscall(SYS_writev, descriptor, buffers, count);
}

int
lstat(const char *restrict name, struct stat *restrict status)
{
	errno = before_call(CALL_LSTAT);
	return errno != 0 ? -1 : fstatat(AT_FDCWD, name, status, AT_SYMLINK_NOFOLLOW);
}

int
rename(const char *old, const char *new)
{
	return (int)CALL(CALL_RENAME, SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
}

int
fdatasync(int descriptor)
{
	(void)descriptor;
	errno = before_call(CALL_FDATASYNC);
	return errno != 0 ? -1 : 0;
}

int
fsync(int descriptor)
{
	(void)descriptor;
	errno = before_call(CALL_FSYNC);
	return errno != 0 ? -1 : 0;
}

ssize_t
pread(int descriptor, void *bytes, size_t length, off_t offset)
{
	return CALL(CALL_PREAD, SYS_pread64, descriptor, bytes, length, offset);
}

ssize_t
pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
	return CALL(CALL_PWRITE, SYS_pwrite64, descriptor, bytes, length, offset);
}

int
ftruncate(int descriptor, off_t length)
{
	return (int)CALL(CALL_FTRUNCATE, SYS_ftruncate, descriptor, length);
}

/* ---- deliveries ---- */

static struct mailbox mailbox;

/* The messages that were acknowledged, in the order of their numbers from 1. */
static struct {
	unsigned ids[MESSAGES_MAX];
	unsigned count;
} acknowledged;

/* Storage for the parts of a record. */
struct parts {
	char received[PART_SIZE];
	char rest[PART_SIZE];
};

static struct record
make_record(struct parts *parts, unsigned id)
{
	struct record record = {.received = parts->received, .rest = parts->rest};

	record.received_length = (size_t)snprintf(parts->received, sizeof parts->received,
	    "Received: from host.%u by netid (CS4410MP3)\n", id);
	record.rest_length =
	    (size_t)snprintf(parts->rest, sizeof parts->rest, "From: a\nTo: b\n\nbody %u\n\n", id);
	return record;
}

/* Deliver `count` messages at once. Returns how many were acknowledged. */
static unsigned
deliver(unsigned first_id, unsigned count)
{
	struct parts parts[RECORDS_MAX];
	struct record records[RECORDS_MAX];
	struct delivery_result results[RECORDS_MAX];
	unsigned stored = 0;

	for (unsigned i = 0; i < count; i++) {
		records[i] = make_record(&parts[i], first_id + i);
	}
	mailbox_deliver(&mailbox, records, count, results);
	for (unsigned i = 0; i < count; i++) {
		if (results[i].error != 0) {
			continue;
		}
		acknowledged.ids[acknowledged.count++] = first_id + i;
		stored++;
		if (results[i].number != acknowledged.count) {
			test_fail("message %u has number %" PRIu64, acknowledged.count,
			    results[i].number);
		}
	}
	return stored;
}

/* Deliver all messages: those of the script, then some that must all be acknowledged. */
static void
deliver_all(void)
{
	unsigned id = 1;

	atomic_store(&running, true);
	for (unsigned i = 0; i < SCRIPT_DELIVERIES; i++) {
		unsigned count = 1 + i % RECORDS_MAX;

		deliver(id, count);
		id += count;
	}
	atomic_store(&running, false);
	for (unsigned i = 0; i < LAST_DELIVERIES; i++) {
		if (deliver(id++, 1) != 1) {
			test_fail("a delivery after the script is refused");
		}
	}
}

/* ---- the files ---- */

/* Append the contents of all files but mailbox.commit, each after an empty line. */
static void
read_all(struct bytes *contents)
{
	DIR *directory = opendir(".");
	const struct dirent *entry;

	if (directory == NULL) {
		test_fail("opendir: error %d", errno);
	}
	while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, COMMIT_NAME) != 0) {
			bytes_add_string(contents, "\n\n");
			files_read_append(entry->d_name, contents);
		}
	}
	closedir(directory);
}

/* Check that the contents have a text. */
static void
expect_text(const struct bytes *contents, const struct bytes *text)
{
	if (memmem(contents->at, contents->length, text->at, text->length) == NULL) {
		test_fail("nowhere: %s", bytes_visible(text->at, text->length));
	}
}

/* Check that each acknowledged message is after an empty line, and that each text is there. */
static void
check_contents(void)
{
	struct bytes contents = {.at = NULL}, text = {.at = NULL};

	bytes_add(&contents, script.removed.at, script.removed.length);
	read_all(&contents);
	for (unsigned i = 0; i < acknowledged.count; i++) {
		struct parts parts = {.rest = ""};

		make_record(&parts, acknowledged.ids[i]);
		bytes_clear(&text);
		bytes_add_format(&text, "\n\n%sNumber: %u\n%s", parts.received, i + 1, parts.rest);
		expect_text(&contents, &text);
	}
	for (unsigned i = 0; i < script.texts; i++) {
		bytes_clear(&text);
		/* Without its end, which may be as long as this one. */
		add_text(&text, i, strlen("\n\n"));
		expect_text(&contents, &text);
	}
	bytes_free(&contents);
	bytes_free(&text);
}

static void
check_commit(void)
{
	struct bytes line = {.at = NULL};

	bytes_add_format(
	    &line, "%020jd %020u\n", (intmax_t)files_length(MAILBOX_NAME), acknowledged.count);
	files_expect(COMMIT_NAME, &line);
	bytes_free(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	unsigned options;
	pthread_t thread;

	memset(&script, 0, sizeof script);
	script.input = input;
	script.left = size;
	acknowledged.count = 0;
	options = next_byte();
	script.skip = next_byte() % SKIP_MAX;
	tempdir_enter();
	if (!mailbox_open(&mailbox, (options & 1) != 0, (options & 2) != 0) ||
	    !mailbox_resume(&mailbox, NULL) || backup_start(&thread, &mailbox) != 0) {
		test_fail("no start");
	}
	deliver_all();
	mailbox_close(&mailbox);
	pthread_join(thread, NULL);
	if (!mailbox_check_backed_up(&mailbox)) {
		test_fail("a backup is due");
	}
	mailbox_destroy(&mailbox);
	check_contents();
	if ((options & 1) != 0) {
		check_commit();
	}
	bytes_free(&script.removed);
	return 0;
}
