/*
 * NAME
 *	check_recovery - the state of the mailbox after an earlier run
 *
 * DESCRIPTION
 *	Each row of rows[] is the directory of an earlier run (records, bytes after them,
 *	`mailbox.commit` and a backup) and the expected recovery. Other tables have what may be in
 *	`mailbox` without `mailbox.commit`, or after the committed records. In the last tests a
 *	mailbox is resumed, stores messages and is stopped, in several runs.
 */

#include "recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backup.h"
#include "capture.h"
#include "commit.h"
#include "files.h"
#include "mail.h"
#include "suite.h"
#include "threads.h"

static struct mailbox mailbox;

static void
write_commit(off_t length, uint64_t number)
{
	struct bytes line = {.at = NULL};

	bytes_add_format(&line, "%020jd %020" PRIu64 "\n", (intmax_t)length, number);
	files_write(COMMIT_NAME, line.at, line.length);
	bytes_free(&line);
}

/*
 * Open the mailbox and inspect it. Returns the result of recovery_inspect(), which must change
 * nothing.
 */
static bool
find(struct resume_point *start)
{
	bool known = files_exists(MAILBOX_NAME);
	struct bytes before = {.at = NULL};
	unsigned count;
	bool found;

	if (known) {
		before = files_read(MAILBOX_NAME);
	}
	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	count = files_count(".");
	found = recovery_inspect(start, &mailbox);
	ck_assert_uint_eq(files_count("."), count);
	if (known) {
		files_expect(MAILBOX_NAME, &before);
	}
	mailbox_destroy(&mailbox);
	bytes_free(&before);
	return found;
}

/*
 * The inspection must succeed without a log line, and find this point. The fields about foreign,
 * unended and missing bytes are not compared.
 */
static void
expect_start(struct resume_point expected)
{
	struct resume_point start;

	ck_assert(find(&start));
	capture_expect(&errors, "");
	ck_assert_int_eq(start.length, expected.length);
	ck_assert_int_eq(start.torn_length, expected.torn_length);
	ck_assert_uint_eq(start.number, expected.number);
	ck_assert_int_eq(start.backup_due, expected.backup_due);
	ck_assert_int_eq(start.copied_length, expected.copied_length);
}

/* recovery_inspect() must fail with this line. */
static void
expect_refusal(const char *reason)
{
	struct resume_point start;

	ck_assert(!find(&start));
	capture_expect(&errors, reason);
}

/* ---- without mailbox.commit ---- */

START_TEST(an_empty_directory_starts_at_0)
{
	expect_start((struct resume_point){.length = 0});
}
END_TEST

START_TEST(the_last_record_counts)
{
	mail_write_file(MAILBOX_NAME, 1, 5);
	expect_start((struct resume_point){.length = mail_length(1, 5), .number = 5});
	mail_write_file(MAILBOX_NAME, 33, 33);
	expect_start((struct resume_point){.length = mail_length(33, 33), .number = 33});
	/* A backup of an earlier run is then ignored. */
	mail_write_file("mailbox.65-96", 65, 96);
	expect_start((struct resume_point){.length = mail_length(33, 33), .number = 33});
}
END_TEST

START_TEST(a_full_mailbox_is_to_be_backed_up)
{
	off_t length = mail_length(33, 64);

	mail_write_file(MAILBOX_NAME, 33, 64);
	expect_start((struct resume_point){.length = length, .number = 64, .backup_due = true});
	mail_write_file("mailbox.33-64", 34, 65);
	expect_start((struct resume_point){.length = length, .number = 64, .backup_due = true});
	mail_write_file("mailbox.33-64", 33, 63);
	expect_start((struct resume_point){.length = length,
	    .number = 64,
	    .backup_due = true,
	    .copied_length = mail_length(33, 63)});
	mail_write_file("mailbox.33-64", 33, 64);
	expect_start((struct resume_point){
	    .length = length, .number = 64, .backup_due = true, .copied_length = length});
}
END_TEST

