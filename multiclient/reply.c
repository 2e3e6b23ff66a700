/*
 * NAME
 *	reply - what a right server says, to the last byte
 *
 * DESCRIPTION
 *	One table holds every text. A `%` in it stands for the netid, a `@` for the refused address.
 *
 * BUGS
 *	A message number is at most 18 digits long, so that it fits its type without a thought.
 */

#include "reply.h"

#include <string.h>

#define NUMBER_DIGITS_MOST 18

static const struct {
	const char *code;
	const char *text;
} texts[ANSWERS] = {
    [ANSWER_NONE] = {"-", ""},
    [ANSWER_BANNER] = {"220", "220 % SMTP CS4410MP3"},
    [ANSWER_WELCOME] = {"250", "250 %"},
    [ANSWER_OK] = {"250", "250 OK"},
    [ANSWER_START_DATA] = {"354", "354 End data with <CR><LF>.<CR><LF>"},
    [ANSWER_DELIVERED] = {"250", "250 OK:  delivered message "},
    [ANSWER_UNRECOGNIZED] = {"500", "500 Error: command not recognized"},
    [ANSWER_LINE_TOO_LONG] = {"500", "500 Error: line too long"},
    [ANSWER_NEED_HELO] = {"503", "503 Error: need HELO command"},
    [ANSWER_NEED_MAIL] = {"503", "503 Error: need MAIL FROM command"},
    [ANSWER_NEED_RCPT] = {"503", "503 Error: need RCPT TO command"},
    [ANSWER_SYNTAX_HELO] = {"501", "501 Syntax:  HELO yourhostname"},
    [ANSWER_SYNTAX_MAIL] = {"501", "501 Syntax:  MAIL FROM: address"},
    [ANSWER_SYNTAX_RCPT] = {"501", "501 Syntax:  RCPT TO: address"},
    [ANSWER_SYNTAX_DATA] = {"501", "501 Syntax:  DATA"},
    [ANSWER_BAD_SENDER] = {"555", "555 <@>: Sender address rejected"},
    [ANSWER_BAD_RECIPIENT] = {"555", "555 <@>: Recipient address invalid"},
    [ANSWER_DUPLICATE_HELO] = {"503", "503 Error: duplicate HELO"},
    [ANSWER_NESTED_MAIL] = {"503", "503 Error: nested MAIL command"},
    [ANSWER_TOO_MANY] = {"452", "452 Error: too many recipients"},
    [ANSWER_TIMEOUT] = {"421", "421 4.4.2 % Error: timeout exceeded"},
    [ANSWER_END] = {"eof", ""},
};

const char *
reply_code(enum answer answer)
{
	return texts[answer].code;
}

/* The refused address as it may be shown: no byte of it can break the reply. */
static void
write_bad(struct reply *reply, struct span bad, size_t frame)
{
	size_t most = REPLY_MOST - frame;
	size_t i;

	for (i = 0; i < bad.length && i < most; i++) {
		char byte = bad.bytes[i];

		reply->bytes[reply->length++] = (char)(byte >= 0x20 && byte <= 0x7e ? byte : '?');
	}
}

void
reply_write(struct reply *reply, enum answer answer, const char *netid, struct span bad)
{
	const char *text = texts[answer].text;
	size_t netid_length = strlen(netid);

	reply->answer = answer;
	reply->length = 0;
	for (; *text != '\0'; text++) {
		if (*text == '%') {
			memcpy(reply->bytes + reply->length, netid, netid_length);
			reply->length += netid_length;
		} else if (*text == '@') {
			write_bad(reply, bad, strlen(texts[answer].text) - 1);
		} else {
			reply->bytes[reply->length++] = *text;
		}
	}
	if (reply->length > 0 && answer != ANSWER_DELIVERED) {
		reply->bytes[reply->length++] = '\r';
		reply->bytes[reply->length++] = '\n';
	}
}

/* A number without leading zeros, then CRLF, and nothing else. */
static enum match
match_number(struct span came, size_t *used, uint64_t *number)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < came.length && came.bytes[i] >= '0' && came.bytes[i] <= '9'; i++) {
		if (i == NUMBER_DIGITS_MOST || (i > 0 && value == 0)) {
			return MATCH_NONE;
		}
		value = value * 10 + (uint64_t)(came.bytes[i] - '0');
	}
	if (i == came.length) {
		return MATCH_PART;
	}
	if (value == 0 || came.bytes[i] != '\r') {
		return MATCH_NONE;
	}
	if (i + 1 == came.length) {
		return MATCH_PART;
	}
	if (came.bytes[i + 1] != '\n') {
		return MATCH_NONE;
	}
	*used = i + 2;
	*number = value;
	return MATCH_FULL;
}

enum match
reply_match(const struct reply *reply, struct span came, size_t *used, uint64_t *number)
{
	size_t known = came.length < reply->length ? came.length : reply->length;
	enum match match;

	if (known > 0 && memcmp(came.bytes, reply->bytes, known) != 0) {
		return MATCH_NONE;
	}
	if (known < reply->length) {
		return MATCH_PART;
	}
	if (reply->answer != ANSWER_DELIVERED) {
		*used = known;
		return MATCH_FULL;
	}
	came.bytes += known;
	came.length -= known;
	match = match_number(came, used, number);
	if (match == MATCH_FULL) {
		*used += known;
	}
	return match;
}
