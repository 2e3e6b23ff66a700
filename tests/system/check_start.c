/*
 * NAME
 *	check_start - the command line, and starts that must fail
 *
 * DESCRIPTION
 *	Wrong usage, and a start that fails, are logged and leave an existing mailbox unchanged; a
 *	start that fails logs its reason in one line. A start that succeeds follows the options.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "isolation.h"
#include "ledger.h"
#include "proc.h"
#include "program.h"
#include "stream.h"
#include "suite.h"
#include "version.h"

/* The content of an existing mailbox. */
#define PRECIOUS "precious\n"

/* Exit statuses. */
#define CANNOT_START 1
#define WRONG_USAGE  2

/* Make a directory with that mailbox. */
static struct path
directory_with_mailbox(void)
{
	struct path directory = files_directory();
	struct path mailbox = files_path(directory.name, "mailbox");

	files_write_string(mailbox.name, PRECIOUS);
	return directory;
}

/*
 * Check the exit status, that standard output is empty, and that the log is not empty and has no
 * readiness line; free the outcome.
 */
static void
expect_failure(const char *what, struct outcome *outcome, int status)
{
	if (!WIFEXITED(outcome->status) || WEXITSTATUS(outcome->status) != status) {
		ck_abort_msg("%s: wait status %#x, log %s", what, (unsigned)outcome->status,
		    bytes_visible(bytes_string(&outcome->errors), outcome->errors.length));
	}
	bytes_assert_string(what, &outcome->output, "");
	ck_assert_msg(outcome->errors.length > 0, "%s: nothing was logged", what);
	ck_assert_int_eq(outcome->errors.at[outcome->errors.length - 1], '\n');
	ck_assert_ptr_null(strstr(outcome->errors.at, "Server coming up"));
	outcome_free(outcome);
}

/* The same for a start that fails: the log is exactly one line that contains this text. */
static void
expect_clear_failure(const char *what, struct outcome *outcome, const char *reason)
{
	ck_assert_msg(bytes_count(&outcome->errors, '\n') == 1, "%s: not one line, but %s", what,
	    bytes_string(&outcome->errors));
	ck_assert_msg(strncmp(outcome->errors.at, "smtpd: ", strlen("smtpd: ")) == 0, "%s: %s",
	    what, outcome->errors.at);
	ck_assert_msg(strstr(outcome->errors.at, reason) != NULL, "%s: %s instead of %s", what,
	    outcome->errors.at, reason);
	expect_failure(what, outcome, CANNOT_START);
}

/* Check that the mailbox is unchanged and the only file. */
static void
expect_precious(const struct path *directory)
{
	struct path mailbox = files_path(directory->name, "mailbox");

	files_expect_string(mailbox.name, PRECIOUS);
	ck_assert_int_eq(files_mode(mailbox.name), 0644);
	ck_assert_uint_eq(files_count(directory->name), 1);
}

/* ---- the command line ---- */

/* A name of 64 characters, the limit. */
#define LONGEST_NETID "0123456789012345678901234567890123456789012345678901234567890123"

/* Wrong arguments: an option or operand, and the argument after it, or NULL. */
static const struct {
	const char *option;
	const char *value;
} wrong[] = {
    {"--nonsense", NULL},
    {"-Z", NULL},
    {"--timeou", "x"},
    {"operand", NULL},
    {"--", "operand"},
    {"", NULL},
    {"-p", NULL},
    {"--port", NULL},
    {"-p", ""},
    {"-p", "x"},
    {"-p", "-1"},
    {"-p", "65536"},
    {"-p", "80x"},
    {"-p", "0x50"},
    {"-p", "1.5"},
    {"-p", "99999999999999999999"},
    {"-p", "18446744073709551617"},
    {"--port", "http"},
    {"-h", NULL},
    {"-n", NULL},
    {"-n", ""},
    {"-n", "a b"},
    {"-n", "a\tb"},
    {"-n", "a\nb"},
    {"-n", "a\177"},
    {"-n", "\303\266"},
    {"-n", LONGEST_NETID "x"},
    {"-t", NULL},
    {"-t", ""},
    {"-t", "0"},
    {"-t", "0.0"},
    {"-t", "-1"},
    {"-t", "x"},
    {"-t", "1x"},
    {"-t", "1e"},
    {"-t", "nan"},
    {"-t", "inf"},
    {"--timeout", "1 2"},
    {"-m", NULL},
    {"-m", ""},
    {"-m", "x"},
    {"-m", "-1"},
    {"-m", "1k"},
    {"-m", "1.5"},
    {"-m", "99999999999999999999"},
    {"-m", "18446744073709551617"},
    {"-u", NULL},
    {"--verbose=yes", NULL},
    {"--help=x", NULL},
    {"--version=x", NULL},
};