/*
 * The first line of a record; its lines after the number line, with the body "b"; and a record with
 * this number.
 */
#define START(netid) "Received: from h by " netid " (CS4410MP3)\n"
#define REST         "From: a\nTo: c\n\nb\n\n"
#define FULL(number) START("netid") "Number: " number "\n" REST

/*
 * Nothing is removed, whatever the end is. The rows give the bytes after the last empty line of a
 * record, whether they begin like a record, and the greatest number, which may be that of an
 * incomplete record.
 */
START_TEST(without_mailbox_commit_all_bytes_stay)
{
	static const struct {
		const char *ended; /* up to the last empty line of a record */
		const char *unended;
		bool incomplete;
		uint64_t number;
	} texts[] = {
	    {FULL("7"), "", false, 7},
	    {"foreign\n\n" FULL("7"), "", false, 7},
	    {FULL("7") FULL("8"), "", false, 8},
	    {FULL("7") START("other") "Number: 8\n" REST, "", false, 8},
	    {FULL("9223372036854775807"), "", false, INT64_MAX},
	    {START("netid") "Number: 7\nFrom: a\nTo: c\n\n\n", "", false, 7},
	    {"\n", "", false, 0},
	    {"", "", false, 0},
	    /* A record with a lower number at the end does not lower the number. */
	    {FULL("7") FULL("8") FULL("1"), "", false, 8},
	    /* A record that does not end in an empty line. */
	    {FULL("7"), START("netid") "Number: 8\nFrom: a\nTo: c\n\nb\n", true, 8},
	    {FULL("7"), START("netid") "Number: 8\nFrom: a\nTo: c\n\n", true, 8},
	    {FULL("7"), START("netid") "Number: 8\nFrom: a", true, 8},
	    {FULL("7"), START("netid") "Number: 8\n", true, 8},
	    {FULL("7"), START("netid") "Number: 8", true, 7},
	    {FULL("7"), START("netid") "Num", true, 7},
	    {FULL("7"), START("netid"), true, 7},
	    {FULL("7"), "Received: from h by net", true, 7},
	    {FULL("7"), "R", true, 7},
	    {"", START("netid") "Number: 1\nFrom: a\nTo: c\n\nb\n", true, 1},
	    {"", "Received: from ", true, 0},
	    /* A record with an empty line in its text, or with other bytes after it. */
	    {FULL("7") START("netid") "Number: 8\nFrom: a\nTo: c\n\nb\n\n", "c", false, 8},
	    {FULL("7"), "foreign", false, 7},
	    {FULL("7"), "foreign\n", false, 7},
	    {FULL("7"), START("netid") "From: a\n", false, 7},
	    /* Bytes that resemble a record. */
	    {FULL("7") ">" START("netid") "Number: 8\n\n", "", false, 7},
	    {FULL("7") START("netid") "\nNumber: 8\n\n", "", false, 7},
	    {FULL("7") START("netid") "From: a\nNumber: 8\n\n", "", false, 7},
	    {FULL("7") START("netid") "Number: 08\n\n", "", false, 7},
	    {FULL("7") START("netid") "Number: -8\n\n", "", false, 7},
	    {FULL("7") START("netid") "Number: 8 \n\n", "", false, 7},
	    {FULL("7") START("netid") "Number: 9223372036854775808\n\n", "", false, 7},
	    {FULL("7") "Received: from by netid (CS4410MP3)\nNumber: 8\n\n", "", false, 7},
	    {"", "foreign", false, 0},
	    {"", "foreign\n", false, 0},
	    {"", "foreign\nR", false, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct bytes content = {.at = NULL};
		struct resume_point start;

		bytes_add_string(&content, texts[i].ended);
		bytes_add_string(&content, texts[i].unended);
		files_write(MAILBOX_NAME, content.at, content.length);
		expect_start((struct resume_point){
		    .length = (off_t)content.length, .number = texts[i].number});
		ck_assert(find(&start));
		ck_assert_int_eq(start.unended_length, (off_t)strlen(texts[i].unended));
		ck_assert_int_eq(start.incomplete, texts[i].incomplete);
		ck_assert_int_eq(start.foreign_length, 0);
		bytes_free(&content);
	}
}
END_TEST

/* NULs that a power cut leaves, over a part of the last record or instead of it, stay as well. */
START_TEST(without_mailbox_commit_unwritten_sectors_stay)
{
	static const char nuls[600];
	struct bytes content = {.at = NULL};
	struct resume_point start;

	bytes_add_string(&content, FULL("7"));
	bytes_add(&content, nuls, sizeof nuls);
	files_write(MAILBOX_NAME, content.at, content.length);
	expect_start((struct resume_point){.length = (off_t)content.length, .number = 7});
	ck_assert(find(&start));
	ck_assert_int_eq(start.unended_length, sizeof nuls);
	ck_assert(start.incomplete);
	bytes_free(&content);
}
END_TEST

START_TEST(without_a_record_the_highest_backup_counts)
{
	files_write_string(MAILBOX_NAME, "foreign\n");
	mail_write_file("mailbox.1-32", 1, 32);
	expect_start((struct resume_point){.length = 8, .number = 32});
}
END_TEST

START_TEST(the_highest_backup_counts_for_an_empty_mailbox)
{
	static const char *const names[] = {"mailbox.1-32", "mailbox.65-96", "mailbox.33-64",
	    /* None of these is the name of a backup. */
	    "mailbox.97-128.~1~", "mailbox.backup", "mailbox.", "mailbox.1-", "mailbox.-999",
	    "mailbox.999", "mailbox.999-998", "mailbox.0-999", "mailbox.1-0999", "mailbox.097-999",
	    "mailbox.1-999x", "mailbox.x1-999", "mailbox.1--999", "mailbox.1-+999",
	    "mailbox.1- 999", "mailbox.1-9223372036854775808", "mailbox.1-18446744073709551615",
	    "mailbox.1-99999999999999999999", "mailboxes.1-999", "xmailbox.1-999"};

	files_write_string(MAILBOX_NAME, "");
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		files_write_string(names[i], "");
	}
	expect_start((struct resume_point){.length = 0, .number = 96});
}
END_TEST

