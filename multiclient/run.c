/*
 * NAME
 *	run - everything that happens once
 *
 * DESCRIPTION
 *	Probe the server, remember the files, start one thread for each connection, show progress
 *	until all have ended, add up, compare the files, report.
 *
 *	The main thread wakes up now and then, rather than being told, to see whether a signal came:
 *	so the handler only sets a flag.
 *
 * DIAGNOSTICS
 *	multiclient: what: why, on standard error.
 */

#include "run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "mailbox.h"
#include "monotonic.h"
#include "probe.h"
#include "report.h"

/* Descriptors that are not connections. */
#define OTHER_DESCRIPTORS 16

/* Bytes of a thread's stack: nothing large is on it. */
#define STACK_SIZE ((size_t)256 * 1024)

/* How often the main thread looks around, and how often it shows progress. */
#define TICK          (50 * MILLISECOND)
#define PROGRESS_TICK (200 * MILLISECOND)

#define LINE_SIZE 160

struct crew {
	struct context context;
	char netid[NETID_MAX + 1];
	struct client *clients;
	size_t count;   /* drivers made */
	size_t started; /* threads */
	pthread_mutex_t lock;
	pthread_cond_t all_ended;
	size_t ended; /* threads; guarded by lock */
	bool shows_progress;
	bool interrupted;
	int64_t started_at, elapsed;
	struct stats sum;
};

struct member {
	struct crew *crew;
	struct client *client;
};

static volatile sig_atomic_t signalled;

static void
note_signal(int number)
{
	(void)number;
	signalled = 1;
}

/* SIGINT and SIGTERM ask for the report; a second one ends the program at once. */
static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Make space for a descriptor a connection. False, with a word, when there is none. */
static bool
raise_descriptor_limit(size_t connections)
{
	struct rlimit limit;
	rlim_t needed = connections + OTHER_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) {
		return true;
	}
	limit.rlim_cur = needed;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
		limit.rlim_cur = limit.rlim_max;
	}
	if (limit.rlim_cur >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
		return true;
	}
	fprintf(stderr,
	    "multiclient: --connections '%zu': only %llu descriptors are allowed (ulimit -n)\n",
	    connections, (unsigned long long)limit.rlim_cur);
	return false;
}

