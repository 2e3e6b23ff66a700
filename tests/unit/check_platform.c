/*
 * NAME
 *	check_platform - functions that only some systems have
 *
 * DESCRIPTION
 *	Whether the C library saves memory after mallopt() cannot be observed; the test only
 *	allocates memory.
 */

#define _GNU_SOURCE

#include "platform.h"

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

/* Bytes: the threshold for mmap(), less and more than it. */
#define THRESHOLD 16384
#define SMALL     100
#define LARGE     1000000

START_TEST(memory_can_still_be_allocated)
{
	static const size_t sizes[] = {SMALL, THRESHOLD, THRESHOLD + 1, LARGE};

	platform_tune_malloc(THRESHOLD);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		char *memory = malloc(sizes[i]);

		ck_assert_ptr_nonnull(memory);
		memset(memory, 'x', sizes[i]);
		ck_assert_int_eq(memory[sizes[i] - 1], 'x');
		free(memory);
	}
}
END_TEST

START_TEST(the_policy_becomes_sched_batch)
{
#ifdef SCHED_BATCH
	const struct sched_param parameters = {.sched_priority = 0};
	bool allowed = sched_setscheduler(0, SCHED_BATCH, &parameters) == 0;
	int before;

	sched_setscheduler(0, SCHED_OTHER, &parameters);
	before = sched_getscheduler(0);
	platform_use_batch_scheduling();
	ck_assert_int_eq(sched_getscheduler(0), allowed ? SCHED_BATCH : before);
#endif
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, memory_can_still_be_allocated);
	tcase_add_test(tests, the_policy_becomes_sched_batch);
	return suite_run("platform", tests);
}
