/*
 * NAME
 *	grade_talk - one connection on which a demand is judged
 *
 * DESCRIPTION
 *	A reply is compared with a pattern where it is what the demand is about, and by its code
 *	where it only leads there: so a wrong text fails one demand and not all those after it.
 */

#include "grade_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error_text.h"
#include "monotonic.h"

/* How long to wait for the rest of a reply whose line does not end, after its last bytes. */
#define REST_WAIT (300 * MILLISECOND)

/* The first two replies that contain the netid. */
#define GREETING   "220 %n SMTP CS4410MP3"
#define HELO_REPLY "250 %n"

static int64_t
earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* ---- patterns ---- */

static size_t
word_length(const char *text)
{
	return strcspn(text, " \t");
}

/* Return how many bytes of `text` the pattern `%ITEM` matches; SIZE_MAX: it does not match. */
static size_t
match_item(const char *text, char item, const char *netid)
{
	size_t length = SIZE_MAX;

	if (item == 'n' && *netid != '\0') {
		length = strncmp(text, netid, strlen(netid)) == 0 ? strlen(netid) : SIZE_MAX;
	} else if (item == 'n') {
		length = word_length(text);
	} else if (item == 'd') {
		length = strspn(text, "0123456789");
	} else if (item == '_') {
		length = *text == ' ' ? 1U + (text[1] == ' ') : 0;
	} else if (item == '*') {
		return strlen(text);
	}
	return length > 0 ? length : SIZE_MAX;
}

/* Return whether the whole text matches the pattern; `netid` is "" if it is not known. */
static bool
match(const char *text, const char *pattern, const char *netid)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '%') {
			size_t length = match_item(text, *++pattern, netid);

			if (length == SIZE_MAX) {
				return false;
			}
			text += length;
		} else if (*text++ != *pattern) {
			return false;
		}
	}
	return *text == '\0';
}

/* Write a pattern as it is shown in a report. */
static void
format_pattern(const char *pattern, const char *netid, char text[TALK_REPLY_SIZE])
{
	size_t length = 0;

	*text = '\0';
	for (; *pattern != '\0' && length < TALK_REPLY_SIZE - NETID_MAX - 1; pattern++) {
		char literal[] = {*pattern, '\0'};
		const char *item = literal;

		if (*pattern == '%') {
			pattern++;
			item = *pattern == 'n'   ? (*netid != '\0' ? netid : "NETID")
			       : *pattern == 'd' ? "NUMBER"
			       : *pattern == '_' ? "  "
						 : "...";
		}
		length += (size_t)snprintf(text + length, TALK_REPLY_SIZE - length, "%s", item);
	}
}

/* ---- replies ---- */

void
talk_set_reason(struct talk *talk, const char *reason)
{
	if (reason != talk->reply) {
		snprintf(talk->reply, sizeof talk->reply, "%s", reason);
	}
	talk->length = strlen(talk->reply);
	talk->replied = false;
}

/* Judge how a reply ends. */
static void
judge_line_end(struct talk *talk, struct span line)
{
	char *visible;

	if (line.length >= 2 && memcmp(line.bytes + line.length - 2, "\r\n", 2) == 0) {
		return;
	}
	visible = grade_visible(line, TALK_REPLY_SIZE);
	grade_fail(talk->grade, DEMAND_LINE, &talk->transcript, "a line that ends in \\r\\n",
	    visible != NULL ? visible : "");
	free(visible);
}

/* Take `length` bytes of the input as a reply. */
static void
take_reply(struct talk *talk, size_t length)
{
	struct span line = {conn_unread(&talk->conn).bytes, length};
	size_t text = length;

	transcript_received(&talk->transcript, 0, line);
	judge_line_end(talk, line);
	if (text > 0 && line.bytes[text - 1] == '\n') {
		text--;
		text -= text > 0 && line.bytes[text - 1] == '\r';
	}
	talk->length = text < TALK_REPLY_SIZE ? text : TALK_REPLY_SIZE - 1;
	for (size_t i = 0; i < talk->length; i++) {
		talk->reply[i] = line.bytes[i];
		if (line.bytes[i] == '\0') {
			/* It would hide the rest. */
			talk->reply[i] = '?';
		}
	}
	talk->reply[talk->length] = '\0';
	talk->replied = true;
	conn_consume(&talk->conn, length);
}

