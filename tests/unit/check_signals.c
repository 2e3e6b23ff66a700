/*
 * NAME
 *	check_signals - signals as messages to one thread
 *
 * DESCRIPTION
 *	Each test is a process, which sends the signals to itself. A test that ends by a signal
 *	declares that to Check.
 */

#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "suite.h"
#include "threads.h"

static struct signals signals;
static sem_t stopped, reported;
static unsigned stops;

static void
stop(void *context)
{
	(*(unsigned *)context)++;
	sem_post(&stopped);
}

static void
report(void *context)
{
	ck_assert_ptr_eq(context, &stops);
	sem_post(&reported);
}

/* Start the thread in a process that was started with this disposition of SIGHUP. */
static void
begin_with(void (*hangup)(int))
{
	const struct sigaction action = {.sa_handler = hangup};

	ck_assert_int_eq(sigaction(SIGHUP, &action, NULL), 0);
	ck_assert_int_eq(sem_init(&stopped, 0, 0), 0);
	ck_assert_int_eq(sem_init(&reported, 0, 0), 0);
	signals_block();
	signals.on_stop = stop;
	signals.on_report = report;
	signals.context = &stops;
	ck_assert_int_eq(signals_start(&signals), 0);
}

static void
begin(void)
{
	begin_with(SIG_DFL);
}

static const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP};

START_TEST(a_signal_calls_stop)
{
	begin();
	ck_assert_int_eq(kill(getpid(), stop_signals[_i]), 0);
	ck_assert_int_eq(sem_wait(&stopped), 0);
	signals_join(&signals);
	ck_assert_uint_eq(stops, 1);
}
END_TEST

START_TEST(an_ignored_hangup_stays_ignored)
{
	begin_with(SIG_IGN);
	ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	ck_assert_int_eq(sem_wait(&stopped), 0);
	/* If SIGHUP were not ignored, this would be a second signal, which ends the process. */
	ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
	signals_join(&signals);
	ck_assert_uint_eq(stops, 1);
}
END_TEST

/* The second signal may be another than the first. Check expects that it ends the process. */
START_TEST(a_second_signal_ends_the_process)
{
	begin();
	ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
	ck_assert_int_eq(sem_wait(&stopped), 0);
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	threads_join(signals.thread);
}
END_TEST

START_TEST(sigusr1_calls_report)
{
	begin();
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	ck_assert_int_eq(sem_wait(&reported), 0);
	signals_join(&signals);
	ck_assert_uint_eq(stops, 0);
}
END_TEST

START_TEST(signals_that_would_kill_are_errors_instead)
{
	struct rlimit limit;
	int ends[2], file, written, error;

	signals_block();
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(close(ends[0]), 0);
	ck_assert_int_eq(write(ends[1], "", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	suite_enter_directory();
	file = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
	ck_assert_int_ne(file, -1);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &limit);
	written = (int)write(file, "", 1);
	error = errno;
	/* Check writes to a file: restore the limit before an assertion. */
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(written, -1);
	ck_assert_int_eq(error, EFBIG);
	close(file);
}
END_TEST

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_loop_test(tests, a_signal_calls_stop, 0, ARRAY_LENGTH(stop_signals));
	tcase_add_test(tests, an_ignored_hangup_stays_ignored);
	tcase_add_test_raise_signal(tests, a_second_signal_ends_the_process, SIGTERM);
	tcase_add_test(tests, sigusr1_calls_report);
	tcase_add_test(tests, signals_that_would_kill_are_errors_instead);
	return suite_run("signals", tests);
}
