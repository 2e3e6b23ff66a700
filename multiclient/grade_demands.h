/*
 * grade_demands.h - functions that judge a demand: grade.c has the table
 *
 * Each is called once, with the number of the demand, and sets its verdict to failed or not seen;
 * otherwise the demand has passed. No wait goes beyond grade->deadline, except that for a 421.
 */

#ifndef MULTICLIENT_GRADE_DEMANDS_H
#define MULTICLIENT_GRADE_DEMANDS_H

#include "grade_state.h"

typedef void demand_function(struct grade *grade, unsigned demand);

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

/* Judge in the files the records of the messages that the demand about a crowd has sent. */
demand_function judge_crowd;

#endif
