/*
 * NAME
 *	reply - the replies of a correct server, to the last byte
 *
 * DESCRIPTION
 *	One table holds every text. The netid replaces the '@', the refused address the '*'.
 *
 * BUGS
 *	A message number of more than 18 digits, which may not fit its type, does not match.
 */

#include "reply.h"

#include <string.h>

#define NETID_MARK   '@'
#define ADDRESS_MARK '*'

#define NUMBER_DIGITS_MAX 18

static const struct {
	const char *code;
	const char *text;
} texts[REPLY_TYPES] = {
    [REPLY_NONE] = {"-", ""},
    [REPLY_GREETING] = {"220", "220 @ SMTP CS4410MP3"},
    [REPLY_HELO] = {"250", "250 @"},
    [REPLY_OK] = {"250", "250 OK"},
    [REPLY_START_DATA] = {"354", "354 End data with <CR><LF>.<CR><LF>"},
    [REPLY_DELIVERED] = {"250", "250 OK:  delivered message "},
    [REPLY_UNRECOGNIZED] = {"500", "500 Error: command not recognized"},
    [REPLY_LINE_TOO_LONG] = {"500", "500 Error: line too long"},
    [REPLY_NEED_HELO] = {"503", "503 Error: need HELO command"},
    [REPLY_NEED_MAIL] = {"503", "503 Error: need MAIL FROM command"},
    [REPLY_NEED_RCPT] = {"503", "503 Error: need RCPT TO command"},
    [REPLY_SYNTAX_HELO] = {"501", "501 Syntax:  HELO yourhostname"},
    [REPLY_SYNTAX_MAIL] = {"501", "501 Syntax:  MAIL FROM: address"},
    [REPLY_SYNTAX_RCPT] = {"501", "501 Syntax:  RCPT TO: address"},
    [REPLY_SYNTAX_DATA] = {"501", "501 Syntax:  DATA"},
    [REPLY_BAD_SENDER] = {"555", "555 <*>: Sender address rejected"},
    [REPLY_BAD_RECIPIENT] = {"555", "555 <*>: Recipient address invalid"},
    [REPLY_DUPLICATE_HELO] = {"503", "503 Error: duplicate HELO"},
    [REPLY_NESTED_MAIL] = {"503", "503 Error: nested MAIL command"},
    [REPLY_TOO_MANY] = {"452", "452 Error: too many recipients"},
    [REPLY_TIMEOUT] = {"421", "421 4.4.2 @ Error: timeout exceeded"},
    [REPLY_EOF] = {"eof", ""},
};

const char *
reply_code(enum reply_type reply_type)
{
	return texts[reply_type].code;
}

/* Write the refused address, cut to `max` bytes, so that none of them can break the reply. */
static void
write_bad(struct reply *reply, struct span bad, size_t max)
{

	for (size_t i = 0; i < bad.length && i < max; i++) {
		char byte = bad.bytes[i];

		reply->bytes[reply->length++] = (char)(byte >= 0x20 && byte <= 0x7e ? byte : '?');
	}
}

void
reply_write(struct reply *reply, enum reply_type reply_type, const char *netid, struct span bad)
{
	const char *text = texts[reply_type].text;
	size_t netid_length = strlen(netid);

	reply->reply_type = reply_type;
	reply->length = 0;
	for (; *text != '\0'; text++) {
		if (*text == NETID_MARK) {
			memcpy(reply->bytes + reply->length, netid, netid_length);
			reply->length += netid_length;
		} else if (*text == ADDRESS_MARK) {
			/* The rest of the text, without the mark, must fit, too. */
			write_bad(reply, bad, REPLY_MAX - (strlen(texts[reply_type].text) - 1));
		} else {
			reply->bytes[reply->length++] = *text;
		}
	}
	if (reply->length > 0 && reply_type != REPLY_DELIVERED) {
		reply->bytes[reply->length++] = '\r';
		reply->bytes[reply->length++] = '\n';
	}
}

/* Match a number without leading zeros, then CRLF, and nothing else. */
static enum match
match_number(struct span received, size_t *used, uint64_t *number)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < received.length && received.bytes[i] >= '0' && received.bytes[i] <= '9';
	     i++) {
		if (i == NUMBER_DIGITS_MAX || (i > 0 && value == 0)) {
			return MATCH_NONE;
		}
		value = value * 10 + (uint64_t)(received.bytes[i] - '0');
	}
	if (i == received.length) {
		return MATCH_PART;
	}
	if (value == 0 || received.bytes[i] != '\r') {
		return MATCH_NONE;
	}
	if (i + 1 == received.length) {
		return MATCH_PART;
	}
	if (received.bytes[i + 1] != '\n') {
		return MATCH_NONE;
	}
	*used = i + 2;
	*number = value;
	return MATCH_FULL;
}

enum match
reply_match(const struct reply *reply, struct span received, size_t *used, uint64_t *number)
{
	size_t known = received.length < reply->length ? received.length : reply->length;
	enum match match;

	if (known > 0 && memcmp(received.bytes, reply->bytes, known) != 0) {
		return MATCH_NONE;
	}
	if (known < reply->length) {
		return MATCH_PART;
	}
	if (reply->reply_type != REPLY_DELIVERED) {
		*used = known;
		return MATCH_FULL;
	}
	received.bytes += known;
	received.length -= known;
	match = match_number(received, used, number);
	if (match == MATCH_FULL) {
		*used += known;
	}
	return match;
}

struct span
reply_span(const struct reply *reply)
{
	return (struct span){reply->bytes, reply->length};
}
