/*
 * NAME
 *	check_grade_other - multiclient --grade against what is no server of the assignment
 *
 * DESCRIPTION
 *	The run must end in time, with a verdict on each demand.
 */

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "grade_state.h"
#include "loopback.h"
#include "params.h"
#include "run.h"
#include "server.h"
#include "suite.h"

/* Seconds that one run may take with the short times that these tests give it. */
#define RUN_SECONDS 25

/* Time between two greetings of STUB_REPEATS, in milliseconds. */
#define REPEAT_TIME 5

enum stub_type {
	STUB_NOT_ACCEPTED, /* it listens, and never accepts */
	STUB_HANGS,        /* it accepts, and nothing more */
	STUB_CLOSES,       /* it closes each connection at once */
	STUB_REPEATS,      /* it sends its greeting again and again, and reads nothing */
	STUB_REPLIES       /* it replies to whatever comes */
};

static const struct stub_case {
	const char *name;
	enum stub_type type;
	const char *greeting, *reply; /* NULL: none */
	const char *last_line;        /* of the report; NULL: not compared */
} stub_cases[] = {
    {"not accepted", STUB_NOT_ACCEPTED, NULL, NULL, "0 passed, 1 failed, 32 not seen\n"},
    {"hung", STUB_HANGS, NULL, NULL, "0 passed, 1 failed, 32 not seen\n"},
    {"closed", STUB_CLOSES, NULL, NULL, "0 passed, 1 failed, 32 not seen\n"},
    {"garbage", STUB_REPEATS, "\xff\xfe\x01garbage\n", NULL, "0 passed, 2 failed, 31 not seen\n"},
    {"no line end", STUB_REPEATS, "garbage", NULL, "0 passed, 2 failed, 31 not seen\n"},
    {"HTTP", STUB_REPLIES, NULL, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
	"0 passed, 1 failed, 32 not seen\n"},
    {"SSH", STUB_REPLIES, "SSH-2.0-server\r\n", "Invalid SSH identification string.\r\n",
	"0 passed, 1 failed, 32 not seen\n"},
    /* All lines of a message are acknowledged, too, and no message has a number. */
    {"yes to all", STUB_REPLIES, "220 host ESMTP ready\r\n", "250 2.0.0 OK\r\n", NULL},
};

struct stub {
	const struct stub_case *stub_case;
	int listener;
	char port[PORT_SIZE];
	struct program program; /* multiclient */
};

struct stub_connection {
	const struct stub_case *stub_case;
	int descriptor;
};

static bool
send_text(int descriptor, const char *text)
{
	return text == NULL || send(descriptor, text, strlen(text), MSG_NOSIGNAL) != -1;
}

static void *
connection_main(void *argument)
{
	struct stub_connection connection = *(struct stub_connection *)argument;
	const struct stub_case *stub_case = connection.stub_case;
	char bytes[4096];
	bool going;

	free(argument);
	going =
	    send_text(connection.descriptor, stub_case->greeting) && stub_case->type != STUB_CLOSES;
	while (going) {
		if (stub_case->type == STUB_REPLIES) {
			going = recv(connection.descriptor, bytes, sizeof bytes, 0) > 0 &&
				send_text(connection.descriptor, stub_case->reply);
		} else if (stub_case->type == STUB_REPEATS) {
			poll(NULL, 0, REPEAT_TIME);
			going = send_text(connection.descriptor, stub_case->greeting);
		} else {
			poll(NULL, 0, -1);
		}
	}
	close(connection.descriptor);
	return NULL;
}

static void *
stub_main(void *argument)
{
	const struct stub *stub = argument;

	for (;;) {
		int descriptor = accept(stub->listener, NULL, NULL);
		struct stub_connection *connection = malloc(sizeof *connection);
		pthread_t thread;

		REQUIRE(descriptor != -1 && connection != NULL, "accept failed");
		*connection = (struct stub_connection){stub->stub_case, descriptor};
		REQUIRE(pthread_create(&thread, NULL, connection_main, connection) == 0,
		    "no more threads");
		pthread_detach(thread);
	}
	return NULL;
}

