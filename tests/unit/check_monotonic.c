/*
 * NAME
 *	check_monotonic - points in time on the monotonic clock
 */

#include "monotonic.h"

#include <time.h>

#include "params.h"
#include "suite.h"

/* Return the time of the clock that monotonic_now() must use. */
static nanoseconds
monotonic(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (nanoseconds)now.tv_sec * 1000000000 + now.tv_nsec;
}

START_TEST(now_is_the_monotonic_clock)
{
	nanoseconds last = monotonic();

	for (unsigned i = 0; i < 1000; i++) {
		nanoseconds now = monotonic_now(), after = monotonic();

		REQUIRE(last <= now && now <= after, "%lld is not from %lld to %lld",
		    (long long)now, (long long)last, (long long)after);
		last = after;
	}
}
END_TEST

START_TEST(the_time_left_decreases)
{
	nanoseconds deadline = monotonic() + SECOND;
	nanoseconds left = monotonic_left(deadline);

	ck_assert_int_le(left, SECOND);
	ck_assert_int_ge(left, deadline - monotonic());
	ck_assert_int_le(monotonic_left(deadline), left);
	ck_assert_int_le(monotonic_left(monotonic()), 0);
	ck_assert_int_le(monotonic_left(monotonic() - SECOND), -SECOND);
}
END_TEST

START_TEST(a_timeval_is_rounded_up)
{
	static const struct {
		nanoseconds duration;
		long seconds;
		long microseconds;
	} rows[] = {
	    {1, 0, 1},
	    {999, 0, 1},
	    {1000, 0, 1},
	    {1001, 0, 2},
	    {1999, 0, 2},
	    {2000, 0, 2},
	    {999999000, 0, 999999},
	    {999999001, 1, 0},
	    {999999999, 1, 0},
	    {SECOND, 1, 0},
	    {SECOND + 1, 1, 1},
	    {STOP_CHECK_TIME, 0, 250000},
	    {TIMEOUT_DEFAULT, 10, 0},
	    {TIMEOUT_MAX * MESSAGE_TIMEOUTS, 604800L * MESSAGE_TIMEOUTS, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct timeval timeval = monotonic_timeval(rows[i].duration);

		ck_assert_int_eq(timeval.tv_sec, rows[i].seconds);
		ck_assert_int_eq(timeval.tv_usec, rows[i].microseconds);
	}
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_test(tests, now_is_the_monotonic_clock);
	tcase_add_test(tests, the_time_left_decreases);
	tcase_add_test(tests, a_timeval_is_rounded_up);
	return suite_run("monotonic", tests);
}
