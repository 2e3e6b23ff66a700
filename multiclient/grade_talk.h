/*
 * grade_talk.h - one connection on which a demand is judged. Belongs to one thread.
 *
 * Expected replies are patterns:
 *	%n	the netid, or any word while it is not known
 *	%d	a decimal number
 *	%_	one space or two
 *	%*	anything
 */

#ifndef MULTICLIENT_GRADE_TALK_H
#define MULTICLIENT_GRADE_TALK_H

#include "grade_state.h"

/* Bytes kept of a reply, with a NUL. */
#define TALK_REPLY_SIZE 1024

struct talk {
	struct grade *grade;
	unsigned demand;
	int64_t deadline; /* no wait goes beyond it; at first grade->deadline */
	struct conn conn;
	struct transcript transcript;
	char host[NAME_SIZE];        /* the argument of HELO */
	char reply[TALK_REPLY_SIZE]; /* the last one, without its line end; or why there is none */
	size_t length;               /* of `reply` */
	bool replied;                /* `reply` is a reply */
	bool ended;                  /* end of file, or the connection is lost */
};

/* Prepare a connection for `demand`, and leave it closed. */
void talk_init(struct talk *talk, struct grade *grade, unsigned demand);

/* Connect. Returns false, with the reason in `reply`, if that fails. */
bool talk_connect(struct talk *talk);

/*
 * Connect and read the greeting, which is judged as demand 1. Returns false, with the demand not
 * seen, if there is no greeting.
 */
bool talk_open(struct talk *talk);

/* Do the same, and send HELO with a host of this demand. */
bool talk_open_helo(struct talk *talk);

/* Send bytes, without waiting for a reply. Returns false if the connection is lost. */
bool talk_send(struct talk *talk, struct span bytes);

/*
 * Receive one reply by `deadline` or talk->deadline, the earlier one; how its line ends is judged
 * as demand 2. Returns false if there is none.
 */
bool talk_receive(struct talk *talk, int64_t deadline);

/* Send a line, given without CRLF, and receive the reply to it. Returns false if there is none. */
bool talk_command(struct talk *talk, const char *line);

/* Do the same. Returns false, with the demand failed, unless the reply matches the pattern. */
bool talk_expect(struct talk *talk, const char *line, const char *pattern);

/* Do the same. Returns false, with the demand not seen, unless the reply begins with `code`. */
bool talk_require(struct talk *talk, const char *line, const char *code);

/* Return whether the last reply matches a pattern; whether it begins with a code or part of one. */
bool talk_matches(const struct talk *talk, const char *pattern);
bool talk_has_code(const struct talk *talk, const char *code);

/*
 * Set the demand to failed unless the last reply matches. Returns whether it does. If the netid is
 * not known yet, it is taken from a reply to HELO that matches.
 */
bool talk_check(struct talk *talk, const char *pattern);

/* Set the demand to failed: `expected` was expected, and the last reply came, or none did. */
void talk_fail(struct talk *talk, const char *expected);

/*
 * Set the demand to not seen unless the last reply, which is that to `what`, begins with this code.
 * Returns whether it does.
 */
bool talk_check_required(struct talk *talk, const char *what, const char *code);

/*
 * Set the demand to not seen unless the last reply, which is that to the connect, begins with 2.
 * Returns whether it does.
 */
bool talk_check_greeting(struct talk *talk);

/* Set `reply` to the reason why there is none. */
void talk_set_reason(struct talk *talk, const char *reason);

/* Close the connection, if it is open. */
void talk_close(struct talk *talk);

#endif
