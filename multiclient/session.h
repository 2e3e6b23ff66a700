/*
 * session.h - one session with the server: send exchanges, check replies, report mismatches
 *
 * All functions belong to the client's own thread. `index` is that of an operation in the client's
 * current exchange.
 */

#ifndef MULTICLIENT_SESSION_H
#define MULTICLIENT_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "ledger.h"
#include "mismatch.h"
#include "script.h"
#include "stats.h"
#include "transcript.h"

/* Bytes of the description of a mismatch, as a string. */
#define WHAT_SIZE 160

/* Shared by all clients of a run. Constant while they run, except monitors and atomics. */
struct context {
	struct config config;
	struct address address;
	int64_t timeout;                    /* the server's T, in nanoseconds */
	int64_t patience;                   /* how long a reply may take, in nanoseconds */
	atomic_bool stop;                   /* end soon: a signal arrived */
	atomic_int_least64_t last_reply_at; /* when an exchange of any client had its replies */
	atomic_size_t running;              /* clients that have not ended */
	struct ledger ledger;               /* a monitor */
	struct mismatch_log mismatch_log;   /* a monitor */
};

struct client {
	struct context *context; /* borrowed */
	size_t connection; /* the client's number, from 0; each session is another TCP connection */
	pthread_t thread;
	struct script script;
	struct exchange exchange;
	struct conn conn;
	struct transcript transcript;
	struct stats stats; /* owned by the thread until it has ended */
	/* The server began to count T at some time in this window; see timeout_test.c. */
	int64_t window_min, window_max;
	int64_t started_at;    /* when the sending of this exchange began */
	int64_t sent_at;       /* when the sending ended */
	uint64_t last_number;  /* the last message number that this client received; 0: none */
	unsigned lost_replies; /* failed connects, and replies and ends not in time */
	/* For the progress line: */
	atomic_uint_least64_t operation_count, mismatch_count;
	atomic_int_least64_t busy_until; /* about when its timeout test ends; 0: none is running */
};

/* Return whether the run is to end soon. */
bool session_stopping(const struct client *client);

/* Count an operation, matched or mismatched, in the statistics and for the progress line. */
void session_count_matched(struct client *client, const struct operation *operation);
void session_count_mismatched(struct client *client, const struct operation *operation);

/* Enter a message without a reply in the ledger; `certain`: the server must deliver it. */
void session_add_unacknowledged(
    struct client *client, const struct operation *operation, bool certain);

/* Close the connection. Messages from operation `index` on may or may not have been delivered. */
void session_drop(struct client *client, size_t index);

/* Report a mismatch of operation `index`: `what` is wrong, and `expected` was expected. */
void session_report(struct client *client, size_t index, const char *what, struct span expected);

/* Report a mismatch of operation `index`, count it, and drop the session from there. */
void session_fail(struct client *client, size_t index, const char *what, struct span expected);

/*
 * Return whether the unread input is a 421 that is correct, because this client was delayed: it
 * sent its last exchange later than T/2 after the server may have begun to count T.
 */
bool session_was_delayed(struct client *client);

/*
 * Write into `what` why a receive returned `event`, which is not CONN_DATA. `received` is the part
 * of the reply that had arrived, `seconds` how long was waited: for CONN_TIMEOUT only.
 */
void session_format_failure(
    enum conn_event event, struct span received, double seconds, char what[WHAT_SIZE]);

/*
 * Receive the end of file, which `expected` describes, by `deadline`. Returns false if there is
 * none, as session_check_operation() does.
 */
bool session_expect_end(
    struct client *client, size_t index, int64_t deadline, struct span expected);

/*
 * Receive and check all replies to operation `index`. A message must get a number above `after`.
 * Returns false if one is wrong, or does not come in time. The session has then been dropped; a
 * mismatch is reported, unless the run is to end or this client was delayed.
 */
bool session_check_operation(struct client *client, size_t index, uint64_t after);

/* Send the exchange, in its mode. Returns false if the connection is lost. */
bool session_send(struct client *client);

/* Record in the transcript what the exchange sends. */
void session_record_sent(struct client *client);

/* Set `last_reply_at` of the context, which extends the wait for a greeting. */
void session_note_reply(struct client *client, int64_t now);

#endif
