/*
 * NAME
 *	check_backup - every 32nd message
 *
 * DESCRIPTION
 *	Backups that succeed, that fail and are tried again, and that take long. For the last the
 *	thread that makes backups is stopped by ptrace(2) while it waits for work: it is the thread
 *	that has read the mailbox.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "isolation.h"
#include "ledger.h"
#include "proc.h"
#include "stream.h"
#include "suite.h"

/* The name of an incomplete backup. */
#define UNFINISHED "mailbox.backup"

/* Seconds to wait for something that must not happen. */
#define SILENCE 0.2

/* Deliver several messages with this body over one connection. */
static void
deliver_many(const struct server *server, struct ledger *ledger, unsigned count, const char *body)
{
	struct bytes sent = {0};
	struct bytes expected = {0};

	bytes_add_string(&sent, "HELO client\r\n");
	bytes_add_string(&expected, GREETING HELO_OK);
	for (unsigned i = 0; i < count; i++) {
		bytes_add_string(&sent, "MAIL FROM:a@b\r\nRCPT TO:c@d\r\nDATA\r\n");
		bytes_add_format(&sent, "%s\r\n.\r\n", body);
		bytes_add_string(&expected, OK OK START_DATA);
		bytes_add_format(&expected, DELIVERED, ledger_add_line(ledger, body));
	}
	converse_compare(server, &sent, &expected);
}

/* ---- backups that succeed ---- */

/* Messages in two backups, and one more. */
#define TWO_AND_ONE (2 * BACKUP_EVERY + 1)

START_TEST(every_32nd_message_makes_a_backup)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct path mailbox = server_mailbox(server);

	deliver_many(server, &ledger, BACKUP_EVERY - 1, "a");
	ck_assert_uint_eq(files_count(server->directory.name), 1);
	deliver_many(server, &ledger, 1, "b");
	ledger_check(&ledger, server);
	ck_assert_int_eq(files_length(mailbox.name), 0);
	deliver_many(server, &ledger, TWO_AND_ONE - BACKUP_EVERY, "c");
	ledger_check(&ledger, server);
	ck_assert_uint_eq(files_count(server->directory.name), 3);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* No other user may read a backup, nor the mailbox. */
START_TEST(backups_are_private)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct path backup = ledger_backup(server, BACKUP_EVERY);

	deliver_many(server, &ledger, BACKUP_EVERY, "a");
	ledger_check(&ledger, server);
	ck_assert_int_eq(files_mode(backup.name), S_IRUSR | S_IWUSR);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* Fail unless these files have these contents. */
static void
expect_files(const struct path *directory, const char *const *names, const char *const *contents,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct path path = files_path(directory->name, names[i]);

		files_expect_string(path.name, contents[i]);
	}
}

/* A backup of an earlier run is renamed to NAME.~N~ with the first free number N. */
START_TEST(old_backups_are_kept)
{
	static const char *const names[] = {"mailbox.1-32", "mailbox.1-32.~1~", "mailbox.1-32.~3~"};
	static const char *const later[] = {
	    "mailbox.1-32.~2~", "mailbox.1-32.~1~", "mailbox.1-32.~3~"};
	static const char *const contents[] = {"zero", "one", "three"};
	struct path directory = files_directory();
	struct ledger ledgers[2] = {0};
	struct server *server;
	struct path path;

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		path = files_path(directory.name, names[i]);
		files_write_string(path.name, contents[i]);
	}
	for (size_t run = 0; run < ARRAY_LENGTH(ledgers); run++) {
		server = server_start_in(directory.name, "");
		deliver_many(server, &ledgers[run], BACKUP_EVERY, run == 0 ? "first" : "second");
		ledger_check(&ledgers[run], server);
		expect_files(&directory, later, contents, ARRAY_LENGTH(later));
		server_stop(server);
	}
	path = files_path(directory.name, "mailbox.1-32.~4~");
	files_compare(path.name, ledgers[0].records.at, ledgers[0].records.length);
	ledger_free(&ledgers[0]);
	ledger_free(&ledgers[1]);
}
END_TEST

