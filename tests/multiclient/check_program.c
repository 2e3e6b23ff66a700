/*
 * NAME
 *	check_program - multiclient as a program, with the real server
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"
#include "suite.h"

#define TEST_SECONDS 60

/* How long the server may take to say that it is ready, in milliseconds. */
#define READY_TIME 10000

#define LINE_SIZE 256

/* A server at work, in a directory of its own. */
struct server {
	pid_t pid;
	char *directory;
	int said; /* descriptor: its standard error */
	char port[8];
};

/* Read a line of the server's standard error, without its end. */
static void
read_line(struct server *server, char line[LINE_SIZE])
{
	struct pollfd ready = {.fd = server->said, .events = POLLIN};
	size_t length = 0;

	while (length < LINE_SIZE - 1) {
		ck_assert_int_eq(poll(&ready, 1, READY_TIME), 1);
		ck_assert_int_eq(read(server->said, line + length, 1), 1);
		if (line[length] == '\n') {
			break;
		}
		length++;
	}
	line[length] = '\0';
}

/* Read the log up to the readiness line; as root, a warning precedes it. */
static void
read_port(struct server *server)
{
	static const char ready[] = "Server coming up on ";
	char line[LINE_SIZE];

	do {
		read_line(server, line);
	} while (strncmp(line, ready, strlen(ready)) != 0);
	snprintf(server->port, sizeof server->port, "%.7s", strrchr(line, ':') + 1);
}

static void
server_start(struct server *server, const char *host, const char *timeout)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread changes the environment. */
	const char *path = getenv("SMTPD");
	int ends[2];

	ck_assert_msg(path != NULL, "SMTPD is not set: run this with make check");
	server->directory = suite_directory();
	ck_assert_int_eq(pipe(ends), 0);
	server->pid = fork();
	ck_assert_int_ge(server->pid, 0);
	if (server->pid == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		if (chdir(server->directory) == 0) {
			execl(path, path, "-h", host, "-p", "0", "-t", timeout, (char *)NULL);
		}
		_exit(127);
	}
	close(ends[1]);
	server->said = ends[0];
	read_port(server);
}

