/*
 * NAME
 *	power_loss - cut the power after every step, and check that no acknowledged message is lost
 *
 * SYNOPSIS
 *	power_loss [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	A server runs under load, and a trace records its operations on files, its readiness line
 *	and every 250 that it sends. Then a power loss is simulated after each of these steps:
 *	flushed data is on the disk, any other operation may be there or not (see disk.h). Each
 *	possible state is tried; if there are many, a pseudo-random sample of them. It is written to
 *	a directory, where a server with --keep --sync must start, give the next message the right
 *	number and stop; every message acknowledged before the cut must be stored, in order, without
 *	gaps or duplicates.
 *
 *	On some of these states a second server is started under load and recorded as well, and the
 *	power is cut after each of its steps.
 *
 *	Scenarios:
 *
 *	under load		a server with --keep --sync in an empty directory
 *	sync after none		a server with --keep, then one with --keep --sync. When the
 *				latter is ready, the messages acknowledged by the former are
 *				durable, too, and the cuts begin
 *	the first commit	a server without options, then one with --keep --sync. The cuts
 *				begin with the start of the latter; what was acknowledged before
 *				counts when it is ready
 *	sync alone		a server with --sync and a backup of an earlier run. Without
 *				--keep no server continues: each state is only searched, and
 *				every acknowledged message and the old backup must be in some
 *				file
 *
 *	--short: cut after some of the steps.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_map.h"
#include "disk.h"
#include "harness.h"
#include "mail.h"
#include "sandbox.h"
#include "server.h"
#include "trace.h"

/* Limit of message numbers: the acknowledgements of others are ignored. */
#define NUMBERS_MAX 512

/* Duration of a flush in nanoseconds: long enough for other threads to append. */
#define SYNC_NANOSECONDS 200000

/* The most states tried after each step: with --short, without, and of a second server. */
#define STATES_SHORT  8
#define STATES_LONG   64
#define STATES_SECOND 24

/* Of the states after steps that is_for_second() selects, one in this many gets a second server. */
#define SECOND_LONG  2
#define SECOND_SHORT 16

/* Fewer pending operations than this can be chosen by the binary digits of a number. */
#define DIGITS_MAX 16

/* With --short, cut after one step in this many. */
#define SHORT_EVERY 8

/* Slots of the hash table of tried states; far more than needed. */
#define TRIED_MAX ((size_t)1 << 18)

#define DESCRIPTION_SIZE 160

/* How often each scenario is recorded: threads run in another order each time. */
#define REPETITIONS_LONG 3

/* ---- scenarios ---- */

#define RUNS_MAX 2

/* Concurrent clients under load, and messages of each. */
#define CLIENTS 5
#define MAILS   14

/* A server of a scenario, and the messages of its concurrent clients. */
struct run {
	const char *options;
	size_t connections;
	size_t mails; /* on each */
};

static const struct scenario {
	const char *name;
	struct run runs[RUNS_MAX];
	size_t run_count;
	const char *old_backup; /* initial content of mailbox.1-32, or NULL */
	size_t cut_in_run;      /* first run in which the power is cut */
	unsigned trusted_ready; /* acknowledgements count once this many servers were ready */
	bool from_ready;        /* no cuts before that */
	bool searched;          /* no restart: search the files */
	bool seconds;           /* record a second server after some cuts */
} scenarios[] = {
    {.name = "under load",
	.runs = {{"--keep --sync", CLIENTS, MAILS}},
	.run_count = 1,
	.seconds = true},
    {.name = "sync after none",
	.runs = {{"--keep", 1, 6}, {"--keep --sync", 2, 3}},
	.run_count = 2,
	.cut_in_run = 1,
	.trusted_ready = 2,
	.from_ready = true},
    {.name = "the first commit",
	.runs = {{"", 1, 6}, {"--keep --sync", 2, 3}},
	.run_count = 2,
	.cut_in_run = 1,
	.trusted_ready = 2},
    {.name = "sync alone",
	.runs = {{"--sync", CLIENTS, MAILS}},
	.run_count = 1,
	.old_backup = "What an earlier run has saved is to be kept.\n",
	.searched = true},
};

/* Body lines of the messages on each connection. */
static const unsigned scenario_lines[MAILS] = {1, 0, 3, 12, 1, 2, 60, 1, 5, 1, 2, 20, 1, 2};

