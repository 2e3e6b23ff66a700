/*
 * NAME
 *	check_other_programs - other programs that change the files of the server
 *
 * DESCRIPTION
 *	Another program appends to `mailbox`, truncates, removes, moves or replaces it, while the
 *	server runs and while it is stopped. The next message is stored under the next number, no
 *	record begins inside a line, and every change is one line in the log.
 *
 *	The ledger's records contain the bytes of the other program, too, where they are expected.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "ledger.h"
#include "suite.h"

/* The options of the runs. */
static const char *const runs[] = {"", "--sync", "--keep", "--keep --sync"};

#define RUNS       ARRAY_LENGTH(runs)
#define RUNS_KEPT  2 /* with --keep: the last ones */
#define FIRST_KEPT (RUNS - RUNS_KEPT)

/* Messages delivered before each change. */
#define BEFORE 2

/* A server, one client of it, and what its files and its log must be. */
struct run {
	const char *options;
	struct server *server;
	struct client client;
	struct ledger ledger;
	struct path directory;
	struct path mailbox;
	struct bytes log;
};

/* ---- the server ---- */

static void
deliver(struct run *run, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		client_deliver(&run->client, "body\r\n", ledger_add_line(&run->ledger, "body"));
	}
}

/* Start the server. `log` already has the lines about changes that it logs before it is ready. */
static void
start(struct run *run)
{
	if (run->ledger.last_number > 0) {
		bytes_add_format(&run->log, "smtpd: mailbox: continuing after message %u\n",
		    run->ledger.last_number);
	}
	bytes_add_string(&run->log, server_root_warning());
	run->server = server_start_in(run->directory.name, run->options);
	bytes_add_format(&run->log, "Server coming up on 127.0.0.1:%s\n", run->server->port_text);
	run->client = client_connect_in_state(run->server, STATE_GREETED);
}

static void
stop(struct run *run)
{
	client_close(&run->client);
	server_end(run->server);
	bytes_add_string(&run->log, "smtpd: shutting down\n");
	bytes_assert("log", &run->server->log, &run->log);
	bytes_clear(&run->log);
	server_release(run->server);
}

/* Start a server in a new directory, and deliver some messages. */
static struct run
begin(size_t number)
{
	struct run run = {.options = runs[number], .directory = files_directory()};

	run.mailbox = files_path(run.directory.name, "mailbox");
	start(&run);
	deliver(&run, BEFORE);
	return run;
}

/* Compare the mailbox and, with --keep, mailbox.commit. */
static void
check_files(struct run *run)
{
	struct path name = files_path(run->directory.name, "mailbox.commit");
	char commit[64];

	ledger_check(&run->ledger, run->server);
	/* After a backup the mailbox is emptied first, and mailbox.commit is written then. */
	if (strstr(run->options, "--keep") != NULL && run->ledger.last_number % BACKUP_EVERY != 0) {
		snprintf(commit, sizeof commit, "%020jd %020u\n",
		    (intmax_t)files_length(run->mailbox.name), run->ledger.last_number);
		files_expect_string(name.name, commit);
	}
}

/* Deliver messages up to the next backup, and one more; check all files, and stop. */
static void
finish(struct run *run)
{
	check_files(run);
	deliver(run, BACKUP_EVERY - run->ledger.last_number % BACKUP_EVERY);
	ledger_check(&run->ledger, run->server);
	deliver(run, 1);
	check_files(run);
	stop(run);
	ledger_free(&run->ledger);
	bytes_free(&run->log);
}

/* ---- the other program ---- */

/* Append to the mailbox, and to the expected records. */
static void
append(struct run *run, const char *text)
{
	int descriptor = open(run->mailbox.name, O_WRONLY | O_APPEND | O_CLOEXEC);

	ck_assert_int_ne(descriptor, -1);
	ck_assert_int_eq(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(descriptor), 0);
	bytes_add_string(&run->ledger.records, text);
}

/*
 * Truncate the mailbox and the expected records by that many bytes, or by all if there are fewer.
 * Returns by how many.
 */
static size_t
shorten(struct run *run, size_t length)
{
	struct bytes *records = &run->ledger.records;
	struct bytes content = files_read(run->mailbox.name);

	if (length > content.length) {
		length = content.length;
	}
	ck_assert_int_eq(truncate(run->mailbox.name, (off_t)(content.length - length)), 0);
	bytes_clear(records);
	bytes_add(records, content.at, content.length - length);
	bytes_free(&content);
	return length;
}

/* Rename a file. The expected records stay as they are. */
static void
move(const struct run *run, const char *name, const char *new_name)
{
	struct path old = files_path(run->directory.name, name);
	struct path new = files_path(run->directory.name, new_name);

	ck_assert_int_eq(rename(old.name, new.name), 0);
}