/* ---- with mailbox.commit ---- */

/* The directory of an earlier run. */
struct left {
	uint64_t records;          /* the mailbox has the records from 1 to this */
	const char *more;          /* and these bytes after them */
	uint64_t committed_length; /* mailbox.commit has the length of the records from 1 to this */
	uint64_t committed_number; /* and this number */
	uint64_t backup_records;   /* mailbox.1-32 has the records from 1 to this; 0: not there */
};

/* The expected recovery. */
struct verdict {
	uint64_t records; /* the records from 1 to this stay in the mailbox */
	bool foreign;     /* so do all bytes after them, as those of another program */
	bool missing;     /* records up to the committed length are missing */
	bool backup_due;
	uint64_t copied; /* the backup has the records from 1 to this */
};

static const struct {
	struct left left;
	struct verdict verdict;
} rows[] = {
    /* The run ended with nothing to recover. */
    {{0, "", 0, 0, 0}, {.records = 0}},
    {{5, "", 5, 5, 0}, {.records = 5}},
    {{0, "", 0, 32, 32}, {.records = 0}},
    /* The run ended after a record, or within one, before the commit. */
    {{5, "", 4, 4, 0}, {.records = 4}},
    {{7, "", 4, 4, 0}, {.records = 4}},
    {{5, "Received: from host", 5, 5, 0}, {.records = 5}},
    {{5, "\n\nReceived: from host", 5, 5, 0}, {.records = 5}},
    {{0, "R", 0, 0, 0}, {.records = 0}},
    {{0, "R", 0, 32, 32}, {.records = 0}},
    /* Another program has appended. */
    {{5, "foreign", 5, 5, 0}, {.records = 5, .foreign = true}},
    {{5, "Received: from x\n", 5, 5, 0}, {.records = 5, .foreign = true}},
    {{5, "Received: from h by n (CS4410MP3)\nNumber: 5\n", 5, 5, 0},
	{.records = 5, .foreign = true}},
    {{5, "\n", 5, 5, 0}, {.records = 5, .foreign = true}},
    {{0, "foreign", 0, 32, 32}, {.records = 0, .foreign = true}},
    /* A backup is due: not begun, complete, incomplete. It is not due before the commit. */
    {{32, "", 32, 32, 0}, {.records = 32, .backup_due = true}},
    {{32, "", 32, 32, 32}, {.records = 32, .backup_due = true, .copied = 32}},
    {{32, "Received", 32, 32, 32}, {.records = 32, .backup_due = true, .copied = 32}},
    {{32, "foreign", 32, 32, 32},
	{.records = 32, .foreign = true, .backup_due = true, .copied = 32}},
    {{32, "", 32, 32, 31}, {.records = 32, .backup_due = true, .copied = 31}},
    {{32, "", 31, 31, 0}, {.records = 31}},
    /* The mailbox was truncated after a backup, before the commit. */
    {{0, "", 32, 32, 32}, {.records = 0}},
    {{0, "Received", 32, 32, 32}, {.records = 0}},
    {{0, "foreign", 32, 32, 32}, {.records = 0, .foreign = true}},
    /*
     * The commit was stored, but after a power loss the truncated records are there again. Other
     * bytes stay, and so do records without a backup.
     */
    {{32, "", 0, 32, 32}, {.records = 0}},
    {{31, "", 0, 32, 32}, {.records = 0}},
    {{0, "\n", 0, 32, 32}, {.records = 0, .foreign = true}},
    {{32, "", 0, 32, 0}, {.records = 32, .foreign = true, .backup_due = true}},
    /* The mailbox is shorter than the commit point says; no backup up to its number is complete. */
    {{0, "", 32, 32, 0}, {.records = 0, .missing = true}},
    {{0, "", 32, 32, 31}, {.records = 0, .missing = true}},
    {{31, "", 32, 32, 0}, {.records = 31, .missing = true}},
    {{0, "", 5, 5, 0}, {.records = 0, .missing = true}},
    {{0, "", 32, 31, 32}, {.records = 0, .missing = true}},
    {{0, "", 32, 64, 32}, {.records = 0, .missing = true}},
};