/* Body lines of the messages to a second server: the first message is longer than a backup. */
static const unsigned second_lines[] = {900, 1, 2};

/* ---- exploring one scenario ---- */

/* Exploration of a trace, with a cut after each step. */
struct exploration {
	struct sandbox *sandbox;
	const struct scenario *scenario;
	struct ledger *ledger; /* outcomes at the end of the recording */
	struct disk *disk;
	struct trace trace;
	unsigned generation; /* 1, or 2 if the trace is that of a second server */
	size_t uncut_steps;  /* of the runs before cut_in_run: no cut after these */
	unsigned states;     /* most that are tried after each step */
	struct prng prng;
	unsigned ready;                 /* servers that were ready so far */
	bool replied[NUMBERS_MAX];      /* by message number: 250 was sent */
	bool acknowledged[NUMBERS_MAX]; /* by message number: 250 counts, see trusted_ready */
	uint64_t acknowledged_count;
};

/* Hashes of the states tried; 0 is an empty slot. Open addressing. */
static uint64_t tried[TRIED_MAX];

/* The disk of the first server, and of a second. */
static struct disk first_disk;
static struct disk second_disk;

/* States after the last step that get a second server, and how many. */
static struct disk_state seconds[STATES_LONG];
static size_t second_count;

/* Add a state to the tried ones. Returns whether it is new. */
static bool
add_tried(uint64_t hash)
{
	size_t at = hash % TRIED_MAX;

	while (tried[at] != 0) {
		if (tried[at] == hash) {
			return false;
		}
		at = (at + 1) % TRIED_MAX;
	}
	tried[at] = hash;
	return true;
}

/* Return the ledger at the moment of the cut. */
static const struct ledger *
ledger_at_cut(const struct exploration *exploration)
{
	static struct ledger ledger;

	ledger = *exploration->ledger;
	for (size_t i = 0; i < ledger.connections * MAILS_A_CONNECTION; i++) {
		struct mail *mail = &ledger.mails[i];

		if (mail->outcome == OUTCOME_DELIVERED &&
		    !(mail->number < NUMBERS_MAX && exploration->acknowledged[mail->number])) {
			mail->outcome = OUTCOME_UNKNOWN;
		}
	}
	return &ledger;
}

/* ---- trying a state ---- */

/* Start a server that writes a trace. */
static enum server_state
start_recorded(
    const struct sandbox *sandbox, struct server *server, const char *options, const char *trace)
{
	control_map_clear(sandbox->control_map);
	sandbox->control_map->sync_nanoseconds = SYNC_NANOSECONDS;
	memcpy(sandbox->control_map->trace, trace, strlen(trace) + 1);
	return sandbox_start(sandbox, server, options);
}

/* Restart on the files in the sandbox. The ledger is copied, because the restart adds to it. */
static void
restart(const struct sandbox *sandbox, const struct ledger *at_cut, struct bytes *failures)
{
	static struct ledger ledger;

	ledger = *at_cut;
	sandbox_restart(sandbox, "--keep --sync", &ledger, failures);
}

/* Return the file with this name, or NULL. */
static const struct disk_file *
find_file(const struct disk_state *state, const char *name)
{
	for (size_t i = 0; i < DISK_NAMES_MAX; i++) {
		if (strcmp(state->names[i].name, name) == 0) {
			return &state->files[state->names[i].file];
		}
	}
	return NULL;
}

/* Return whether a file contains these bytes. */
static bool
contains(const struct disk_file *file, const struct bytes *wanted)
{
	for (size_t at = 0; at + wanted->length <= file->size; at++) {
		if (memcmp(file->content.at + at, wanted->at, wanted->length) == 0) {
			return true;
		}
	}
	return false;
}

/* Return whether the mailbox or a backup contains these bytes. */
static bool
is_stored(const struct disk_state *state, const struct bytes *wanted)
{
	static const char *const names[] = {
	    "mailbox", "mailbox.1-32", "mailbox.33-64", "mailbox.1-32.~1~"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		const struct disk_file *file = find_file(state, names[i]);

		if (file != NULL && contains(file, wanted)) {
			return true;
		}
	}
	return false;
}

