/*
 * NAME
 *	between_runs - kill a server, change its mailbox, and start another one with --keep
 *
 * SYNOPSIS
 *	between_runs [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	A server under load, with --keep or without, is killed before or within each of its calls
 *	that change files, so that it leaves torn records, and backups at each step. In most cases
 *	another program has changed the mailbox while it ran. After the kill this program appends to
 *	`mailbox`, truncates, moves or replaces it, removes `mailbox.commit`, or does nothing. In
 *	every second case the directory has a backup of an earlier run, whose name the first backup
 *	needs.
 *
 *	In two of three cases a server with --keep is killed while it starts.
 *
 *	The next server, with --keep, must start, deliver a message and stop. Every acknowledged
 *	message that was whole in one of the files before this start must be there after it, once.
 *	Its number may not be given again if there was a mailbox.commit, or if the message was in
 *	one of the server's files. The bytes of the other program and the old backup must still be
 *	there.
 *
 *	--short: a sample of the cases.
 *
 * BUGS
 *	Bytes that another program appends to a torn record are removed with it, if there is a
 *	mailbox.commit: see recovery.c. So they are not looked for if the log says so.
 */

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "contents.h"
#include "control_map.h"
#include "harness.h"
#include "mail.h"
#include "sandbox.h"
#include "server.h"

/* Clients of the first server: one alone, then the others at once. Messages of each. */
#define CLIENTS 3
#define MAILS   14

/* Body lines of each message. */
static const unsigned lines[MAILS] = {1, 0, 3, 12, 1, 2, 60, 1, 5, 1, 2, 90, 1, 2};

#define DESCRIPTION_SIZE 200

/* With --short, one case in this many. */
#define SHORT_EVERY 20

/* A backup of an earlier run, longer than those of this one. */
#define OLD_NAME  "mailbox.1-32"
#define OLD_LINE  "What an earlier run has saved is to be kept.\n"
#define OLD_LINES 1000

/* Without it, a server with --keep would go on after that backup. */
#define FIRST_COMMIT "00000000000000000000 00000000000000000000\n"

/* Options of the server that is killed, and of the next one. */
static const char *const first_options[] = {"", "--keep", "--keep --sync"};
static const char *const next_options[] = {"--keep", "--keep --sync"};

/* The calls at which the first server is killed. */
static const struct row {
	enum function function;
	bool writes; /* kill also in the middle of the call */
} rows[] = {
    {FUNCTION_COPY_FILE_RANGE, true},
    {FUNCTION_FDATASYNC, false},
    {FUNCTION_FTRUNCATE, false},
    {FUNCTION_PWRITE, true},
    {FUNCTION_RENAME, false},
    {FUNCTION_SEND, false},
    {FUNCTION_WRITEV, true},
};

/* The calls at which the start after that is killed: the first START_CALLS of each. */
static const enum function start_functions[] = {FUNCTION_COPY_FILE_RANGE, FUNCTION_FDATASYNC,
    FUNCTION_FTRUNCATE, FUNCTION_OPEN, FUNCTION_PREAD, FUNCTION_PWRITE, FUNCTION_RENAME,
    FUNCTION_UNLINK};

#define START_CALLS 5

/* What another program does after the kill, in the order of these fields. */
static const struct change {
	const char *name;
	bool removes_commit;  /* remove mailbox.commit */
	bool moves;           /* move the mailbox */
	off_t shorter;        /* remove so many bytes from its end; INT_MAX: all */
	const char *appended; /* append these, to a new mailbox if it was moved; or NULL */
} changes[] = {
    {.name = "nothing"},
    {.name = "append", .appended = CONTROL_OTHER_BYTES},
    {.name = "append a line", .appended = CONTROL_OTHER_BYTES "\n"},
    {.name = "append a line and an empty one", .appended = CONTROL_OTHER_BYTES "\n\n"},
    {.name = "shorten by 1", .shorter = 1},
    {.name = "shorten by 2", .shorter = 2},
    {.name = "shorten by 100", .shorter = 100},
    {.name = "shorten and append", .shorter = 100, .appended = CONTROL_OTHER_BYTES},
    {.name = "empty", .shorter = INT_MAX},
    {.name = "move", .moves = true},
    {.name = "replace", .moves = true, .appended = CONTROL_OTHER_BYTES},
    {.name = "remove mailbox.commit", .removes_commit = true},
    {.name = "remove mailbox.commit and append",
	.appended = CONTROL_OTHER_BYTES,
	.removes_commit = true},
};

