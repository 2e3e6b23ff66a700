/*
 * NAME
 *	check_handoff - the monitor between the acceptor and the workers
 *
 * DESCRIPTION
 *	The descriptors are numbers only. Where a test needs idle workers without threads, it sets
 *	`idle`, as if they were inside handoff_take().
 */

#include "handoff.h"

#include <stdatomic.h>
#include <unistd.h>

#include "suite.h"
#include "threads.h"

/* Connections in the stress test. */
#define CONNECTIONS 20000

static struct handoff handoff;

static void
begin(void)
{
	ck_assert_int_eq(handoff_init(&handoff), 0);
}

static void
end(void)
{
	handoff_destroy(&handoff);
}

/* Return whether this many threads wait inside handoff_take(). */
static bool
are_idle(const void *count)
{
	return handoff.idle == *(const unsigned *)count;
}

static void
await_idle(unsigned count)
{
	threads_await("idle workers", &handoff.mutex, are_idle, &count);
}

/* Take one connection, and store its descriptor in `*taken`. */
static void *
take_one(void *taken)
{
	*(int *)taken = handoff_take(&handoff);
	return NULL;
}

/* Wait once as the acceptor, and store in `*open` 1 if the monitor is open, and otherwise 0. */
static void *
wait_once(void *open)
{
	atomic_store((atomic_int *)open, handoff_wait_idle(&handoff) ? 1 : 0);
	return NULL;
}

/* ---- one by one ---- */

START_TEST(a_new_monitor_is_empty)
{
	ck_assert_uint_eq(handoff.idle, 0);
	ck_assert_uint_eq(handoff.pending, 0);
	ck_assert(!handoff.closed);
}
END_TEST

START_TEST(an_idle_worker_ends_the_wait)
{
	int taken = 0;
	pthread_t worker = threads_start(take_one, &taken);

	ck_assert(handoff_wait_idle(&handoff));
	ck_assert(handoff_put(&handoff, 17));
	threads_join(worker);
	ck_assert_int_eq(taken, 17);
	ck_assert_uint_eq(handoff.idle, 0);
	ck_assert_uint_eq(handoff.pending, 0);
}
END_TEST

/* Cause a spurious wakeup, as POSIX allows at any time. */
static void
wake_without_reason(void)
{
	pthread_mutex_lock(&handoff.mutex);
	pthread_cond_broadcast(&handoff.worker_idle);
	pthread_cond_broadcast(&handoff.connection_ready);
	pthread_mutex_unlock(&handoff.mutex);
}

/*
 * Check that the acceptor waits, and that one more worker ends the wait. `worker_count` workers, 0
 * or 1, are idle before; the one has the pending connection 5 to take.
 */
static void
expect_wait_for_worker(unsigned worker_count)
{
	atomic_int open = -1;
	int taken = 0;
	pthread_t acceptor = threads_start(wait_once, &open);
	pthread_t worker;

	/* An acceptor that does not wait is detected, if it is scheduled in this time. */
	for (unsigned i = 0; i < 1000; i++) {
		await_idle(worker_count);
		wake_without_reason();
		REQUIRE(atomic_load(&open) == -1, "the acceptor did not wait");
	}
	worker = threads_start(take_one, &taken);
	if (worker_count == 0) {
		threads_join(acceptor);
		ck_assert(handoff_put(&handoff, 5));
		threads_join(worker);
	} else {
		/* The new worker takes the connection of the other worker, which is then idle. */
		threads_join(worker);
		threads_join(acceptor);
	}
	ck_assert_int_eq(atomic_load(&open), 1);
	ck_assert_int_eq(taken, 5);
}

START_TEST(the_acceptor_waits_for_a_worker)
{
	expect_wait_for_worker(0);
}
END_TEST

START_TEST(the_acceptor_does_not_count_a_worker_twice)
{
	handoff.idle = 1;
	ck_assert(handoff_wait_idle(&handoff));
	ck_assert(handoff_put(&handoff, 5));
	expect_wait_for_worker(1);
}
END_TEST

START_TEST(a_worker_waits_for_a_connection)
{
	int taken = 0;
	pthread_t worker = threads_start(take_one, &taken);

	for (unsigned i = 0; i < 1000; i++) {
		/* It stays idle after spurious wakeups. */
		await_idle(1);
		wake_without_reason();
	}
	ck_assert(handoff_wait_idle(&handoff));
	ck_assert(handoff_put(&handoff, 9));
	threads_join(worker);
	ck_assert_int_eq(taken, 9);
}
END_TEST

