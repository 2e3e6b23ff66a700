/*
 * NAME
 *	check_liar - multiclient against a server that lies on purpose
 *
 * DESCRIPTION
 *	Each lie is told to a whole run of multiclient, which must end with status 1 and say in what
 *	way it was lied to. The honest liar comes first: what it says passes, so it is the lie alone
 *	that fails.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../multiclient/constants.h"
#include "liar.h"
#include "program.h"
#include "suite.h"

/* Seconds that one test may take. */
#define TEST_SECONDS 60

/* The server's T in these tests, in seconds, as number and as text. */
#define TIMEOUT      0.3
#define TIMEOUT_TEXT "0.3"

/* A liar at work, and the client that was sent to it. */
struct scene {
	struct liar liar;
	struct program client;
	char *directory;
};

/* What the client is to do. */
enum look {
	LOOK_AT_REPLIES,
	LOOK_AT_TIMEOUTS,
	LOOK_AT_FILES,
	LOOK_AT_ALL
};

/* `patience`: how long the client waits for a reply, and for the files to be right. */
static void
begin(struct scene *scene, enum lie lie, enum answer answer, enum box_lie box_lie,
    const char *patience, enum look look)
{
	bool timeouts = look == LOOK_AT_TIMEOUTS || look == LOOK_AT_ALL;
	bool files = look == LOOK_AT_FILES || look == LOOK_AT_ALL;

	scene->directory = suite_directory();
	scene->liar =
	    (struct liar){.lie = lie, .answer = answer, .timeout = TIMEOUT, .netid = "netid"};
	box_begin(&scene->liar.box, box_lie, scene->directory);
	if (!timeouts)
		scene->liar.timeout = TEST_SECONDS;
	liar_start(&scene->liar);
	program_start(&scene->client, "MULTICLIENT",
	    (const char *[]){"-p", scene->liar.port, "--patience", patience, "-s", "7", "-t",
		timeouts ? TIMEOUT_TEXT : "10", timeouts ? "-c32" : "--no-timeouts",
		files ? "-d" : NULL, scene->directory, NULL});
}

static void
finish(struct scene *scene)
{
	program_finish(&scene->client);
	liar_stop(&scene->liar);
	box_end(&scene->liar.box);
	suite_remove(scene->directory);
}

static void
play(struct scene *scene, enum lie lie, enum answer answer, enum box_lie box_lie,
    const char *patience, enum look look)
{
	begin(scene, lie, answer, box_lie, patience, look);
	finish(scene);
}

static void
end(struct scene *scene)
{
	free(scene->directory);
	program_release(&scene->client);
}

/* How many the last line says have failed. */
static long
count_failed(const struct program *client)
{
	long passed, failed;
	char rest[2];

	/* NOLINTNEXTLINE(cert-err34-c): numbers that this project printed. */
	REQUIRE(sscanf(program_last_line(client), "%ld passed, %ld failed%1[\n]", &passed, &failed,
		    rest) == 3,
	    "last line: %s", program_last_line(client));
	return failed;
}

/* The client must have seen through it, and have said `words`. */
static void
require_caught(struct scene *scene, const char *name, const char *words)
{
	REQUIRE(scene->client.status == 1, "%s: status %d\n%.1000s%.1000s", name,
	    scene->client.status, scene->client.errors, scene->client.output);
	REQUIRE(count_failed(&scene->client) > 0, "%s: nothing failed", name);
	REQUIRE(strstr(scene->client.errors, words) != NULL, "%s: no word of '%s' in\n%.2000s",
	    name, words, scene->client.errors);
}

START_TEST(honesty_passes)
{
	struct scene scene;

	play(
	    &scene, LIE_NONE, ANSWER_NONE, BOX_HONEST, "10", _i == 0 ? LOOK_AT_FILES : LOOK_AT_ALL);
	REQUIRE(scene.client.status == 0, "status %d\n%.1000s%.1000s", scene.client.status,
	    scene.client.errors, scene.client.output);
	ck_assert_str_eq(scene.client.errors, "");
	ck_assert_str_eq(program_last_line(&scene.client), "1000 passed, 0 failed\n");
	ck_assert_ptr_nonnull(strstr(
	    scene.client.output, "every kind of operation occurred in every state where it can\n"));
	end(&scene);
}
END_TEST

