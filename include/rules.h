/*
 * rules.h - which command is allowed in which state of a session, and what it does
 *
 * Part of the session module: called by its thread.
 */

#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"
#include "reply.h"
#include "session.h"

/*
 * Check a command against the rule for its verb, and carry it out if it passes. Adds all lines of
 * the reply but the last one to the output, and sets `end` of the session if it is to be closed.
 * Returns the last line, or the only one. Source: the assignment; RFC 5321 4.1.4; RFC 4954.
 */
enum reply rules_apply(struct session *session, const struct command *command);

/* Return whether the next line is a response to a challenge of AUTH, and no command. */
bool rules_expect_response(const struct session *session);

/* Handle the response to a challenge of AUTH. Any base64 is accepted. Returns the reply. */
enum reply rules_take_response(struct session *session, const char *line, size_t length);

#endif
