/*
 * NAME
 *	check_liar - multiclient against a server that lies on purpose
 *
 * DESCRIPTION
 *	Each lie is told to a whole run of multiclient, which must end with status 1 and say in what
 *	way it was lied to. The honest liar comes first: what it says passes, so it is the lie alone
 *	that fails.
 *
 *	Several liars are at work at once, each with a client of its own, for they do little but
 *	wait. How long a client waits for what does not come is chosen so that a busy machine does
 *	not make it see what is not there, or miss the lie.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../multiclient/params.h"
#include "liar.h"
#include "program.h"
#include "suite.h"

/* Seconds that one test may take. */
#define TEST_SECONDS 60

/* The server's T in these tests, in seconds, as number and as text. */
#define TIMEOUT      0.3
#define TIMEOUT_TEXT "0.3"

/* A lie, and what the client says when it has seen through it. */
struct untruth {
	const char *name;
	enum lie lie;
	enum reply_type reply_type;
	enum box_lie box;
	const char *words;
};

/* What the client is to do. */
enum look {
	LOOK_AT_REPLIES,
	LOOK_AT_TIMEOUTS,
	LOOK_AT_FILES,
	LOOK_AT_ALL,
	LOOK_FOR_LONG
};

/* A liar at work, and the client that was sent to it. */
struct scene {
	struct liar liar;
	struct program client;
	char *directory;
};

/* Scenes at once. */
#define SCENES 6

