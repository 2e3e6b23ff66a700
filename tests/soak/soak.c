/*
 * NAME
 *	soak - run abusive and normal clients against a server, and check the server and the mail
 *
 * SYNOPSIS
 *	soak [-f FACTOR] [-m] SECONDS SERVER [ARGUMENT ...]
 *
 * DESCRIPTION
 *	The server is started in a new directory with `-p 0 -t T` after its arguments; T is TIMEOUT
 *	times FACTOR. Two rounds follow, in which normal clients and abusers of all kinds run
 *	concurrently: a short warm-up, and one of SECONDS. After each, when the server is idle, its
 *	resources are measured. Threads and descriptors must be equal, and memory may have grown by
 *	MEMORY_SLACK. At the end its counters, its files and its exit are checked.
 *
 *	-f	the server runs FACTOR times slower than plain: under a sanitizer or a simulator
 *	-m	do not check memory: a sanitizer or simulator adds its own
 *
 * DIAGNOSTICS
 *	Standard error: the first failures of each check. Standard output: counters, the result of
 *	each check, and the numbers passed and failed. Exit status 0 if none failed, 1 if not, 2 for
 *	wrong usage. abort(3) with a message after a failed system call or without memory.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "checks.h"
#include "clients.h"
#include "clock.h"
#include "ledger.h"
#include "server.h"
#include "wire.h"

#define EXIT_USAGE 2

/* Seconds, to be multiplied by FACTOR: timeout of the server, and time limit of any step. */
#define TIMEOUT    1.0
#define STEP_LIMIT 60.0

/* The warm-up takes 1 / WARM_UP_PART of SECONDS, but at least WARM_UP_MIN seconds times FACTOR. */
#define WARM_UP_PART 6
#define WARM_UP_MIN  5.0

/* Bytes by which memory may grow: buffers reach their full size one after the other. */
#define MEMORY_SLACK (2UL * 1024 * 1024)

/* Least rate of normal messages per second, to be divided by FACTOR. */
#define FLOW_MIN 2.0

/* Seconds between two polls for an idle server. */
#define POLL_TIME 0.05

#define FACTOR_MAX  100.0
#define SECONDS_MAX 604800.0
#define MEBIBYTE    1048576.0

struct options {
	double factor;
	double seconds;
	bool check_memory;
	char **command;
};

/* Parse a number above 0. Returns 0 if it is invalid or above `max`. */
static double
read_number(const char *text, double max)
{
	char *end;
	double number = strtod(text, &end);

	return *end == '\0' && number > 0 && number <= max ? number : 0;
}

static bool
parse(struct options *options, int argc, char *argv[])
{
	int option;

	*options = (struct options){.factor = 1, .check_memory = true};
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
	while ((option = getopt(argc, argv, "+f:m")) != -1) {
		if (option == 'f') {
			options->factor = read_number(optarg, FACTOR_MAX);
		} else if (option == 'm') {
			options->check_memory = false;
		} else {
			return false;
		}
	}
	if (argc - optind < 2) {
		return false;
	}
	options->seconds = read_number(argv[optind], SECONDS_MAX);
	options->command = argv + optind + 1;
	return options->factor > 0 && options->seconds > 0;
}

/*
 * Wait until the server has no more open descriptors than in `idle`, at most for `patience`, and
 * measure it. Returns whether it still runs.
 */
static bool
await_idle(const struct resource_usage *idle, double patience, struct resource_usage *usage)
{
	double deadline = clock_now() + patience;
	bool running;

	do {
		clock_sleep(POLL_TIME);
		running = server_measure(usage);
	} while (running && usage->descriptors > idle->descriptors && clock_now() < deadline);
	if (!running) {
		checks_fail(CHECK_END, "the server has died");
	}
	return running;
}

static void
print_usage(const char *when, const struct resource_usage *usage)
{
	printf("%-14s %7.1f MiB, %u threads, %u descriptors\n", when,
	    (double)usage->memory / MEBIBYTE, usage->threads, usage->descriptors);
}

static void
compare_usage(
    const struct resource_usage *before, const struct resource_usage *after, bool check_memory)
{
	if (!check_memory) {
		checks_skip(CHECK_MEMORY, "it is not the server's own");
	} else if (after->memory > before->memory + MEMORY_SLACK) {
		checks_fail(
		    CHECK_MEMORY, "%lu bytes before, %lu after", before->memory, after->memory);
	}
	if (after->threads != before->threads) {
		checks_fail(CHECK_THREADS, "%u before, %u after", before->threads, after->threads);
	}
	if (after->descriptors != before->descriptors) {
		checks_fail(CHECK_DESCRIPTORS, "%u before, %u after", before->descriptors,
		    after->descriptors);
	}
}

/* Run both rounds. */
static void
soak(const struct options *options, const struct clients_rules *rules)
{
	double warm_up = options->seconds / WARM_UP_PART;
	struct resource_usage idle, warm, end;
	unsigned long warm_up_messages;

	if (!server_measure(&idle)) {
		checks_fail(CHECK_END, "the server has died");
		return;
	}
	print_usage("at the start:", &idle);
	if (warm_up < WARM_UP_MIN * options->factor) {
		warm_up = WARM_UP_MIN * options->factor;
	}
	if (!clients_run(rules, 0, warm_up) || !await_idle(&idle, rules->patience, &warm)) {
		checks_fail(CHECK_END, "the first round has not ended");
		return;
	}
	print_usage("warmed up:", &warm);
	warm_up_messages = ledger_count();
	if (!clients_run(rules, 1, options->seconds) || !await_idle(&warm, rules->patience, &end)) {
		checks_fail(CHECK_END, "the second round has not ended");
		return;
	}
	print_usage("at the end:", &end);
	compare_usage(&warm, &end, options->check_memory);
	/* The messages of both rounds, and the rate of the second one. */
	printf("%9lu normal messages, %.0f a second\n", ledger_count(),
	    (double)(ledger_count() - warm_up_messages) / options->seconds);
	if ((double)(ledger_count() - warm_up_messages) <
	    FLOW_MIN * options->seconds / options->factor) {
		checks_fail(
		    CHECK_NORMAL_FLOW, "only %lu messages", ledger_count() - warm_up_messages);
	}
}

int
main(int argc, char *argv[])
{
	struct options options;
	struct clients_rules rules;
	unsigned port;

	if (!parse(&options, argc, argv)) {
		fprintf(stderr, "usage: soak [-f FACTOR] [-m] SECONDS SERVER [ARGUMENT ...]\n");
		return EXIT_USAGE;
	}
	rules = (struct clients_rules){
	    .timeout = TIMEOUT * options.factor, .patience = STEP_LIMIT * options.factor};
	signal(SIGPIPE, SIG_IGN);
	port = server_start(options.command, rules.timeout, rules.patience);
	if (port == 0) {
		return EXIT_FAILURE;
	}
	wire_prepare(port, rules.patience);
	soak(&options, &rules);
	if (!server_counts(ledger_count(), rules.patience)) {
		checks_fail(CHECK_NOTHING_ELSE, "%lu messages were expected", ledger_count());
	}
	if (!server_stop(rules.patience)) {
		checks_fail(CHECK_END, "see above");
	}
	ledger_finish();
	server_clean();
	return checks_print() ? EXIT_SUCCESS : EXIT_FAILURE;
}