START_TEST(the_commit_point_counts)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const struct left *left = &rows[i].left;
		const struct verdict *verdict = &rows[i].verdict;
		struct bytes content = {.at = NULL};
		off_t kept = mail_length(1, verdict->records);
		off_t committed = mail_length(1, left->committed_length), base;
		struct resume_point start;

		suite_enter_directory();
		mail_add_range(&content, 1, left->records);
		bytes_add_string(&content, left->more);
		files_write(MAILBOX_NAME, content.at, content.length);
		write_commit(mail_length(1, left->committed_length), left->committed_number);
		if (left->backup_records > 0) {
			mail_write_file("mailbox.1-32", 1, left->backup_records);
		}
		if (verdict->foreign) {
			kept = (off_t)content.length;
		}
		expect_start((struct resume_point){.length = kept,
		    .torn_length = (off_t)content.length - kept,
		    .number = left->committed_number,
		    .backup_due = verdict->backup_due,
		    .copied_length = mail_length(1, verdict->copied)});
		ck_assert(find(&start));
		base = committed > (off_t)content.length ? 0 : committed;
		ck_assert_int_eq(start.foreign_length, verdict->foreign ? kept - base : 0);
		ck_assert_int_eq(start.missing_length,
		    verdict->missing ? mail_length(1, left->committed_length) - kept : 0);
		bytes_free(&content);
	}
}
END_TEST

/*
 * A power cut leaves NULs where data have not been written: within the first lines of a record,
 * too, which may lie in two sectors.
 */
