/*
 * NAME
 *	grade_commands - demands about one client: its commands and the replies to them
 *
 * DESCRIPTION
 *	A demand about single replies is a conversation in a table. The lines that only lead to what
 *	the demand is about need replies with the right code, whatever their text.
 */

#include "grade_demands.h"

#include <assert.h>
#include <stdio.h>

#include "grade_message.h"
#include "grade_talk.h"
#include "monotonic.h"

/* How soon a greeting must come while nothing else is going on. */
#define GREETING_TIME (2 * SECOND)

/* How long to wait for bytes that must not come. */
#define QUIET_TIME (150 * MILLISECOND)

/* All printable ASCII characters but letters and digits. */
#define PUNCTUATION "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

/* ---- conversations ---- */

/* One line and its reply, which must have either a code or a whole text. */
struct step {
	const char *line;
	const char *code; /* what the reply begins with; if not, the demand is not seen; or NULL */
	const char *pattern; /* what the reply matches; if not, the demand has failed; or NULL */
};

#define HELO                             \
	{                                \
		"HELO client", "2", NULL \
	}
#define MAIL                                           \
	{                                              \
		"MAIL FROM: student@CS4410", "2", NULL \
	}
#define RCPT                                    \
	{                                       \
		"RCPT TO: TA@CS4410", "2", NULL \
	}

static const struct step helo_steps[] = {{"HELO client", NULL, "250 %n"}};

static const struct step mail_steps[] = {HELO, {"MAIL FROM: student@CS4410", NULL, "250 OK"}};

static const struct step rcpt_steps[] = {HELO, MAIL, {"RCPT TO: TA@CS4410", NULL, "250 OK"}};

static const struct step data_steps[] = {
    HELO, MAIL, RCPT, {"DATA", NULL, "354 End data with <CR><LF>.<CR><LF>"}};

static const struct step syntax_steps[] = {{"HELO", NULL, "501 Syntax:  HELO yourhostname"}, HELO,
    {"MAIL FROM:", NULL, "501 Syntax:%*"}, MAIL, {"RCPT TO:", NULL, "501 Syntax:%*"}};

static const struct step unrecognized_steps[] = {
    {"mkdir", NULL, "500 Error: command not recognized"}, HELO,
    {"frobnicate 12", NULL, "500 Error: command not recognized"}, MAIL,
    {"xyzzy", NULL, "500 Error: command not recognized"}, RCPT,
    {"What now?", NULL, "500 Error: command not recognized"}};

static const struct step second_helo_steps[] = {HELO,
    {"HELO client", NULL, "503 Error: duplicate HELO"}, MAIL,
    {"HELO other", NULL, "503 Error: duplicate HELO"}, RCPT,
    {"HELO client", NULL, "503 Error: duplicate HELO"}};

static const struct step second_mail_steps[] = {HELO, MAIL,
    {"MAIL FROM: professor@CS4410", NULL, "503 Error: nested MAIL command"}, RCPT,
    {"MAIL FROM: student@CS4410", NULL, "503 Error: nested MAIL command"}};

static const struct step sender_steps[] = {HELO,
    {"MAIL FROM: student @CS4410", NULL, "555 <student @CS4410>: Sender address rejected"},
    {"MAIL FROM: a b c", NULL, "555 <a b c>: Sender address rejected"}};

static const struct step recipient_steps[] = {HELO, MAIL,
    {"RCPT TO: TA @CS4410", NULL, "555 <TA @CS4410>: Recipient address invalid"},
    {"RCPT TO: a b c", NULL, "555 <a b c>: Recipient address invalid"}};

static const struct step address_steps[] = {HELO,
    {"MAIL FROM: student" PUNCTUATION "09azAZ", NULL, "250%*"}, {"RCPT TO: a", NULL, "250%*"},
    {"RCPT TO: <TA@CS4410>", NULL, "250%*"}, {"RCPT TO: " PUNCTUATION "09azAZ", NULL, "250%*"}};

static const struct conversation {
	unsigned demand;
	size_t count;
	const struct step *steps;
} conversations[] = {
    {3, ARRAY_LENGTH(helo_steps), helo_steps},
    {4, ARRAY_LENGTH(mail_steps), mail_steps},
    {5, ARRAY_LENGTH(rcpt_steps), rcpt_steps},
    {6, ARRAY_LENGTH(data_steps), data_steps},
    {10, ARRAY_LENGTH(syntax_steps), syntax_steps},
    {12, ARRAY_LENGTH(unrecognized_steps), unrecognized_steps},
    {13, ARRAY_LENGTH(second_helo_steps), second_helo_steps},
    {14, ARRAY_LENGTH(second_mail_steps), second_mail_steps},
    {15, ARRAY_LENGTH(sender_steps), sender_steps},
    {16, ARRAY_LENGTH(recipient_steps), recipient_steps},
    {17, ARRAY_LENGTH(address_steps), address_steps},
};