START_TEST(wrong_usage_changes_no_file)
{
	struct path directory = directory_with_mailbox();
	struct arguments arguments;
	struct bytes what = {0};
	struct outcome outcome;

	/* If the value were accepted, this keeps the server off the assignment's port. */
	arguments_set(&arguments, "-p 0");
	arguments_add(&arguments, wrong[_i].option);
	if (wrong[_i].value != NULL) {
		arguments_add(&arguments, wrong[_i].value);
	}
	bytes_add_format(
	    &what, "%s %s", wrong[_i].option, wrong[_i].value == NULL ? "" : wrong[_i].value);
	outcome = program_run(directory.name, &arguments);
	expect_failure(what.at, &outcome, WRONG_USAGE);
	bytes_free(&what);
	expect_precious(&directory);
}
END_TEST

/* Every option and these defaults are in the help, and no file is changed. */
START_TEST(help_lists_every_option)
{
	static const char *const words[] = {"-h", "--host", "-p", "--port", "-n", "--netid", "-t",
	    "--timeout", "-m", "--max-size", "-a", "--any-login", "-k", "--keep", "-s", "--sync",
	    "-x", "--extended", "-u", "--user", "-v", "--verbose", "--help", "--version",
	    "127.0.0.1", "8765", "10485760"};
	struct path directory = directory_with_mailbox();
	struct outcome outcome = program_run_words(directory.name, "--help");

	ck_assert_int_eq(outcome.status, 0);
	bytes_assert_string("standard error", &outcome.errors, "");
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		ck_assert_msg(strstr(bytes_string(&outcome.output), words[i]) != NULL,
		    "%s is missing", words[i]);
	}
	outcome_free(&outcome);
	expect_precious(&directory);
}
END_TEST

START_TEST(version_is_printed)
{
	struct path directory = directory_with_mailbox();
	struct outcome outcome = program_run_words(directory.name, "--version");

	ck_assert_int_eq(outcome.status, 0);
	bytes_assert_string("standard error", &outcome.errors, "");
	bytes_assert_string("standard output", &outcome.output, "smtpd " VERSION "\n");
	outcome_free(&outcome);
	expect_precious(&directory);
}
END_TEST

START_TEST(a_netid_may_have_64_characters)
{
	struct server *server = server_start("-n " LONGEST_NETID);

	converse_expect(server, "HELO x\r\n",
	    "220 " LONGEST_NETID " SMTP CS4410MP3\r\n250 " LONGEST_NETID "\r\n");
	server_stop(server);
}
END_TEST

/* Long and short options in any order; the last one has precedence. */
START_TEST(options_have_long_and_short_forms)
{
	static const char *const forms[] = {"-n x --max-size=1 -m 2", "-nx -m2",
	    "--netid x --max-size 2", "--netid=x --max-size=2 -v --verbose", "-n y -vm2 -n x"};
	struct server *server = server_start(forms[_i]);

	converse_expect(server,
	    "HELO h\r\nMAIL FROM:a\r\nRCPT TO:a\r\nDATA\r\nab\r\n.\r\n"
	    "MAIL FROM:a\r\nRCPT TO:a\r\nDATA\r\na\r\n.\r\n",
	    "220 x SMTP CS4410MP3\r\n250 x\r\n" OK OK START_DATA TOO_BIG OK OK START_DATA
	    "250 OK:  delivered message 1\r\n");
	server_stop(server);
}
END_TEST

