/*
 * grade_state.h - what the demands have in common: the server, the messages sent, the verdicts
 *
 * A monitor, but for the members before `lock`: only the main thread sets them, while it is the
 * only thread, and `ledger` is a monitor of its own. While it is the only thread, the main thread
 * reads and sets the other members without the lock, too; and the thread that has entered a message
 * reads that message.
 */

#ifndef MULTICLIENT_GRADE_STATE_H
#define MULTICLIENT_GRADE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "grade.h"
#include "ledger.h"
#include "params.h"
#include "transcript.h"

/* The demands are numbered from 1 to this. */
#define DEMANDS_COUNT 33

/* Demands that are judged on every connection. */
#define DEMAND_GREETING 1
#define DEMAND_LINE     2

/* Demands that others depend on, or that are judged with others. */
#define DEMAND_RECIPIENTS   9
#define DEMAND_SERVED       23
#define DEMAND_IMPACT       26
#define DEMAND_NUMBERS      27
#define DEMAND_RECORDS      28
#define DEMAND_DOTS         30
#define DEMAND_FIRST_BACKUP 31
#define DEMAND_CROWD        33

/* At most: messages of a run, recipients of one, bytes of a host or an address with its NUL. */
#define MESSAGES_MAX           256
#define MESSAGE_RECIPIENTS_MAX 3
#define NAME_SIZE              48

enum verdict {
	VERDICT_PASSED,
	VERDICT_FAILED,
	VERDICT_NOT_SEEN
};

struct result {
	enum verdict verdict;
	char *dialogue; /* what went before a failure, in lines; owned; NULL: nothing */
	char *expected; /* what was expected where it failed, in one line; owned; NULL: nothing */
	char *received; /* what came instead, or why it was not seen; owned; NULL: nothing */
};

/* A message that was sent. Its sender occurs in no other message. */
struct message {
	unsigned demand; /* the demand for which it was sent */
	uint64_t number; /* given by the server; 0: it is not acknowledged */
	unsigned recipients;
	bool has_dots; /* it has lines that begin with a dot */
	char host[NAME_SIZE], sender[NAME_SIZE];
};

struct grade {
	const struct grade_options *options;
	struct address address;
	atomic_bool stop; /* stays false: conn.h needs it */
	int directory;    /* descriptor; -1: not known */
	bool is_new;      /* the mailbox was empty and there was no backup */
	uint64_t run_id;  /* in each sender, so that those of two runs differ */
	int64_t deadline; /* of the demand that is judged; in STAGE_TIMEOUTS: of the steps of all */
	struct ledger ledger;
	pthread_mutex_t lock; /* guards what follows */
	bool greeted;         /* the server has sent a greeting */
	char netid[NETID_MAX + 1];
	struct result results[DEMANDS_COUNT + 1]; /* by number, from 1 */
	struct message messages[MESSAGES_MAX];
	size_t message_count;
};

/* Initialize: all demands have passed so far. Free the memory. */
void grade_init(struct grade *grade, const struct grade_options *options);
void grade_destroy(struct grade *grade);

/*
 * Set the verdict of a demand to failed, with these texts; the texts of an earlier failure stay.
 * `transcript` may be NULL. Any thread.
 */
void grade_fail(struct grade *grade, unsigned demand, const struct transcript *transcript,
    const char *expected, const char *received);

/* Set the verdict of a demand to not seen, if it is still passed. Any thread. */
void grade_not_seen(struct grade *grade, unsigned demand, const char *reason);

/* Return the verdict of a demand so far. Any thread. */
enum verdict grade_verdict(struct grade *grade, unsigned demand);

/*
 * Return at most `max` of the bytes as a string in which each is visible. The caller frees it. NULL
 * if there is no memory. Any thread.
 */
char *grade_visible(struct span bytes, size_t max);

/* Record that the server has sent a greeting. Any thread. */
void grade_set_greeted(struct grade *grade);

/* Copy the netid, "" if it is not known. Any thread. */
void grade_get_netid(struct grade *grade, char netid[NETID_MAX + 1]);

/* Set the netid, if it is not known yet. Any thread. */
void grade_set_netid(struct grade *grade, struct span netid);

#endif