START_TEST(connections_are_taken_in_order)
{
	int next = 0;

	handoff.idle = WORKERS;
	/* Groups of each size, so that the ring wraps at each position. */
	for (int group = 1; group <= WORKERS; group++) {
		for (int i = 0; i < group; i++) {
			ck_assert(handoff_wait_idle(&handoff));
			ck_assert(handoff_put(&handoff, next + i));
			ck_assert_uint_eq(handoff.pending, (unsigned)i + 1);
		}
		for (int i = 0; i < group; i++) {
			ck_assert_int_eq(handoff_take(&handoff), next++);
		}
		ck_assert_uint_eq(handoff.pending, 0);
		ck_assert_uint_eq(handoff.idle, WORKERS);
	}
}
END_TEST

/* ---- wanted workers ---- */

static bool
is_wanted(const void *unused)
{
	(void)unused;
	return handoff.wanted;
}

START_TEST(has_idle_shows_an_idle_worker)
{
	ck_assert(!handoff_has_idle(&handoff));
	handoff.idle = 1;
	ck_assert(handoff_has_idle(&handoff));
	ck_assert(handoff_wait_idle(&handoff));
	/* No worker was requested. */
	ck_assert(!handoff_claim_wanted(&handoff));
	ck_assert(handoff_put(&handoff, 5));
	ck_assert(!handoff_has_idle(&handoff));
	ck_assert_int_eq(handoff_take(&handoff), 5);
	ck_assert(handoff_has_idle(&handoff));
}
END_TEST

START_TEST(a_wanted_worker_is_claimed_once)
{
	atomic_int open = -1;
	int taken = 0;
	pthread_t acceptor = threads_start(wait_once, &open);
	pthread_t worker;

	threads_await("a wanted worker", &handoff.mutex, is_wanted, NULL);
	ck_assert(handoff_claim_wanted(&handoff));
	for (unsigned i = 0; i < 1000; i++) {
		wake_without_reason();
		ck_assert(!handoff_claim_wanted(&handoff));
	}
	worker = threads_start(take_one, &taken);
	threads_join(acceptor);
	ck_assert(handoff_put(&handoff, 5));
	threads_join(worker);
	/* For the next client a worker is wanted again. */
	atomic_store(&open, -1);
	acceptor = threads_start(wait_once, &open);
	threads_await("a wanted worker", &handoff.mutex, is_wanted, NULL);
	ck_assert(handoff_claim_wanted(&handoff));
	handoff_close(&handoff);
	threads_join(acceptor);
}
END_TEST

START_TEST(no_worker_is_wanted_once_one_is_idle)
{
	/* The acceptor is about to be woken by the worker that enters. */
	handoff.idle = handoff.pending = 1;
	handoff.ring[0] = 5;
	handoff.wanted = true;
	ck_assert_int_eq(handoff_take(&handoff), 5);
	ck_assert(!handoff_claim_wanted(&handoff));
}
END_TEST

START_TEST(no_worker_is_wanted_after_closing)
{
	atomic_int open = -1;
	pthread_t acceptor = threads_start(wait_once, &open);

	threads_await("a wanted worker", &handoff.mutex, is_wanted, NULL);
	handoff_close(&handoff);
	ck_assert(!handoff_claim_wanted(&handoff));
	threads_join(acceptor);
	ck_assert(!handoff_wait_idle(&handoff));
	ck_assert(!handoff_claim_wanted(&handoff));
}
END_TEST

/* ---- closing ---- */

START_TEST(closing_wakes_every_worker)
{
	const unsigned all = WORKERS;
	pthread_t workers[WORKERS];
	int taken[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		taken[i] = 0;
		workers[i] = threads_start(take_one, &taken[i]);
	}
	await_idle(all);
	handoff_close(&handoff);
	for (unsigned i = 0; i < WORKERS; i++) {
		threads_join(workers[i]);
		ck_assert_int_eq(taken[i], -1);
	}
	ck_assert_uint_eq(handoff.idle, 0);
	ck_assert_int_eq(handoff_take(&handoff), -1);
}
END_TEST

