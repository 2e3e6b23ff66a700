/*
 * NAME
 *	crash - kill the server at every step, and check that no acknowledged message is lost
 *
 * SYNOPSIS
 *	crash [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	In order: run a server with --keep once for each of its calls on files and sockets, and
 *	SIGKILL it before the call; for each write, once more, and SIGKILL it in the middle.
 *
 *	At random: SIGKILL a server under load once its clients have received a random number of
 *	bytes. In some rounds the next server is killed while it starts. ROUNDS rounds follow one
 *	another in the same directory.
 *
 *	After each kill a server with --keep must start, give the next message the right number and
 *	stop; every acknowledged message must be stored once and complete, without gaps or torn
 *	records.
 *
 *	--short: a sample of the calls, and fewer rounds.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "control_map.h"
#include "harness.h"
#include "mail.h"
#include "sandbox.h"
#include "server.h"

/* Concurrent clients, and messages of each. SIGKILL can interrupt the writev() of the longest. */
#define CLIENTS 5
#define MAILS   14

/* Body lines of each message. */
static const unsigned lines[MAILS] = {1, 0, 3, 12, 1, 2, 60, 1, 5, 1, 2, 900, 1, 2};

/* Approximate bytes of replies to all clients. */
#define REPLIES_SIZE 6500

/* Limit of the random duration of a flush, in nanoseconds. */
#define SYNC_NANOSECONDS 100000

#define DESCRIPTION_SIZE 160

/* ---- in order ---- */

/* The calls before which the server is killed. */
static const struct row {
	enum function function;
	bool writes; /* kill also in the middle of the call */
} rows[] = {
    {FUNCTION_CLOSE, false},
    {FUNCTION_COPY_FILE_RANGE, true},
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

/* With --short, one call in this many. */
#define SHORT_EVERY 24

/* Shared by the workers: calls made in a run without a kill. */
struct calls {
	atomic_uint calls[ARRAY_LENGTH(options)][FUNCTIONS];
};

/*
 * Wait for a server that the shim has killed (`was_killed`); stop one that may still run. If
 * SIGKILL has not ended it, its exit status must be 0.
 */
static void
reap(struct server *server, bool was_killed, struct bytes *failures)
{
	int status = was_killed ? server_end(server) : server_stop(server);
	bool killed = status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	if (!killed) {
		sandbox_check_end(server, status, 0, failures);
	}
	server_destroy(server);
}

/* Kill a server at one call, and restart. */
static void
kill_at(struct sandbox *sandbox, size_t option, enum function function, unsigned call,
    enum failure_mode failure_mode)
{
	static struct ledger ledger;
	struct bytes failures = {0};
	struct server server = {.managed = false};
	char description[DESCRIPTION_SIZE];

	ledger = (struct ledger){.connections = 0};
	harness_empty(&sandbox->directory);
	control_map_plan(sandbox->control_map, function, failure_mode, call);
	if (sandbox_start(sandbox, &server, options[option]) == SERVER_READY) {
		mail_send_all(&ledger, server.port, CLIENTS, MAILS, lines, NULL, &failures);
	}
	reap(&server, atomic_load(&sandbox->control_map->injections) > 0, &failures);
	sandbox_restart(sandbox, options[option], &ledger, &failures);
	snprintf(description, sizeof description, "%s: killed %s call %u of %s", options[option],
	    failure_mode == FAIL_KILL ? "before" : "within", call,
	    control_map_function_name(function));
	sandbox_report(sandbox, description, &failures);
}

/* Count the calls of a run without a kill. */
static void
count_calls(struct sandbox *sandbox, void *context)
{
	struct calls *calls = context;
	unsigned option;

	while ((option = sandbox_take(sandbox)) < ARRAY_LENGTH(options)) {
		static struct ledger ledger;
		struct bytes failures = {0};
		struct server server = {.managed = false};

		ledger = (struct ledger){.connections = 0};
		harness_empty(&sandbox->directory);
		control_map_clear(sandbox->control_map);
		if (sandbox_start(sandbox, &server, options[option]) == SERVER_READY) {
			mail_send_all(&ledger, server.port, CLIENTS, MAILS, lines, NULL, &failures);
		}
		sandbox_stop(&server, &failures);
		for (enum function function = 0; function < FUNCTIONS; function++) {
			atomic_store(&calls->calls[option][function],
			    atomic_load(&sandbox->control_map->calls[function]));
		}
		sandbox_report(sandbox, options[option], &failures);
	}
}

/*
 * Kill at every call of one function. All workers count the calls in the same order and take turns.
 */
static void
kill_at_all(struct sandbox *sandbox, const struct calls *calls, size_t option,
    const struct row *row, struct prng *prng, unsigned *next)
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
	struct prng prng = prng_init(sandbox->settings->seed, 0);
	unsigned next = 0;

	for (size_t option = 0; option < ARRAY_LENGTH(options); option++) {
		for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
			kill_at_all(sandbox, context, option, &rows[i], &prng, &next);
		}
	}
}