bool
talk_receive(struct talk *talk, int64_t deadline)
{
	int64_t started = monotonic_now();
	char reason[ERROR_TEXT_SIZE];
	enum conn_event event;

	deadline = earlier(deadline, talk->deadline);
	for (;;) {
		struct span unread = conn_unread(&talk->conn);
		const char *end = memchr(unread.bytes, '\n', unread.length);

		if (end != NULL || unread.length >= TALK_REPLY_SIZE) {
			take_reply(
			    talk, end != NULL ? (size_t)(end - unread.bytes) + 1 : unread.length);
			return true;
		}
		event = conn_receive_precise(&talk->conn,
		    unread.length > 0 ? earlier(deadline, monotonic_now() + REST_WAIT) : deadline);
		if (event == CONN_DATA) {
			continue;
		}
		talk->ended = event != CONN_TIMEOUT;
		if (unread.length > 0) {
			take_reply(talk, unread.length);
			return true;
		}
		if (event == CONN_EOF) {
			snprintf(reason, sizeof reason, "end of file");
		} else if (event == CONN_ERROR) {
			error_text(errno, reason);
		} else {
			snprintf(reason, sizeof reason, "nothing within %.1f s",
			    (double)(monotonic_now() - started) / (double)SECOND);
		}
		talk_set_reason(talk, reason);
		return false;
	}
}

/* Judge input that is no reply to anything, and skip it. A 421 may come at any time: it is left. */
static void
judge_rest(struct talk *talk)
{
	struct span unread;
	char *visible;

	if (conn_unread(&talk->conn).length == 0) {
		conn_receive_precise(&talk->conn, 0);
	}
	unread = conn_unread(&talk->conn);
	if (unread.length == 0 || (unread.length >= 3 && memcmp(unread.bytes, "421", 3) == 0)) {
		return;
	}
	visible = grade_visible(unread, TALK_REPLY_SIZE);
	grade_fail(talk->grade, DEMAND_LINE, &talk->transcript, "one line, and nothing after it",
	    visible != NULL ? visible : "");
	free(visible);
	conn_consume(&talk->conn, unread.length);
}

/* ---- steps ---- */

void
talk_init(struct talk *talk, struct grade *grade, unsigned demand)
{
	*talk = (struct talk){
	    .grade = grade, .demand = demand, .deadline = grade->deadline, .reply = ""};
	conn_init(&talk->conn, &grade->stop);
	transcript_init(&talk->transcript);
}

bool
talk_connect(struct talk *talk)
{
	char reason[ERROR_TEXT_SIZE], text[ERROR_TEXT_SIZE + 32];
	int64_t left = earlier(talk->deadline - monotonic_now(), talk->grade->options->patience);

	if (conn_open(&talk->conn, &talk->grade->address, left > 0 ? left : MILLISECOND)) {
		transcript_sent(&talk->transcript, (struct span){"", 0});
		return true;
	}
	snprintf(text, sizeof text, "cannot connect: %s", error_text(errno, reason));
	talk_set_reason(talk, text);
	talk->ended = true;
	return false;
}

/* Return when a reply to what is sent now is due. */
static int64_t
reply_deadline(const struct talk *talk)
{
	return earlier(talk->deadline, monotonic_now() + talk->grade->options->patience);
}

bool
talk_open(struct talk *talk)
{
	char netid[NETID_MAX + 1];
	char *visible;

	if (!talk_connect(talk) || !talk_receive(talk, reply_deadline(talk))) {
		return talk_check_greeting(talk);
	}
	grade_get_netid(talk->grade, netid);
	if (*netid == '\0' && match(talk->reply, GREETING, netid)) {
		grade_set_netid(
		    talk->grade, (struct span){talk->reply + 4, word_length(talk->reply + 4)});
	} else if (!match(talk->reply, GREETING, netid)) {
		char expected[TALK_REPLY_SIZE];

		format_pattern(GREETING, netid, expected);
		visible = grade_visible((struct span){talk->reply, talk->length}, TALK_REPLY_SIZE);
		grade_fail(talk->grade, DEMAND_GREETING, &talk->transcript, expected,
		    visible != NULL ? visible : "");
		free(visible);
	}
	return talk_check_greeting(talk);
}

