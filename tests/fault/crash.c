/*
 * NAME
 *	crash - the server is killed at any moment: what was acknowledged is found again
 *
 * SYNOPSIS
 *	crash [--short] [--workers N] [--seed N]
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

#include "check_directory.h"
#include "control_map.h"
#include "harness.h"
#include "mail.h"
#include "sandbox.h"
#include "server.h"

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

static const char *const options[] = {"--keep", "--keep --sync"};

/* With --short, one call in so many. */
#define SHORT_EVERY 24

/* What the workers share: calls made without a kill. */
struct calls {
	atomic_uint calls[ARRAY_LENGTH(options)][FUNCTIONS];
};

/* Let all clients send what they have to a server that is ready, and enter what became of it. */
static void
load(const struct server *server, struct ledger *ledger, const struct kill_trigger *kill_trigger,
    struct text *complaint)
{
	struct conversation conversations[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++) {
		conversation_open(&conversations[i], ledger, server->port, MAILS, lines);
	}
	if (!conversations_run(conversations, CLIENTS, kill_trigger)) {
		text_add_string(complaint, "the server does not answer; ");
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		conversation_close(&conversations[i], ledger, complaint);
	}
}

/* Wait for the end of a server that was killed or, if that has missed it, stop it. */
static void
reap(struct server *server, bool was_killed, struct text *complaint)
{
	int status = was_killed ? server_end(server) : server_stop(server);
	bool killed = status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	if (!killed) {
		sandbox_check_end(server, status, 0, complaint);
	}
	server_destroy(server);
}

/* Kill one server at one call, and revive it. */
static void
kill_at(struct sandbox *sandbox, size_t option, enum function function, unsigned call,
    enum failure_mode failure_mode)
{
	static struct ledger ledger;
	struct text complaint = {0};
	struct server server = {.managed = false};
	char description[DESCRIPTION_SIZE];

	ledger = (struct ledger){.connections = 0};
	path_empty(&sandbox->directory);
	control_map_clear(sandbox->control_map);
	sandbox->control_map->function = function;
	sandbox->control_map->failure_mode = failure_mode;
	sandbox->control_map->first = call;
	sandbox->control_map->count = 1;
	if (sandbox_start(sandbox, &server, options[option]) == SERVER_READY) {
		load(&server, &ledger, NULL, &complaint);
	}
	reap(&server, atomic_load(&sandbox->control_map->injections) > 0, &complaint);
	sandbox_restart(sandbox, options[option], &ledger, &complaint);
	snprintf(description, sizeof description, "%s: killed %s call %u of %s", options[option],
	    failure_mode == FAIL_KILL ? "before" : "within", call,
	    control_map_function_name(function));
	sandbox_report(sandbox, description, &complaint);
}

/* Run without a kill, and count. */
static void
count_calls(struct sandbox *sandbox, void *context)
{
	struct calls *calls = context;
	unsigned option;

	while ((option = sandbox_take(sandbox)) < ARRAY_LENGTH(options)) {
		static struct ledger ledger;
		struct text complaint = {0};
		struct server server = {.managed = false};

		ledger = (struct ledger){.connections = 0};
		path_empty(&sandbox->directory);
		control_map_clear(sandbox->control_map);
		if (sandbox_start(sandbox, &server, options[option]) == SERVER_READY) {
			load(&server, &ledger, NULL, &complaint);
		}
		sandbox_stop(&server, &complaint);
		for (enum function function = 0; function < FUNCTIONS; function++) {
			atomic_store(&calls->calls[option][function],
			    atomic_load(&sandbox->control_map->calls[function]));
		}
		sandbox_report(sandbox, options[option], &complaint);
	}
}