/* Perform steps on an open connection, up to the first that goes wrong. */
static bool
perform(struct talk *talk, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool right = steps[i].code != NULL
				 ? talk_require(talk, steps[i].line, steps[i].code)
				 : talk_expect(talk, steps[i].line, steps[i].pattern);

		if (!right) {
			return false;
		}
	}
	return true;
}

/* Return the conversation of a demand, or NULL. */
static const struct conversation *
find_conversation(unsigned demand)
{
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		if (conversations[i].demand == demand) {
			return &conversations[i];
		}
	}
	return NULL;
}

void
demand_conversation(struct grade *grade, unsigned demand)
{
	const struct conversation *conversation = find_conversation(demand);
	struct talk talk;

	/* A demand without steps would pass. */
	assert(conversation != NULL);
	talk_init(&talk, grade, demand);
	if (talk_open(&talk)) {
		perform(&talk, conversation->steps, conversation->count);
	}
	talk_close(&talk);
}

/* ---- the greeting, and lines ---- */

void
demand_greeting(struct grade *grade, unsigned demand)
{
	struct talk talk;

	talk_init(&talk, grade, demand);
	if (talk.deadline > monotonic_now() + GREETING_TIME) {
		talk.deadline = monotonic_now() + GREETING_TIME;
	}
	if (!talk_open(&talk) && !talk.replied) {
		talk_fail(&talk, "220 NETID SMTP CS4410MP3");
	}
	talk_close(&talk);
}

/* How a line ends is judged with each reply (talk_receive()). Here: that nothing follows it. */
void
demand_line_end(struct grade *grade, unsigned demand)
{
	static const char *const lines[] = {"HELO client", "mkdir", "MAIL FROM: student@CS4410"};
	struct talk talk;

	talk_init(&talk, grade, demand);
	if (!talk_open(&talk)) {
		talk_close(&talk);
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		int64_t quiet = monotonic_now() + QUIET_TIME;

		if (conn_receive_precise(&talk.conn,
			quiet < talk.deadline ? quiet : talk.deadline) != CONN_TIMEOUT ||
		    !talk_command(&talk, lines[i])) {
			break;
		}
	}
	talk_close(&talk);
}

/* ---- order ---- */

/* A command that comes too early, and the replies of which one is right. */
struct early_command {
	const char *line;
	const char *patterns[4];
};

#define NEED_HELO "503 Error: need HELO command"
#define NEED_MAIL "503 Error: need MAIL command", "503 Error: need MAIL FROM command"
#define NEED_RCPT "503 Error: need RCPT command", "503 Error: need RCPT TO command"

static const struct early_state {
	size_t steps; /* how many of data_steps lead to it */
	struct early_command commands[3];
} early_states[] = {
    {0, {{"MAIL FROM: student@CS4410", {NEED_HELO}}, {"RCPT TO: TA@CS4410", {NEED_HELO}},
	    {"DATA", {NEED_HELO}}}},
    {1, {{"RCPT TO: TA@CS4410", {NEED_MAIL}}, {"DATA", {NEED_MAIL, NEED_RCPT}}}},
    {2, {{"DATA", {NEED_RCPT}}}},
};

static bool
expect_one_of(struct talk *talk, const struct early_command *command)
{
	talk_command(talk, command->line);
	for (size_t i = 1; i < ARRAY_LENGTH(command->patterns); i++) {
		if (command->patterns[i] != NULL && talk_matches(talk, command->patterns[i])) {
			return true;
		}
	}
	return talk_check(talk, command->patterns[0]);
}

void
demand_order(struct grade *grade, unsigned demand)
{
	for (size_t i = 0; i < ARRAY_LENGTH(early_states); i++) {
		const struct early_state *state = &early_states[i];
		struct talk talk;

		talk_init(&talk, grade, demand);
		if (talk_open(&talk) && perform(&talk, data_steps, state->steps)) {
			for (size_t j = 0; j < ARRAY_LENGTH(state->commands); j++) {
				if (state->commands[j].line != NULL &&
				    !expect_one_of(&talk, &state->commands[j])) {
					break;
				}
			}
		}
		talk_close(&talk);
	}
}

/* ---- messages ---- */

