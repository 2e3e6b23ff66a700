/*
 * NAME
 *	check_counters - counters of events since the start
 */

#include "counters.h"

#include <unistd.h>

#include "capture.h"
#include "params.h"
#include "suite.h"
#include "threads.h"

/* Concurrent threads, and the increments of each. */
#define THREADS 8
#define TIMES   10000

START_TEST(each_counter_has_its_place)
{
	counters_log(monotonic_now(), -1);
	capture_expect(&errors,
	    "smtpd: up 0 s; connections served 0, in service 0, timed out 0; messages delivered 0 "
	    "(0 bytes), refused as too big 0, storage full 0, for other errors 0; backups 0\n");
	counters_add(COUNTER_ACCEPTED, 20);
	counters_add(COUNTER_ENDED, 7);
	counters_add(COUNTER_TIMED_OUT, 3);
	counters_add(COUNTER_DELIVERED, 4);
	counters_add(COUNTER_BYTES, 5000000000);
	counters_add(COUNTER_REFUSED_TOO_BIG, 6);
	counters_add(COUNTER_REFUSED_FULL, 9);
	counters_add(COUNTER_REFUSED_ERROR, 10);
	counters_add(COUNTER_BACKUPS, 8);
	counters_add(COUNTER_DELIVERED, 1);
	counters_log(monotonic_now(), -1);
	capture_expect(&errors, "smtpd: up 0 s; connections served 20, in service 13, timed out "
				"3; messages delivered 5 "
				"(5000000000 bytes), refused as too big 6, storage full 9, "
				"for other errors 10; backups 8\n");
}
END_TEST

START_TEST(the_number_in_service_is_never_negative)
{
	counters_add(COUNTER_ENDED, 2);
	counters_add(COUNTER_ACCEPTED, 1);
	counters_log(monotonic_now(), -1);
	capture_expect(&errors,
	    "smtpd: up 0 s; connections served 1, in service 0, timed out 0; messages delivered 0 "
	    "(0 bytes), refused as too big 0, storage full 0, for other errors 0; backups 0\n");
}
END_TEST

START_TEST(time_and_queue_are_as_given)
{
	counters_log(monotonic_now() - 90 * SECOND, 4);
	capture_expect(&errors,
	    "smtpd: up 90 s; connections served 0, in service 0, queued 4, timed out 0; messages "
	    "delivered 0 (0 bytes), refused as too big 0, storage full 0, for other errors 0; "
	    "backups 0\n");
}
END_TEST

static void *
count(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < TIMES; i++) {
		counters_add(COUNTER_DELIVERED, 1);
		counters_add(COUNTER_BYTES, 3);
	}
	return NULL;
}

START_TEST(no_count_is_lost_between_threads)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = threads_start(count, NULL);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		threads_join(threads[i]);
	}
	counters_log(monotonic_now(), -1);
	capture_expect(&errors, "smtpd: up 0 s; connections served 0, in service 0, timed out 0; "
				"messages delivered 80000 "
				"(240000 bytes), refused as too big 0, storage full 0, for "
				"other errors 0; backups 0\n");
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, capture_errors, capture_errors_end);
	tcase_add_test(tests, each_counter_has_its_place);
	tcase_add_test(tests, the_number_in_service_is_never_negative);
	tcase_add_test(tests, time_and_queue_are_as_given);
	tcase_add_test(tests, no_count_is_lost_between_threads);
	return suite_run("counters", tests);
}