/* Kill at all calls of one function. The order is the same for all workers, who share them out. */
static void
kill_at_all(struct sandbox *sandbox, const struct calls *calls, size_t option,
    const struct row *row, uint64_t *prng, unsigned *next)
{
	unsigned count = atomic_load(&calls->calls[option][row->function]);
	unsigned modes = row->writes ? 2 : 1;

	for (unsigned i = 0; i < count * modes && sandbox_continue(sandbox); i++) {
		if (sandbox->settings->brief && prng_below(prng, SHORT_EVERY) != 0) {
			continue;
		}
		if ((*next)++ % sandbox->settings->workers == sandbox->number) {
			kill_at(sandbox, option, row->function, 1 + i / modes,
			    i % modes == 0 ? FAIL_KILL : FAIL_KILL_WITHIN);
		}
	}
}

static void
kill_in_order(struct sandbox *sandbox, void *context)
{
	uint64_t prng = prng_init(sandbox->settings->seed, 0);
	unsigned next = 0;

	for (size_t option = 0; option < ARRAY_LENGTH(options); option++) {
		for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
			kill_at_all(sandbox, context, option, &rows[i], &prng, &next);
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
kill_a_start(struct sandbox *sandbox, struct ledger *ledger, uint64_t *prng, struct text *complaint)
{
	struct server server = {.managed = false};

	control_map_clear(sandbox->control_map);
	sandbox->control_map->function = rows[prng_below(prng, ARRAY_LENGTH(rows))].function;
	sandbox->control_map->failure_mode = FAIL_KILL;
	sandbox->control_map->first = 1 + (unsigned)prng_below(prng, FIRST_CALLS);
	sandbox->control_map->count = 1;
	if (sandbox_start(sandbox, &server, "--keep") == SERVER_READY) {
		load(&server, ledger, NULL, complaint);
	}
	reap(&server, atomic_load(&sandbox->control_map->injections) > 0, complaint);
}

/* One round. */
static void
kill_once(struct sandbox *sandbox, struct ledger *ledger, uint64_t *prng, struct text *complaint)
{
	const char *chosen = options[prng_below(prng, ARRAY_LENGTH(options))];
	struct kill_trigger kill_trigger = {.bytes = (size_t)prng_below(prng, REPLIES_SIZE)};
	struct server server = {.managed = false};

	control_map_clear(sandbox->control_map);
	sandbox->control_map->sync_nanoseconds = (long)prng_below(prng, SYNC_NANOSECONDS);
	if (sandbox_start(sandbox, &server, chosen) == SERVER_READY) {
		kill_trigger.process = server.process;
		load(&server, ledger, &kill_trigger, complaint);
	} else {
		text_add_string(complaint, "the server does not start; ");
	}
	reap(&server, false, complaint);
	if (prng_below(prng, START_KILLED) == 0) {
		kill_a_start(sandbox, ledger, prng, complaint);
	}
	sandbox_restart(sandbox, chosen, ledger, complaint);
}

static void
kill_at_random(struct sandbox *sandbox, void *context)
{
	static struct ledger ledger;
	unsigned chains = sandbox->settings->brief ? CHAINS_SHORT : CHAINS_LONG;
	unsigned chain;

	(void)context;
	while (sandbox_continue(sandbox) && (chain = sandbox_take(sandbox)) < chains) {
		uint64_t prng = prng_init(sandbox->settings->seed, chain + 1);

		ledger = (struct ledger){.connections = 0};
		path_empty(&sandbox->directory);
		for (int round = 0; round < ROUNDS; round++) {
			struct text complaint = {0};
			char description[DESCRIPTION_SIZE];
			bool failed;

			kill_once(sandbox, &ledger, &prng, &complaint);
			failed = complaint.length > 0;
			snprintf(description, sizeof description,
			    "killed at random, chain %u, round %d", chain, round);
			sandbox_report(sandbox, description, &complaint);
			if (failed) {
				break;
			}
		}
	}
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("crash", argc, argv);
	struct calls *calls = harness_share(sizeof *calls);

	server_require();
	harness_run(&harness, "no kill", count_calls, calls);
	harness_run(&harness, "killed at each call", kill_in_order, calls);
	harness_run(&harness, "killed at random", kill_at_random, NULL);
	return harness_finish(&harness);
}