/* The same while the first server runs, after the messages of the first client. */
static const struct change early_changes[] = {
    {.name = "nothing"},
    {.name = "append", .appended = CONTROL_OTHER_BYTES},
    {.name = "empty", .shorter = INT_MAX},
    {.name = "move", .moves = true},
    {.name = "replace", .moves = true, .appended = CONTROL_OTHER_BYTES},
};

/* Shared by the workers: calls made in a run without a kill. */
struct calls {
	atomic_uint calls[ARRAY_LENGTH(first_options)][FUNCTIONS];
};

/* A case. */
struct trial {
	size_t option;              /* of the first server */
	const struct change *early; /* while it runs */
	const struct row *row;
	unsigned call;
	enum failure_mode failure_mode;
	const struct change *change;
	bool old_backup;
	const char *next; /* options of the next server */
	enum function start_function;
	unsigned start_call; /* its call before which the start is killed; 0: it is not killed */
};

/* ---- the other program ---- */

/* Change the mailbox. If it is moved, `moved_name` is its new name. */
static void
change_mailbox(const struct path *directory, const struct change *change, const char *moved_name)
{
	struct path mailbox = files_path(directory->name, "mailbox");
	struct path moved = files_path(directory->name, moved_name);
	struct path commit = files_path(directory->name, "mailbox.commit");
	struct bytes content = {0};

	if (change->removes_commit) {
		remove(commit.name);
	}
	if (change->moves && files_exists(mailbox.name)) {
		REQUIRE_CALL(rename(mailbox.name, moved.name));
	}
	files_read_append(mailbox.name, &content);
	if (change->shorter > 0) {
		size_t removed = (size_t)change->shorter;

		content.length -= removed < content.length ? removed : content.length;
	}
	if (change->appended != NULL) {
		bytes_add_string(&content, change->appended);
	}
	if (change->shorter > 0 || change->appended != NULL) {
		/* Not replaced: the file is the same one. */
		files_write(mailbox.name, content.at, content.length);
	}
	bytes_free(&content);
}

static void
add_old_backup(const struct path *directory)
{
	struct bytes content = {0};

	for (int i = 0; i < OLD_LINES; i++) {
		bytes_add_string(&content, OLD_LINE);
	}
	files_write_in(directory->name, OLD_NAME, content.at, content.length);
	files_write_in(directory->name, "mailbox.commit", FIRST_COMMIT, strlen(FIRST_COMMIT));
	bytes_free(&content);
}

/* Return whether the old backup is there, under its own name or another one. */
static bool
has_old_backup(const struct path *directory)
{
	static const char *const names[] = {OLD_NAME, OLD_NAME ".~1~", OLD_NAME ".~2~"};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct path path = files_path(directory->name, names[i]);

		found = found || files_length(path.name) == (off_t)strlen(OLD_LINE) * OLD_LINES;
	}
	return found;
}

/* ---- the first server ---- */

static bool
is_killed(const struct sandbox *sandbox)
{
	return atomic_load(&sandbox->control_map->injections) > 0;
}

/*
 * Run the first server, with the plan in the control map, until it is killed, or to its end. The
 * mailbox is changed after the messages of one client.
 */
static void
run_first(struct sandbox *sandbox, size_t option, const struct change *early, struct ledger *ledger,
    struct bytes *failures)
{
	struct server server = {.managed = false};

	*ledger = (struct ledger){.connections = 0};
	if (sandbox_start(sandbox, &server, first_options[option]) == SERVER_READY) {
		mail_send_all(ledger, server.port, 1, MAILS, lines, NULL, failures);
		if (!is_killed(sandbox)) {
			change_mailbox(&sandbox->directory, early, CONTROL_COPY);
			mail_send_all(
			    ledger, server.port, CLIENTS - 1, MAILS, lines, NULL, failures);
		}
	}
	if (is_killed(sandbox)) {
		server_end(&server);
		server_destroy(&server);
	} else {
		sandbox_stop(&server, failures);
	}
}