/* Search for every acknowledged message and for the old backup. */
static void
search(const struct exploration *exploration, const struct disk_state *state,
    const struct ledger *ledger, struct bytes *failures)
{
	struct bytes wanted = {0};

	bytes_add_string(&wanted, exploration->scenario->old_backup);
	if (!is_stored(state, &wanted)) {
		bytes_add_string(failures, "the backup of an earlier run is lost; ");
	}
	for (size_t i = 0; i < ledger->connections * MAILS_A_CONNECTION; i++) {
		if (ledger->mails[i].outcome == OUTCOME_DELIVERED) {
			bytes_free(&wanted);
			mail_add_record(&wanted, ledger, i, ledger->mails[i].number);
			if (!is_stored(state, &wanted)) {
				bytes_add_format(failures,
				    "message %zu, number %" PRIu64 ", is lost; ", i,
				    ledger->mails[i].number);
			}
		}
	}
	bytes_free(&wanted);
}

/* Return whether a second server is to be tried: a truncation or a change of names is pending. */
static bool
is_for_second(const struct exploration *exploration)
{
	const struct disk *disk = exploration->disk;

	if (exploration->generation > 1 || !exploration->scenario->seconds) {
		return false;
	}
	for (size_t i = 0; i < disk->pending_count; i++) {
		enum disk_effect_kind kind = disk->pending[i].kind;

		if (kind == EFFECT_TRUNCATE || kind == EFFECT_NAME || kind == EFFECT_UNNAME) {
			return true;
		}
	}
	return false;
}

/* Try one state if it is new and belongs to this worker. Returns whether to run a second server. */
static bool
try_state(struct exploration *exploration, const struct disk_state *state, unsigned number)
{
	struct sandbox *sandbox = exploration->sandbox;
	const struct settings *settings = sandbox->settings;
	const struct ledger *ledger = ledger_at_cut(exploration);
	struct bytes failures = {0};
	char description[DESCRIPTION_SIZE];
	/* The same files are tried again if more messages are acknowledged. */
	uint64_t hash = disk_state_hash(state) + exploration->acknowledged_count + 1;

	if ((exploration->generation == 1 && hash % settings->workers != sandbox->number) ||
	    !add_tried(hash)) {
		return false;
	}
	if (exploration->scenario->searched) {
		search(exploration, state, ledger, &failures);
	} else {
		harness_empty(&sandbox->directory);
		disk_state_write(state, &sandbox->directory);
		restart(sandbox, ledger, &failures);
	}
	snprintf(description, sizeof description,
	    "%s, server %u, cut after step %" PRIu64 ", state %u", exploration->scenario->name,
	    exploration->generation, exploration->disk->steps, number);
	sandbox_report(sandbox, description, &failures);
	/* The high bits: the low ones have selected the worker. */
	return is_for_second(exploration) &&
	       (hash >> 32) % (settings->brief ? SECOND_SHORT : SECOND_LONG) == 0;
}

/* ---- choosing states ---- */

/* Probabilities are multiples of 1 / DRAW_ODDS. */
#define DRAW_ODDS 4

/* Ways to choose operations, used in turn. */
enum draw_kind {
	DRAW_EACH,    /* each independently */
	DRAW_STEPS,   /* all or none of those of the same step */
	DRAW_ONE,     /* one only */
	DRAW_ALL_BUT, /* all but one */
	DRAW_FIRST,   /* a prefix */
	DRAWS
};

/* Choose operations at random, in the way of this turn. */
static void
choose(struct exploration *exploration, bool chosen[], unsigned turn)
{
	const struct disk *disk = exploration->disk;
	struct prng *prng = &exploration->prng;
	uint64_t pivot = prng_below(prng, disk->pending_count);
	uint64_t odds = 1 + prng_below(prng, DRAW_ODDS - 1);

	for (size_t i = 0; i < disk->pending_count; i++) {
		bool same_step = i > 0 && disk->pending[i].step == disk->pending[i - 1].step;

		switch ((enum draw_kind)(turn % DRAWS)) {
		case DRAW_EACH:
			chosen[i] = prng_below(prng, DRAW_ODDS) < odds;
			break;
		case DRAW_STEPS:
			chosen[i] = same_step ? chosen[i - 1] : prng_below(prng, DRAW_ODDS) < odds;
			break;
		case DRAW_ONE:
			chosen[i] = i == pivot;
			break;
		case DRAW_ALL_BUT:
			chosen[i] = i != pivot;
			break;
		case DRAW_FIRST:
		case DRAWS:
			chosen[i] = i <= pivot;
			break;
		}
	}
}