/* Each text that the server can say, with one character changed, another one each time. */
START_TEST(each_changed_reply_is_caught)
{
	enum answer answer = (enum answer)_i;
	struct scene scene;
	struct reply reply;
	char expected[REPLY_MOST];

	play(&scene, LIE_CHANGED, answer, BOX_HONEST, "10",
	    answer == ANSWER_TIMEOUT ? LOOK_AT_TIMEOUTS : LOOK_AT_REPLIES);
	reply_write(&reply, answer, "netid", (struct span){NULL, 0});
	/* A refused address stands within the text: the part before it is enough. */
	(void)snprintf(expected, sizeof expected, "expected: %.*s",
	    (int)strcspn(reply.bytes, ">\r"), reply.bytes);
	if (answer == ANSWER_START_DATA || answer == ANSWER_DELIVERED)
		(void)snprintf(expected, sizeof expected, "expected: %.20s", reply.bytes);
	else if (answer == ANSWER_BANNER)
		(void)snprintf(expected, sizeof expected, "expected: 220 NETID SMTP");
	require_caught(&scene, "changed", expected);
	end(&scene);
}
END_TEST

/* The other ways to spoil a reply, each with one that is common and one that is rare. */
static const struct {
	enum lie lie;
	const char *words;
} spoilings[] = {
    {LIE_BARE_LF, "wrong reply"},
    {LIE_NO_LF, "mismatch"},
    {LIE_SPACED, "wrong reply"},
    {LIE_DROPPED, "mismatch"},
    {LIE_DOUBLED, "mismatch"},
    {LIE_EXTRA, "mismatch"},
    {LIE_HANG_UP, "end of file instead of a reply"},
    {LIE_RESET, "connection lost"},
};

static const enum answer spoiled[] = {ANSWER_WELCOME, ANSWER_OK, ANSWER_START_DATA,
    ANSWER_DELIVERED, ANSWER_UNRECOGNIZED, ANSWER_TOO_MANY};

START_TEST(each_spoiled_reply_is_caught)
{
	size_t lie = (size_t)_i / ROWS(spoiled);
	struct scene scene;
	char name[40];

	play(&scene, spoilings[lie].lie, spoiled[(size_t)_i % ROWS(spoiled)], BOX_HONEST, "0.5",
	    false);
	(void)snprintf(name, sizeof name, "spoiling %zu", lie);
	require_caught(&scene, name, spoilings[lie].words);
	end(&scene);
}
END_TEST

START_TEST(late_reply_is_caught)
{
	struct scene scene;

	play(&scene, LIE_DELAYED, ANSWER_OK, BOX_HONEST, "1", LOOK_AT_REPLIES);
	require_caught(&scene, "delayed", "no reply within 1");
	end(&scene);
}
END_TEST

static const struct {
	const char *name;
	enum lie lie;
	enum answer answer;
	const char *words;
} time_lies[] = {
    {"early", LIE_EARLY, ANSWER_NONE, "the 421 is too early"},
    {"late", LIE_LATE, ANSWER_NONE, "no 421 within T + 1 s"},
    {"never", LIE_NEVER, ANSWER_NONE, "no 421 within T + 1 s"},
    {"silent", LIE_SILENT_CLOSE, ANSWER_NONE, "end of file instead of a reply"},
    {"not closed", LIE_NOT_CLOSED, ANSWER_NONE, "no end of file"},
    {"rejected extends", LIE_REJECTED_EXTENDS, ANSWER_NONE, "\"invalid without end\""},
    {"partial extends", LIE_PARTIAL_EXTENDS, ANSWER_NONE, "\"a line byte by byte\""},
    {"accepted ignored", LIE_ACCEPTED_IGNORED, ANSWER_NONE, "\"dormant after a command\""},
    {"data ignored", LIE_DATA_IGNORED, ANSWER_NONE, "\"dormant in a message\""},
    {"421 with LF", LIE_BARE_LF, ANSWER_TIMEOUT, "wrong reply"},
    {"421 twice", LIE_DOUBLED, ANSWER_TIMEOUT, "extra bytes before the end of file"},
    {"421 and more", LIE_EXTRA, ANSWER_TIMEOUT, "extra bytes before the end of file"},
};