/* Count the calls of a run without a kill. */
static void
count_calls(struct sandbox *sandbox, void *context)
{
	static struct ledger ledger;
	struct calls *calls = context;
	unsigned option;

	while ((option = sandbox_take(sandbox)) < ARRAY_LENGTH(first_options)) {
		struct bytes failures = {0};

		harness_empty(&sandbox->directory);
		control_map_clear(sandbox->control_map);
		run_first(sandbox, option, &early_changes[0], &ledger, &failures);
		for (enum function function = 0; function < FUNCTIONS; function++) {
			atomic_store(&calls->calls[option][function],
			    atomic_load(&sandbox->control_map->calls[function]));
		}
		sandbox_report(sandbox, first_options[option], &failures);
	}
}

/* ---- the next server ---- */

/* Count the places after an empty line, in all files, that begin with this text. */
static unsigned
count_in_all(const struct contents *contents, const char *text)
{
	return contents_count(&contents->ours, text) + contents_count(&contents->moved, text) +
	       contents_count(&contents->copy, text);
}

/* Count how often the text of the other program occurs. */
static unsigned
count_other_texts(const struct bytes *content)
{
	unsigned count = 0;

	for (const char *at = content->at; (at = strstr(at, CONTROL_OTHER_BYTES)) != NULL; at++) {
		count++;
	}
	return count;
}

/* Return whether the next server finds a mailbox.commit. */
static bool
has_commit(const struct trial *trial)
{
	return trial->option > 0 && !trial->change->removes_commit;
}

/*
 * Check one acknowledged message of the first server. `own_number` is its number, and `number` that
 * of the message of the next server.
 */
static void
check_message(const struct trial *trial, const struct contents *before,
    const struct contents *after, const struct bytes *record, uint64_t own_number, uint64_t number,
    struct bytes *failures)
{
	unsigned before_ours = contents_count(&before->ours, record->at);
	unsigned ours = contents_count(&after->ours, record->at);
	unsigned had = count_in_all(before, record->at), has = count_in_all(after, record->at);

	if (had == 0 && trial->change->shorter == 0 && trial->early->shorter == 0) {
		bytes_add_format(
		    failures, "message number %" PRIu64 " is lost by the kill; ", own_number);
	} else if ((had > 0 && has == 0) || ours > 1) {
		bytes_add_format(failures,
		    "message number %" PRIu64 " is %u times in the files before the start, and "
		    "%u times after it; ",
		    own_number, had, has);
	}
	if ((has_commit(trial) || before_ours > 0) && number <= own_number) {
		bytes_add_format(failures, "number %" PRIu64 " is given after number %" PRIu64 "; ",
		    number, own_number);
	}
}

/* Compare the files before and after the next start. */
static void
check(const struct sandbox *sandbox, const struct trial *trial, const struct ledger *ledger,
    const struct contents *before, const struct bytes *log, struct bytes *failures)
{
	struct contents after = contents_read(sandbox->directory.name);
	size_t next = (ledger->connections - 1) * MAILS_A_CONNECTION;

	for (size_t i = 0; i < next; i++) {
		struct bytes record = {0};

		if (ledger->mails[i].outcome == OUTCOME_DELIVERED) {
			mail_add_record(&record, ledger, i, ledger->mails[i].number);
			check_message(trial, before, &after, &record, ledger->mails[i].number,
			    ledger->mails[next].number, failures);
			bytes_free(&record);
		}
	}
	/* A start that was killed may have removed a torn tail without a log line. */
	if (count_other_texts(&after.ours) < count_other_texts(&before->ours) &&
	    strstr(log->at, ": removed ") == NULL &&
	    (trial->start_call == 0 || !has_commit(trial))) {
		bytes_add_string(failures, "the bytes of the other program are lost; ");
	}
	if (trial->old_backup && !has_old_backup(&sandbox->directory)) {
		bytes_add_string(failures, "the backup of an earlier run is lost; ");
	}
	contents_free(&after);
}

/* Kill a server while it starts, or stop it if it makes fewer calls. */
static void
kill_start(struct sandbox *sandbox, const struct trial *trial, struct bytes *failures)
{
	struct server server = {.managed = false};

	control_map_plan(sandbox->control_map, trial->start_function, FAIL_KILL, trial->start_call);
	if (sandbox_start(sandbox, &server, trial->next) == SERVER_READY && !is_killed(sandbox)) {
		server_stop(&server);
	} else {
		server_end(&server);
	}
	if (!is_killed(sandbox) && strstr(bytes_string(&server.log), CONTROL_READY) == NULL) {
		bytes_add_string(failures, "the start before that fails; ");
	}
	server_destroy(&server);
}

