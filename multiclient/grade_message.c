/*
 * NAME
 *	grade_message - the messages that the demands send, and the records that they become
 */

#include "grade_message.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines of a message as they are sent: one dot is added to each that begins with one. */
static const char *const plain_lines[] = {
    "I made an awesome submission!", "", "Network programming is fun."};
static const char *const dot_lines[] = {"A line with a dot follows.", "..hidden", "..",
    "... and one with three, of which one is added", "The end."};

/* Return the lines of a message as they are sent. */
static const char *const *
lines_of(const struct message *message, size_t *count)
{
	*count = message->has_dots ? ARRAY_LENGTH(dot_lines) : ARRAY_LENGTH(plain_lines);
	return message->has_dots ? dot_lines : plain_lines;
}

struct message *
message_new(struct talk *talk, unsigned recipients)
{
	struct grade *grade = talk->grade;
	struct message *message = NULL;

	pthread_mutex_lock(&grade->lock);
	if (grade->message_count < MESSAGES_MAX) {
		message = &grade->messages[grade->message_count];
		*message = (struct message){.demand = talk->demand, .recipients = recipients};
		snprintf(message->host, sizeof message->host, "%s", talk->host);
		snprintf(message->sender, sizeof message->sender, "student%zu-%" PRIu64 "@CS4410",
		    ++grade->message_count, grade->run_id);
	}
	pthread_mutex_unlock(&grade->lock);
	if (message == NULL) {
		grade_not_seen(grade, talk->demand, "too many messages");
	}
	return message;
}

void
message_recipient(const struct message *message, unsigned i, char address[NAME_SIZE])
{
	snprintf(address, NAME_SIZE, "TA%u-%u@CS4410", message->demand, i + 1);
}

struct message *
message_begin(struct talk *talk, unsigned recipients)
{
	struct message *message = message_new(talk, recipients);
	char line[NAME_SIZE + 16], address[NAME_SIZE];

	if (message == NULL) {
		return NULL;
	}
	snprintf(line, sizeof line, "MAIL FROM: %s", message->sender);
	if (!talk_require(talk, line, "2")) {
		return NULL;
	}
	for (unsigned i = 0; i < recipients; i++) {
		message_recipient(message, i, address);
		snprintf(line, sizeof line, "RCPT TO: %s", address);
		if (!talk_require(talk, line, "2")) {
			return NULL;
		}
	}
	return talk_require(talk, "DATA", "3") ? message : NULL;
}

bool
message_send_lines(struct talk *talk, const struct message *message)
{
	size_t count;
	const char *const *lines = lines_of(message, &count);
	struct buffer text = {0};
	bool sent;

	for (size_t i = 0; i < count; i++) {
		buffer_add_string(&text, lines[i]);
		buffer_add_string(&text, "\r\n");
	}
	sent = !text.failed && talk_send(talk, (struct span){text.bytes, text.length});
	buffer_destroy(&text);
	return sent;
}

/* Return the number in a reply that accepts a message; 0: none. */
static uint64_t
parse_number(const struct talk *talk)
{
	static const char before[] = "message ";
	const char *at = talk_has_code(talk, "250") ? strstr(talk->reply, before) : NULL;

	if (at == NULL || !isdigit((unsigned char)at[sizeof before - 1])) {
		return 0;
	}
	return strtoull(at + sizeof before - 1, NULL, 10);
}

void
message_judge_reply(struct talk *talk, struct message *message, uint64_t after)
{
	struct ledger_entry entry = {.number = parse_number(talk),
	    .after = after,
	    .message_index = (size_t)(message - talk->grade->messages)};
	char expected[80];

	pthread_mutex_lock(&talk->grade->lock);
	message->number = entry.number;
	pthread_mutex_unlock(&talk->grade->lock);
	if (entry.number == 0) {
		ledger_add_unacknowledged(&talk->grade->ledger, &entry);
		return;
	}
	snprintf(expected, sizeof expected, "a number above %" PRIu64, after);
	switch (ledger_add(&talk->grade->ledger, &entry)) {
	case LEDGER_DUPLICATE:
		grade_fail(talk->grade, DEMAND_NUMBERS, &talk->transcript,
		    "a number that no other message has", talk->reply);
		break;
	case LEDGER_OUT_OF_ORDER:
		grade_fail(talk->grade, DEMAND_NUMBERS, &talk->transcript, expected, talk->reply);
		break;
	case LEDGER_OK:
	case LEDGER_NO_MEMORY:
		break;
	}
}

void
message_end(struct talk *talk, struct message *message)
{
	uint64_t after = ledger_highest(&talk->grade->ledger);

	talk_command(talk, ".");
	message_judge_reply(talk, message, after);
}

bool
message_deliver(struct talk *talk, unsigned recipients)
{
	struct message *message = message_begin(talk, recipients);

	if (message == NULL) {
		return false;
	}
	message_send_lines(talk, message);
	message_end(talk, message);
	return talk_check_required(talk, "the end of the message", "250");
}

void
message_record(const struct message *message, const char *netid, enum added_dots added_dots,
    struct buffer *record)
{
	char head[4 * NAME_SIZE + NETID_MAX + 128], recipient[NAME_SIZE];
	size_t count;
	const char *const *lines = lines_of(message, &count);

	message_recipient(message, 0, recipient);
	snprintf(head, sizeof head,
	    "Received: from %s by %s (CS4410MP3)\nNumber: %" PRIu64 "\nFrom: %s\nTo: %s\n\n",
	    message->host, netid, message->number, message->sender, recipient);
	buffer_clear(record);
	buffer_add_string(record, head);
	for (size_t i = 0; i < count; i++) {
		bool removes_dot = added_dots == ADDED_DOTS_REMOVED && *lines[i] == '.';

		buffer_add_string(record, lines[i] + (removes_dot ? 1 : 0));
		buffer_add_byte(record, '\n');
	}
	buffer_add_byte(record, '\n');
}