/* Choose the operations by the binary digits of a number. */
static void
choose_by_digits(bool chosen[], size_t count, unsigned digits)
{
	for (size_t i = 0; i < count; i++) {
		chosen[i] = (digits >> i & 1) != 0;
	}
}

/* Cut the power after the current step. Adds the states for second servers to `seconds`. */
static void
cut(struct exploration *exploration)
{
	static bool choice[DISK_PENDING_MAX];
	size_t count = exploration->disk->pending_count;
	bool all = count < DIGITS_MAX && 1U << count <= exploration->states;
	unsigned states = all ? 1U << count : exploration->states;

	for (unsigned i = 0; i < states; i++) {
		struct disk_state state;

		if (all) {
			choose_by_digits(choice, count, i);
		} else if (i < 2) {
			/* None, then all. */
			memset(choice, i == 1, count * sizeof *choice);
		} else {
			choose(exploration, choice, i);
		}
		disk_choose(exploration->disk, choice, &state);
		if (try_state(exploration, &state, i)) {
			seconds[second_count++] = state;
		} else {
			disk_state_destroy(&state);
		}
	}
}

/* ---- the steps of a trace ---- */

/* Enter a readiness line or an acknowledgement into the exploration. */
static void
update(struct exploration *exploration, const struct step *step)
{
	if (step->kind == STEP_READY) {
		exploration->ready++;
	} else if (step->kind == STEP_ACKNOWLEDGED && step->number < NUMBERS_MAX) {
		exploration->replied[step->number] = true;
	}
	if (exploration->ready < exploration->scenario->trusted_ready) {
		return;
	}
	exploration->acknowledged_count = 0;
	for (size_t i = 0; i < NUMBERS_MAX; i++) {
		exploration->acknowledged[i] |= exploration->replied[i];
		exploration->acknowledged_count += exploration->acknowledged[i];
	}
}

/* Return whether to cut the power after this step. */
static bool
is_cut(struct exploration *exploration, const struct step *step)
{
	const struct scenario *scenario = exploration->scenario;

	if (exploration->generation == 1 &&
	    (exploration->disk->steps <= exploration->uncut_steps ||
		(scenario->from_ready && exploration->ready < scenario->trusted_ready))) {
		return false;
	}
	/* The beginning of a flush adds no state; its end only removes some. */
	if (step->kind == STEP_SYNC_BEGIN || step->kind == STEP_SYNC_END) {
		return false;
	}
	return !exploration->sandbox->settings->brief ||
	       prng_below(&exploration->prng, SHORT_EVERY) == 0;
}

/*
 * Apply one step, and cut the power after it, if that is due. Returns false, having freed trace and
 * disk, at the end of the trace or after too many failures.
 */
static bool
apply_step(struct exploration *exploration)
{
	const char *data;
	const struct step *step = trace_next(&exploration->trace, &data);

	if (step == NULL || !sandbox_continue(exploration->sandbox)) {
		trace_free(&exploration->trace);
		disk_destroy(exploration->disk);
		return false;
	}
	disk_step(exploration->disk, step, data);
	update(exploration, step);
	if (is_cut(exploration, step)) {
		cut(exploration);
	}
	return true;
}

/* Start a second server, send it its messages, and stop it. */
static void
load_second(
    struct sandbox *sandbox, struct ledger *ledger, const char *trace, struct bytes *failures)
{
	struct conversation conversations[2];
	struct server server = {.managed = false};
	const size_t count = ARRAY_LENGTH(conversations);

	if (start_recorded(sandbox, &server, "--keep --sync", trace) == SERVER_READY) {
		for (size_t i = 0; i < count; i++) {
			conversation_open(&conversations[i], ledger, server.port,
			    ARRAY_LENGTH(second_lines) - i, second_lines + i);
		}
		conversations_run(conversations, count, NULL);
		for (size_t i = 0; i < count; i++) {
			conversation_close(&conversations[i], ledger, failures);
		}
	}
	sandbox_stop(&server, failures);
}

