/*
 * client.h - one client, one step at a time
 *
 * Nothing here waits longer than PATIENCE for what the server must do: then the test fails, and
 * says what had been sent last and what came instead.
 */

#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>

#include "server.h"

/* What the server says, when its netid is the default. */
#define BANNER      "220 netid SMTP CS4410MP3\r\n"
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

/* Longest reply line, its CRLF and a NUL included. */
#define REPLY_SIZE 513

struct client {
	int socket;
	double asked;   /* when, on the monotonic clock, it began to connect or to send last */
	char sent[160]; /* what it sent last, for messages */
};

/* Where a conversation stands. */
enum state {
	STATE_CONNECTED, /* the banner has come */
	STATE_GREETED,   /* HELO accepted */
	STATE_MAIL,      /* MAIL FROM accepted */
	STATE_RCPT,      /* one RCPT TO accepted */
	STATE_DATA,      /* DATA accepted */
	STATES
};

/* Connect, and no more. The first form is for a server on 127.0.0.1. */
struct client client_connect(const struct server *server);
struct client client_connect_to(const char *address, unsigned port);

/*
 * Connect with a receive buffer of about `bytes`, so that unread replies soon stop the server from
 * sending.
 */
struct client client_connect_narrow(const struct server *server, int bytes);

/*
 * Connect and go through the conversation up to `state`, every reply being as it should. All is sent
 * at once, so that even a very short timeout is not missed.
 */
struct client client_connect_in_state(const struct server *server, enum state state);

/* Send all of these bytes, or each in a segment of its own. The first form is for strings. */
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *bytes, size_t length);
void client_send_bytewise(struct client *client, const void *bytes, size_t length);

/* The next bytes from the server must be these. */
void client_expect(struct client *client, const char *expected);

/* Send a text and expect a reply to it. */
void client_command(struct client *client, const char *text, const char *expected);

/* The server must end the connection, having said nothing more; it is then closed here too. */
void client_expect_end(struct client *client);

/* The server must say nothing for that many seconds. */
void client_expect_silence(struct client *client, double seconds);

/* Whether the server says something, or ends the connection, within that many seconds. */
bool client_has_input(const struct client *client, double seconds);

/*
 * Deliver a message from `a@b` to `c@d` on a connection that stands after HELO. `body` is as sent,
 * without the line that ends it. It must be given `number`.
 */
void client_deliver(struct client *client, const char *body, unsigned number);

/* Send nothing more, but go on reading. */
void client_half_close(struct client *client);

/* Close; close by a reset, which throws away what is under way. */
void client_close(struct client *client);
void client_reset(struct client *client);

#endif