/* Several at once: they do little but wait. */
#define SCENES 4

START_TEST(lies_about_time_are_caught)
{
	struct scene scenes[SCENES];
	size_t first = (size_t)_i * SCENES;
	size_t i;

	for (i = 0; i < SCENES; i++)
		begin(&scenes[i], time_lies[first + i].lie, time_lies[first + i].answer, BOX_HONEST,
		    "10", LOOK_AT_TIMEOUTS);
	for (i = 0; i < SCENES; i++)
		finish(&scenes[i]);
	for (i = 0; i < SCENES; i++) {
		require_caught(&scenes[i], time_lies[first + i].name, time_lies[first + i].words);
		end(&scenes[i]);
	}
}
END_TEST

static const struct {
	const char *name;
	enum lie lie;
	const char *words;
} protocol_lies[] = {
    {"case", LIE_CASE, "came:     500 Error: command not recognized"},
    {"needs CR", LIE_NEEDS_CR, "mismatch"},
    {"short lines", LIE_SHORT_LINES, "came:     500 Error: line too long"},
    {"half a line", LIE_HALF_LINE, "\"half-close in a line\""},
    {"smuggled", LIE_SMUGGLED, "\"message, odd line ends\""},
    {"smuggled with CRLF", LIE_SMUGGLED_CRLF, "\"message, odd line ends\""},
    {"half a message", LIE_HALF_DATA, "\"half-close in a message\""},
    {"vanished", LIE_VANISHED, "which was sent whole before the connection was closed"},
    {"waits for data", LIE_WAITS_FOR_DATA, "no reply within"},
};

START_TEST(each_lie_about_the_protocol_is_caught)
{
	struct scene scene;

	play(&scene, protocol_lies[_i].lie, ANSWER_NONE, BOX_HONEST, "0.5", LOOK_AT_FILES);
	require_caught(&scene, protocol_lies[_i].name, protocol_lies[_i].words);
	end(&scene);
}
END_TEST

static const struct {
	const char *name;
	enum box_lie lie;
	const char *words;
} box_lies[] = {
    {"repeated", BOX_REPEATED, "mismatch"},
    {"skipped", BOX_SKIPPED, "were given to no message of ours"},
    {"backwards", BOX_BACKWARDS, "the number is not above one given before this was sent"},
    {"from two", BOX_FROM_TWO, "holds other messages than its name says"},
    {"byte changed", BOX_BYTE_CHANGED, "is not what was sent"},
    {"lost", BOX_LOST, "was accepted and is in no file"},
    {"twice", BOX_TWICE, "is there again"},
    {"renumbered", BOX_RENUMBERED, "was sent by nobody"},
    {"no number", BOX_NO_NUMBER, "has no number"},
    {"invented", BOX_INVENTED, "was sent by nobody"},
    {"junk", BOX_JUNK, "is not what was sent"},
    {"host", BOX_HOST, "is not what was sent"},
    {"sender", BOX_SENDER, "is not what was sent"},
    {"recipient lost", BOX_RECIPIENT_LOST, "is not what was sent"},
    {"recipients turned", BOX_RECIPIENTS_TURNED, "is not what was sent"},
    {"line lost", BOX_LINE_LOST, "is not what was sent"},
    {"unquoted", BOX_UNQUOTED, "is not what was sent"},
    {"quoted twice", BOX_QUOTED_TWICE, "is not what was sent"},
    {"dot", BOX_DOT, "is not what was sent"},
    {"CRLF", BOX_CRLF, "is not what was sent"},
    {"CR", BOX_CR, "is not what was sent"},
    {"NUL", BOX_NUL, "is not what was sent"},
    {"seven bits", BOX_SEVEN_BIT, "is not what was sent"},
    {"cut", BOX_CUT, "is not what was sent"},
    {"no empty line", BOX_NO_EMPTY_LINE, "is not what was sent"},
    {"no backup", BOX_NO_BACKUP, "mailbox holds a whole group that is not backed up"},
    {"not emptied", BOX_NOT_EMPTIED, "is there again"},
    {"backup's name", BOX_BACKUP_NAME, "is not a group of 32"},
    {"backup short", BOX_BACKUP_SHORT, "holds other messages than its name says"},
    {"backup lost", BOX_BACKUP_LOST, "was accepted and is in no file"},
};