/* ---- at random ---- */

/* Rounds of a chain, which has one directory; chains. */
#define ROUNDS       10
#define CHAINS_LONG  40
#define CHAINS_SHORT 2

/*
 * After one round in START_KILLED_EVERY another server is started, and killed at one of the first
 * FIRST_CALLS calls of a function.
 */
#define START_KILLED_EVERY 3
#define FIRST_CALLS        8

/* Start a server with a kill planned early in its start. */
static void
kill_a_start(
    struct sandbox *sandbox, struct ledger *ledger, struct prng *prng, struct bytes *failures)
{
	struct server server = {.managed = false};
	enum function function;

	function = rows[prng_below(prng, ARRAY_LENGTH(rows))].function;
	control_map_plan(
	    sandbox->control_map, function, FAIL_KILL, 1 + (unsigned)prng_below(prng, FIRST_CALLS));
	if (sandbox_start(sandbox, &server, "--keep") == SERVER_READY) {
		mail_send_all(ledger, server.port, CLIENTS, MAILS, lines, NULL, failures);
	}
	reap(&server, atomic_load(&sandbox->control_map->injections) > 0, failures);
}

/* Run one round. */
static void
kill_once(struct sandbox *sandbox, struct ledger *ledger, struct prng *prng, struct bytes *failures)
{
	const char *chosen = options[prng_below(prng, ARRAY_LENGTH(options))];
	struct kill_trigger kill_trigger = {.bytes = (size_t)prng_below(prng, REPLIES_SIZE)};
	struct server server = {.managed = false};

	control_map_clear(sandbox->control_map);
	sandbox->control_map->sync_nanoseconds = (long)prng_below(prng, SYNC_NANOSECONDS);
	if (sandbox_start(sandbox, &server, chosen) == SERVER_READY) {
		kill_trigger.process = server.process;
		mail_send_all(ledger, server.port, CLIENTS, MAILS, lines, &kill_trigger, failures);
	} else {
		bytes_add_string(failures, "the server does not start; ");
	}
	reap(&server, false, failures);
	if (prng_below(prng, START_KILLED_EVERY) == 0) {
		kill_a_start(sandbox, ledger, prng, failures);
	}
	sandbox_restart(sandbox, chosen, ledger, failures);
}

static void
kill_at_random(struct sandbox *sandbox, void *context)
{
	static struct ledger ledger;
	unsigned chains = sandbox->settings->brief ? CHAINS_SHORT : CHAINS_LONG;
	unsigned chain;

	(void)context;
	while (sandbox_continue(sandbox) && (chain = sandbox_take(sandbox)) < chains) {
		struct prng prng = prng_init(sandbox->settings->seed, chain + 1);

		ledger = (struct ledger){.connections = 0};
		harness_empty(&sandbox->directory);
		for (int round = 0; round < ROUNDS; round++) {
			struct bytes failures = {0};
			char description[DESCRIPTION_SIZE];
			bool failed;

			kill_once(sandbox, &ledger, &prng, &failures);
			failed = failures.length > 0;
			snprintf(description, sizeof description,
			    "killed at random, chain %u, round %d", chain, round);
			sandbox_report(sandbox, description, &failures);
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