START_TEST(closing_wakes_the_acceptor)
{
	atomic_int open = -1;
	pthread_t acceptor = threads_start(wait_once, &open);

	/* Give the acceptor time to begin its wait. */
	for (unsigned i = 0; i < 1000; i++) {
		await_idle(0);
	}
	handoff_close(&handoff);
	threads_join(acceptor);
	ck_assert_int_eq(atomic_load(&open), 0);
}
END_TEST

START_TEST(nothing_is_put_after_closing)
{
	handoff.idle = 2;
	ck_assert(handoff_wait_idle(&handoff));
	handoff_close(&handoff);
	ck_assert(!handoff_put(&handoff, 3));
	ck_assert(!handoff_wait_idle(&handoff));
	ck_assert_uint_eq(handoff.pending, 0);
	ck_assert_int_eq(handoff_take(&handoff), -1);
	/* Closing again changes nothing. */
	handoff_close(&handoff);
	ck_assert(!handoff_wait_idle(&handoff));
}
END_TEST

START_TEST(what_was_put_before_closing_is_taken)
{
	handoff.idle = 2;
	ck_assert(handoff_put(&handoff, 7));
	ck_assert(handoff_put(&handoff, 8));
	handoff_close(&handoff);
	ck_assert_int_eq(handoff_take(&handoff), 7);
	ck_assert_int_eq(handoff_take(&handoff), 8);
	ck_assert_int_eq(handoff_take(&handoff), -1);
}
END_TEST

/* ---- all at once ---- */

struct observed {
	atomic_uint times_taken[CONNECTIONS];
	atomic_uint out_of_order;
	atomic_uint broken_invariants;
};

static struct observed observed;

/* Count a violation of the invariant. */
static void
check_invariant(void)
{
	pthread_mutex_lock(&handoff.mutex);
	if (handoff.pending > handoff.idle || handoff.idle > WORKERS) {
		atomic_fetch_add(&observed.broken_invariants, 1);
	}
	pthread_mutex_unlock(&handoff.mutex);
}

/* Take connections as a worker: their numbers must increase. */
static void *
take_all(void *unused)
{
	int last = -1, taken;

	(void)unused;
	while ((taken = handoff_take(&handoff)) != -1) {
		atomic_fetch_add(&observed.times_taken[taken], 1);
		if (taken <= last) {
			atomic_fetch_add(&observed.out_of_order, 1);
		}
		last = taken;
	}
	return NULL;
}

START_TEST(each_connection_is_taken_once)
{
	pthread_t workers[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = threads_start(take_all, NULL);
	}
	for (int connection = 0; connection < CONNECTIONS; connection++) {
		REQUIRE(handoff_wait_idle(&handoff), "the monitor is closed");
		check_invariant();
		REQUIRE(handoff_put(&handoff, connection), "the monitor is closed");
		check_invariant();
	}
	handoff_close(&handoff);
	for (unsigned i = 0; i < WORKERS; i++) {
		threads_join(workers[i]);
	}
	for (int connection = 0; connection < CONNECTIONS; connection++) {
		unsigned times = atomic_load(&observed.times_taken[connection]);

		REQUIRE(times == 1, "connection %d was taken %u times", connection, times);
	}
	ck_assert_uint_eq(atomic_load(&observed.out_of_order), 0);
	ck_assert_uint_eq(atomic_load(&observed.broken_invariants), 0);
	ck_assert_uint_eq(handoff.idle, 0);
	ck_assert_uint_eq(handoff.pending, 0);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, a_new_monitor_is_empty);
	tcase_add_test(tests, an_idle_worker_ends_the_wait);
	tcase_add_test(tests, the_acceptor_waits_for_a_worker);
	tcase_add_test(tests, the_acceptor_does_not_count_a_worker_twice);
	tcase_add_test(tests, a_worker_waits_for_a_connection);
	tcase_add_test(tests, connections_are_taken_in_order);
	tcase_add_test(tests, has_idle_shows_an_idle_worker);
	tcase_add_test(tests, a_wanted_worker_is_claimed_once);
	tcase_add_test(tests, no_worker_is_wanted_once_one_is_idle);
	tcase_add_test(tests, no_worker_is_wanted_after_closing);
	tcase_add_test(tests, closing_wakes_every_worker);
	tcase_add_test(tests, closing_wakes_the_acceptor);
	tcase_add_test(tests, nothing_is_put_after_closing);
	tcase_add_test(tests, what_was_put_before_closing_is_taken);
	tcase_add_test(tests, each_connection_is_taken_once);
	return suite_run("handoff", tests);
}