static void *
run_member(void *argument)
{
	struct member *member = argument;
	struct crew *crew = member->crew;

	client_main(member->client);
	free(member);
	pthread_mutex_lock(&crew->lock);
	crew->ended++;
	pthread_cond_signal(&crew->all_ended);
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* 0 or an error number. */
static int
start_member(struct crew *crew, struct client *client, const pthread_attr_t *attributes)
{
	struct member *member = malloc(sizeof *member);
	int error;

	if (member == NULL) {
		return ENOMEM;
	}
	*member = (struct member){crew, client};
	error = pthread_create(&client->thread, attributes, run_member, member);
	if (error != 0) {
		free(member);
	}
	return error;
}

/* Start all threads, with the signals blocked in them, so that the main thread gets these. */
static void
start_crew(struct crew *crew)
{
	pthread_attr_t attributes;
	sigset_t signals, before;
	char reason[80];
	int error = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	sigfillset(&signals);
	pthread_sigmask(SIG_SETMASK, &signals, &before);
	while (crew->started < crew->count && error == 0) {
		error = start_member(crew, &crew->clients[crew->started], &attributes);
		crew->started += error == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error == 0) {
		return;
	}
	strerror_r(error, reason, sizeof reason);
	fprintf(stderr, "multiclient: only %zu of %zu threads could be started: %s\n",
	    crew->started, crew->count, reason);
	crew->sum.failures++;
}

/* Seconds that the rest will take, at the pace so far, and until the last dormant one is done. */
static double
time_left(const struct crew *crew, uint64_t done, int64_t now)
{
	double seconds = (double)(now - crew->started_at) / (double)SECOND;
	double left =
	    done > 0 ? seconds * (double)(crew->context.config.operations - done) / (double)done
		     : 0.0;
	size_t i;

	for (i = 0; i < crew->started; i++) {
		int64_t until =
		    atomic_load_explicit(&crew->clients[i].busy_until, memory_order_relaxed);

		if ((double)(until - now) / (double)SECOND > left) {
			left = (double)(until - now) / (double)SECOND;
		}
	}
	return left;
}

static void
show_progress(struct crew *crew)
{
	uint64_t done = 0, wrong = 0;
	int64_t now = monotonic_now();
	double seconds = (double)(now - crew->started_at) / (double)SECOND;
	char line[LINE_SIZE];
	size_t i;

	for (i = 0; i < crew->started; i++) {
		done += atomic_load_explicit(&crew->clients[i].done, memory_order_relaxed);
		wrong += atomic_load_explicit(&crew->clients[i].wrong, memory_order_relaxed);
	}
	snprintf(line, sizeof line,
	    "%llu of %zu operations, %.0f operations/s, %llu mismatches, %.0f s left",
	    (unsigned long long)done, crew->context.config.operations,
	    seconds > 0 ? (double)done / seconds : 0.0, (unsigned long long)wrong,
	    time_left(crew, done, now));
	progress_show(&crew->context.mismatch_log, line);
}

/* Wait for one tick, or until every thread has ended; whether they have. */
static bool
wait_for_crew(struct crew *crew)
{
	int64_t until = monotonic_now() + TICK;
	struct timespec deadline = {.tv_sec = until / SECOND, .tv_nsec = until % SECOND};
	int error = 0;
	bool all;

	pthread_mutex_lock(&crew->lock);
	while (crew->ended < crew->started && error == 0) {
		error = pthread_cond_timedwait(&crew->all_ended, &crew->lock, &deadline);
	}
	all = crew->ended == crew->started;
	pthread_mutex_unlock(&crew->lock);
	return all;
}

static void
watch_crew(struct crew *crew)
{
	int64_t next = monotonic_now() + PROGRESS_TICK;
	size_t i;

	while (!wait_for_crew(crew)) {
		if (signalled) {
			crew->interrupted = true;
			atomic_store(&crew->context.stop, true);
		}
		if (crew->shows_progress && monotonic_now() >= next) {
			show_progress(crew);
			next = monotonic_now() + PROGRESS_TICK;
		}
	}
	crew->elapsed = monotonic_now() - crew->started_at;
	if (crew->shows_progress) {
		progress_show(&crew->context.mismatch_log, "");
	}
	for (i = 0; i < crew->started; i++) {
		pthread_join(crew->clients[i].thread, NULL);
		stats_merge(&crew->sum, &crew->clients[i].stats);
	}
}

/* What can only be said of all numbers together. */
static void
check_numbers(struct crew *crew)
{
	uint64_t gaps = ledger_missing(&crew->context.ledger);
	char text[LINE_SIZE];

	if (gaps == 0 || crew->interrupted) {
		return;
	}
	snprintf(text, sizeof text,
	    "at least %llu numbers from 1 to %llu were given to no message of ours",
	    (unsigned long long)gaps, (unsigned long long)crew->context.ledger.highest);
	mismatch_report_text(&crew->context.mismatch_log, text);
	crew->sum.failures++;
}

static bool
make_crew(struct crew *crew)
{
	pthread_condattr_t attributes;

	crew->clients = calloc(crew->context.config.connections, sizeof *crew->clients);
	if (crew->clients == NULL) {
		return false;
	}
	for (; crew->count < crew->context.config.connections; crew->count++) {
		client_init(&crew->clients[crew->count], &crew->context, crew->count);
	}
	pthread_mutex_init(&crew->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->all_ended, &attributes);
	pthread_condattr_destroy(&attributes);
	return true;
}

static void
release_crew(struct crew *crew)
{
	size_t i;

	for (i = 0; i < crew->count; i++) {
		client_destroy(&crew->clients[i]);
	}
	free(crew->clients);
	pthread_cond_destroy(&crew->all_ended);
	pthread_mutex_destroy(&crew->lock);
}

static bool
use_colour(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment. */
	const char *forbidden = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (forbidden == NULL || *forbidden == '\0');
}

/* The report, and what becomes of everything. */
static enum run_status
conclude(const struct options *options, struct crew *crew, const struct mailbox *mailbox)
{
	const struct report report = {.config = &crew->context.config,
	    .host = options->host,
	    .port = options->port,
	    .stats = &crew->sum,
	    .elapsed = crew->elapsed,
	    .lowest = crew->context.ledger.lowest,
	    .highest = crew->context.ledger.highest,
	    .interrupted = crew->interrupted,
	    .compared = mailbox != NULL,
	    .records = mailbox != NULL ? mailbox->compared : 0,
	    .suppressed = crew->context.mismatch_log.suppressed,
	    .colour = use_colour()};
	uint64_t failed;

	if (!options->quiet) {
		report_print(&report, stdout);
	}
	failed = report_last_line(&crew->sum, report.colour && !options->quiet, stdout);
	if (fflush(stdout) != 0) {
		fputs("multiclient: the report could not be written\n", stderr);
		return RUN_MISMATCH;
	}
	return failed > 0 ? RUN_MISMATCH : RUN_OK;
}

static enum run_status
play(const struct options *options, struct crew *crew, struct mailbox *mailbox)
{
	struct context *context = &crew->context;

	if (!make_crew(crew)) {
		fputs("multiclient: out of memory\n", stderr);
		return RUN_MISMATCH;
	}
	crew->started_at = monotonic_now();
	start_crew(crew);
	watch_crew(crew);
	check_numbers(crew);
	if (mailbox != NULL) {
		crew->sum.failures += mailbox_verify(mailbox, &context->config, &context->ledger,
		    &context->mismatch_log, context->patience);
	}
	return conclude(options, crew, mailbox);
}

static enum run_status
play_with_files(const struct options *options, struct crew *crew)
{
	struct mailbox mailbox;
	enum run_status status;
	char reason[80];
	int error;

	if (options->directory == NULL) {
		return play(options, crew, NULL);
	}
	error = mailbox_snapshot(&mailbox, options->directory, crew->context.config.netid);
	if (error != 0) {
		strerror_r(error, reason, sizeof reason);
		fprintf(stderr, "multiclient: --directory '%s': no mailbox to read there: %s\n",
		    options->directory, reason);
		return RUN_USAGE;
	}
	status = play(options, crew, &mailbox);
	mailbox_destroy(&mailbox);
	return status;
}

static enum run_status
probe_and_play(const struct options *options, struct crew *crew)
{
	struct stats *sum = &crew->sum;

	switch (probe(&crew->context, options->host, options->port, options->netid, crew->netid)) {
	case PROBE_FOUND:
		crew->context.config.netid = crew->netid;
		return play_with_files(options, crew);
	case PROBE_BAD_BANNER:
		sum->failures = 1;
		report_last_line(sum, false, stdout);
		return RUN_MISMATCH;
	case PROBE_NO_SERVER:
		break;
	}
	report_last_line(sum, false, stdout);
	return RUN_NO_SERVER;
}

static uint64_t
random_seed(void)
{
	struct timespec now;

	/* Six digits are enough for chance, and can be typed again. */
	clock_gettime(CLOCK_REALTIME, &now);
	return hash64((uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 32)) % 1000000;
}

enum run_status
run(const struct options *options)
{
	struct crew *crew = calloc(1, sizeof *crew);
	struct config *config;
	enum run_status status;

	if (crew == NULL) {
		fputs("multiclient: out of memory\n", stderr);
		return RUN_MISMATCH;
	}
	config = &crew->context.config;
	config->seed = options->seed_given ? options->seed : random_seed();
	config->operations = options->operations;
	config->connections =
	    options->connections < options->operations ? options->connections : options->operations;
	config->timeouts = options->timeouts;
	config->digests = options->directory != NULL;
	crew->context.timeout = monotonic_seconds(options->timeout);
	crew->context.patience = monotonic_seconds(options->patience);
	crew->shows_progress = !options->quiet && isatty(STDERR_FILENO);
	if (!raise_descriptor_limit(config->connections)) {
		free(crew);
		return RUN_USAGE;
	}
	catch_signals();
	ledger_init(&crew->context.ledger);
	mismatch_log_init(&crew->context.mismatch_log, config, options->quiet ? NULL : stderr);
	status = probe_and_play(options, crew);
	if (crew->clients != NULL) {
		release_crew(crew);
	}
	mismatch_log_destroy(&crew->context.mismatch_log);
	ledger_destroy(&crew->context.ledger);
	free(crew);
	return status;
}