/* An incomplete backup of an earlier run is not used. */
START_TEST(an_unfinished_backup_is_replaced)
{
	struct path directory = files_directory();
	struct path unfinished = files_path(directory.name, UNFINISHED);
	struct ledger ledger = {0};
	struct bytes old = {0};
	struct server *server;

	bytes_add_repeated(&old, 'x', 1 << 16);
	files_write_string(unfinished.name, old.at);
	server = server_start_in(directory.name, "");
	deliver_many(server, &ledger, BACKUP_EVERY, "a");
	ledger_check(&ledger, server);
	ck_assert(!files_exists(unfinished.name));
	ledger_free(&ledger);
	bytes_free(&old);
	server_stop(server);
}
END_TEST

/* ---- backups that fail ---- */

/* Send a message that is refused because of the missing backup: it must not be stored. */
static void
expect_refused(struct client *client, const char *reply)
{
	client_begin_message(client);
	client_command(client, "refused\r\n.\r\n", reply);
	client_command(client, "DATA\r\n", NEED_MAIL);
}

/*
 * The backup fails: messages are refused, each after another attempt, and the mailbox keeps its
 * content. Each reason is logged once.
 */
static void
expect_failures(
    struct server *server, const struct ledger *ledger, struct client *client, const char *reply)
{
	struct path mailbox = server_mailbox(server);
	struct path backup = ledger_backup(server, BACKUP_EVERY);

	for (unsigned i = 1; i <= 3; i++) {
		expect_refused(client, reply);
		files_expect(mailbox.name, &ledger->records);
		ck_assert(!files_exists(backup.name));
	}
	server_await_lines(server, 1);
	ck_assert(server_log_has(server, "smtpd: mailbox.1-32: backup failed, will retry: "));
	/* After block_backup() the first attempt may have failed for another reason. */
	ck_assert_uint_le(server_log_lines(server), 2);
}

/*
 * The backup can be made again: the next message is delivered and the files are as without the
 * failure.
 */
static void
expect_recovery(struct server *server, struct ledger *ledger, struct client *client)
{
	struct path unfinished = server_path(server, UNFINISHED);
	size_t lines = server_log_lines(server);

	client_deliver(client, "after\r\n", ledger_add_line(ledger, "after"));
	ledger_check(ledger, server);
	ck_assert(!files_exists(unfinished.name));
	server_await_lines(server, lines + 1);
	ck_assert(server_log_has(server, "smtpd: mailbox.1-32: backup made, after "));
	client_close(client);
	ledger_free(ledger);
	server_stop(server);
}

/*
 * Make a directory with the name of an incomplete backup, and deliver 32 messages, whose backup
 * then fails. Returns a client after HELO.
 */
static struct client
block_backup(const struct server *server, struct ledger *ledger)
{
	struct path unfinished = server_path(server, UNFINISHED);

	ck_assert_int_eq(mkdir(unfinished.name, S_IRWXU), 0);
	deliver_many(server, ledger, BACKUP_EVERY, "a");
	return client_connect_in_state(server, STATE_GREETED);
}

static void
unblock_backup(const struct server *server)
{
	struct path unfinished = server_path(server, UNFINISHED);

	ck_assert_int_eq(rmdir(unfinished.name), 0);
}

START_TEST(a_backup_that_cannot_be_opened_is_retried)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client client = block_backup(server, &ledger);

	expect_failures(server, &ledger, &client, LOCAL_ERROR);
	ck_assert(server_log_has(server,
	    "smtpd: mailbox.1-32: backup failed, will retry: mailbox.backup: Is a directory\n"));
	unblock_backup(server);
	expect_recovery(server, &ledger, &client);
}
END_TEST

/* EFBIG has the same effect as ENOSPC. */
START_TEST(a_backup_that_is_too_large_is_retried)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client client = block_backup(server, &ledger);

	proc_limit(server->process, RLIMIT_FSIZE, ledger.records.length - 1);
	unblock_backup(server);
	expect_failures(server, &ledger, &client, NO_SPACE);
	proc_unlimit(server->process, RLIMIT_FSIZE);
	expect_recovery(server, &ledger, &client);
}
END_TEST

START_TEST(a_backup_without_descriptors_is_retried)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	struct client client = block_backup(server, &ledger);

	proc_limit(server->process, RLIMIT_NOFILE, proc_descriptor_limit(server->process, 1) - 1);
	unblock_backup(server);
	expect_failures(server, &ledger, &client, LOCAL_ERROR);
	proc_unlimit(server->process, RLIMIT_NOFILE);
	expect_recovery(server, &ledger, &client);
}
END_TEST

