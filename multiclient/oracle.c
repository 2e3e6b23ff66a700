/*
 * NAME
 *	oracle - the exact reply to whatever is sent next
 *
 * DESCRIPTION
 *	Written from the description of the protocol (smtpd(8), PROTOCOL), independently of the
 *	server. A line gets the first reply that applies, in this order: too long, unrecognized, out
 *	of order, bad syntax, bad address, duplicate or nested, too many recipients, accepted.
 */

#include "oracle.h"

#include <string.h>
#include <strings.h>

enum verb {
	VERB_HELO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERBS
};

/*
 * The name of each command; the replies to bad syntax, and to an argument with a byte that is not
 * printable ASCII; the reply in each state before DATA, REPLY_NONE unless it comes too early.
 */
static const struct {
	const char *first;
	const char *second; /* NULL: the name is one word */
	enum reply_type syntax;
	enum reply_type bad_argument;
	enum reply_type out_of_order[STATE_DATA];
} verbs[VERBS] = {
    [VERB_HELO] = {"HELO", NULL, REPLY_SYNTAX_HELO, REPLY_SYNTAX_HELO, {REPLY_NONE}},
    [VERB_MAIL] = {"MAIL", "FROM", REPLY_SYNTAX_MAIL, REPLY_BAD_SENDER,
	{[STATE_START] = REPLY_NEED_HELO}},
    [VERB_RCPT] = {"RCPT", "TO", REPLY_SYNTAX_RCPT, REPLY_BAD_RECIPIENT,
	{[STATE_START] = REPLY_NEED_HELO, [STATE_GREETED] = REPLY_NEED_MAIL}},
    [VERB_DATA] = {"DATA", NULL, REPLY_SYNTAX_DATA, REPLY_SYNTAX_DATA,
	{[STATE_START] = REPLY_NEED_HELO,
	    [STATE_GREETED] = REPLY_NEED_MAIL,
	    [STATE_SENDER] = REPLY_NEED_RCPT}},
};

/* ---- text ---- */

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct span
trim(struct span text)
{
	while (text.length > 0 && is_space(text.bytes[0])) {
		text.bytes++;
		text.length--;
	}
	while (text.length > 0 && is_space(text.bytes[text.length - 1])) {
		text.length--;
	}
	return text;
}

/* Return whether a text is one or more printable ASCII characters, none of them a space. */
static bool
is_printable(struct span text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.bytes[i] < 0x21 || text.bytes[i] > 0x7e) {
			return false;
		}
	}
	return text.length > 0;
}

/* ---- commands ---- */

/*
 * Remove `word`, which ends before white space, the end or `mark`, from the beginning of `text`,
 * and trim. Returns whether it was there.
 */
static bool
parse_word(struct span *text, const char *word, char mark)
{
	size_t length = strlen(word);

	if (text->length < length || strncasecmp(text->bytes, word, length) != 0) {
		return false;
	}
	if (text->length > length && !is_space(text->bytes[length]) &&
	    text->bytes[length] != mark) {
		return false;
	}
	*text = trim((struct span){text->bytes + length, text->length - length});
	return true;
}

/* Return which command a line is, with `line` set to what follows the name; VERBS if none. */
static enum verb
recognize(struct span *line)
{
	unsigned verb;

	for (verb = 0; verb < VERBS; verb++) {
		struct span rest = trim(*line);

		if (!parse_word(&rest, verbs[verb].first, ' ')) {
			continue;
		}
		if (verbs[verb].second != NULL && !parse_word(&rest, verbs[verb].second, ':')) {
			continue;
		}
		*line = rest;
		break;
	}
	return (enum verb)verb;
}

/*
 * Judge what follows the name of a command, its syntax and then the host or address in it, to which
 * `argument` is set. Returns REPLY_NONE if it is valid.
 */
static enum reply_type
judge_argument(enum verb verb, struct span *argument)
{
	if (verb == VERB_DATA) {
		return argument->length == 0 ? REPLY_NONE : verbs[verb].syntax;
	}
	if (verb == VERB_MAIL || verb == VERB_RCPT) {
		if (argument->length == 0 || argument->bytes[0] != ':') {
			return verbs[verb].syntax;
		}
		*argument = trim((struct span){argument->bytes + 1, argument->length - 1});
		if (argument->length == 0) {
			return verbs[verb].syntax;
		}
	}
	return is_printable(*argument) ? REPLY_NONE : verbs[verb].bad_argument;
}

/* ---- accepted commands ---- */

static void
append_header(struct buffer *buffer, const char *name, struct span value)
{
	buffer_add_string(buffer, name);
	buffer_add(buffer, value.bytes, value.length);
	buffer_add_byte(buffer, '\n');
}

