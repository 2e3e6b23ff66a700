/*
 * session.h - the SMTP conversation with one client, without socket, clock, thread or file
 *
 * session_feed() consumes bytes and produces replies (`output`), complete messages
 * (SESSION_DELIVERY) and progress (session_progressed()). Pipelined messages are delivered
 * together. The replies to the commands between them are already in `output`; session_delivered()
 * inserts those to the messages. A session belongs to one thread at a time. Source: the assignment;
 * RFC 5321; RFC 2920.
 */

#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "params.h"
#include "reply.h"

/*
 * Each state, except STATE_DATA, is named after the command that is due next, and implies the
 * states before it. HELO stands for EHLO as well.
 */
enum state {
	STATE_HELO,         /* no HELO accepted yet */
	STATE_MAIL,         /* HELO accepted, no transaction open */
	STATE_RCPT,         /* MAIL FROM accepted */
	STATE_RCPT_OR_DATA, /* at least one RCPT TO accepted */
	STATE_DATA          /* DATA accepted: the body follows */
};

/* The response that comes next in an exchange of AUTH (RFC 4954), if any. */
enum login {
	LOGIN_NONE,        /* no exchange was started, or the last one failed */
	LOGIN_CREDENTIALS, /* of PLAIN (RFC 4616) */
	LOGIN_USERNAME,    /* of LOGIN */
	LOGIN_PASSWORD,
	LOGIN_DONE /* the login was accepted */
};

/* Why the session closes the connection. */
enum session_end {
	SESSION_OPEN, /* it does not */
	SESSION_QUIT,
	SESSION_TOO_MANY_COMMANDS,
	SESSION_NOT_A_MAIL_CLIENT
};

/* What the caller of session_feed() must do next. */
enum session_want {
	SESSION_INPUT,    /* send `output`, then receive more bytes */
	SESSION_FLUSH,    /* send `output`, then feed the rest of the bytes */
	SESSION_DELIVERY, /* store the messages, call session_delivered(), feed the rest (or 0) */
	SESSION_CLOSE     /* send `output` and close the connection */
};

struct session {
	enum protocol protocol;
	enum state state;
	enum login login;
	bool smtputf8;          /* the transaction was started with SMTPUTF8 */
	bool first_line;        /* no line was received yet */
	enum session_end end;   /* if not SESSION_OPEN, close the connection after the replies */
	unsigned junk_commands; /* since the last completed message that can be stored */
	bool progressed;        /* see session_progressed() */
	bool line_too_long;     /* discard this line, all but its end */
	size_t line_length;     /* bytes in `line` */
	struct message_buffer message;
	/* Offsets in `output` at which the replies to the completed messages belong. */
	size_t reply_offsets[COMPLETED_MAX];
	/* A partial command line, and its CR; or the last bytes of one that is too long. */
	char line[COMMAND_LINE_MAX + 1];
	struct output output;
};

/*
 * Initialize a session for its first client. `netid`, at most NETID_MAX printable characters, must
 * outlive it. `max_size` is the limit of a message body in bytes.
 */
void session_init(
    struct session *session, const char *netid, size_t max_size, enum protocol protocol);

/* Free all memory. */
void session_destroy(struct session *session);

/* Discard the last conversation, and start a new one. */
void session_reset(struct session *session);

/*
 * Process `length` bytes from the client; 0 is allowed. Sets `want` to what the caller must do
 * next. Returns how many bytes were consumed: all of them if `want` is SESSION_INPUT. Replies are
 * added to `output`, which may be sent unless `want` is SESSION_DELIVERY.
 */
size_t session_feed(
    struct session *session, const char *bytes, size_t length, enum session_want *want);

/*
 * Return the number of completed messages. Their indexes start at 0. Those whose
 * session_message_error() is 0 are to be stored.
 */
size_t session_messages(const struct session *session);

/*
 * Return why a message cannot be stored: EMSGSIZE if it is too big, ENOMEM if there was no memory
 * for it; 0 if it can.
 */
int session_message_error(const struct session *session, size_t index);

/*
 * Return the envelope and, if session_message_error() is 0, the record of a message. Both are valid
 * until session_delivered().
 */
struct record session_record(const struct session *session, size_t index);
struct envelope session_envelope(const struct session *session, size_t index);

/*
 * Insert the reply to each completed message, and discard the messages. `deliveries` has the result
 * of each, in their order; for a message that cannot be stored it is session_message_error().
 */
void session_delivered(struct session *session, const struct delivery_result *deliveries);

/* Return whether the client is in the data phase. */
bool session_in_data(const struct session *session);

/*
 * Return whether the client made progress since the last call: a command or a response of AUTH was
 * accepted, or a message was completed, even if it is refused.
 */
bool session_progressed(struct session *session);

/* Add the greeting, which comes before all other replies. */
void session_greet(struct session *session);

/*
 * Add a last reply, REPLY_TIMEOUT or REPLY_SHUTTING_DOWN. If the session has ended itself, it had
 * its last reply, and none is added.
 */
void session_abort(struct session *session, enum reply reply);

#endif