/* Replace the mailbox by another file, by rename(2), and the expected records by its content. */
static void
replace(struct run *run, const char *content)
{
	files_write_in(run->directory.name, "other", content, strlen(content));
	move(run, "other", "mailbox");
	bytes_clear(&run->ledger.records);
	bytes_add_string(&run->ledger.records, content);
}

/* ---- other bytes ---- */

/* What another program writes at the end of the mailbox, and what must follow before a record. */
static const struct {
	const char *text;
	const char *separator;
} tails[] = {
    {"another program", "\n\n"},
    {"another program\n", "\n"},
    {"another program\n\n", ""},
    {"\n", ""},
    {"x", "\n\n"},
    {"Received: from x by y (CS4410MP3)\nNumber: 9\nFrom: a\n", "\n"},
};

#define TAILS ARRAY_LENGTH(tails)

START_TEST(appended_bytes_are_kept)
{
	struct run run = begin((size_t)_i % RUNS);
	size_t tail = (size_t)_i / RUNS;

	append(&run, tails[tail].text);
	bytes_add_string(&run.ledger.records, tails[tail].separator);
	deliver(&run, 2);
	bytes_add_format(&run.log,
	    "smtpd: mailbox: %zu bytes of another program at its end: going on after them\n",
	    strlen(tails[tail].text));
	finish(&run);
}
END_TEST

/* After the stop of a server with --keep. */
START_TEST(bytes_appended_while_stopped_are_kept)
{
	struct run run = begin(FIRST_KEPT + (size_t)_i % RUNS_KEPT);
	size_t tail = (size_t)_i / RUNS_KEPT;

	stop(&run);
	append(&run, tails[tail].text);
	bytes_add_string(&run.ledger.records, tails[tail].separator);
	bytes_add_format(&run.log,
	    "smtpd: mailbox: %zu bytes of another program at its end: going on after them\n",
	    strlen(tails[tail].text));
	start(&run);
	deliver(&run, 1);
	finish(&run);
}
END_TEST

/* What another program appends to the mailbox after a run without --keep. */
static const struct {
	const char *text;
	const char *separator; /* what must follow before a record */
	const char *line;      /* the beginning of the line in the log; NULL if there is none */
	bool numbered;         /* it counts as message 3, so that the next one is message 4 */
} first_ends[] = {
    {"", "", NULL, false},
    {"another program\n\n", "", NULL, false},
    {"another program", "\n\n", "15 bytes of an incomplete message or of another program", false},
    {"another program\n", "\n", "16 bytes of an incomplete message or of another program", false},
    {"Received: from x by n", "\n\n", "21 bytes of an incomplete message", false},
    {"Received: from x by y (CS4410MP3)\nNumber: 3", "\n\n", "43 bytes of an incomplete message",
	false},
    {"Received: from x by y (CS4410MP3)\nNumber: 3\nFrom: a\nTo: b\n\ntex", "\n\n",
	"62 bytes of an incomplete message", true},
};

#define FIRST_ENDS ARRAY_LENGTH(first_ends)

/*
 * The first start with --keep, without mailbox.commit, removes nothing, and the next record begins
 * after an empty line.
 */
START_TEST(the_first_start_with_keep_removes_nothing)
{
	size_t end = (size_t)_i / RUNS_KEPT;
	struct run run = begin((size_t)_i % FIRST_KEPT);

	stop(&run);
	run.options = runs[FIRST_KEPT + (size_t)_i % RUNS_KEPT];
	append(&run, first_ends[end].text);
	bytes_add_string(&run.ledger.records, first_ends[end].separator);
	if (first_ends[end].line != NULL) {
		bytes_add_format(&run.log, "smtpd: mailbox: %s at its end: going on after them\n",
		    first_ends[end].line);
	}
	run.ledger.last_number += first_ends[end].numbered ? 1 : 0;
	start(&run);
	deliver(&run, 1);
	finish(&run);
}
END_TEST

/* Bytes that come before the last message of a backup are in the backup. */
START_TEST(appended_bytes_are_in_the_backup)
{
	struct run run = begin((size_t)_i);

	deliver(&run, BACKUP_EVERY - 1 - BEFORE);
	append(&run, "another program");
	bytes_add_string(&run.ledger.records, "\n\n");
	deliver(&run, 1);
	bytes_add_string(&run.log,
	    "smtpd: mailbox: 15 bytes of another program at its end: going on after them\n");
	finish(&run);
}
END_TEST

/* ---- fewer bytes ---- */

/* By how much the mailbox is truncated, and what must follow before a record. */
static const struct {
	size_t length;
	const char *separator;
} cuts[] = {
    {10000, ""}, /* to 0 */
    {1, "\n"},   /* the empty line */
    {2, "\n\n"}, /* its line feed, too */
    {30, "\n\n"} /* inside a header line */
};