START_TEST(unwritten_sectors_are_a_torn_tail)
{
	static const char nuls[600];
	static const struct {
		const char *written;
		bool torn;
	} tails[] = {
	    {"", true},
	    {"\n\n", true},
	    {"R", true},
	    {"\nReceived: from ho", true},
	    {"Received: from host by n (CS4410MP3)", true},
	    {"Received: from host by n (CS4410MP3)\n", true},
	    {"Received: from host by n (CS4410MP3)\nNumber:", true},
	    {"Received: from host by n (CS4410MP3)\nNumber: 6\nFr", true},
	    {"Received: from host by n (CS4410MP3)\nNumber: 5\nFr", false},
	    {"foreign", false},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(tails); i++) {
		struct bytes content = {.at = NULL};
		off_t whole = mail_length(1, 5), tail;

		mail_add_range(&content, 1, 5);
		bytes_add_string(&content, tails[i].written);
		bytes_add(&content, nuls, sizeof nuls);
		files_write(MAILBOX_NAME, content.at, content.length);
		write_commit(whole, 5);
		tail = (off_t)content.length - whole;
		expect_start((struct resume_point){.length = tails[i].torn ? whole : whole + tail,
		    .torn_length = tails[i].torn ? tail : 0,
		    .number = 5});
		bytes_free(&content);
	}
}
END_TEST

/*
 * The mailbox has the records from `first` to `last`. All must be kept, as bytes of another
 * program, and the last number must be `number`.
 */
static void
expect_all_kept(uint64_t first, uint64_t last, uint64_t number)
{
	struct resume_point start;
	off_t length = mail_length(first, last);

	mail_write_file(MAILBOX_NAME, first, last);
	expect_start((struct resume_point){.length = length, .number = number});
	ck_assert(find(&start));
	ck_assert_int_eq(start.foreign_length, length);
}

/*
 * Records up to the committed number are a torn tail only if a power cut has undone the truncation
 * after their backup. They stay if the file with the name of that backup is of an earlier run, and
 * the mailbox is shorter. They also stay if another program has put them into the empty mailbox.
 */
START_TEST(records_that_no_backup_has_stay)
{
	/* Message 32 is removed before its backup. */
	mail_write_file("mailbox.1-32", 101, 132);
	write_commit(mail_length(1, 32), 32);
	expect_all_kept(1, 31, 32);
	/* The mailbox was emptied after the backup. */
	mail_write_file("mailbox.33-64", 33, 64);
	write_commit(0, 64);
	expect_all_kept(1, 2, 64);
	expect_all_kept(32, 32, 64);
	expect_all_kept(66, 66, 64);
	/* The last of the truncated records, and one that was not committed: a torn tail. */
	for (uint64_t number = 33; number <= 65; number++) {
		mail_write_file(MAILBOX_NAME, number, 65);
		expect_start((struct resume_point){
		    .length = 0, .torn_length = mail_length(number, 65), .number = 64});
	}
}
END_TEST

START_TEST(the_records_do_not_count_with_a_commit_point)
{
	files_write_string(MAILBOX_NAME, "no record");
	write_commit(9, 7);
	expect_start((struct resume_point){.length = 9, .number = 7});
}
END_TEST

START_TEST(an_invalid_commit_file_stops_the_start)
{
	mail_write_file(MAILBOX_NAME, 1, 5);
	files_write_string(COMMIT_NAME, "nonsense");
	expect_refusal("smtpd: mailbox.commit: invalid contents: see smtpd(8), DIAGNOSTICS\n");
	files_expect_string(COMMIT_NAME, "nonsense");
}
END_TEST

START_TEST(a_backup_that_cannot_be_read_stops_the_start)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "mailbox.1-32"};
	int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
	close(descriptor);
	/* It is read to find out how much of the mailbox it has. */
	mail_write_file(MAILBOX_NAME, 1, 32);
	write_commit(mail_length(1, 32), 32);
	expect_refusal("smtpd: mailbox.1-32: cannot read: No such device or address\n");
	/* It is read to find out whether it has the missing records. */
	files_write_string(MAILBOX_NAME, "");
	expect_refusal("smtpd: mailbox.1-32: cannot read: No such device or address\n");
	/* A backup that is not needed is ignored. */
	mail_write_file(MAILBOX_NAME, 1, 31);
	write_commit(mail_length(1, 31), 31);
	expect_start((struct resume_point){.length = mail_length(1, 31), .number = 31});
}
END_TEST