/* ---- where it listens ---- */

/* Check that the log is the readiness line with this host, after the warning for root. */
static void
expect_ready_line(const struct server *server, const char *host)
{
	struct bytes expected = {0};

	bytes_add_string(&expected, server_root_warning());
	bytes_add_format(&expected, "Server coming up on %s:%u\n", host, server->port);
	bytes_assert_string("standard error", &server->log, expected.at);
	bytes_free(&expected);
}

START_TEST(a_free_port_is_in_the_readiness_line)
{
	struct server *server = server_start("");

	expect_ready_line(server, "127.0.0.1");
	client_expect_greeting("127.0.0.1", server->port);
	server_stop(server);
}
END_TEST

/* Without arguments: 127.0.0.1, port 8765, in a network namespace where it is free. */
START_TEST(without_arguments_port_8765_is_used)
{
	struct path directory = files_directory();
	struct arguments arguments;
	struct server *server;

	if (!isolation_network()) {
		return;
	}
	arguments_set(&arguments, "");
	server = server_start_arguments(directory.name, &arguments);
	ck_assert_uint_eq(server->port, 8765);
	expect_ready_line(server, "127.0.0.1");
	client_expect_greeting("127.0.0.1", 8765);
	server_stop(server);
}
END_TEST

/* Return whether this machine has ::1. */
static bool
has_loopback_6(void)
{
	struct path path = files_path("/proc/net", "if_inet6");
	struct bytes addresses = {0};
	bool found;

	if (files_exists(path.name)) {
		addresses = files_read(path.name);
	}
	found = strstr(bytes_string(&addresses), "00000000000000000000000000000001") != NULL;
	bytes_free(&addresses);
	if (!found) {
		suite_skip("this machine has no ::1");
	}
	return found;
}

START_TEST(an_ipv6_address_is_accepted)
{
	struct server *server;

	if (!has_loopback_6()) {
		return;
	}
	server = server_start("-h ::1");
	expect_ready_line(server, "[::1]");
	client_expect_greeting("::1", server->port);
	server_stop(server);
}
END_TEST

/* Another address of the machine with the same port can be bound. */
START_TEST(the_server_listens_on_its_address_alone)
{
	struct server *server = server_start("-h 127.0.0.2");
	struct server *other;
	struct bytes options = {0};

	expect_ready_line(server, "127.0.0.2");
	client_expect_greeting("127.0.0.2", server->port);
	bytes_add_format(&options, "-h 127.0.0.3 -p %u", server->port);
	other = server_start(options.at);
	client_expect_greeting("127.0.0.3", server->port);
	bytes_free(&options);
	server_stop(other);
	server_stop(server);
}
END_TEST

/* Each address has a readiness line, in this order, with the same port. */
START_TEST(two_addresses_have_the_same_port)
{
	struct server *server = server_start(
	    _i == 0 ? "-h 127.0.0.2 -h 127.0.0.3" : "--host=127.0.0.2 -h 127.0.0.3 -p 0");
	struct bytes lines = {0};

	bytes_add_format(&lines,
	    "Server coming up on 127.0.0.2:%u\nServer coming up on 127.0.0.3:%u\n", server->port,
	    server->port);
	client_expect_greeting("127.0.0.2", server->port);
	client_expect_greeting("127.0.0.3", server->port);
	server_end(server);
	ck_assert_ptr_nonnull(strstr(server->log.at, lines.at));
	bytes_free(&lines);
	server_release(server);
}
END_TEST

/* An IPv6 address is accepted as the server prints it; an IPv4 address may be in brackets, too. */
START_TEST(an_address_may_be_in_brackets)
{
	struct server *server;

	if (_i == 1 && !has_loopback_6()) {
		return;
	}
	server = server_start(_i == 0 ? "-h [127.0.0.1]" : "-h [::1]");
	expect_ready_line(server, _i == 0 ? "127.0.0.1" : "[::1]");
	client_expect_greeting(_i == 0 ? "127.0.0.1" : "::1", server->port);
	server_stop(server);
}
END_TEST

