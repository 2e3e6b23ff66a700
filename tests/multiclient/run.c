/*
 * NAME
 *	run - runs of multiclient
 */

#include "run.h"

#include "suite.h"

/* Seconds that are more than the timeout of any test: Check ends a longer run with its test. */
#define RUN_SECONDS 1000

struct program
run_begin(const char *const arguments[])
{
	struct arguments list;

	arguments_begin(&list, "MULTICLIENT");
	arguments_add_list(&list, arguments);
	return program_begin(".", &list);
}

struct outcome
run_finish(struct program *client)
{
	return program_finish(client, RUN_SECONDS);
}

struct outcome
run_multiclient(const char *const arguments[])
{
	struct program client = run_begin(arguments);

	return run_finish(&client);
}

void
run_and_expect(const char *const arguments[], int status, const char *errors, const char *output)
{
	struct outcome client = run_multiclient(arguments);

	ck_assert_int_eq(outcome_status(&client), status);
	bytes_assert_string("standard error", &client.errors, errors);
	bytes_assert_string("standard output", &client.output, output);
	outcome_free(&client);
}