static enum reply_type
accept_helo(struct oracle *oracle, struct span host)
{
	if (oracle->state != STATE_START) {
		return REPLY_DUPLICATE_HELO;
	}
	oracle->state = STATE_GREETED;
	buffer_clear(&oracle->heading);
	buffer_add_string(&oracle->heading, "Received: from ");
	buffer_add(&oracle->heading, host.bytes, host.length);
	buffer_add_string(&oracle->heading, " by ");
	buffer_add_string(&oracle->heading, oracle->netid);
	buffer_add_string(&oracle->heading, " (CS4410MP3)\n");
	return REPLY_HELO;
}

static enum reply_type
accept_mail(struct oracle *oracle, struct span address)
{
	if (oracle->state != STATE_GREETED) {
		return REPLY_NESTED_MAIL;
	}
	oracle->state = STATE_SENDER;
	oracle->recipients = 0;
	buffer_clear(&oracle->sender);
	buffer_clear(&oracle->recipients_text);
	append_header(&oracle->sender, "From: ", address);
	return REPLY_OK;
}

static enum reply_type
accept_rcpt(struct oracle *oracle, struct span address)
{
	if (oracle->recipients == RECIPIENTS_MAX) {
		return REPLY_TOO_MANY;
	}
	oracle->state = STATE_RECIPIENT;
	oracle->recipients++;
	append_header(&oracle->recipients_text, "To: ", address);
	return REPLY_OK;
}

static enum reply_type
accept_data(struct oracle *oracle, struct span nothing)
{
	(void)nothing;
	oracle->state = STATE_DATA;
	return REPLY_START_DATA;
}

/*
 * Accept a command whose argument is valid, unless it is a second one or there are too many
 * recipients. Returns the reply.
 */
static enum reply_type (*const acceptors[VERBS])(struct oracle *, struct span) = {
    [VERB_HELO] = accept_helo,
    [VERB_MAIL] = accept_mail,
    [VERB_RCPT] = accept_rcpt,
    [VERB_DATA] = accept_data,
};

/* ---- replies ---- */

/*
 * Judge a line without its ending. Sets `line` to what a 555 reply must contain. Returns the reply.
 */
static enum reply_type
judge(struct oracle *oracle, struct span *line)
{
	enum verb verb;
	enum reply_type reply_type;

	if (line->length > LINE_MAX) {
		return REPLY_LINE_TOO_LONG;
	}
	verb = recognize(line);
	if (verb == VERBS) {
		return REPLY_UNRECOGNIZED;
	}
	reply_type = verbs[verb].out_of_order[oracle->state];
	if (reply_type == REPLY_NONE) {
		reply_type = judge_argument(verb, line);
	}
	if (reply_type == REPLY_NONE) {
		reply_type = acceptors[verb](oracle, *line);
	}
	return reply_type;
}

static bool
is_accepted(enum reply_type reply_type)
{
	return reply_type == REPLY_HELO || reply_type == REPLY_OK || reply_type == REPLY_START_DATA;
}

/* ---- public functions ---- */

void
oracle_init(struct oracle *oracle, const char *netid)
{
	oracle->netid = netid;
	oracle->state = STATE_START;
	oracle->recipients = 0;
}

void
oracle_destroy(struct oracle *oracle)
{
	buffer_destroy(&oracle->heading);
	buffer_destroy(&oracle->sender);
	buffer_destroy(&oracle->recipients_text);
	buffer_destroy(&oracle->scratch);
}

bool
oracle_line(struct oracle *oracle, struct span line, struct reply *reply)
{
	enum reply_type reply_type;

	line.length--;
	if (line.length > 0 && line.bytes[line.length - 1] == '\r') {
		line.length--;
	}
	reply_type = judge(oracle, &line);
	reply_write(reply, reply_type, oracle->netid, line);
	return is_accepted(reply_type);
}

static void
join(struct buffer *record, const struct buffer *part)
{
	buffer_add(record, part->bytes, part->length);
	record->failed = record->failed || part->failed;
}

void
oracle_message(struct oracle *oracle, struct span data, struct reply *reply, struct buffer *record,
    size_t *head)
{
	oracle->state = STATE_GREETED;
	reply_write(reply, REPLY_DELIVERED, oracle->netid, (struct span){NULL, 0});
	if (record == NULL) {
		return;
	}
	buffer_clear(record);
	join(record, &oracle->heading);
	*head = record->length;
	join(record, &oracle->sender);
	join(record, &oracle->recipients_text);
	buffer_add_byte(record, '\n');
	record_body(data, &oracle->scratch, record);
	record->failed = record->failed || oracle->scratch.failed;
	buffer_add_byte(record, '\n');
}