START_TEST(a_host_name_is_accepted)
{
	struct server *server = server_start("-h localhost");

	ck_assert_uint_ne(server->port, 0);
	server_stop(server);
}
END_TEST

/* Addresses that cannot be bound: an unknown name, a remote address, an invalid one. */
START_TEST(an_impossible_host_prevents_the_start)
{
	static const char *const hosts[] = {
	    "-h no.such.host.invalid", "-h 192.0.2.1", "-h 256.1.1.1"};
	struct path directory = directory_with_mailbox();
	struct outcome outcome;

	if (!isolation_network()) {
		return;
	}
	outcome = program_run_words(directory.name, hosts[_i]);
	expect_clear_failure(hosts[_i], &outcome, hosts[_i] + strlen("-h "));
	expect_precious(&directory);
}
END_TEST

/* After a server has ended, another can bind its port despite connections in TIME_WAIT. */
START_TEST(a_port_can_be_bound_again)
{
	struct server *server = server_start("--timeout 0.1");
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct bytes options = {0};
	unsigned port = server->port;

	/* The server closes first, so that its side is in TIME_WAIT. */
	client_expect(&client, TIMED_OUT);
	client_expect_end(&client);
	server_stop(server);
	bytes_add_format(&options, "-p %u", port);
	server = server_start(options.at);
	ck_assert_uint_eq(server->port, port);
	client_expect_greeting("127.0.0.1", port);
	bytes_free(&options);
	server_stop(server);
}
END_TEST

/* ---- a second server ---- */

/* The second directory is unchanged, and the first server continues. */
START_TEST(a_second_server_on_the_port_does_not_start)
{
	struct server *server = server_start("");
	struct path directory = directory_with_mailbox();
	struct bytes options = {0};
	struct outcome outcome;

	bytes_add_format(&options, "-p %u", server->port);
	outcome = program_run_words(directory.name, options.at);
	expect_clear_failure("second server", &outcome, "in use");
	expect_precious(&directory);
	client_expect_greeting("127.0.0.1", server->port);
	bytes_free(&options);
	server_stop(server);
}
END_TEST

/* The mailbox of the first server is unchanged. */
START_TEST(a_second_server_in_the_directory_does_not_start)
{
	struct server *server = server_start("");
	struct client client = client_connect_in_state(server, STATE_GREETED);
	struct ledger ledger = {0};
	struct outcome outcome;

	client_deliver(&client, "one\r\n", ledger_add_line(&ledger, "one"));
	outcome = program_run_words(server->directory.name, "-p 0");
	expect_clear_failure("second server", &outcome, "mailbox");
	ledger_check(&ledger, server);
	client_deliver(&client, "two\r\n", ledger_add_line(&ledger, "two"));
	ledger_check(&ledger, server);
	client_close(&client);
	ledger_free(&ledger);
	server_stop(server);
}
END_TEST

/* ---- the mailbox at the start ---- */

/*
 * Check that the log says that the mailbox was emptied of `length` bytes or, if that is 0, that it
 * does not say so.
 */
static void
expect_emptied(struct server *server, off_t length)
{
	const char *log = bytes_string(&server->log);
	char line[80];

	snprintf(line, sizeof line, "smtpd: mailbox: emptied of the %jd bytes of an earlier run\n",
	    (intmax_t)length);
	if (length > 0) {
		ck_assert_msg(strstr(log, line) != NULL, "no '%s' in %s", line, log);
	} else {
		ck_assert_ptr_null(strstr(log, "emptied"));
	}
}