/* Start the next server, and check what it has done to the files. */
static void
run_next(struct sandbox *sandbox, const struct trial *trial, struct ledger *ledger,
    struct bytes *failures)
{
	struct contents before = contents_read(sandbox->directory.name);
	struct server server = {.managed = false};

	if (trial->start_call > 0) {
		kill_start(sandbox, trial, failures);
	}
	control_map_clear(sandbox->control_map);
	if (sandbox_start(sandbox, &server, trial->next) == SERVER_READY) {
		mail_deliver_one(ledger, server.port, failures);
	} else {
		bytes_add_string(failures, "the next server does not start; ");
		/* check() takes the last connection for that of this server. */
		ledger->connections++;
	}
	sandbox_check_end(&server, server_stop(&server), 0, failures);
	check(sandbox, trial, ledger, &before, &server.log, failures);
	server_destroy(&server);
	contents_free(&before);
}

/* Run one case. */
static void
try(struct sandbox *sandbox, const struct trial *trial)
{
	static struct ledger ledger;
	struct bytes failures = {0};
	char description[DESCRIPTION_SIZE];

	harness_empty(&sandbox->directory);
	if (trial->old_backup) {
		add_old_backup(&sandbox->directory);
	}
	control_map_plan(
	    sandbox->control_map, trial->row->function, trial->failure_mode, trial->call);
	run_first(sandbox, trial->option, trial->early, &ledger, &failures);
	change_mailbox(&sandbox->directory, trial->change, CONTROL_MOVED);
	run_next(sandbox, trial, &ledger, &failures);
	snprintf(description, sizeof description,
	    "%s: %s, killed %s call %u of %s, %s, %s%s, start killed at call %u of %s",
	    first_options[trial->option], trial->early->name,
	    trial->failure_mode == FAIL_KILL ? "before" : "within", trial->call,
	    control_map_function_name(trial->row->function), trial->change->name, trial->next,
	    trial->old_backup ? ", old backup" : "", trial->start_call,
	    control_map_function_name(trial->start_function));
	sandbox_report(sandbox, description, &failures);
}

/* Try all changes after all kills at one function. The workers take turns, in the same order. */
static void
try_row(struct sandbox *sandbox, const struct calls *calls, size_t option, const struct row *row,
    struct prng *prng, unsigned *next)
{
	unsigned modes = row->writes ? 2 : 1;
	unsigned count = atomic_load(&calls->calls[option][row->function]) * modes *
			 (unsigned)ARRAY_LENGTH(changes);

	for (unsigned i = 0; i < count && sandbox_continue(sandbox); i++) {
		unsigned kill = i / (unsigned)ARRAY_LENGTH(changes);
		struct trial trial = {
		    .option = option,
		    .early = &early_changes[(i + kill) % ARRAY_LENGTH(early_changes)],
		    .row = row,
		    .call = 1 + kill / modes,
		    .failure_mode = kill % modes == 0 ? FAIL_KILL : FAIL_KILL_WITHIN,
		    .change = &changes[i % ARRAY_LENGTH(changes)],
		    .old_backup = i % 2 == 0,
		    .next = next_options[i / 2 % 2],
		    .start_function = start_functions[i % ARRAY_LENGTH(start_functions)],
		    .start_call = i % 3 == 0 ? 0 : 1 + i % START_CALLS,
		};

		if (sandbox->settings->brief && prng_below(prng, SHORT_EVERY) != 0) {
			continue;
		}
		if ((*next)++ % sandbox->settings->workers == sandbox->number) {
			try(sandbox, &trial);
		}
	}
}

static void
try_in_order(struct sandbox *sandbox, void *context)
{
	struct prng prng = prng_init(sandbox->settings->seed, 0);
	unsigned next = 0;

	for (size_t option = 0; option < ARRAY_LENGTH(first_options); option++) {
		for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
			try_row(sandbox, context, option, &rows[i], &prng, &next);
		}
	}
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("between_runs", argc, argv);
	struct calls *calls = harness_share(sizeof *calls);

	server_require();
	harness_run(&harness, "no kill", count_calls, calls);
	harness_run(&harness, "killed, changed and started", try_in_order, calls);
	return harness_finish(&harness);
}