#define CUTS ARRAY_LENGTH(cuts)

START_TEST(records_follow_the_end_of_a_truncated_mailbox)
{
	struct run run = begin((size_t)_i % RUNS);
	size_t cut = (size_t)_i / RUNS;

	bytes_add_format(&run.log,
	    "smtpd: mailbox: %zu bytes shorter than before: going on from its end\n",
	    shorten(&run, cuts[cut].length));
	bytes_add_string(&run.ledger.records, cuts[cut].separator);
	deliver(&run, 2);
	finish(&run);
}
END_TEST

START_TEST(records_follow_the_end_of_a_mailbox_truncated_while_stopped)
{
	struct run run = begin(FIRST_KEPT + (size_t)_i % RUNS_KEPT);
	size_t cut = (size_t)_i / RUNS_KEPT;

	stop(&run);
	bytes_add_format(&run.log,
	    "smtpd: mailbox: %zu bytes shorter than mailbox.commit says: going on with message "
	    "3\n",
	    shorten(&run, cuts[cut].length));
	bytes_add_string(&run.ledger.records, cuts[cut].separator);
	start(&run);
	deliver(&run, 1);
	finish(&run);
}
END_TEST

/* ---- another file, or none ---- */

#define REMOVED  "removed or moved, and made again"
#define REPLACED "replaced by another file"

/* Expect the line about another file, or none, before the next delivery. */
static void
expect_adopted(struct run *run, const char *event)
{
	bytes_add_format(&run->log, "smtpd: mailbox: %s: going on there with message %u\n", event,
	    run->ledger.last_number + 1);
}

START_TEST(a_removed_mailbox_is_made_again)
{
	struct run run = begin((size_t)_i);

	ck_assert_int_eq(unlink(run.mailbox.name), 0);
	bytes_clear(&run.ledger.records);
	expect_adopted(&run, REMOVED);
	deliver(&run, 2);
	ck_assert_int_eq(files_mode(run.mailbox.name), S_IRUSR | S_IWUSR);
	finish(&run);
}
END_TEST

/* Nothing is appended to the moved file. */
START_TEST(a_moved_mailbox_is_left_alone)
{
	struct run run = begin((size_t)_i);
	struct path archive = files_path(run.directory.name, "archive");
	struct bytes before = files_read(run.mailbox.name);

	move(&run, "mailbox", "archive");
	bytes_clear(&run.ledger.records);
	expect_adopted(&run, REMOVED);
	deliver(&run, 2);
	finish(&run);
	files_expect(archive.name, &before);
	bytes_free(&before);
}
END_TEST

/* Without a message in between, nothing has changed. */
START_TEST(a_mailbox_moved_and_back_is_continued)
{
	struct run run = begin((size_t)_i);

	move(&run, "mailbox", "archive");
	move(&run, "archive", "mailbox");
	finish(&run);
}
END_TEST

/*
 * The first file is moved back after a message was stored in the second one, which is moved, too.
 */
START_TEST(a_restored_mailbox_is_continued)
{
	struct run run = begin((size_t)_i);
	struct path second = files_path(run.directory.name, "second");
	struct bytes before = files_read(run.mailbox.name);
	struct bytes between = {0};

	move(&run, "mailbox", "archive");
	bytes_clear(&run.ledger.records);
	expect_adopted(&run, REMOVED);
	deliver(&run, 1);
	bytes_add(&between, run.ledger.records.at, run.ledger.records.length);
	move(&run, "mailbox", "second");
	move(&run, "archive", "mailbox");
	bytes_clear(&run.ledger.records);
	bytes_add(&run.ledger.records, before.at, before.length);
	expect_adopted(&run, REPLACED);
	deliver(&run, 1);
	finish(&run);
	files_expect(second.name, &between);
	bytes_free(&before);
	bytes_free(&between);
}
END_TEST

START_TEST(a_file_that_replaces_the_mailbox_is_continued)
{
	struct run run = begin((size_t)_i % RUNS);
	size_t tail = (size_t)_i / RUNS;

	replace(&run, tails[tail].text);
	/* At the beginning of a file one line feed is an empty line. */
	bytes_add_string(&run.ledger.records, tails[tail].separator);
	expect_adopted(&run, REPLACED);
	deliver(&run, 2);
	ck_assert_int_eq(files_mode(run.mailbox.name), S_IRUSR | S_IWUSR);
	finish(&run);
}
END_TEST

