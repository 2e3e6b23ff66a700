/*
 * NAME
 *	multiclient - test a CS4410MP3 mail server with many connections at once
 *
 * SYNOPSIS
 *	multiclient [-h HOST] [-p PORT] [-c CONNECTIONS] [-n OPERATIONS] [-s SEED] [-t SECONDS]
 *	    [-d DIRECTORY] [--netid NAME] [--no-timeouts] [--patience SECONDS]
 *	    [--grade[=machine]] [-q] [HOST [PORT]]
 *
 * DESCRIPTION
 *	main() is the list of steps: parse, probe, start, wait, verify, report. Each client runs in
 *	a thread of its own: its script decides what to send, from the seed and the coverage
 *	targets, and takes the right reply from the oracle. Numbers are checked by the ledger, files
 *	by the mailbox module. With --grade, run_grade() takes the place of all steps after the
 *	first. See multiclient --help.
 *
 *	While clients run, the signals of signals.h are blocked in all threads; after the first
 *	SIGINT or SIGTERM, only SIGUSR1. The main thread waits for them with sigwaitinfo() or, to
 *	show progress, with sigtimedwait(). The client that ends last sends SIGUSR1.
 *
 *	No code is shared with the server, so that no mistake can be in both.
 *
 * DIAGNOSTICS
 *	multiclient: what: why, on standard error.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "descriptors.h"
#include "error_text.h"
#include "grade.h"
#include "mailbox.h"
#include "monotonic.h"
#include "options.h"
#include "prng.h"
#include "probe.h"
#include "report.h"
#include "signals.h"

/* Bytes of a thread's stack: nothing large is on it. */
#define STACK_SIZE ((size_t)256 * 1024)

/* How often progress is shown. */
#define PROGRESS_INTERVAL (200 * MILLISECOND)

#define LINE_SIZE 160

enum exit_status {
	EXIT_PASSED = 0,
	EXIT_MISMATCH = 1,
	EXIT_USAGE = 2,
	EXIT_NO_SERVER = 3
};

struct run {
	struct context context;
	char netid[NETID_MAX + 1];
	struct client *clients;
	size_t client_count;    /* clients that are initialized */
	size_t thread_count;    /* threads that are started: of the first clients */
	struct mailbox mailbox; /* of the server, if its directory was given */
	bool has_mailbox;
	bool shows_progress;
	bool interrupted;
	int64_t started_at, elapsed;
	struct stats sum;
};

/* ---- parse ---- */

/*
 * Set up the run from the options, which must outlive it. A seed that was not given is chosen.
 * Returns false, having reported why, if there are too few descriptors.
 */
static bool
set_up(struct run *run, struct options *options)
{
	struct config *config = &run->context.config;
	char option[LINE_SIZE];

	if (!options->seed_given) {
		options->seed = prng_random_seed();
		options->seed_given = true;
	}
	if (options->connections > options->operations) {
		options->connections = options->operations;
	}
	config->seed = options->seed;
	config->operations = options->operations;
	config->connections = options->connections;
	config->with_timeouts = options->with_timeouts;
	config->with_digests = options->directory != NULL;
	run->context.timeout = monotonic_seconds(options->timeout);
	run->context.patience = monotonic_seconds(options->patience);
	run->shows_progress = !options->quiet && isatty(STDERR_FILENO);
	snprintf(option, sizeof option, "--connections '%zu'", options->connections);
	if (!descriptors_raise_limit(option, options->connections)) {
		return false;
	}
	ledger_init(&run->context.ledger);
	mismatch_log_init(&run->context.mismatch_log, options, options->quiet ? NULL : stderr);
	return true;
}

static void
clean_up(struct run *run)
{
	for (size_t i = 0; i < run->client_count; i++) {
		client_destroy(&run->clients[i]);
	}
	free(run->clients);
	if (run->has_mailbox) {
		mailbox_destroy(&run->mailbox);
	}
	mismatch_log_destroy(&run->context.mismatch_log);
	ledger_destroy(&run->context.ledger);
}

/* ---- probe ---- */

/*
 * Find the server and its netid. Returns EXIT_PASSED; another exit status, having printed the last
 * line of the report, if no server answers or the greeting is wrong.
 */
static enum exit_status
find_server(struct run *run, const struct options *options)
{
	struct context *context = &run->context;
	const struct probe probe = {.host = options->host,
	    .port = options->port,
	    .netid = options->netid,
	    .patience = context->patience,
	    .greeting_patience = context->timeout + context->patience,
	    .stop = &context->stop};
	enum exit_status status = EXIT_NO_SERVER;
	const bool colour = false;

	switch (probe_server(&probe, &context->mismatch_log, &context->address, run->netid)) {
	case PROBE_FOUND:
		context->config.netid = run->netid;
		return EXIT_PASSED;
	case PROBE_BAD_GREETING:
		run->sum.failures = 1;
		status = EXIT_MISMATCH;
		break;
	case PROBE_NO_SERVER:
		break;
	}
	report_last_line(&run->sum, colour, stdout);
	return status;
}