/* ---- from run to run ---- */

/* Resume the mailbox, with keep and without a backup thread. */
static void
resume_mailbox(void)
{
	struct resume_point start;

	ck_assert(mailbox_open(&mailbox, KEEP, NO_SYNC));
	ck_assert(recovery_inspect(&start, &mailbox));
	ck_assert(mailbox_resume(&mailbox, &start));
}

START_TEST(numbers_go_on_from_run_to_run)
{
	/* The first run is without --keep: its last record has the next number. */
	ck_assert(mailbox_open(&mailbox, NO_KEEP, NO_SYNC));
	ck_assert(mailbox_resume(&mailbox, NULL));
	mail_deliver_range(&mailbox, 1, 3);
	mailbox_destroy(&mailbox);
	for (uint64_t number = 4; number <= 70; number++) {
		pthread_t thread;

		resume_mailbox();
		ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
		mail_deliver_range(&mailbox, number, number);
		mailbox_close(&mailbox);
		threads_join(thread);
		mailbox_destroy(&mailbox);
	}
	mail_expect_file("mailbox.1-32", 1, 32);
	mail_expect_file("mailbox.33-64", 33, 64);
	mail_expect_file(MAILBOX_NAME, 65, 70);
	ck_assert_uint_eq(files_count("."), 4);
	capture_expect(&errors, "");
}
END_TEST

START_TEST(a_backup_is_finished_by_the_next_run)
{
	/* Stopped before the copy, after it, and after the truncation. */
	for (int stage = 0; stage < 3; stage++) {
		pthread_t thread;

		suite_enter_directory();
		resume_mailbox();
		mail_deliver_range(&mailbox, 1, 32);
		mailbox_destroy(&mailbox);
		if (stage > 0) {
			mail_write_file("mailbox.1-32", 1, 32);
		}
		if (stage > 1) {
			ck_assert_int_eq(truncate(MAILBOX_NAME, 0), 0);
		}
		resume_mailbox();
		ck_assert_int_eq(backup_start(&thread, &mailbox), 0);
		mail_deliver_range(&mailbox, 33, 33);
		mailbox_close(&mailbox);
		threads_join(thread);
		mailbox_destroy(&mailbox);
		mail_expect_file("mailbox.1-32", 1, 32);
		mail_expect_file(MAILBOX_NAME, 33, 33);
		/* There is no second backup. */
		ck_assert_uint_eq(files_count("."), 3);
		capture_expect(&errors, "");
	}
}
END_TEST

/* ---- the next record, after any content ---- */

/*
 * What the end of the mailbox is at a start without mailbox.commit; what must follow before the
 * next record; the log line; and the number of that record.
 */
static const struct {
	const char *end;
	const char *separator;
	const char *line;
	uint64_t next;
} ends[] = {
    {"", "", "", 3},
    {"foreign\n\n", "", "", 3},
    {"foreign", "\n\n", "7 bytes of an incomplete message or of another program", 3},
    {"foreign\n", "\n", "8 bytes of an incomplete message or of another program", 3},
    {"Received: from h", "\n\n", "16 bytes of an incomplete message", 3},
    {START("netid"), "\n", "38 bytes of an incomplete message", 3},
    {START("netid") "Number: 3", "\n\n", "47 bytes of an incomplete message", 3},
    {START("netid") "Number: 3\n", "\n", "48 bytes of an incomplete message", 4},
    {START("netid") "Number: 3\nFrom: a\nTo: c\n\n", "", "63 bytes of an incomplete message", 4},
    {START("netid") "Number: 3\nFrom: a\nTo: c\n\nb", "\n\n", "64 bytes of an incomplete message",
	4},
    {START("netid") "Number: 3\nFrom: a\nTo: c\n\nb\n", "\n", "65 bytes of an incomplete message",
	4},
    {START("netid") "Number: 3\nFrom: a\nTo: c\n\nb\n\nc", "\n\n",
	"1 bytes of an incomplete message or of another program", 4},
};

