/*
 * NAME
 *	killed - the server is killed at any moment: what was acknowledged is found again
 *
 * SYNOPSIS
 *	killed [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	First in order: a server with --keep is killed by SIGKILL just before each of the calls that
 *	it makes for files and sockets, and in the middle of each write.
 *
 *	Then at random: several clients at once send to a server until it is killed, when they have
 *	heard a number of bytes that was drawn. In some rounds the one that is started next is
 *	killed while it starts. Ten rounds follow one another in the same directory.
 *
 *	After each kill a server with --keep must start, number the next message rightly, stop, and
 *	leave every message that was acknowledged, once and whole, without gaps and torn records.
 *
 *	--short tries a sample of the calls, and fewer rounds.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench.h"
#include "mail.h"
#include "page.h"
#include "subject.h"
#include "verdict.h"
#include "workshop.h"

/* Clients at once, and what each sends. One message is long enough to be torn. */
#define CLIENTS 5
#define MAILS   14

static const unsigned lines[MAILS] = {1, 0, 3, 12, 1, 2, 60, 1, 5, 1, 2, 900, 1, 2};

/* Bytes of replies that all of them hear together, more or less. */
#define REPLIES_SIZE 6500

/* Nanoseconds of a flush at most. */
#define SYNC_NANOSECONDS 100000

#define DESCRIPTION_SIZE 160

/* ---- in order ---- */

/* The calls before which the server is killed. */
static const struct row {
	enum function function;
	bool writes; /* it is also killed when half of a call is done */
} rows[] = {
    {FUNCTION_CLOSE, false},
    {FUNCTION_FCHMOD, false},
    {FUNCTION_FDATASYNC, false},
    {FUNCTION_FLOCK, false},
    {FUNCTION_FSYNC, false},
    {FUNCTION_FTRUNCATE, false},
    {FUNCTION_LSTAT, false},
    {FUNCTION_OPEN, false},
    {FUNCTION_PREAD, false},
    {FUNCTION_PWRITE, true},
    {FUNCTION_RECV, false},
    {FUNCTION_RENAME, false},
    {FUNCTION_SEND, true},
    {FUNCTION_UNLINK, false},
    {FUNCTION_WRITE, false},
    {FUNCTION_WRITEV, true},
};

#define ROWS (sizeof rows / sizeof rows[0])

static const char *const options[] = {"--keep", "--keep --sync"};

#define OPTIONS (sizeof options / sizeof options[0])

/* With --short, one call in so many. */
#define SHORT_EVERY 24

/* What the workers share: calls made without a kill. */
struct calls {
	atomic_uint calls[OPTIONS][FUNCTIONS];
};

/* Let all clients send what they have to a server that is ready, and enter what became of it. */
static void
load(const struct subject *subject, struct ledger *ledger, const struct ambush *ambush,
    struct text *complaint)
{
	struct conversation conversations[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++) {
		conversation_open(&conversations[i], ledger, subject->port, MAILS, lines);
	}
	if (!conversations_run(conversations, CLIENTS, ambush)) {
		text_add_string(complaint, "the server does not answer; ");
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		conversation_close(&conversations[i], ledger, complaint);
	}
}

/* Wait for the end of a server that was killed or, if that has missed it, stop it. */
static void
bury(struct subject *subject, bool was_killed, struct text *complaint)
{
	int status = was_killed ? subject_end(subject) : subject_stop(subject);
	bool killed = status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	if (!killed) {
		bench_judge_end(subject, status, 0, complaint);
	}
	subject_free(subject);
}

/* Kill one server at one call, and revive it. */
static void
kill_at(
    struct bench *bench, size_t option, enum function function, unsigned call, enum manner manner)
{
	static struct ledger ledger;
	struct text complaint = {0};
	struct subject subject = {.managed = false};
	char description[DESCRIPTION_SIZE];

	ledger = (struct ledger){.connections = 0};
	place_empty(&bench->directory);
	page_clear(bench->page);
	bench->page->function = function;
	bench->page->manner = manner;
	bench->page->first = call;
	bench->page->count = 1;
	if (bench_start(bench, &subject, options[option]) == SUBJECT_READY) {
		load(&subject, &ledger, NULL, &complaint);
	}
	bury(&subject, atomic_load(&bench->page->strikes) > 0, &complaint);
	bench_revive(bench, options[option], &ledger, &complaint);
	snprintf(description, sizeof description, "%s: killed %s call %u of %s", options[option],
	    manner == MANNER_KILL ? "before" : "within", call, page_function_name(function));
	bench_report(bench, description, &complaint);
}