/* Bytes of a file system that holds 32 of these messages, but not twice. */
#define DISK_SIZE     ((size_t)256 << 10)
#define MESSAGE_BYTES 5000

START_TEST(a_backup_on_a_full_disk_is_retried)
{
	struct path directory = files_directory();
	struct path unfinished = files_path(directory.name, UNFINISHED);
	struct ledger ledger = {0};
	struct bytes body = {0};
	struct server *server;
	struct client client;

	if (!isolation_small_disk(directory.name, DISK_SIZE)) {
		return;
	}
	server = server_start_in(directory.name, "");
	bytes_add_repeated(&body, 'x', MESSAGE_BYTES);
	deliver_many(server, &ledger, BACKUP_EVERY, body.at);
	client = client_connect_in_state(server, STATE_GREETED);
	expect_failures(server, &ledger, &client, NO_SPACE);
	/* The incomplete backup is removed, so that its space is free again. */
	ck_assert(!files_exists(unfinished.name));
	isolation_enlarge_disk(directory.name, 2 * DISK_SIZE);
	bytes_free(&body);
	expect_recovery(server, &ledger, &client);
}
END_TEST

/* A symbolic link with the name of an incomplete backup is not followed: the copy replaces it. */
START_TEST(a_link_in_the_way_is_replaced)
{
	struct server *server = server_start("");
	struct path victim = server_path(server, "victim");
	struct path unfinished = server_path(server, UNFINISHED);
	struct ledger ledger = {0};

	files_write_string(victim.name, "precious");
	ck_assert_int_eq(symlink(victim.name, unfinished.name), 0);
	deliver_many(server, &ledger, BACKUP_EVERY, "a");
	ledger_check(&ledger, server);
	files_expect_string(victim.name, "precious");
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* A stop does not wait until a backup succeeds: the mailbox keeps all messages; the status is 1. */
START_TEST(a_stop_gives_up_a_backup_that_fails)
{
	struct server *server = server_start("");
	struct path mailbox = server_mailbox(server);
	struct ledger ledger = {0};
	struct client client = block_backup(server, &ledger);
	int status;

	expect_failures(server, &ledger, &client, LOCAL_ERROR);
	client_close(&client);
	server_signal(server, SIGTERM);
	status = server_await_end(server);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
	files_expect(mailbox.name, &ledger.records);
	ledger_free(&ledger);
	server_release(server);
}
END_TEST

/* ---- backups that take their time ---- */

/*
 * Bytes of each of the first 32 messages. No other thread than that which makes backups has read as
 * many bytes from files as their records have.
 */
#define READ_MESSAGE_BYTES 10000

#define TIMEOUT         "--timeout 1"
#define TIMEOUT_SECONDS 1.0

/*
 * Deliver 64 messages, and stop the thread that makes backups before the 64th. Returns that thread.
 * If it cannot be found or stopped, returns -1, having stopped and released the server.
 */
static pid_t
freeze_second_backup(struct server *server, struct ledger *ledger)
{
	struct bytes body = {0};
	pid_t thread;

	bytes_add_repeated(&body, 'x', READ_MESSAGE_BYTES);
	deliver_many(server, ledger, BACKUP_EVERY, body.at);
	ledger_check(ledger, server);
	bytes_free(&body);
	thread = proc_reader(server->process, ledger->records.length);
	deliver_many(server, ledger, BACKUP_EVERY - 1, "a");
	if (thread == -1) {
		suite_skip("the kernel does not count the bytes that a thread reads");
	} else if (isolation_freeze(thread)) {
		deliver_many(server, ledger, 1, "the last");
		return thread;
	}
	ledger_free(ledger);
	server_stop(server);
	return -1;
}

/* The timeout does not expire while a message waits for a backup, and other clients are served. */
START_TEST(deliveries_wait_for_the_backup)
{
	struct server *server = server_start(TIMEOUT);
	struct ledger ledger = {0};
	pid_t thread = freeze_second_backup(server, &ledger);
	struct client delivering;
	struct client other;

	if (thread == -1) {
		return;
	}
	delivering = client_connect_in_state(server, STATE_DATA);
	client_send(&delivering, "waiting\r\n.\r\n");
	client_expect_silence(&delivering, TIMEOUT_SECONDS + SILENCE);
	other = client_connect_in_state(server, STATE_RECIPIENT);
	isolation_thaw(thread);
	client_expect(&delivering, "250 OK:  delivered message 65\r\n");
	client_deliver(&delivering, "again\r\n", 66);
	ledger_add_line(&ledger, "waiting");
	ledger_add_line(&ledger, "again");
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	client_close(&delivering);
	client_close(&other);
	server_stop(server);
}
END_TEST

/* A stop waits for a backup that is due. */
START_TEST(a_stop_finishes_the_backup)
{
	struct server *server = server_start("");
	struct ledger ledger = {0};
	pid_t thread = freeze_second_backup(server, &ledger);

	if (thread == -1) {
		return;
	}
	server_signal(server, SIGTERM);
	server_expect_running(server, SILENCE);
	isolation_thaw(thread);
	ck_assert_int_eq(server_await_end(server), 0);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	server_release(server);
}
END_TEST

/*
 * A second signal ends the wait: the messages then stay in the mailbox only. As process 1 of a
 * container, which no signal ends by its default action, the server exits with the status that a
 * shell would report.
 */
START_TEST(a_second_signal_does_not_wait)
{
	bool process_1 = _i == 1;
	struct ledger ledger = {0};
	struct server *server;
	struct path mailbox, backup;
	pid_t thread;
	size_t first;
	int status;

	if (process_1 && !isolation_processes()) {
		return;
	}
	server = server_start("");
	thread = freeze_second_backup(server, &ledger);
	if (thread == -1) {
		return;
	}
	mailbox = server_mailbox(server);
	backup = ledger_backup(server, 2 * BACKUP_EVERY);
	server_signal(server, SIGTERM);
	server_expect_running(server, SILENCE);
	server_signal(server, SIGTERM);
	isolation_reap(thread);
	status = server_await_end(server);
	if (process_1) {
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(WEXITSTATUS(status), 128 + SIGTERM);
	} else {
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	}
	first = ledger.ends[0];
	files_compare(mailbox.name, ledger.records.at + first, ledger.records.length - first);
	ck_assert(!files_exists(backup.name));
	ledger_free(&ledger);
	server_release(server);
}
END_TEST

/* Bytes of each message: the backup takes long. */
#define STOP_MESSAGE_BYTES 1000000

/* No thread is stopped here: the stop comes as soon as the 32nd message is acknowledged. */
START_TEST(a_stop_after_the_32nd_message_finishes_the_backup)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct ledger ledger = {0};
	struct bytes line = {0}, body = {0};

	bytes_add_repeated(&line, 'x', STOP_MESSAGE_BYTES);
	bytes_add_format(&body, "%s\r\n", line.at);
	for (unsigned i = 0; i < BACKUP_EVERY; i++) {
		client_deliver(&client, body.at, ledger_add_line(&ledger, line.at));
	}
	client_close(&client);
	server_end(server);
	ledger_check(&ledger, server);
	ledger_free(&ledger);
	bytes_free(&line);
	bytes_free(&body);
	server_release(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, every_32nd_message_makes_a_backup);
	tcase_add_test(tests, backups_are_private);
	tcase_add_test(tests, old_backups_are_kept);
	tcase_add_test(tests, an_unfinished_backup_is_replaced);
	tcase_add_test(tests, a_backup_that_cannot_be_opened_is_retried);
	tcase_add_test(tests, a_backup_that_is_too_large_is_retried);
	tcase_add_test(tests, a_backup_without_descriptors_is_retried);
	tcase_add_test(tests, a_backup_on_a_full_disk_is_retried);
	tcase_add_test(tests, a_link_in_the_way_is_replaced);
	tcase_add_test(tests, a_stop_gives_up_a_backup_that_fails);
	tcase_add_test(tests, deliveries_wait_for_the_backup);
	tcase_add_test(tests, a_stop_finishes_the_backup);
	tcase_add_loop_test(tests, a_second_signal_does_not_wait, 0, 2);
	tcase_add_test(tests, a_stop_after_the_32nd_message_finishes_the_backup);
	return suite_run("backup", tests);
}