/* The mailbox is created, or truncated, with mode 0600, and numbers begin at 1. */
START_TEST(the_mailbox_is_emptied_at_the_start)
{
	struct path directory = _i == 0 ? files_directory() : directory_with_mailbox();
	struct path mailbox = files_path(directory.name, "mailbox");
	mode_t mask = umask(0);

	for (unsigned run = 0; run < 2; run++) {
		off_t length = run > 0 || _i > 0 ? files_length(mailbox.name) : 0;
		struct server *server = server_start_in(directory.name, "");
		struct client client = client_connect_in_state(server, STATE_GREETED);
		struct ledger ledger = {0};

		expect_emptied(server, length);
		files_expect_string(mailbox.name, "");
		ck_assert_int_eq(files_mode(mailbox.name), S_IRUSR | S_IWUSR);
		client_deliver(&client, "a\r\n", ledger_add_line(&ledger, "a"));
		ledger_check(&ledger, server);
		client_close(&client);
		ledger_free(&ledger);
		server_stop(server);
	}
	umask(mask);
}
END_TEST

static void
make_directory(const struct path *mailbox)
{
	ck_assert_int_eq(mkdir(mailbox->name, 0755), 0);
}

static void
make_link(const struct path *mailbox)
{
	ck_assert_int_eq(symlink("victim", mailbox->name), 0);
}

static void
make_broken_link(const struct path *mailbox)
{
	ck_assert_int_eq(symlink("nowhere", mailbox->name), 0);
}

static void
make_fifo(const struct path *mailbox)
{
	ck_assert_int_eq(mkfifo(mailbox->name, 0644), 0);
}

static void
make_socket(const struct path *mailbox)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_uint_lt(strlen(mailbox->name), sizeof address.sun_path);
	memcpy(address.sun_path, mailbox->name, strlen(mailbox->name) + 1);
	ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
	close(descriptor);
}

/* Kinds of directory entries other than a file. */
static const struct {
	void (*make)(const struct path *mailbox);
	mode_t kind;
} obstacles[] = {
    {make_directory, S_IFDIR},
    {make_link, S_IFLNK},
    {make_broken_link, S_IFLNK},
    {make_fifo, S_IFIFO},
    {make_socket, S_IFSOCK},
};

/*
 * The entry is neither used nor removed; a link is not followed; open() of a FIFO does not block.
 */
START_TEST(a_mailbox_that_is_no_file_prevents_the_start)
{
	struct path directory = files_directory();
	struct path mailbox = files_path(directory.name, "mailbox");
	struct path victim = files_path(directory.name, "victim");
	struct outcome outcome;
	struct stat status;

	files_write_string(victim.name, PRECIOUS);
	obstacles[_i].make(&mailbox);
	outcome = program_run_words(directory.name, "-p 0");
	expect_clear_failure("no file", &outcome, "mailbox");
	files_expect_string(victim.name, PRECIOUS);
	ck_assert_int_eq(lstat(mailbox.name, &status), 0);
	ck_assert_uint_eq(status.st_mode & S_IFMT, obstacles[_i].kind);
	ck_assert_uint_eq(files_count(directory.name), 2);
}
END_TEST

/* ---- descriptors and users ---- */

/* Check that a descriptor of a process is /dev/null. */
static void
expect_dev_null(pid_t process, int descriptor)
{
	char path[sizeof "/proc//fd/" + 3 * sizeof process + 3 * sizeof descriptor];
	char target[sizeof "/dev/null"] = "";

	snprintf(path, sizeof path, "/proc/%jd/fd/%d", (intmax_t)process, descriptor);
	ck_assert_int_ge(readlink(path, target, sizeof target - 1), 0);
	ck_assert_str_eq(target, "/dev/null");
}

/* Their descriptors must not be those of the mailbox or of a client. */
START_TEST(without_standard_streams_no_log_line_goes_elsewhere)
{
	struct path directory = files_directory();
	struct arguments arguments;
	struct server server = {.directory = directory};
	struct ledger ledger = {0};
	struct client client;
	int status;

	if (!isolation_network()) {
		return;
	}
	arguments_set(&arguments, "--verbose");
	server.port = 8765;
	server.process = program_start(directory.name, &arguments, -1, -1);
	proc_await_listening(server.port);
	expect_dev_null(server.process, STDOUT_FILENO);
	expect_dev_null(server.process, STDERR_FILENO);
	client = client_connect_in_state(&server, STATE_GREETED);
	client_deliver(&client, "a\r\n", ledger_add_line(&ledger, "a"));
	client_close(&client);
	server_signal(&server, SIGTERM);
	ck_assert_int_eq(waitpid(server.process, &status, 0), server.process);
	ck_assert_int_eq(status, 0);
	ledger_check(&ledger, &server);
	ledger_free(&ledger);
}
END_TEST

