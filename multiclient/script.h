/*
 * script.h - all that one client sends, and the replies that are right
 *
 * A client has a number, `connection`, from 0, and one session after the other, each of which is a
 * TCP connection of its own: an OP_CONNECT, and the exchanges up to the end of that connection.
 *
 * A script depends on the seed, the number of the client and the configuration, and on nothing that
 * the server or the scheduler does. So after a mismatch the caller must still fetch the remaining
 * exchanges of the session, without sending them. No I/O. A script belongs to one thread.
 */

#ifndef MULTICLIENT_SCRIPT_H
#define MULTICLIENT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "config.h"
#include "coverage.h"
#include "operation.h"
#include "oracle.h"
#include "params.h"
#include "prng.h"

struct choice {
	enum operation_type type;
	unsigned variant;
	enum operation_type then; /* must follow in the same send; OP_COUNT: nothing must */
};

struct script {
	const struct config *config;
	struct prng prng;
	struct oracle oracle;
	struct target targets[TARGETS_MAX];
	size_t target_count;    /* coverage targets not yet met, all in `targets` */
	size_t operations_left; /* operations to come */
	size_t operations_written;
	size_t session_left;      /* operations until this session may end */
	size_t session_max;       /* its greatest value at the start of a session */
	size_t deviation_in;      /* one random operation in so many is off the protocol */
	size_t slow_mode_divisor; /* how much rarer than usual the costly ways of sending are */
	bool session_open;        /* the next operation is not a connect */
	bool has_held;            /* `held` is set */
	struct choice held;       /* chosen already: the next operation */
	size_t message_count;     /* messages written so far */
	size_t capture_index;     /* index of the message to capture; SIZE_MAX: none */
	struct buffer record;     /* of the last message, without its number */
	size_t record_head;       /* where the number belongs in it */
	struct buffer captured;   /* the record of the message to capture */
	size_t captured_head;     /* where the number belongs in it */
	unsigned char deviations[STATES][OP_COUNT]; /* types off the protocol, by state */
	size_t deviation_count[STATES];
};

/*
 * Start the script of client `connection`, from 0. `config` must outlive it. The scripts of two
 * clients differ by at most one operation in length.
 */
void script_init(struct script *script, const struct config *config, size_t connection);

/* Free the memory of a script. */
void script_destroy(struct script *script);

/*
 * Write the next exchange. Returns false if there is none. The first of each session is OP_CONNECT
 * alone; the last ends with a type of OP_CLASS_ENDING or OP_CLASS_TIMEOUT, unless the operations
 * run out first. `exchange->out` is `failed` when memory ran out: the script cannot continue then.
 */
bool script_next(struct script *script, struct exchange *exchange);

/* Free the memory of an exchange, which must have been zeroed at first. */
void exchange_destroy(struct exchange *exchange);

/*
 * Write again the record of message `message_index` of client `connection`, both from 0; `config`
 * must have `with_digests`. *head is where its number belongs, as in oracle_message(). Returns
 * false if there is no such message, or no memory.
 */
bool script_replay(const struct config *config, size_t connection, size_t message_index,
    struct buffer *record, size_t *head);

#endif
