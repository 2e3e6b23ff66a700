/*
 * client.h - a client connection, used step by step
 *
 * A call that expects bytes, or the end of the connection, waits for the next of them for PATIENCE
 * at most. Then the test fails; the failure message contains what was sent last and what was
 * received.
 */

#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>

#include "server.h"

/* Replies of a server with the default netid. */
#define GREETING    "220 netid SMTP CS4410MP3\r\n"
#define HELO_OK     "250 netid\r\n"
#define OK          "250 OK\r\n"
#define START_DATA  "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TIMED_OUT   "421 4.4.2 netid Error: timeout exceeded\r\n"
#define STOPPING    "421 4.3.2 netid Error: shutting down\r\n"
#define NO_SPACE    "452 Error: insufficient system storage\r\n"
#define LOCAL_ERROR "451 Error: local error in processing\r\n"
#define UNKNOWN     "500 Error: command not recognized\r\n"
#define TOO_LONG    "500 Error: line too long\r\n"
#define NEED_HELO   "503 Error: need HELO command\r\n"
#define NEED_MAIL   "503 Error: need MAIL FROM command\r\n"
#define NEED_RCPT   "503 Error: need RCPT TO command\r\n"
#define DUPLICATE   "503 Error: duplicate HELO\r\n"
#define NESTED      "503 Error: nested MAIL command\r\n"
#define TOO_BIG     "552 Error: message too big\r\n"
#define HELO_SYNTAX "501 Syntax:  HELO yourhostname\r\n"
#define MAIL_SYNTAX "501 Syntax:  MAIL FROM: address\r\n"
#define RCPT_SYNTAX "501 Syntax:  RCPT TO: address\r\n"
#define DATA_SYNTAX "501 Syntax:  DATA\r\n"
#define DELIVERED   "250 OK:  delivered message %u\r\n" /* a format */

/* Bytes of the longest reply line with its CRLF and a NUL. */
#define REPLY_STRING_SIZE 513

struct client {
	int socket;
	double sent_at; /* clock_now() when it began to connect or to send last */
	char sent[160]; /* what it sent last, for a failure message */
};

/* The states of a session. */
enum state {
	STATE_CONNECTED, /* the greeting was received */
	STATE_GREETED,   /* HELO accepted */
	STATE_SENDER,    /* MAIL FROM accepted */
	STATE_RECIPIENT, /* one RCPT TO accepted */
	STATE_DATA,      /* DATA accepted */
	STATES
};

/* Connect; the first form to 127.0.0.1. The greeting is not received. */
struct client client_connect(const struct server *server);
struct client client_connect_to(const char *address, unsigned port);

/*
 * Connect with a receive buffer of about `bytes`, so that few unread replies block the server's
 * send().
 */
struct client client_connect_buffered(const struct server *server, int bytes);

/*
 * Connect, bring the session to `state` and check all replies. The commands are sent at once, so
 * that a very short timeout does not expire.
 */
struct client client_connect_in_state(const struct server *server, enum state state);

/* Send a string; send bytes; send each byte in a segment of its own. */
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *bytes, size_t length);
void client_send_bytewise(struct client *client, const void *bytes, size_t length);

/* Receive as many bytes as `expected` has; they must be equal. */
void client_expect(struct client *client, const char *expected);

/* Send a text and expect its reply. */
void client_command(struct client *client, const char *text, const char *expected);

/* Connect, receive the greeting of a server that is ready, and close. */
void client_expect_greeting(const char *address, unsigned port);

/* The server must close the connection without another byte. Then close it here. */
void client_expect_end(struct client *client);

/* The server must send nothing for that many seconds. */
void client_expect_silence(struct client *client, double seconds);

/* Return whether a byte or an end of file arrives within that many seconds. */
bool client_has_input(const struct client *client, double seconds);

/* Begin a message from `a@b` to `c@d` in STATE_GREETED, up to the reply to DATA. */
void client_begin_message(struct client *client);

/*
 * Deliver a message from `a@b` to `c@d` in STATE_GREETED. `body` is as sent, without the line of
 * the dot. The server must give it `number`.
 */
void client_deliver(struct client *client, const char *body, unsigned number);

/* Shut down the sending direction. */
void client_half_close(struct client *client);

/* Close; close with RST, which discards unsent and unread bytes. */
void client_close(struct client *client);
void client_reset(struct client *client);

#endif