/* Record which files the server has already, if its directory was given. Reports a failure. */
static enum exit_status
open_directory(struct run *run, const struct options *options)
{
	char reason[ERROR_TEXT_SIZE];
	int error;

	if (options->directory == NULL) {
		return EXIT_PASSED;
	}
	error = mailbox_snapshot(&run->mailbox, options->directory);
	if (error != 0) {
		fprintf(stderr,
		    "multiclient: --directory '%s': no mailbox to read there (is the server "
		    "running in it?): %s\n",
		    options->directory, error_text(error, reason));
		return EXIT_USAGE;
	}
	run->has_mailbox = true;
	return EXIT_PASSED;
}

/* ---- start ---- */

static enum exit_status
init_clients(struct run *run)
{
	run->clients = calloc(run->context.config.connections, sizeof *run->clients);
	if (run->clients == NULL) {
		fputs("multiclient: out of memory\n", stderr);
		return EXIT_MISMATCH;
	}
	for (; run->client_count < run->context.config.connections; run->client_count++) {
		client_init(&run->clients[run->client_count], &run->context, run->client_count);
	}
	return EXIT_PASSED;
}

/* Start all clients, as far as threads can be created. */
static void
start_clients(struct run *run)
{
	sigset_t signals = signals_handled();
	pthread_attr_t attributes;
	char reason[ERROR_TEXT_SIZE];
	int error = 0;

	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	run->started_at = monotonic_now();
	atomic_init(&run->context.running, run->client_count);
	while (run->thread_count < run->client_count && error == 0) {
		struct client *client = &run->clients[run->thread_count];

		error = pthread_create(&client->thread, &attributes, client_main, client);
		run->thread_count += error == 0;
	}
	pthread_attr_destroy(&attributes);
	if (error != 0) {
		fprintf(stderr, "multiclient: only %zu of %zu threads could be started: %s\n",
		    run->thread_count, run->client_count, error_text(error, reason));
		run->sum.failures++;
		context_count_ended(&run->context, run->client_count - run->thread_count);
	}
}

/* ---- wait ---- */

/* Estimate the seconds left: at the rate so far, but at least until the last timeout test ends. */
static double
time_left(const struct run *run, uint64_t done, int64_t now)
{
	double seconds = (double)(now - run->started_at) / (double)SECOND;
	double left = done > 0
			  ? seconds * (double)(run->context.config.operations - done) / (double)done
			  : 0.0;

	for (size_t i = 0; i < run->thread_count; i++) {
		int64_t until =
		    atomic_load_explicit(&run->clients[i].busy_until, memory_order_relaxed);

		if ((double)(until - now) / (double)SECOND > left) {
			left = (double)(until - now) / (double)SECOND;
		}
	}
	return left;
}

static void
show_progress(struct run *run)
{
	uint64_t done = 0, wrong = 0;
	int64_t now = monotonic_now();
	double seconds = (double)(now - run->started_at) / (double)SECOND;
	char line[LINE_SIZE];

	for (size_t i = 0; i < run->thread_count; i++) {
		done +=
		    atomic_load_explicit(&run->clients[i].operation_count, memory_order_relaxed);
		wrong +=
		    atomic_load_explicit(&run->clients[i].mismatch_count, memory_order_relaxed);
	}
	snprintf(line, sizeof line,
	    "%" PRIu64 " of %zu operations, %.0f operations/s, %" PRIu64 " mismatches, %.0f s left",
	    done, run->context.config.operations, seconds > 0 ? (double)done / seconds : 0.0, wrong,
	    time_left(run, done, now));
	progress_show(&run->context.mismatch_log, line);
}

/*
 * Wait until the last client has ended. A SIGINT or SIGTERM stops the run, and a second one ends
 * the process at once. If none came, the first of each after the run is ignored (signals.h).
 */
static void
wait_for_clients(struct run *run)
{
	const struct timespec interval = {
	    .tv_sec = PROGRESS_INTERVAL / SECOND, .tv_nsec = PROGRESS_INTERVAL % SECOND};
	sigset_t signals = signals_handled();
	int number;

	while (atomic_load(&run->context.running) > 0) {
		number = run->shows_progress ? sigtimedwait(&signals, NULL, &interval)
					     : sigwaitinfo(&signals, NULL);
		if (number == SIGINT || number == SIGTERM) {
			run->interrupted = true;
			atomic_store(&run->context.stop, true);
			signals_unblock(FIRST_SIGNAL_ENDS);
			sigdelset(&signals, SIGINT);
			sigdelset(&signals, SIGTERM);
		} else if (number == -1 && run->shows_progress) {
			show_progress(run);
		}
	}
	run->elapsed = monotonic_now() - run->started_at;
	if (!run->interrupted) {
		signals_unblock(FIRST_SIGNAL_IGNORED);
	}
	if (run->shows_progress) {
		progress_show(&run->context.mismatch_log, "");
	}
	for (size_t i = 0; i < run->thread_count; i++) {
		pthread_join(run->clients[i].thread, NULL);
		stats_merge(&run->sum, &run->clients[i].stats);
	}
}