void
demand_delivery(struct grade *grade, unsigned demand)
{
	struct message *message;
	struct talk talk;

	talk_init(&talk, grade, demand);
	if (talk_open_helo(&talk) && (message = message_begin(&talk, 1)) != NULL) {
		message_send_lines(&talk, message);
		message_end(&talk, message);
		talk_check(&talk, "250 OK:%_delivered message %d");
	}
	talk_close(&talk);
}

void
demand_several_messages(struct grade *grade, unsigned demand)
{
	struct talk talk;

	talk_init(&talk, grade, demand);
	if (talk_open_helo(&talk) && message_deliver(&talk, 1)) {
		for (int i = 0; i < 2; i++) {
			if (!message_deliver(&talk, 1)) {
				talk_fail(&talk, "one more message is accepted without HELO");
				break;
			}
		}
	}
	talk_close(&talk);
}

/* Send the rest of a message after DATA, and expect that it is accepted. */
static void
finish_message(struct talk *talk, struct message *message)
{
	message_send_lines(talk, message);
	message_end(talk, message);
	talk_check(talk, "250%*");
}

void
demand_several_recipients(struct grade *grade, unsigned demand)
{
	char line[NAME_SIZE + 16], address[NAME_SIZE];
	struct message *message = NULL;
	struct talk talk;
	bool right;

	talk_init(&talk, grade, demand);
	right =
	    talk_open_helo(&talk) && (message = message_new(&talk, MESSAGE_RECIPIENTS_MAX)) != NULL;
	if (right) {
		snprintf(line, sizeof line, "MAIL FROM: %s", message->sender);
		right = talk_require(&talk, line, "2");
	}
	for (unsigned i = 0; i < MESSAGE_RECIPIENTS_MAX && right; i++) {
		message_recipient(message, i, address);
		snprintf(line, sizeof line, "RCPT TO: %s", address);
		right = i == 0 ? talk_require(&talk, line, "2") : talk_expect(&talk, line, "250%*");
	}
	if (right && talk_require(&talk, "DATA", "3")) {
		finish_message(&talk, message);
	}
	talk_close(&talk);
}

/* Send a command that must be accepted. Returns false, with the demand failed, if it is not. */
static bool
expect_accepted(struct talk *talk, const char *line, const char *code)
{
	talk_command(talk, line);
	if (talk_has_code(talk, code)) {
		return true;
	}
	talk_fail(talk, "the command is accepted after errors in others");
	return false;
}

/* The second conversation of the assignment, and the line with a dot alone, which it lacks. */
void
demand_errors(struct grade *grade, unsigned demand)
{
	char sender[NAME_SIZE + 16];
	struct message *message = NULL;
	struct talk talk;

	talk_init(&talk, grade, demand);
	snprintf(talk.host, sizeof talk.host, "clienthostname");
	if (talk_open(&talk) && (message = message_new(&talk, 1)) != NULL) {
		char recipient[NAME_SIZE], line[NAME_SIZE + 16];

		snprintf(sender, sizeof sender, "MAIL FROM: %s", message->sender);
		message_recipient(message, 0, recipient);
		snprintf(line, sizeof line, "RCPT TO: %s", recipient);
		if (talk_command(&talk, "HELO") &&
		    expect_accepted(&talk, "HELO clienthostname", "2") &&
		    talk_command(&talk, "mkdir") &&
		    talk_command(&talk, "MAIL FROM: student @CS4410") &&
		    expect_accepted(&talk, sender, "2") &&
		    talk_command(&talk, "MAIL FROM: professor@CS4410") &&
		    talk_command(&talk, "RCPT TO: TA @CS4410") &&
		    expect_accepted(&talk, line, "2") && expect_accepted(&talk, "DATA", "3")) {
			finish_message(&talk, message);
		} else {
			talk_fail(&talk, "a reply, and that the conversation goes on");
		}
	}
	talk_close(&talk);
}

void
demand_dots(struct grade *grade, unsigned demand)
{
	struct message *message;
	struct talk talk;

	talk_init(&talk, grade, demand);
	if (talk_open_helo(&talk) && (message = message_begin(&talk, 1)) != NULL) {
		message->has_dots = true;
		message_send_lines(&talk, message);
		if (talk_receive(&talk, monotonic_now() + QUIET_TIME)) {
			talk_fail(&talk, "no reply before the line with a dot alone");
			message_judge_reply(&talk, message, 0);
			/* What follows are replies to the other lines. */
			conn_close(&talk.conn);
		} else {
			message_end(&talk, message);
			talk_check(&talk, "250%*");
		}
	}
	talk_close(&talk);
}