static void
server_stop(struct server *server)
{
	int status;

	ck_assert_int_eq(kill(server->pid, SIGTERM), 0);
	ck_assert_int_eq(waitpid(server->pid, &status, 0), server->pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	close(server->said);
	suite_remove(server->directory);
	free(server->directory);
}

static void
require_passed(const struct program *client, const char *last_line)
{
	REQUIRE(client->status == 0, "status %d\n%.1000s%.2000s", client->status, client->errors,
	    client->output);
	ck_assert_str_eq(client->errors, "");
	ck_assert_str_eq(program_last_line(client), last_line);
}

/* The whole of it, with timeouts and files, and a seed of its own each time. */
START_TEST(server_passes)
{
	struct server server;
	struct program client;

	server_start(&server, "127.0.0.1", "1");
	program_run(
	    &client, (const char *[]){"-p", server.port, "-t", "1", "-d", server.directory, NULL});
	require_passed(&client, "1000 passed, 0 failed\n");
	ck_assert_ptr_nonnull(strstr(
	    client.output, "every kind of operation occurred in every state where it can\n"));
	program_release(&client);
	server_stop(&server);
}
END_TEST

/* Twice against the same server: what is there already is not ours, and numbers go on. */
START_TEST(server_passes_again)
{
	struct server server;
	struct program client;
	int i;

	server_start(&server, "127.0.0.1", "10");
	for (i = 0; i < 2; i++) {
		program_run(&client, (const char *[]){"--no-timeouts", "-n", "700", "-c", "5", "-d",
					 server.directory, "127.0.0.1", server.port, NULL});
		require_passed(&client, "700 passed, 0 failed\n");
		program_release(&client);
	}
	server_stop(&server);
}
END_TEST

/* More connections than the server has threads: the banner is waited for. */
START_TEST(server_passes_crowded)
{
	struct server server;
	struct program client;

	server_start(&server, "127.0.0.1", "1");
	program_run(&client, (const char *[]){"-p", server.port, "-c", "100", "-n", "3000", "-t",
				 "1", "-d", server.directory, "--netid", "netid", NULL});
	require_passed(&client, "3000 passed, 0 failed\n");
	program_release(&client);
	server_stop(&server);
}
END_TEST

START_TEST(server_passes_over_ipv6)
{
	struct server server;
	struct program client;

	server_start(&server, "::1", "10");
	program_run(
	    &client, (const char *[]){"-h", "::1", "-p", server.port, "--no-timeouts", "-q", NULL});
	require_passed(&client, "1000 passed, 0 failed\n");
	/* Quiet: this and nothing more. */
	ck_assert_str_eq(client.output, "1000 passed, 0 failed\n");
	program_release(&client);
	server_stop(&server);
}
END_TEST

/* The table of the report, without what differs from run to run. */
static void
cut_table(struct program *client)
{
	char *end = strstr(client->output, "\nlatency ");
	char *begin = strstr(client->output, "\noperation ");

	REQUIRE(begin != NULL && end > begin, "no table in %s", client->output);
	*end = '\0';
	memmove(client->output, begin, (size_t)(end - begin) + 1);
}

START_TEST(seed_repeats)
{
	struct server server;
	struct program one, other;
	const char *arguments[] = {"-p", NULL, "--no-timeouts", "-s", "77", "-n", "5000", NULL};

	server_start(&server, "127.0.0.1", "10");
	arguments[1] = server.port;
	program_run(&one, arguments);
	program_run(&other, arguments);
	ck_assert_ptr_nonnull(strstr(one.output, "seed 77,"));
	cut_table(&one);
	cut_table(&other);
	ck_assert_str_eq(one.output, other.output);
	program_release(&one);
	program_release(&other);
	server_stop(&server);
}
END_TEST

/* The timeouts are 60 s away, and so many operations too: it is the signal that ends it. */
START_TEST(interrupt_reports)
{
	struct server server;
	struct program client;
	struct pollfd nothing = {.fd = -1};

	server_start(&server, "127.0.0.1", "60");
	program_start(&client, "MULTICLIENT",
	    (const char *[]){
		"-p", server.port, "-t", "60", "-n", "1000000000", "-d", server.directory, NULL});
	/* It has caught the signal when its first message is on file. */
	do {
		char path[LINE_SIZE];

		snprintf(path, sizeof path, "%s/mailbox.1-32", server.directory);
		if (access(path, F_OK) == 0) {
			break;
		}
	} while (poll(&nothing, 1, 5) == 0);
	ck_assert_int_eq(kill(client.pid, SIGINT), 0);
	program_finish(&client);
	ck_assert_int_eq(client.status, 0);
	ck_assert_ptr_nonnull(strstr(client.output, "interrupted: this is what was done so far\n"));
	ck_assert_ptr_nonnull(strstr(client.output, " operations were not done\n"));
	ck_assert_ptr_nonnull(strstr(program_last_line(&client), " passed, 0 failed\n"));
	program_release(&client);
	server_stop(&server);
}
END_TEST

/* Return how many threads a process has. */
static unsigned
count_threads(pid_t pid)
{
	char path[LINE_SIZE], line[LINE_SIZE];
	unsigned threads = 0;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	ck_assert_ptr_nonnull(status);
	while (threads == 0 && fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, "Threads:", strlen("Threads:")) == 0) {
			threads = (unsigned)strtoul(line + strlen("Threads:"), NULL, 10);
		}
	}
	fclose(status);
	return threads;
}

/*
 * The files of another server never become right, so the client verifies them for as long as its
 * patience lasts. Signals end it before.
 */