/* With --keep the commit point of the file that is gone says how much is missing. */
START_TEST(a_mailbox_removed_while_stopped_is_made_again)
{
	struct run run = begin(FIRST_KEPT + (size_t)_i);

	stop(&run);
	bytes_add_format(&run.log,
	    "smtpd: mailbox: %jd bytes shorter than mailbox.commit says: going on with message "
	    "3\n",
	    (intmax_t)files_length(run.mailbox.name));
	ck_assert_int_eq(unlink(run.mailbox.name), 0);
	bytes_clear(&run.ledger.records);
	start(&run);
	deliver(&run, 1);
	finish(&run);
}
END_TEST

/* ---- a name that cannot be used ---- */

static void
obstruct_link(struct run *run)
{
	ck_assert_int_eq(symlink("archive", run->mailbox.name), 0);
}

static void
obstruct_directory(struct run *run)
{
	ck_assert_int_eq(mkdir(run->mailbox.name, S_IRWXU), 0);
}

static void
obstruct_fifo(struct run *run)
{
	ck_assert_int_eq(mkfifo(run->mailbox.name, S_IRUSR | S_IWUSR), 0);
}

static void
obstruct_hard_link(struct run *run)
{
	struct path precious = files_path(run->directory.name, "precious");

	files_write_string(precious.name, "precious");
	ck_assert_int_eq(link(precious.name, run->mailbox.name), 0);
}

/* Lock the file, until the end of this process. */
static void
obstruct_locked(struct run *run)
{
	int descriptor;

	files_write_string(run->mailbox.name, "");
	descriptor = open(run->mailbox.name, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(flock(descriptor, LOCK_EX | LOCK_NB), 0);
}

static const struct obstacle {
	void (*make)(struct run *run);
	const char *line; /* logged about the name */
} obstacles[] = {
    {obstruct_link, "is a symbolic link"},
    {obstruct_directory, "cannot open: Is a directory"},
    {obstruct_fifo, "not a regular file"},
    {obstruct_hard_link, "has another hard link"},
    {obstruct_locked, "in use by another server: messages are refused until it stops"},
};

#define OBSTACLES ARRAY_LENGTH(obstacles)

/* Send a message that must be refused. */
static void
expect_refused(struct run *run)
{
	client_begin_message(&run->client);
	client_command(&run->client, "refused\r\n.\r\n", LOCAL_ERROR);
}

/* Messages are refused until the obstacle is gone; each reason is logged once. */
START_TEST(messages_are_refused_while_the_name_is_unusable)
{
	struct run run = begin((size_t)_i % RUNS);
	const struct obstacle *obstacle = &obstacles[(size_t)_i / RUNS];
	struct path archive = files_path(run.directory.name, "archive");
	struct bytes before = files_read(run.mailbox.name);

	move(&run, "mailbox", "archive");
	obstacle->make(&run);
	for (unsigned i = 0; i < 3; i++) {
		expect_refused(&run);
	}
	bytes_add_format(&run.log, "smtpd: mailbox: %s\n", obstacle->line);
	files_expect(archive.name, &before);
	ck_assert_int_eq(remove(run.mailbox.name), 0);
	bytes_clear(&run.ledger.records);
	expect_adopted(&run, REMOVED);
	bytes_add_string(
	    &run.log, "smtpd: mailbox: storing again, after 3 messages were refused\n");
	deliver(&run, 2);
	finish(&run);
	files_expect(archive.name, &before);
	bytes_free(&before);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, appended_bytes_are_kept, 0, RUNS * TAILS);
	tcase_add_loop_test(tests, bytes_appended_while_stopped_are_kept, 0, RUNS_KEPT * TAILS);
	tcase_add_loop_test(
	    tests, the_first_start_with_keep_removes_nothing, 0, RUNS_KEPT * FIRST_ENDS);
	tcase_add_loop_test(tests, appended_bytes_are_in_the_backup, 0, RUNS);
	tcase_add_loop_test(tests, records_follow_the_end_of_a_truncated_mailbox, 0, RUNS * CUTS);
	tcase_add_loop_test(tests, records_follow_the_end_of_a_mailbox_truncated_while_stopped, 0,
	    RUNS_KEPT * CUTS);
	tcase_add_loop_test(tests, a_removed_mailbox_is_made_again, 0, RUNS);
	tcase_add_loop_test(tests, a_moved_mailbox_is_left_alone, 0, RUNS);
	tcase_add_loop_test(tests, a_mailbox_moved_and_back_is_continued, 0, RUNS);
	tcase_add_loop_test(tests, a_restored_mailbox_is_continued, 0, RUNS);
	tcase_add_loop_test(tests, a_file_that_replaces_the_mailbox_is_continued, 0, RUNS * TAILS);
	tcase_add_loop_test(tests, a_mailbox_removed_while_stopped_is_made_again, 0, RUNS_KEPT);
	tcase_add_loop_test(
	    tests, messages_are_refused_while_the_name_is_unusable, 0, RUNS * OBSTACLES);
	return suite_run("other programs", tests);
}