/* `patience`: how many seconds the client waits for a reply, and for the files to be right. */
static void
begin(struct scene *scene, const struct untruth *untruth, const char *patience, enum look look)
{
	bool timeouts = look == LOOK_AT_TIMEOUTS || look == LOOK_AT_ALL;
	bool files = look == LOOK_AT_FILES || look == LOOK_AT_ALL;

	scene->directory = suite_directory();
	scene->liar = (struct liar){.lie = untruth->lie,
	    .reply_type = untruth->reply_type,
	    /* Not to be seen by those who do not look for it. */
	    .timeout = timeouts ? TIMEOUT : TEST_SECONDS,
	    .netid = "netid"};
	box_begin(&scene->liar.box, untruth->box, scene->directory);
	liar_start(&scene->liar);
	program_start(&scene->client, "MULTICLIENT",
	    (const char *[]){"-p", scene->liar.port, "--patience", patience, "-s", "7", "-n",
		look == LOOK_FOR_LONG ? "100000" : "1000", "-t",
		timeouts || look == LOOK_FOR_LONG ? TIMEOUT_TEXT : "10",
		timeouts ? "-c32" : "--no-timeouts", files ? "-d" : NULL, scene->directory, NULL});
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
play(struct scene *scene, const struct untruth *untruth, const char *patience, enum look look)
{
	begin(scene, untruth, patience, look);
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

/* The client must have seen through it. */
static void
require_caught(const struct scene *scene, const struct untruth *untruth)
{
	REQUIRE(scene->client.status == 1, "%s: status %d\n%.1000s%.1000s", untruth->name,
	    scene->client.status, scene->client.errors, scene->client.output);
	REQUIRE(count_failed(&scene->client) > 0, "%s: nothing failed", untruth->name);
	REQUIRE(strstr(scene->client.errors, untruth->words) != NULL,
	    "%s: no word of '%s' in\n%.2000s", untruth->name, untruth->words, scene->client.errors);
	REQUIRE(untruth->lie != LIE_NONE || strstr(scene->client.errors, "no end of file") == NULL,
	    "%s: a connection did not end\n%.2000s", untruth->name, scene->client.errors);
	REQUIRE(untruth->box == BOX_HONEST || scene->liar.box.told > 0, "%s: never told",
	    untruth->name);
}

/* Tell group `group` of the lies of a table. */
static void
tell(const struct untruth *untruths, size_t count, int group, const char *patience, enum look look)
{
	struct scene scenes[SCENES];
	size_t first = (size_t)group * SCENES;
	size_t last = first + SCENES < count ? first + SCENES : count;
	size_t i;

	for (i = first; i < last; i++) {
		begin(&scenes[i - first], &untruths[i], patience, look);
	}
	for (i = first; i < last; i++) {
		finish(&scenes[i - first]);
	}
	for (i = first; i < last; i++) {
		require_caught(&scenes[i - first], &untruths[i]);
		end(&scenes[i - first]);
	}
}

/* How many groups a table has. */
#define GROUPS(table) (((int)ROWS(table) + SCENES - 1) / SCENES)

START_TEST(honesty_passes)
{
	const struct untruth none = {.name = "honest"};
	struct scene scene;

	play(&scene, &none, "10", _i == 0 ? LOOK_AT_FILES : LOOK_AT_ALL);
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
	enum reply_type reply_type = (enum reply_type)_i;
	char expected[REPLY_MAX];
	const struct untruth changed = {"changed", LIE_CHANGED, reply_type, BOX_HONEST, expected};
	struct scene scene;
	struct reply reply;

	play(&scene, &changed, "10",
	    reply_type == REPLY_TIMEOUT ? LOOK_AT_TIMEOUTS : LOOK_AT_REPLIES);
	reply_write(&reply, reply_type, "netid", (struct span){NULL, 0});
	/* A refused address stands within the text: the part before it is enough. */
	snprintf(expected, sizeof expected, "expected: %.*s", (int)strcspn(reply.bytes, ">\r"),
	    reply.bytes);
	if (reply_type == REPLY_START_DATA || reply_type == REPLY_DELIVERED) {
		snprintf(expected, sizeof expected, "expected: %.20s", reply.bytes);
	} else if (reply_type == REPLY_BANNER) {
		snprintf(expected, sizeof expected, "expected: 220 NETID SMTP");
	}
	require_caught(&scene, &changed);
	end(&scene);
}
END_TEST

/* The other ways to spoil a reply: each kind of reply that is common, and one that is rare. */
static const struct untruth spoilings[] = {
#define SPOIL(lie, words)                                                  \
	{#lie " welcome", lie, REPLY_HELO, BOX_HONEST, words},             \
	    {#lie " OK", lie, REPLY_OK, BOX_HONEST, words},                \
	    {#lie " start", lie, REPLY_START_DATA, BOX_HONEST, words},     \
	    {#lie " delivered", lie, REPLY_DELIVERED, BOX_HONEST, words},  \
	    {#lie " unknown", lie, REPLY_UNRECOGNIZED, BOX_HONEST, words}, \
	{                                                                  \
#lie " too many", lie, REPLY_TOO_MANY, BOX_HONEST, words   \
	}
    SPOIL(LIE_BARE_LF, "wrong reply"),
    SPOIL(LIE_NO_LF, "mismatch"),
    SPOIL(LIE_SPACED, "wrong reply"),
    SPOIL(LIE_DROPPED, "mismatch"),
    SPOIL(LIE_DOUBLED, "mismatch"),
    SPOIL(LIE_EXTRA, "mismatch"),
    SPOIL(LIE_HANG_UP, "end of file instead of a reply"),
    SPOIL(LIE_RESET, "connection lost"),
};

START_TEST(spoiled_replies_are_caught)
{
	tell(spoilings, ROWS(spoilings), _i, "1", LOOK_AT_REPLIES);
}
END_TEST

START_TEST(late_reply_is_caught)
{
	static const struct untruth late[] = {
	    {"delayed", LIE_DELAYED, REPLY_OK, BOX_HONEST, "no reply within 1"}};

	tell(late, ROWS(late), _i, "1", LOOK_AT_REPLIES);
}
END_TEST

static const struct untruth time_lies[] = {
    {"early", LIE_EARLY, REPLY_NONE, BOX_HONEST, "the 421 is too early"},
    {"late", LIE_LATE, REPLY_NONE, BOX_HONEST, "no 421 within T + 1 s"},
    {"never", LIE_NEVER, REPLY_NONE, BOX_HONEST, "no 421 within T + 1 s"},
    {"silent", LIE_SILENT_CLOSE, REPLY_NONE, BOX_HONEST, "end of file instead of a reply"},
    {"not closed", LIE_NOT_CLOSED, REPLY_NONE, BOX_HONEST, "no end of file"},
    {"rejected extends", LIE_REJECTED_EXTENDS, REPLY_NONE, BOX_HONEST, "\"invalid without end\""},
    {"partial extends", LIE_PARTIAL_EXTENDS, REPLY_NONE, BOX_HONEST, "\"a line byte by byte\""},
    {"accepted ignored", LIE_ACCEPTED_IGNORED, REPLY_NONE, BOX_HONEST,
	"\"dormant after a command\""},
    {"data ignored", LIE_DATA_IGNORED, REPLY_NONE, BOX_HONEST, "\"dormant in a message\""},
    {"421 with LF", LIE_BARE_LF, REPLY_TIMEOUT, BOX_HONEST, "wrong reply"},
    {"421 twice", LIE_DOUBLED, REPLY_TIMEOUT, BOX_HONEST, "extra bytes before the end of file"},
    {"421 and more", LIE_EXTRA, REPLY_TIMEOUT, BOX_HONEST, "extra bytes before the end of file"},
};

START_TEST(lies_about_time_are_caught)
{
	tell(time_lies, ROWS(time_lies), _i, "10", LOOK_AT_TIMEOUTS);
}
END_TEST

static const struct untruth protocol_lies[] = {
    {"case", LIE_CASE, REPLY_NONE, BOX_HONEST, "came:     500 Error: command not recognized"},
    {"needs CR", LIE_NEEDS_CR, REPLY_NONE, BOX_HONEST, "mismatch"},
    {"short lines", LIE_SHORT_LINES, REPLY_NONE, BOX_HONEST, "came:     500 Error: line too long"},
    {"half a line", LIE_HALF_LINE, REPLY_NONE, BOX_HONEST, "\"half-close in a line\""},
    {"smuggled", LIE_SMUGGLED, REPLY_NONE, BOX_HONEST, "smuggled@example.com"},
    {"smuggled with CRLF", LIE_SMUGGLED_CRLF, REPLY_NONE, BOX_HONEST, "smuggled@example.com"},
    {"half a message", LIE_HALF_DATA, REPLY_NONE, BOX_HONEST, "\"half-close in a message\""},
    {"vanished", LIE_VANISHED, REPLY_NONE, BOX_HONEST,
	"which was sent whole before the connection was closed"},
    {"waits for data", LIE_WAITS_FOR_DATA, REPLY_NONE, BOX_HONEST, "no reply within"},
};

START_TEST(lies_about_the_protocol_are_caught)
{
	tell(protocol_lies, ROWS(protocol_lies), _i, "1", LOOK_AT_FILES);
}
END_TEST

static const struct untruth box_lies[] = {
    {"repeated", LIE_NONE, REPLY_NONE, BOX_REPEATED, "mismatch"},
    {"skipped", LIE_NONE, REPLY_NONE, BOX_SKIPPED, "were given to no message of ours"},
    {"backwards", LIE_NONE, REPLY_NONE, BOX_BACKWARDS,
	"the number is not above one given before this was sent"},
    {"from two", LIE_NONE, REPLY_NONE, BOX_FROM_TWO, "holds other messages than its name says"},
    {"byte changed", LIE_NONE, REPLY_NONE, BOX_BYTE_CHANGED, "is not what was sent"},
    {"lost", LIE_NONE, REPLY_NONE, BOX_LOST, "was accepted and is in no file"},
    {"twice", LIE_NONE, REPLY_NONE, BOX_TWICE, "is there again"},
    {"renumbered", LIE_NONE, REPLY_NONE, BOX_RENUMBERED, "was sent by nobody"},
    {"no number", LIE_NONE, REPLY_NONE, BOX_NO_NUMBER, "has no number"},
    {"invented", LIE_NONE, REPLY_NONE, BOX_INVENTED, "was sent by nobody"},
    {"junk", LIE_NONE, REPLY_NONE, BOX_JUNK, "is not what was sent"},
    {"host", LIE_NONE, REPLY_NONE, BOX_HOST, "is not what was sent"},
    {"sender", LIE_NONE, REPLY_NONE, BOX_SENDER, "is not what was sent"},
    {"recipient lost", LIE_NONE, REPLY_NONE, BOX_RECIPIENT_LOST, "is not what was sent"},
    {"recipients turned", LIE_NONE, REPLY_NONE, BOX_RECIPIENTS_TURNED, "is not what was sent"},
    {"line lost", LIE_NONE, REPLY_NONE, BOX_LINE_LOST, "is not what was sent"},
    {"unquoted", LIE_NONE, REPLY_NONE, BOX_UNQUOTED, "is not what was sent"},
    {"quoted twice", LIE_NONE, REPLY_NONE, BOX_QUOTED_TWICE, "is not what was sent"},
    {"dot", LIE_NONE, REPLY_NONE, BOX_DOT, "is not what was sent"},
    {"CRLF", LIE_NONE, REPLY_NONE, BOX_CRLF, "is not what was sent"},
    {"CR", LIE_NONE, REPLY_NONE, BOX_CR, "is not what was sent"},
    {"NUL", LIE_NONE, REPLY_NONE, BOX_NUL, "is not what was sent"},
    {"seven bits", LIE_NONE, REPLY_NONE, BOX_SEVEN_BIT, "is not what was sent"},
    {"cut", LIE_NONE, REPLY_NONE, BOX_CUT, "is not what was sent"},
    {"no empty line", LIE_NONE, REPLY_NONE, BOX_NO_EMPTY_LINE, "is not what was sent"},
    {"no backup", LIE_NONE, REPLY_NONE, BOX_NO_BACKUP,
	"mailbox holds a whole group that is not backed up"},
    {"not emptied", LIE_NONE, REPLY_NONE, BOX_NOT_EMPTIED, "is there again"},
    {"backup's name", LIE_NONE, REPLY_NONE, BOX_BACKUP_NAME, "is not a group of 32"},
    {"backup short", LIE_NONE, REPLY_NONE, BOX_BACKUP_SHORT,
	"holds other messages than its name says"},
    {"backup lost", LIE_NONE, REPLY_NONE, BOX_BACKUP_LOST, "was accepted and is in no file"},
};

START_TEST(lies_about_the_files_are_caught)
{
	tell(box_lies, ROWS(box_lies), _i, "2", LOOK_AT_FILES);
}
END_TEST

/* A connection that waits in vain gives up, however much it still has to do. */
START_TEST(silence_is_caught)
{
	const struct untruth stops = {
	    "stops", LIE_STOPS, REPLY_NONE, BOX_HONEST, "no reply within"};
	struct scene scene;

	play(&scene, &stops, "0.3", LOOK_FOR_LONG);
	require_caught(&scene, &stops);
	/* Half of them for what else goes wrong in the meantime; of its sessions it has hundreds. */
	ck_assert_int_le(count_failed(&scene.client), 2L * DEFAULT_CONNECTIONS * LOST_REPLIES_MAX);
	ck_assert_ptr_nonnull(strstr(scene.client.output, " operations were not done\n"));
	end(&scene);
}
END_TEST

START_TEST(end_of_the_server_is_caught)
{
	const struct untruth dies = {
	    "dies", LIE_DIES, REPLY_NONE, BOX_HONEST, "instead of a reply"};
	struct scene scene;

	play(&scene, &dies, "0.3", LOOK_AT_TIMEOUTS);
	require_caught(&scene, &dies);
	ck_assert_ptr_nonnull(strstr(scene.client.output, " operations were not done\n"));
	end(&scene);
}
END_TEST

/* Whoever reads a mismatch learns where it was, what went before, and how to see it again. */
START_TEST(mismatch_tells_the_way)
{
	static const char *const parts[] = {"mismatch: connection ", ", operation ", "\"message, ",
	    " in state DATA: wrong reply\n", "\n    > ",
	    "\n    < 354 End data with <CR><LF>.<CR><LF>\\r\\n\n",
	    "\n    expected: 250 OK:  delivered message NUMBER\\r\\n\n",
	    "\n    came:     ", "\n    repeat:   -s 7 -c 32 -n 1000 --no-timeouts\n"};
	const struct untruth spaced = {.lie = LIE_SPACED, .reply_type = REPLY_DELIVERED};
	struct scene scene;
	const char *at;
	size_t i;

	play(&scene, &spaced, "10", LOOK_AT_REPLIES);
	at = scene.client.errors;
	for (i = 0; i < ROWS(parts); i++) {
		at = strstr(at, parts[i]);
		REQUIRE(
		    at != NULL, "no '%s' after that in\n%.2000s", parts[i], scene.client.errors);
	}
	end(&scene);
}
END_TEST

START_TEST(silent_listener_is_nobody)
{
	const struct untruth mute = {.lie = LIE_MUTE};
	struct scene scene;

	play(&scene, &mute, "0.3", LOOK_AT_TIMEOUTS);
	ck_assert_int_eq(scene.client.status, 3);
	ck_assert_ptr_nonnull(strstr(scene.client.errors, "says nothing for 0.6 s\n"));
	ck_assert_ptr_nonnull(strstr(scene.client.errors, scene.liar.port));
	ck_assert_str_eq(program_last_line(&scene.client), "0 passed, 0 failed\n");
	end(&scene);
}
END_TEST

START_TEST(another_service_is_a_mismatch)
{
	const struct untruth other = {.lie = LIE_OTHER};
	struct scene scene;

	play(&scene, &other, "0.3", LOOK_AT_TIMEOUTS);
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
	tcase_add_loop_test(tests, each_changed_reply_is_caught, REPLY_BANNER, REPLY_TIMEOUT + 1);
	tcase_add_loop_test(tests, spoiled_replies_are_caught, 0, GROUPS(spoilings));
	tcase_add_test(tests, late_reply_is_caught);
	tcase_add_loop_test(tests, lies_about_time_are_caught, 0, GROUPS(time_lies));
	tcase_add_loop_test(tests, lies_about_the_protocol_are_caught, 0, GROUPS(protocol_lies));
	tcase_add_loop_test(tests, lies_about_the_files_are_caught, 0, GROUPS(box_lies));
	tcase_add_test(tests, silence_is_caught);
	tcase_add_test(tests, end_of_the_server_is_caught);
	tcase_add_test(tests, mismatch_tells_the_way);
	tcase_add_test(tests, silent_listener_is_nobody);
	tcase_add_test(tests, another_service_is_a_mismatch);
	return suite_run("liar", tests, TEST_SECONDS);
}
