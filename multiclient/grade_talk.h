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
	int64_t deadline; /* no wait goes beyond it; that of the demand at first */
	struct conn conn;
	struct transcript transcript;
	char host[NAME_SIZE];        /* the argument of HELO */
	char reply[TALK_REPLY_SIZE]; /* the last one, without its line end; or why there is none */
	size_t length;
	bool replied; /* there is one */
	bool ended;   /* end of file, or the connection is lost */
};

/* Prepare a connection for `demand`, which is still closed. */
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

/* Send bytes, with no reply expected so far. Returns false if the connection is lost. */
bool talk_send(struct talk *talk, struct span bytes);

/*
 * Receive one reply by `deadline` and talk->deadline; how its line ends is judged as demand 2.
 * Returns false if there is none.
 */
bool talk_receive(struct talk *talk, int64_t deadline);

/* Send a line and receive the reply to it. Returns false if there is none. */
bool talk_command(struct talk *talk, const char *line);

/* The same. Returns false, with the demand failed, if the reply does not match the pattern. */
bool talk_expect(struct talk *talk, const char *line, const char *pattern);

/* The same. Returns false, with the demand not seen, if the reply does not begin with `code`. */
bool talk_require(struct talk *talk, const char *line, const char *code);

/* Return whether the last reply matches a pattern; whether it begins with a code. */
bool talk_matches(const struct talk *talk, const char *pattern);
bool talk_has_code(const struct talk *talk, const char *code);

/* Set the demand to failed unless the last reply matches. Returns whether it does. */
bool talk_check(struct talk *talk, const char *pattern);

/* Set the demand to failed: `expected`, but the last reply came. */
void talk_fail(struct talk *talk, const char *expected);

/*
 * Set the demand to not seen unless the last reply, which is that to `what`, has this code. Returns
 * whether it has.
 */
bool talk_check_required(struct talk *talk, const char *what, const char *code);

/* Set the demand to not seen unless the last reply is a greeting. Returns whether it is. */
bool talk_check_greeting(struct talk *talk);

/* Set the reason why there is no reply. */
void talk_set_reason(struct talk *talk, const char *reason);

/* Close the connection, if it is open. */
void talk_close(struct talk *talk);

#endif
