/*
 * NAME
 *	check_storage - messages for which there is no space
 *
 * DESCRIPTION
 *	ENOSPC by a small tmpfs where mount(2) is permitted, and EFBIG everywhere by RLIMIT_FSIZE,
 *	set while the server runs.
 */

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"
#include "isolation.h"
#include "ledger.h"
#include "proc.h"
#include "suite.h"

/* Bytes of the tmpfs, of the file that fills it, and of a message that no longer fits. */
#define DISK_SIZE  ((size_t)256 << 10)
#define FILL_SIZE  ((size_t)220 << 10)
#define LARGE_BODY ((size_t)100 << 10)

/* Send a message of that many bytes, and expect this reply. */
static void
send_large(struct client *client, size_t size, const char *reply)
{
	struct bytes body = {0};

	client_begin_message(client);
	bytes_add_repeated(&body, 'x', size);
	bytes_add_string(&body, "\r\n.\r\n");
	client_command(client, body.at, reply);
	bytes_free(&body);
}

/* Add such a message to the ledger. */
static void
note_large(struct ledger *ledger, size_t size)
{
	struct bytes body = {0};

	bytes_add_repeated(&body, 'x', size);
	ledger_add_line(ledger, body.at);
	bytes_free(&body);
}

/*
 * Without space, messages are refused again and again, nothing is stored, and the transaction ends;
 * a message that fits is delivered.
 */
static void
deliver_without_space(const struct server *server, struct client *client, struct ledger *ledger)
{
	for (unsigned i = 0; i < 2; i++) {
		send_large(client, LARGE_BODY, NO_SPACE);
		ledger_check(ledger, server);
		client_command(client, "DATA\r\n", NEED_MAIL);
		client_command(client, "RCPT TO:c@d\r\n", NEED_MAIL);
		client_deliver(client, "small\r\n", ledger_add_delivered(ledger, "small\n"));
		ledger_check(ledger, server);
	}
}

START_TEST(a_full_disk_refuses_what_does_not_fit)
{
	struct path directory = files_directory();
	struct path filling = files_path(directory.name, "filling");
	struct ledger ledger = {0};
	struct bytes content = {0};
	struct server *server;
	struct client client;

	if (!isolation_small_disk(directory.name, DISK_SIZE)) {
		return;
	}
	server = server_start_in(directory.name, "");
	client = client_connect_in_state(server, STATE_GREETED);
	client_deliver(&client, "before\r\n", ledger_add_delivered(&ledger, "before\n"));
	bytes_add_repeated(&content, 'x', FILL_SIZE);
	files_write_string(filling.name, content.at);
	deliver_without_space(server, &client, &ledger);
	ck_assert_int_eq(unlink(filling.name), 0);
	send_large(&client, LARGE_BODY, "250 OK:  delivered message 4\r\n");
	note_large(&ledger, LARGE_BODY);
	ledger_check(&ledger, server);
	client_close(&client);
	ledger_free(&ledger);
	bytes_free(&content);
	server_stop(server);
}
END_TEST

/* Limit of the bytes of each file of the server. */
#define FILE_LIMIT 1000

/* The first writev() of a message that does not fit is short, and its bytes are removed. */
START_TEST(a_limited_file_refuses_what_does_not_fit)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct ledger ledger = {0};

	client_deliver(&client, "before\r\n", ledger_add_delivered(&ledger, "before\n"));
	proc_limit(server->process, RLIMIT_FSIZE, FILE_LIMIT);
	deliver_without_space(server, &client, &ledger);
	proc_unlimit(server->process, RLIMIT_FSIZE);
	send_large(&client, LARGE_BODY, "250 OK:  delivered message 4\r\n");
	note_large(&ledger, LARGE_BODY);
	ledger_check(&ledger, server);
	client_close(&client);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* The longest message that fits is stored, and one that is a byte longer is not. */
START_TEST(the_file_size_limit_is_exact)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct ledger ledger = {0};
	struct path mailbox = server_mailbox(server);
	off_t envelope; /* bytes of a record without a body */

	client_deliver(&client, "", ledger_add_delivered(&ledger, ""));
	envelope = files_length(mailbox.name);
	proc_limit(server->process, RLIMIT_FSIZE, FILE_LIMIT);
	/* The file gets two envelopes, and the body with its LF, which is the byte too many. */
	send_large(&client, FILE_LIMIT - 2 * (size_t)envelope, NO_SPACE);
	ledger_check(&ledger, server);
	send_large(
	    &client, FILE_LIMIT - 2 * (size_t)envelope - 1, "250 OK:  delivered message 2\r\n");
	note_large(&ledger, FILE_LIMIT - 2 * (size_t)envelope - 1);
	ledger_check(&ledger, server);
	ck_assert_int_eq(files_length(mailbox.name), FILE_LIMIT);
	client_close(&client);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* The message of one client does not fit, that of another does, and numbers continue. */
START_TEST(a_refused_message_does_not_affect_others)
{
	struct server *server = server_start("");
	struct client large = client_connect_in_state(server, STATE_GREETED);
	struct client small = client_connect_in_state(server, STATE_GREETED);
	struct ledger ledger = {0};

	proc_limit(server->process, RLIMIT_FSIZE, FILE_LIMIT);
	for (unsigned i = 0; i < 3; i++) {
		send_large(&large, LARGE_BODY, NO_SPACE);
		client_deliver(&small, "small\r\n", ledger_add_delivered(&ledger, "small\n"));
	}
	ledger_check(&ledger, server);
	client_close(&large);
	client_close(&small);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, a_full_disk_refuses_what_does_not_fit);
	tcase_add_test(tests, a_limited_file_refuses_what_does_not_fit);
	tcase_add_test(tests, the_file_size_limit_is_exact);
	tcase_add_test(tests, a_refused_message_does_not_affect_others);
	return suite_run("storage", tests);
}