/* ---- verify ---- */

/* Check that no number is missing, which only all of them together can show. */
static void
check_numbers(struct run *run)
{
	uint64_t gaps = ledger_missing(&run->context.ledger);
	char text[LINE_SIZE];

	if (gaps == 0 || run->interrupted) {
		return;
	}
	snprintf(text, sizeof text,
	    "at least %" PRIu64 " message numbers from 1 to %" PRIu64 " are missing", gaps,
	    run->context.ledger.highest);
	mismatch_report_text(&run->context.mismatch_log, text);
	run->sum.failures++;
}

static void
verify(struct run *run)
{
	struct context *context = &run->context;

	check_numbers(run);
	if (run->has_mailbox) {
		run->sum.failures += mailbox_verify(&run->mailbox, &context->config,
		    &context->ledger, &context->mismatch_log, context->patience);
	}
}

/* ---- report ---- */

/* Flush standard output. Returns false, having reported why, if that fails. */
static bool
flush_output(void)
{
	char reason[ERROR_TEXT_SIZE];

	if (fflush(stdout) == 0) {
		return true;
	}
	fprintf(stderr, "multiclient: standard output: %s\n", error_text(errno, reason));
	return false;
}

/* Print the report. Returns the exit status of the run. */
static enum exit_status
print_report(const struct run *run, const struct options *options)
{
	const struct report report = {.config = &run->context.config,
	    .host = options->host,
	    .port = options->port,
	    .stats = &run->sum,
	    .elapsed = run->elapsed,
	    .lowest = run->context.ledger.lowest,
	    .highest = run->context.ledger.highest,
	    .interrupted = run->interrupted,
	    .has_files = run->has_mailbox,
	    .record_count = run->has_mailbox ? run->mailbox.record_count : 0,
	    .suppressed_count = run->context.mismatch_log.suppressed_count,
	    .colour = report_use_colour()};
	uint64_t failed;

	if (!options->quiet) {
		report_print(&report, stdout);
	}
	failed = report_last_line(&run->sum, report.colour && !options->quiet, stdout);
	return failed > 0 || !flush_output() ? EXIT_MISMATCH : EXIT_PASSED;
}

/* ---- grade ---- */

/* Report on the demands of the assignment. */
static enum exit_status
run_grade(const struct options *options)
{
	const struct grade_options grade_options = {.host = options->host,
	    .port = options->port,
	    .directory = options->directory,
	    .netid = options->netid,
	    .timeout = monotonic_seconds(options->timeout),
	    .patience = monotonic_seconds(options->patience),
	    .with_timeouts = options->with_timeouts,
	    .quiet = options->quiet,
	    .machine = options->grade == GRADE_MACHINE};
	static const enum exit_status statuses[] = {[GRADE_OK] = EXIT_PASSED,
	    [GRADE_FAILED] = EXIT_MISMATCH,
	    [GRADE_USAGE] = EXIT_USAGE,
	    [GRADE_NO_SERVER] = EXIT_NO_SERVER};
	enum grade_result result;

	if (!descriptors_raise_limit("--grade", GRADE_CONNECTIONS)) {
		return EXIT_USAGE;
	}
	result = grade_server(&grade_options, stdout);
	return flush_output() ? statuses[result] : EXIT_MISMATCH;
}

/* ---- main ---- */

int
main(int argc, char *argv[])
{
	static struct run run;
	struct options options = {0};
	enum exit_status status;

	if (!descriptors_open_standard()) {
		return EXIT_USAGE;
	}
	switch (options_parse(&options, argc, argv, stdout, stderr)) {
	case OPTIONS_EXIT:
		return EXIT_PASSED;
	case OPTIONS_ERROR:
		return EXIT_USAGE;
	case OPTIONS_OK:
		break;
	}
	if (options.grade != GRADE_NONE) {
		return (int)run_grade(&options);
	}
	if (!set_up(&run, &options)) {
		return EXIT_USAGE;
	}
	status = find_server(&run, &options);
	if (status == EXIT_PASSED) {
		status = open_directory(&run, &options);
	}
	if (status == EXIT_PASSED) {
		status = init_clients(&run);
	}
	if (status == EXIT_PASSED) {
		start_clients(&run);
		wait_for_clients(&run);
		verify(&run);
		status = print_report(&run, &options);
	}
	clean_up(&run);
	return (int)status;
}