/* The user with the fewest permissions on each system. */
#define NOBODY "nobody"

/* After bind() the server changes to the user, who owns the mailbox. */
START_TEST(the_server_changes_to_the_user)
{
	const struct passwd *user = getpwnam(NOBODY); /* NOLINT(concurrency-mt-unsafe) */
	struct path directory = files_directory();
	struct path mailbox = files_path(directory.name, "mailbox");
	struct server *server;
	struct stat status;

	if (geteuid() != 0 || user == NULL) {
		suite_skip("only root can change the user");
		return;
	}
	ck_assert_int_eq(chmod(files_base(), 0755), 0);
	ck_assert_int_eq(chown(directory.name, user->pw_uid, user->pw_gid), 0);
	server = server_start_in(directory.name, "-u " NOBODY);
	ck_assert_uint_eq(proc_other_ids(server->process, user->pw_uid, user->pw_gid), 0);
	ck_assert_int_eq(stat(mailbox.name, &status), 0);
	ck_assert_uint_eq(status.st_uid, user->pw_uid);
	client_expect_greeting("127.0.0.1", server->port);
	server_stop(server);
}
END_TEST

START_TEST(an_unknown_user_prevents_the_start)
{
	struct path directory = directory_with_mailbox();
	struct outcome outcome = program_run_words(directory.name, "-p 0 -u no-such-user");

	expect_clear_failure("unknown user", &outcome, "no-such-user");
	expect_precious(&directory);
}
END_TEST

START_TEST(no_permission_prevents_the_start)
{
	struct path directory = files_directory();
	struct outcome outcome;

	if (geteuid() == 0) {
		suite_skip("root may write everywhere");
		return;
	}
	ck_assert_int_eq(chmod(directory.name, 0555), 0);
	outcome = program_run_words(directory.name, "-p 0");
	expect_clear_failure("no permission", &outcome, "Permission denied");
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, wrong_usage_changes_no_file, 0, ARRAY_LENGTH(wrong));
	tcase_add_test(tests, help_lists_every_option);
	tcase_add_test(tests, version_is_printed);
	tcase_add_test(tests, a_netid_may_have_64_characters);
	tcase_add_loop_test(tests, options_have_long_and_short_forms, 0, 5);
	tcase_add_test(tests, a_free_port_is_in_the_readiness_line);
	tcase_add_test(tests, without_arguments_port_8765_is_used);
	tcase_add_test(tests, an_ipv6_address_is_accepted);
	tcase_add_test(tests, the_server_listens_on_its_address_alone);
	tcase_add_loop_test(tests, two_addresses_have_the_same_port, 0, 2);
	tcase_add_loop_test(tests, an_address_may_be_in_brackets, 0, 2);
	tcase_add_test(tests, a_host_name_is_accepted);
	tcase_add_loop_test(tests, an_impossible_host_prevents_the_start, 0, 3);
	tcase_add_test(tests, a_port_can_be_bound_again);
	tcase_add_test(tests, a_second_server_on_the_port_does_not_start);
	tcase_add_test(tests, a_second_server_in_the_directory_does_not_start);
	tcase_add_loop_test(tests, the_mailbox_is_emptied_at_the_start, 0, 2);
	tcase_add_loop_test(
	    tests, a_mailbox_that_is_no_file_prevents_the_start, 0, ARRAY_LENGTH(obstacles));
	tcase_add_test(tests, without_standard_streams_no_log_line_goes_elsewhere);
	tcase_add_test(tests, the_server_changes_to_the_user);
	tcase_add_test(tests, an_unknown_user_prevents_the_start);
	tcase_add_test(tests, no_permission_prevents_the_start);
	return suite_run("start", tests);
}