START_TEST(second_interrupt_ends_verification)
{
	struct server server, other;
	struct program client;
	struct pollfd nothing = {.fd = -1};
	siginfo_t ended = {0};
	char path[LINE_SIZE];

	server_start(&server, "127.0.0.1", "60");
	server_start(&other, "127.0.0.1", "60");
	program_start(&client, "MULTICLIENT",
	    (const char *[]){"-p", server.port, "-t", "60", "-n", "2000", "-s", "1",
		"--no-timeouts", "--patience", "20", "-d", other.directory, NULL});
	snprintf(path, sizeof path, "%s/mailbox.1-32", server.directory);
	while (access(path, F_OK) != 0) {
		poll(&nothing, 1, 5);
	}
	/* The main thread, and one of ThreadSanitizer's. */
	while (count_threads(client.pid) > 2) {
		poll(&nothing, 1, 5);
	}
	while (ended.si_pid == 0) {
		ck_assert_int_eq(kill(client.pid, SIGINT), 0);
		poll(&nothing, 1, 5);
		ck_assert_int_eq(
		    waitid(P_PID, (id_t)client.pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
	}
	program_finish(&client);
	ck_assert_int_eq(client.status, -1);
	program_release(&client);
	server_stop(&other);
	server_stop(&server);
}
END_TEST

START_TEST(wrong_netid_is_told)
{
	struct server server;
	struct program client;

	server_start(&server, "127.0.0.1", "10");
	program_run(&client, (const char *[]){"-p", server.port, "--netid", "other", NULL});
	ck_assert_int_eq(client.status, 1);
	ck_assert_str_eq(client.errors, "mismatch: the banner is wrong\n"
					"    expected: 220 other SMTP CS4410MP3\\r\\n\n"
					"    found:    220 netid SMTP CS4410MP3\\r\\n\n");
	ck_assert_str_eq(client.output, "0 passed, 1 failed\n");
	program_release(&client);
	server_stop(&server);
}
END_TEST

START_TEST(wrong_directory_is_told)
{
	struct server server;
	struct program client;

	server_start(&server, "127.0.0.1", "10");
	program_run(&client, (const char *[]){"-p", server.port, "-d", "/nonexistent", NULL});
	ck_assert_int_eq(client.status, 2);
	ck_assert_str_eq(client.errors,
	    "multiclient: --directory '/nonexistent': no mailbox to read there: "
	    "No such file or directory\n");
	ck_assert_str_eq(client.output, "");
	program_release(&client);
	server_stop(&server);
}
END_TEST

/* A port that is bound, so that no other process takes it, and on which no socket listens. */
START_TEST(nobody_is_told)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);
	struct program client;
	char port[8], expected[LINE_SIZE];

	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
	snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
	program_run(&client, (const char *[]){"127.0.0.1", port, NULL});
	snprintf(expected, sizeof expected, "multiclient: 127.0.0.1 port %s: Connection refused\n",
	    port);
	ck_assert_int_eq(client.status, 3);
	ck_assert_str_eq(client.errors, expected);
	ck_assert_str_eq(client.output, "0 passed, 0 failed\n");
	program_release(&client);
	close(descriptor);
}
END_TEST

START_TEST(wrong_usage_is_told)
{
	struct program client;

	program_run(&client, (const char *[]){"-n", "many", NULL});
	ck_assert_int_eq(client.status, 2);
	ck_assert_str_eq(client.errors,
	    "multiclient: --operations 'many': must be a number from 1 to 1000000000\n"
	    "multiclient: see multiclient --help\n");
	ck_assert_str_eq(client.output, "");
	program_release(&client);
}
END_TEST

int
main(void)
{
	TCase *tests = tcase_create("program");

	tcase_add_test(tests, server_passes);
	tcase_add_test(tests, server_passes_again);
	tcase_add_test(tests, server_passes_crowded);
	tcase_add_test(tests, server_passes_over_ipv6);
	tcase_add_test(tests, seed_repeats);
	tcase_add_test(tests, interrupt_reports);
	tcase_add_test(tests, second_interrupt_ends_verification);
	tcase_add_test(tests, wrong_netid_is_told);
	tcase_add_test(tests, wrong_directory_is_told);
	tcase_add_test(tests, nobody_is_told);
	tcase_add_test(tests, wrong_usage_is_told);
	return suite_run("program", tests, TEST_SECONDS);
}
