/*
 * run.h - runs of multiclient
 */

#ifndef MULTICLIENT_RUN_H
#define MULTICLIENT_RUN_H

#include "program.h"

/* Start the program $MULTICLIENT with these arguments, the last of which is NULL. */
struct program run_begin(const char *const arguments[]);

/* Wait until it has ended. The caller frees the outcome. */
struct outcome run_finish(struct program *client);

/* Do both. */
struct outcome run_multiclient(const char *const arguments[]);

/* Run multiclient, and check its exit status and all of its output. */
void run_and_expect(
    const char *const arguments[], int status, const char *errors, const char *output);

#endif