START_TEST(each_lie_about_the_files_is_caught)
{
	struct scene scene;

	play(&scene, LIE_NONE, ANSWER_NONE, box_lies[_i].lie, "0.3", LOOK_AT_FILES);
	REQUIRE(scene.liar.box.told > 0, "%s: the lie was never told", box_lies[_i].name);
	require_caught(&scene, box_lies[_i].name, box_lies[_i].words);
	end(&scene);
}
END_TEST

/* Nobody hangs: neither when it stops answering nor when it is gone. */
START_TEST(end_of_the_server_is_caught)
{
	struct scene scene;

	play(&scene, _i == 0 ? LIE_STOPS : LIE_DIES, ANSWER_NONE, BOX_HONEST, "0.3",
	    LOOK_AT_TIMEOUTS);
	require_caught(&scene, "end", _i == 0 ? "no reply within" : "instead of a reply");
	ck_assert_ptr_nonnull(strstr(scene.client.output, " operations were not done\n"));
	end(&scene);
}
END_TEST

START_TEST(silent_listener_is_nobody)
{
	struct scene scene;

	play(&scene, LIE_MUTE, ANSWER_NONE, BOX_HONEST, "0.3", LOOK_AT_TIMEOUTS);
	ck_assert_int_eq(scene.client.status, 3);
	ck_assert_ptr_nonnull(strstr(scene.client.errors, "says nothing for 0.6 s\n"));
	ck_assert_ptr_nonnull(strstr(scene.client.errors, scene.liar.port));
	ck_assert_str_eq(program_last_line(&scene.client), "0 passed, 0 failed\n");
	end(&scene);
}
END_TEST

START_TEST(another_service_is_a_mismatch)
{
	struct scene scene;

	play(&scene, LIE_OTHER, ANSWER_NONE, BOX_HONEST, "0.3", LOOK_AT_TIMEOUTS);
	ck_assert_int_eq(scene.client.status, 1);
	ck_assert_ptr_nonnull(strstr(scene.client.errors, "there is: SSH-2.0-OpenSSH_9.2\\r\\n\n"));
	ck_assert_str_eq(program_last_line(&scene.client), "0 passed, 1 failed\n");
	end(&scene);
}
END_TEST

int
main(void)
{
	TCase *tests = tcase_create("liar");

	tcase_add_loop_test(tests, honesty_passes, 0, 2);
	tcase_add_loop_test(tests, each_changed_reply_is_caught, ANSWER_BANNER, ANSWER_TIMEOUT + 1);
	tcase_add_loop_test(
	    tests, each_spoiled_reply_is_caught, 0, (int)(ROWS(spoilings) * ROWS(spoiled)));
	tcase_add_test(tests, late_reply_is_caught);
	tcase_add_loop_test(tests, lies_about_time_are_caught, 0, (int)(ROWS(time_lies) / SCENES));
	tcase_add_loop_test(
	    tests, each_lie_about_the_protocol_is_caught, 0, (int)ROWS(protocol_lies));
	tcase_add_loop_test(tests, each_lie_about_the_files_is_caught, 0, (int)ROWS(box_lies));
	tcase_add_loop_test(tests, end_of_the_server_is_caught, 0, 2);
	tcase_add_test(tests, silent_listener_is_nobody);
	tcase_add_test(tests, another_service_is_a_mismatch);
	return suite_run("liar", tests, TEST_SECONDS);
}
