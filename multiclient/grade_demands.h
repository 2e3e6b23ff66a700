/*
 * grade_demands.h - the demands, and the functions that judge them
 *
 * Each function is called once for each demand that it judges, with the number of the demand, and
 * sets its verdict to failed or not seen; otherwise the demand has passed. On the way it may also
 * judge the demands that grade_state.h names (DEMAND_*). It waits at most until grade->deadline,
 * and after that for the time that the table has as `more`. The functions of STAGE_TIMEOUTS have a
 * thread each; the others are called in turn, by the main thread.
 */

#ifndef MULTICLIENT_GRADE_DEMANDS_H
#define MULTICLIENT_GRADE_DEMANDS_H

#include "grade_state.h"
#include "monotonic.h"

/* How soon a client must be served while others are connected (R24, R26). */
#define SERVED_TIME (1 * SECOND)

/* How long the 33rd client must not be served (R24), and how soon it would be accepted (R25). */
#define WATCH_TIME  (300 * MILLISECOND)
#define ACCEPT_TIME (100 * MILLISECOND)

/* How long the files may take to be right after the last message. */
#define FILES_TIME (2 * SECOND)

/*
 * Before a timeout: time for all steps. After T: how late a 421 may be, and the end of file after
 * it.
 */
#define STEPS_TIME (3 * SECOND)
#define LATE_MAX   (2 * SECOND)
#define END_TIME   (1 * SECOND)

/* The stages, in the order in which they are judged. */
enum stage {
	STAGE_COMMANDS,
	STAGE_RECORDS,  /* before the first backup */
	STAGE_TIMEOUTS, /* all at once */
	STAGE_FIRST_BACKUP,
	STAGE_SERVED, /* delivers 32 messages */
	STAGE_SECOND_BACKUP,
	STAGE_POOL,
	STAGE_END, /* when all messages have been sent */
	STAGES_COUNT
};

/* What a demand needs. */
enum need {
	NEED_DIRECTORY = 1 << 0,
	NEED_TIMEOUTS = 1 << 1
};

/* Judge demand number `demand`. */
typedef void demand_function(struct grade *grade, unsigned demand);

struct demand {
	unsigned number;
	const char *words;
	demand_function *judge;
	unsigned needs; /* bits of enum need */
	enum stage stage;
	int64_t limit; /* nanoseconds until its deadline; 0: that of its stage, or no wait */
	int64_t more;  /* nanoseconds that it may wait after its deadline */
};

/* All demands, in the order of their numbers. */
extern const struct demand demand_table[DEMANDS_COUNT];

/* ---- grade_commands.c: one client, its commands and their replies ---- */

demand_function demand_greeting, demand_line_end, demand_conversation, demand_delivery,
    demand_several_messages, demand_several_recipients, demand_order, demand_errors, demand_dots;

/* ---- grade_timeouts.c: clients that are too slow ---- */

demand_function demand_timeout;

/* ---- grade_pool.c: many clients at once ---- */

demand_function demand_32_served, demand_33rd_waits, demand_33rd_in_backlog, demand_no_impact,
    demand_crowd;

/* ---- grade_files.c: numbers and files ---- */

demand_function demand_numbers, demand_records, demand_record_order, demand_backup;

/* The second part of demand_crowd(): judge in the files the records of its messages. */
demand_function judge_crowd;

#endif