/*
 * A start without mailbox.commit removes nothing, and the next record comes after an empty line. In
 * every second round the server stops before it stores a record, and starts again: then
 * mailbox.commit is there.
 */
START_TEST(records_follow_any_content)
{
	for (size_t i = 0; i < 2 * ARRAY_LENGTH(ends); i++) {
		size_t row = i / 2;
		struct bytes content = {.at = NULL}, line = {.at = NULL};

		suite_enter_directory();
		mail_add_range(&content, 1, 2);
		bytes_add_string(&content, ends[row].end);
		files_write(MAILBOX_NAME, content.at, content.length);
		resume_mailbox();
		if (i % 2 == 1) {
			mailbox_destroy(&mailbox);
			files_expect(MAILBOX_NAME, &content);
			resume_mailbox();
		}
		mail_deliver_range(&mailbox, ends[row].next, ends[row].next);
		mailbox_destroy(&mailbox);
		bytes_add_string(&content, ends[row].separator);
		mail_add_range(&content, ends[row].next, ends[row].next);
		files_expect(MAILBOX_NAME, &content);
		if (ends[row].line[0] != '\0') {
			bytes_add_format(&line,
			    "smtpd: mailbox: %s at its end: going on after them\n", ends[row].line);
		}
		capture_expect(&errors, bytes_string(&line));
		bytes_free(&content);
		bytes_free(&line);
	}
}
END_TEST

/* The same with bytes of another program alone: there is no number yet. */
START_TEST(a_mailbox_of_another_program_is_continued)
{
	static const char expected[] = "foreign\n\n";
	struct bytes content = {.at = NULL};

	files_write_string(MAILBOX_NAME, "foreign");
	for (int i = 0; i < 3; i++) {
		resume_mailbox();
		if (i < 2) {
			mailbox_destroy(&mailbox);
			files_expect_string(MAILBOX_NAME, "foreign");
		}
	}
	mail_deliver_range(&mailbox, 1, 1);
	mailbox_destroy(&mailbox);
	bytes_add_string(&content, expected);
	mail_add_range(&content, 1, 1);
	files_expect(MAILBOX_NAME, &content);
	capture_expect(&errors,
	    "smtpd: mailbox: 7 bytes of an incomplete message or of another program at its end: "
	    "going on after them\n");
	bytes_free(&content);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors_in_directory, capture_errors_end);
	tcase_add_test(tests, an_empty_directory_starts_at_0);
	tcase_add_test(tests, the_last_record_counts);
	tcase_add_test(tests, a_full_mailbox_is_to_be_backed_up);
	tcase_add_test(tests, without_mailbox_commit_all_bytes_stay);
	tcase_add_test(tests, without_mailbox_commit_unwritten_sectors_stay);
	tcase_add_test(tests, without_a_record_the_highest_backup_counts);
	tcase_add_test(tests, the_highest_backup_counts_for_an_empty_mailbox);
	tcase_add_test(tests, the_commit_point_counts);
	tcase_add_test(tests, unwritten_sectors_are_a_torn_tail);
	tcase_add_test(tests, records_that_no_backup_has_stay);
	tcase_add_test(tests, the_records_do_not_count_with_a_commit_point);
	tcase_add_test(tests, an_invalid_commit_file_stops_the_start);
	tcase_add_test(tests, a_backup_that_cannot_be_read_stops_the_start);
	tcase_add_test(tests, numbers_go_on_from_run_to_run);
	tcase_add_test(tests, a_backup_is_finished_by_the_next_run);
	tcase_add_test(tests, records_follow_any_content);
	tcase_add_test(tests, a_mailbox_of_another_program_is_continued);
	return suite_run("recovery", tests);
}