/* Start a stub, and multiclient against it. Both end with the test. */
static void
begin(struct stub *stub, const struct stub_case *stub_case)
{
	pthread_t thread;
	unsigned port;

	stub->stub_case = stub_case;
	stub->listener = loopback_listen(&port);
	snprintf(stub->port, sizeof stub->port, "%u", port);
	if (stub_case->type != STUB_NOT_ACCEPTED) {
		ck_assert_int_eq(pthread_create(&thread, NULL, stub_main, stub), 0);
	}
	stub->program = run_begin((const char *[]){"--grade", "-t", "0.5", "--patience", "0.3",
	    "-d", files_directory().name, "-p", stub->port, NULL});
}

/* There must be a verdict on each demand. */
static void
require_verdicts(const char *name, const struct outcome *client)
{
	char text[8];

	REQUIRE(outcome_status(client) == 1, "%s: status %d\n%.1000s%.6000s", name,
	    outcome_status(client), bytes_string(&client->errors), bytes_string(&client->output));
	for (unsigned i = 1; i <= DEMANDS_COUNT; i++) {
		snprintf(text, sizeof text, "%sR%02u  ", i == 1 ? "" : "\n", i);
		REQUIRE(strstr(bytes_string(&client->output), text) != NULL,
		    "%s: no R%02u\n%.6000s", name, i, bytes_string(&client->output));
	}
}

START_TEST(each_demand_gets_a_verdict)
{
	static struct stub stubs[ARRAY_LENGTH(stub_cases)];

	for (size_t i = 0; i < ARRAY_LENGTH(stub_cases); i++) {
		begin(&stubs[i], &stub_cases[i]);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(stub_cases); i++) {
		struct outcome client = program_finish(&stubs[i].program, RUN_SECONDS);

		require_verdicts(stub_cases[i].name, &client);
		REQUIRE(stub_cases[i].last_line == NULL ||
			    strcmp(outcome_last_line(&client), stub_cases[i].last_line) == 0,
		    "%s:\n%.8000s", stub_cases[i].name, bytes_string(&client.output));
		outcome_free(&client);
	}
}
END_TEST

/*
 * smtpd --extended, a server of ESMTP, fails where it differs from the assignment, and only there.
 */
START_TEST(esmtp_server_fails_where_it_differs)
{
	static const char *const differences[] = {
	    "R01", "R10", "R13", "R15", "R16", "R17", "R19", "R20", "R21", "R22"};
	struct server *server = server_start("-h 127.0.0.1 -t 1 --extended");
	struct outcome client = run_multiclient((const char *[]){"--grade=machine", "-t", "1", "-d",
	    server->directory.name, "127.0.0.1", server->port_text, NULL});
	const char *line = bytes_string(&client.output);
	size_t found = 0;

	ck_assert_int_eq(outcome_status(&client), 1);
	ck_assert_uint_eq(bytes_count(&client.output, '\n'), DEMANDS_COUNT);
	ck_assert_ptr_null(strstr(line, "\tnot seen\t"));
	for (; *line == 'R'; line = strchr(line, '\n') + 1) {
		if (strncmp(line + 4, "FAILED\t", 7) == 0) {
			REQUIRE(found < ARRAY_LENGTH(differences) &&
				    strncmp(line, differences[found], 3) == 0,
			    "%.3s failed in\n%s", line, bytes_string(&client.output));
			found++;
		}
	}
	ck_assert_uint_eq(found, ARRAY_LENGTH(differences));
	outcome_free(&client);
	server_stop(server);
}
END_TEST

START_TEST(a_refused_connection_is_reported)
{
	run_and_expect((const char *[]){"--grade", "-q", "127.0.0.1", "1", NULL}, 3,
	    "multiclient: 127.0.0.1 port 1: Connection refused\n",
	    "0 passed, 0 failed, 33 not seen\n");
}
END_TEST

START_TEST(a_missing_directory_is_reported)
{
	run_and_expect((const char *[]){"--grade", "-d", "/nonexistent", NULL}, 2,
	    "multiclient: --directory '/nonexistent': No such file or directory\n", "");
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, each_demand_gets_a_verdict);
	tcase_add_test(tests, esmtp_server_fails_where_it_differs);
	tcase_add_test(tests, a_refused_connection_is_reported);
	tcase_add_test(tests, a_missing_directory_is_reported);
	return suite_run("grade_other", tests);
}
