/*
 * grade_message.h - the messages that the demands send, and the records that they become
 */

#ifndef MULTICLIENT_GRADE_MESSAGE_H
#define MULTICLIENT_GRADE_MESSAGE_H

#include "buffer.h"
#include "grade_state.h"
#include "grade_talk.h"

/* What a server does with a dot that was added for sending (RFC 5321, 4.5.2). */
enum added_dots {
	ADDED_DOTS_REMOVED,
	ADDED_DOTS_KEPT
};

/*
 * Enter a message with that many recipients in the list. Returns NULL, with the demand not seen, if
 * there are MESSAGES_MAX messages.
 */
struct message *message_new(struct talk *talk, unsigned recipients);

/*
 * Begin a message with that many recipients on a connection that has sent HELO: MAIL FROM, RCPT TO,
 * DATA. Returns NULL, with the demand not seen, if a reply has another code than it must have, or
 * if there are MESSAGES_MAX messages.
 */
struct message *message_begin(struct talk *talk, unsigned recipients);

/*
 * Send the lines of the message, without its end; with lines that begin with a dot if
 * `message->has_dots`. Returns false if the connection is lost.
 */
bool message_send_lines(struct talk *talk, const struct message *message);

/*
 * Send the end of the message, and receive the reply, which the caller judges, except its number:
 * see message_judge_reply().
 */
void message_end(struct talk *talk, struct message *message);

/*
 * Take the number of the message from the last reply. As demand 27 is judged that it is above
 * `after`, and that no other message has it.
 */
void message_judge_reply(struct talk *talk, struct message *message, uint64_t after);

/* Send a whole message. Returns false, with the demand not seen, unless it is acknowledged. */
bool message_deliver(struct talk *talk, unsigned recipients);

/* Write the address of recipient `i`, from 0. */
void message_recipient(const struct message *message, unsigned i, char address[NAME_SIZE]);

/*
 * Write the record of a message with one recipient, as it must be in the mailbox, without or with
 * the dots that were added for sending.
 */
void message_record(const struct message *message, const char *netid, enum added_dots added_dots,
    struct buffer *record);

#endif