bool
talk_open_helo(struct talk *talk)
{
	char line[NAME_SIZE + 8];

	snprintf(talk->host, sizeof talk->host, "client%u", talk->demand);
	snprintf(line, sizeof line, "HELO %s", talk->host);
	return talk_open(talk) && talk_require(talk, line, "2");
}

bool
talk_send(struct talk *talk, struct span bytes)
{
	char reason[ERROR_TEXT_SIZE];

	if (talk->ended) {
		talk_set_reason(talk, talk->replied ? "end of file" : talk->reply);
		return false;
	}
	transcript_sent(&talk->transcript, bytes);
	if (!conn_send(&talk->conn, bytes)) {
		talk_set_reason(talk, error_text(errno, reason));
		talk->ended = true;
		return false;
	}
	return true;
}

bool
talk_command(struct talk *talk, const char *line)
{
	char text[TALK_REPLY_SIZE];
	int length = snprintf(text, sizeof text, "%s\r\n", line);

	judge_rest(talk);
	if (!talk_send(talk, (struct span){text, (size_t)length})) {
		return false;
	}
	return talk_receive(talk, reply_deadline(talk));
}

bool
talk_matches(const struct talk *talk, const char *pattern)
{
	char netid[NETID_MAX + 1];

	grade_get_netid(talk->grade, netid);
	return talk->replied && match(talk->reply, pattern, netid);
}

bool
talk_has_code(const struct talk *talk, const char *code)
{
	return talk->replied && strncmp(talk->reply, code, strlen(code)) == 0;
}

void
talk_fail(struct talk *talk, const char *expected)
{
	char *visible = grade_visible((struct span){talk->reply, talk->length}, TALK_REPLY_SIZE);

	grade_fail(
	    talk->grade, talk->demand, &talk->transcript, expected, visible != NULL ? visible : "");
	free(visible);
}

bool
talk_check(struct talk *talk, const char *pattern)
{
	char netid[NETID_MAX + 1], expected[TALK_REPLY_SIZE];

	grade_get_netid(talk->grade, netid);
	if (talk_matches(talk, pattern)) {
		/* Where the greeting is wrong, the netid is that of the reply to HELO. */
		if (*netid == '\0' && strcmp(pattern, HELO_REPLY) == 0) {
			grade_set_netid(
			    talk->grade, (struct span){talk->reply + 4, talk->length - 4});
		}
		return true;
	}
	format_pattern(pattern, netid, expected);
	talk_fail(talk, expected);
	return false;
}

/*
 * Set the demand to not seen. The reason begins with `wrong` if there is a reply, with `missing` if
 * there is none; then comes the reply, or why there is none.
 */
static void
set_not_seen(struct talk *talk, const char *wrong, const char *missing)
{
	char *visible =
	    grade_visible((struct span){talk->reply, talk->length}, TALK_REPLY_SIZE / 2);
	char reason[TALK_REPLY_SIZE + 64];

	snprintf(reason, sizeof reason, "%s: %s", talk->replied ? wrong : missing,
	    visible != NULL ? visible : "");
	free(visible);
	grade_not_seen(talk->grade, talk->demand, reason);
}

bool
talk_check_greeting(struct talk *talk)
{
	if (talk_has_code(talk, "2")) {
		grade_set_greeted(talk->grade);
		return true;
	}
	set_not_seen(talk, "the greeting is", "no greeting");
	return false;
}

bool
talk_check_required(struct talk *talk, const char *what, const char *code)
{
	char wrong[64], missing[64];

	if (talk_has_code(talk, code)) {
		return true;
	}
	snprintf(wrong, sizeof wrong, "the reply to %.40s is", what);
	snprintf(missing, sizeof missing, "no reply to %.40s", what);
	set_not_seen(talk, wrong, missing);
	return false;
}

bool
talk_expect(struct talk *talk, const char *line, const char *pattern)
{
	talk_command(talk, line);
	return talk_check(talk, pattern);
}

bool
talk_require(struct talk *talk, const char *line, const char *code)
{
	talk_command(talk, line);
	return talk_check_required(talk, line, code);
}

void
talk_close(struct talk *talk)
{
	if (talk->conn.descriptor != -1 && !talk->ended) {
		judge_rest(talk);
	}
	conn_close(&talk->conn);
}