/* Run without a kill, and count. */
static void
count_calls(struct bench *bench, void *context)
{
	struct calls *calls = context;
	unsigned option;

	while ((option = bench_take(bench)) < OPTIONS) {
		static struct ledger ledger;
		struct text complaint = {0};
		struct subject subject = {.managed = false};

		ledger = (struct ledger){.connections = 0};
		place_empty(&bench->directory);
		page_clear(bench->page);
		if (bench_start(bench, &subject, options[option]) == SUBJECT_READY) {
			load(&subject, &ledger, NULL, &complaint);
		}
		bench_stop(&subject, &complaint);
		for (enum function function = 0; function < FUNCTIONS; function++) {
			atomic_store(&calls->calls[option][function],
			    atomic_load(&bench->page->calls[function]));
		}
		bench_report(bench, options[option], &complaint);
	}
}

/* Kill at all calls of one function. The order is the same for all workers, who share them out. */
static void
kill_at_all(struct bench *bench, const struct calls *calls, size_t option, const struct row *row,
    uint64_t *chance, unsigned *next)
{
	unsigned count = atomic_load(&calls->calls[option][row->function]);
	unsigned manners = row->writes ? 2 : 1;

	for (unsigned i = 0; i < count * manners && bench_goes_on(bench); i++) {
		if (bench->settings->brief && draw(chance, SHORT_EVERY) != 0) {
			continue;
		}
		if ((*next)++ % bench->settings->workers == bench->number) {
			kill_at(bench, option, row->function, 1 + i / manners,
			    i % manners == 0 ? MANNER_KILL : MANNER_KILL_WITHIN);
		}
	}
}

static void
kill_in_order(struct bench *bench, void *context)
{
	uint64_t chance = draw_begin(bench->settings->seed, 0);
	unsigned next = 0;

	for (size_t option = 0; option < OPTIONS; option++) {
		for (size_t i = 0; i < ROWS; i++) {
			kill_at_all(bench, context, option, &rows[i], &chance, &next);
		}
	}
}

/* ---- at random ---- */

/* Rounds in one directory, and such directories. */
#define ROUNDS       10
#define CHAINS_LONG  40
#define CHAINS_SHORT 2

/* One start in so many is killed, at one of its first calls of some function. */
#define START_KILLED 3
#define FIRST_CALLS  8

/* Start a server that is likely to be killed while it starts. */
static void
kill_a_start(struct bench *bench, struct ledger *ledger, uint64_t *chance, struct text *complaint)
{
	struct subject subject = {.managed = false};

	page_clear(bench->page);
	bench->page->function = rows[draw(chance, ROWS)].function;
	bench->page->manner = MANNER_KILL;
	bench->page->first = 1 + (unsigned)draw(chance, FIRST_CALLS);
	bench->page->count = 1;
	if (bench_start(bench, &subject, "--keep") == SUBJECT_READY) {
		load(&subject, ledger, NULL, complaint);
	}
	bury(&subject, atomic_load(&bench->page->strikes) > 0, complaint);
}

/* One round. */
static void
kill_once(struct bench *bench, struct ledger *ledger, uint64_t *chance, struct text *complaint)
{
	const char *chosen = options[draw(chance, OPTIONS)];
	struct ambush ambush = {.bytes = (size_t)draw(chance, REPLIES_SIZE)};
	struct subject subject = {.managed = false};

	page_clear(bench->page);
	bench->page->sync_nanoseconds = (long)draw(chance, SYNC_NANOSECONDS);
	if (bench_start(bench, &subject, chosen) == SUBJECT_READY) {
		ambush.process = subject.process;
		load(&subject, ledger, &ambush, complaint);
	} else {
		text_add_string(complaint, "the server does not start; ");
	}
	bury(&subject, false, complaint);
	if (draw(chance, START_KILLED) == 0) {
		kill_a_start(bench, ledger, chance, complaint);
	}
	bench_revive(bench, chosen, ledger, complaint);
}

static void
kill_at_random(struct bench *bench, void *context)
{
	static struct ledger ledger;
	unsigned chains = bench->settings->brief ? CHAINS_SHORT : CHAINS_LONG;
	unsigned chain;

	(void)context;
	while (bench_goes_on(bench) && (chain = bench_take(bench)) < chains) {
		uint64_t chance = draw_begin(bench->settings->seed, chain + 1);

		ledger = (struct ledger){.connections = 0};
		place_empty(&bench->directory);
		for (int round = 0; round < ROUNDS; round++) {
			struct text complaint = {0};
			char description[DESCRIPTION_SIZE];
			bool failed;

			kill_once(bench, &ledger, &chance, &complaint);
			failed = complaint.length > 0;
			snprintf(description, sizeof description,
			    "killed at random, chain %u, round %d", chain, round);
			bench_report(bench, description, &complaint);
			if (failed) {
				break;
			}
		}
	}
}

int
main(int argc, char *argv[])
{
	struct workshop workshop = workshop_begin("killed", argc, argv);
	struct calls *calls = workshop_share(sizeof *calls);

	subject_require();
	workshop_run(&workshop, "nobody is killed", count_calls, calls);
	workshop_run(&workshop, "killed at each call", kill_in_order, calls);
	workshop_run(&workshop, "killed at random", kill_at_random, NULL);
	return workshop_end(&workshop);
}
