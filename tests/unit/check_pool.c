/*
 * NAME
 *	check_pool - the worker threads
 */

#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "suite.h"
#include "threads.h"

/* Connections handed over in every_connection_is_served_and_closed. */
#define CONNECTIONS 500

/* The context of a worker. */
struct served {
	unsigned count; /* of connections */
	bool busy;      /* it has taken one */
};

static struct handoff handoff;
static struct pool pool;
static struct served served[WORKERS];
static void *contexts[WORKERS];

/* The barrier at which all workers meet, each with a connection. */
static pthread_barrier_t all_busy;

static void
begin(void)
{
	ck_assert_int_eq(handoff_init(&handoff), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		contexts[i] = &served[i];
	}
}

static void
finish(void)
{
	handoff_close(&handoff);
	pool_join(&pool);
	handoff_destroy(&handoff);
	ck_assert_uint_eq(pool.started_count, 0);
}

/* Return an open descriptor, which a worker closes. */
static int
some_descriptor(void)
{
	int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);

	REQUIRE(descriptor != -1, "no descriptor");
	return descriptor;
}

static void
hand_over(int descriptor)
{
	REQUIRE(handoff_wait_idle(&handoff), "the monitor is closed");
	REQUIRE(handoff_put(&handoff, descriptor), "the monitor is closed");
}

static bool
is_open(int descriptor)
{
	return fcntl(descriptor, F_GETFD) != -1 || errno != EBADF;
}

/*
 * Count the connection if its descriptor is open. No lock: each worker has its own context, which
 * ThreadSanitizer verifies.
 */
static void
serve_and_count(void *context, int descriptor)
{
	struct served *mine = context;

	mine->count += is_open(descriptor) ? 1 : 0;
}

START_TEST(every_connection_is_served_and_closed)
{
	int descriptors[CONNECTIONS];
	unsigned count = 0;

	ck_assert_int_eq(pool_start(&pool, &handoff, serve_and_count, contexts), 0);
	ck_assert_uint_eq(pool.started_count, WORKERS);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		descriptors[i] = some_descriptor();
		hand_over(descriptors[i]);
	}
	finish();
	for (unsigned i = 0; i < WORKERS; i++) {
		count += served[i].count;
	}
	ck_assert_uint_eq(count, CONNECTIONS);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		REQUIRE(!is_open(descriptors[i]), "connection %u was left open", i);
	}
}
END_TEST

/* Serve until every other worker serves, too. */
static void
serve_together(void *context, int descriptor)
{
	struct served *mine = context;

	(void)descriptor;
	mine->busy = true;
	pthread_barrier_wait(&all_busy);
	mine->count++;
}

START_TEST(all_workers_serve_at_once)
{
	ck_assert_int_eq(pthread_barrier_init(&all_busy, NULL, WORKERS), 0);
	ck_assert_int_eq(pool_start(&pool, &handoff, serve_together, contexts), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		hand_over(some_descriptor());
	}
	finish();
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert(served[i].busy);
		ck_assert_uint_eq(served[i].count, 1);
	}
	pthread_barrier_destroy(&all_busy);
}
END_TEST

static atomic_int last_served;

/* Serve, and store the descriptor. */
static void
serve_and_store(void *context, int descriptor)
{
	(void)context;
	atomic_store(&last_served, descriptor);
}

START_TEST(a_connection_handed_over_before_the_end_is_served)
{
	int descriptor = some_descriptor();

	atomic_store(&last_served, -1);
	ck_assert_int_eq(pool_start(&pool, &handoff, serve_and_store, contexts), 0);
	hand_over(descriptor);
	finish();
	ck_assert_int_eq(atomic_load(&last_served), descriptor);
	ck_assert(!is_open(descriptor));
}
END_TEST

START_TEST(a_pool_without_a_connection_ends)
{
	ck_assert_int_eq(pool_start(&pool, &handoff, serve_and_store, contexts), 0);
	finish();
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, every_connection_is_served_and_closed);
	tcase_add_test(tests, all_workers_serve_at_once);
	tcase_add_test(tests, a_connection_handed_over_before_the_end_is_served);
	tcase_add_test(tests, a_pool_without_a_connection_ends);
	return suite_run("pool", tests);
}