/* Record a second server on this state, and explore its trace. */
static void
explore_second(struct exploration *first, const struct disk_state *state)
{
	static struct ledger ledger;
	struct sandbox *sandbox = first->sandbox;
	struct path trace = files_path(sandbox->home.name, "second");
	struct exploration second = *first;
	struct bytes failures = {0};

	remove(trace.name);
	harness_empty(&sandbox->directory);
	disk_state_write(state, &sandbox->directory);
	disk_init(&second_disk, &sandbox->directory);
	ledger = *ledger_at_cut(first);
	load_second(sandbox, &ledger, trace.name, &failures);
	sandbox_report(sandbox, "a second server", &failures);
	second.generation = 2;
	second.ledger = &ledger;
	second.disk = &second_disk;
	second.trace = trace_load(trace.name);
	second.states = sandbox->settings->brief ? STATES_SHORT : STATES_SECOND;
	while (apply_step(&second)) {
	}
}

/* ---- recording a scenario ---- */

/* A recorded scenario, explored by the workers. */
struct recording {
	const struct scenario *scenario;
	struct path trace;
	struct ledger ledger;
	size_t uncut_steps; /* of the runs before cut_in_run */
};

/* Record one server of a scenario. */
static void
record_run(struct sandbox *sandbox, struct recording *recording, const struct run *run,
    struct bytes *failures)
{
	struct server server = {.managed = false};

	if (start_recorded(sandbox, &server, run->options, recording->trace.name) == SERVER_READY) {
		mail_send_all(&recording->ledger, server.port, run->connections, run->mails,
		    scenario_lines, NULL, failures);
	}
	sandbox_stop(&server, failures);
}

static size_t
count_steps(const char *path)
{
	struct trace trace = trace_load(path);
	const char *data;
	size_t count = 0;

	while (trace_next(&trace, &data) != NULL) {
		count++;
	}
	trace_free(&trace);
	return count;
}

/* Record all runs of a scenario, one after the other. */
static void
record(struct sandbox *sandbox, struct recording *recording)
{
	const struct scenario *scenario = recording->scenario;
	struct bytes failures = {0};

	recording->trace = files_path(sandbox->home.name, "trace");
	harness_empty(&sandbox->directory);
	remove(recording->trace.name);
	if (scenario->old_backup != NULL) {
		files_write_in(sandbox->directory.name, "mailbox.1-32", scenario->old_backup,
		    strlen(scenario->old_backup));
	}
	disk_init(&first_disk, &sandbox->directory);
	for (size_t i = 0; i < scenario->run_count; i++) {
		if (i > 0 && i == scenario->cut_in_run) {
			recording->uncut_steps = count_steps(recording->trace.name);
		}
		record_run(sandbox, recording, &scenario->runs[i], &failures);
	}
	sandbox_report(sandbox, scenario->name, &failures);
}

static void
work(struct sandbox *sandbox, void *context)
{
	struct recording *recording = context;
	struct exploration exploration = {
	    .sandbox = sandbox,
	    .scenario = recording->scenario,
	    .ledger = &recording->ledger,
	    .disk = &first_disk,
	    .trace = trace_load(recording->trace.name),
	    .generation = 1,
	    .uncut_steps = recording->uncut_steps,
	    .states = sandbox->settings->brief ? STATES_SHORT : STATES_LONG,
	    .prng = prng_init(sandbox->settings->seed, 0),
	};

	while (apply_step(&exploration)) {
		while (second_count > 0) {
			second_count--;
			explore_second(&exploration, &seconds[second_count]);
			disk_state_destroy(&seconds[second_count]);
		}
	}
}

/* Record a scenario once, and explore it. */
static void
record_and_explore(
    struct harness *harness, struct sandbox *sandbox, const struct scenario *scenario)
{
	static struct recording recording;
	char what[DESCRIPTION_SIZE];

	recording = (struct recording){.scenario = scenario};
	record(sandbox, &recording);
	snprintf(what, sizeof what, "power_loss, %s, %zu steps", scenario->name,
	    count_steps(recording.trace.name));
	harness_run(harness, what, work, &recording);
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("power_loss", argc, argv);
	struct sandbox sandbox = harness_sandbox(&harness);
	unsigned repetitions = harness.settings.brief ? 1 : REPETITIONS_LONG;

	server_require();
	for (size_t i = 0; i < ARRAY_LENGTH(scenarios) * repetitions; i++) {
		record_and_explore(&harness, &sandbox, &scenarios[i % ARRAY_LENGTH(scenarios)]);
	}
	return harness_finish(&harness);
}
