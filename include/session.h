/*
 * session.h - the SMTP conversation with one client, without socket, clock, thread or file
 *
 * Bytes go in through session_feed(); out come replies (`output`), complete messages
 * (SESSION_DELIVERY) and the fact that the client made progress (`progressed`). Messages that came
 * at once come out at once: of all that was said after the first of them the replies are ready by
 * then, and lack only what session_delivered() puts between. A session belongs to one thread at a
 * time. Source: the assignment; RFC 5321; RFC 2920.
 */

#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "message.h"
#include "params.h"
#include "reply.h"

/* What the conversation needs next; each state includes what the ones before it asked for. */
enum state {
	STATE_HELO,         /* nothing yet */
	STATE_MAIL,         /* HELO accepted, no transaction open */
	STATE_RCPT,         /* MAIL FROM accepted */
	STATE_RCPT_OR_DATA, /* at least one RCPT TO accepted: more of them, or DATA */
	STATE_DATA          /* the body is coming */
};

/* What session_feed() wants of its caller. */
enum session_want {
	SESSION_INPUT,    /* more bytes */
	SESSION_FLUSH,    /* `output` sent, then the rest of the bytes */
	SESSION_DELIVERY, /* messages stored or refused, session_delivered(), then the rest */
	SESSION_END       /* `output` sent, and the connection closed */
};

struct session {
	const char *netid;
	enum protocol protocol;
	enum state state;
	bool closing;           /* the client is to be sent away after the replies */
	unsigned junk_commands; /* that moved nothing forward, since a message was fine */
	bool progressed;        /* see session_progressed() */
	bool line_too_long;     /* the line that is coming is being thrown away */
	size_t line_length;     /* bytes in `line` */
	size_t output_length;   /* bytes in `output` */
	struct message_buffer message;
	/* Where in `output` belong the replies to the messages that have ended. */
	size_t reply_offsets[MESSAGE_BATCH_MAX];
	/* A command line that came in pieces, and its CR. */
	char line[COMMAND_LINE_MAX + 1];
	/* Replies not yet sent, and room for a last word. */
	char output[OUTPUT_SIZE + REPLY_SIZE];
};

/*
 * Prepare a session for its first client. `netid`, at most NETID_MAX printable characters, must
 * outlive it; `max_size` is the limit of a message body in bytes.
 */
void session_init(
    struct session *session, const char *netid, size_t max_size, enum protocol protocol);

/* Give back all memory. */
void session_destroy(struct session *session);

/* Begin a conversation: forget all of the last one. */
void session_reset(struct session *session);

/*
 * Take `length` bytes from the client, perhaps none. Returns how many were consumed, and says in
 * `want` why it went no further; all were consumed if that is SESSION_INPUT. Replies are added to
 * `output`, which may be sent unless that is SESSION_DELIVERY.
 */
size_t session_feed(
    struct session *session, const char *bytes, size_t length, enum session_want *want);

/* How many messages have ended and are to be stored. The first of them is message 0. */
size_t session_messages(const struct session *session);

/*
 * Why a message cannot be stored: 0 if it can, EMSGSIZE if it is too big, ENOMEM if there was no
 * memory for it.
 */
int session_message_error(const struct session *session, size_t index);

/* Its record, if it can be stored, and its envelope. They live until session_delivered(). */
struct record session_record(const struct session *session, size_t index);
struct envelope session_envelope(const struct session *session, size_t index);

/* Say what became of each of the messages, so that the client is told, and forget them. */
void session_delivered(struct session *session, const struct delivery_result *deliveries);

/* Whether the client is sending the body of a message. */
bool session_in_data(const struct session *session);

/*
 * Whether the client did something that renews its time, since this was last asked: a command
 * accepted, or a message brought to its end.
 */
bool session_progressed(struct session *session);

/*
 * Say something on the server's own account: REPLY_GREETING first of all, or REPLY_TIMEOUT or
 * REPLY_SHUTTING_DOWN last of all. There is always room for it.
 */
void session_reply(struct session *session, enum reply reply);

/* Forget the first `length` bytes of `output`: they were sent. */
void session_sent(struct session *session, size_t length);

#endif
