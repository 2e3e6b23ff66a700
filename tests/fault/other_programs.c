/*
 * NAME
 *	other_programs - change the mailbox between any two calls of the server
 *
 * SYNOPSIS
 *	other_programs [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	There is one run for each call on files and sockets that a server makes when it is ready,
 *	and for each change: before this call another program appends to `mailbox`, truncates,
 *	removes, moves or replaces it. The server must go on, deliver all messages and stop with
 *	status 0. Every message must be stored whole and after an empty line: in the mailbox or a
 *	backup, in the file that was moved, or in the copy that the other program made of what it
 *	removed; and not twice in the server's files, or in the one moved. The bytes that the other
 *	program has written must be in the server's files. Most writes are short, so that changes
 *	come between the parts of a batch and of a record.
 *
 *	The same for each call of a server with --keep that starts on the files of an earlier one.
 *
 *	--short: a sample of the calls.
 *
 * BUGS
 *	Bytes that are appended between the last look at the size and ftruncate() are lost (see
 *	mailbox_file.c): an append before ftruncate() is not tried.
 */

#include <stdio.h>
#include <string.h>

#include "contents.h"
#include "control_map.h"
#include "harness.h"
#include "mail.h"
#include "sandbox.h"
#include "server.h"

/* Concurrent clients, and messages of each. */
#define CLIENTS 4
#define MAILS   14

/* Body lines of each message. */
static const unsigned lines[MAILS] = {1, 0, 3, 12, 1, 2, 60, 1, 5, 1, 2, 90, 1, 2};

#define DESCRIPTION_SIZE 160

static const char *const options[] = {"", "--keep", "--keep --sync"};

static const char *const actions[ACTIONS] = {"append", "truncate", "remove", "move", "replace"};

/* The calls before which the mailbox is changed; those of a start. */
static const enum function functions[] = {FUNCTION_CLOSE, FUNCTION_COPY_FILE_RANGE,
    FUNCTION_FDATASYNC, FUNCTION_FSTAT, FUNCTION_FSYNC, FUNCTION_FTRUNCATE, FUNCTION_LSTAT,
    FUNCTION_OPEN, FUNCTION_PREAD, FUNCTION_PWRITE, FUNCTION_RENAME, FUNCTION_SEND, FUNCTION_UNLINK,
    FUNCTION_WRITEV};

static const enum function start_functions[] = {FUNCTION_CLOSE, FUNCTION_DUP, FUNCTION_FCHMOD,
    FUNCTION_FDATASYNC, FUNCTION_FDOPEN, FUNCTION_FLOCK, FUNCTION_FSTAT, FUNCTION_FSYNC,
    FUNCTION_FTRUNCATE, FUNCTION_GETLINE, FUNCTION_LISTEN, FUNCTION_LSTAT, FUNCTION_OPEN,
    FUNCTION_PREAD, FUNCTION_PTHREAD_CREATE, FUNCTION_PWRITE, FUNCTION_RENAME, FUNCTION_UNLINK};

/* With --short, one call in this many. */
#define SHORT_EVERY 60

/* Shared by the workers: calls made in a run without another program. */
struct calls {
	atomic_uint calls[ARRAY_LENGTH(options)][FUNCTIONS];
};

/* Check that one message is stored. */
static void
check_message(const struct contents *contents, const struct ledger *ledger, size_t identity,
    struct bytes *failures)
{
	struct bytes record = {0};
	unsigned ours, moved, copied;

	mail_add_record(&record, ledger, identity, ledger->mails[identity].number);
	ours = contents_count(&contents->ours, record.at);
	moved = contents_count(&contents->moved, record.at);
	copied = contents_count(&contents->copy, record.at);
	if (ours > 1 || moved > 1 || ours + moved + copied == 0) {
		bytes_add_format(failures,
		    "message %zu is %u times in our files, %u in the moved one, %u in the copy; ",
		    identity, ours, moved, copied);
	}
	bytes_free(&record);
}

/* Check that all messages are stored. `action`: what the other program did; ACTIONS is nothing. */
static void
check(const struct sandbox *sandbox, const struct ledger *ledger, enum action action,
    struct bytes *failures)
{
	struct contents contents = contents_read(sandbox->directory.name);

	for (size_t i = 0; i < ledger->connections * MAILS_A_CONNECTION; i++) {
		if (i % MAILS_A_CONNECTION >= ledger->mails_on[i / MAILS_A_CONNECTION]) {
			continue;
		}
		if (ledger->mails[i].outcome == OUTCOME_DELIVERED) {
			check_message(&contents, ledger, i, failures);
		} else {
			bytes_add_format(failures, "message %zu is not delivered; ", i);
		}
	}
	if ((action == ACTION_APPEND || action == ACTION_REPLACE) &&
	    strstr(contents.ours.at, CONTROL_OTHER_BYTES) == NULL) {
		bytes_add_string(failures, "the bytes of the other program are lost; ");
	}
	contents_free(&contents);
}

/* Run a server under load on the files that are there, with the plan in the control map. */
static void
run_again(struct sandbox *sandbox, const char *words, struct ledger *ledger, struct bytes *failures)
{
	struct server server = {.managed = false};

	if (sandbox_start(sandbox, &server, words) != SERVER_READY) {
		bytes_add_string(failures, "the server does not start; ");
	} else {
		mail_send_all(ledger, server.port, CLIENTS, MAILS, lines, NULL, failures);
	}
	sandbox_stop(&server, failures);
}

/* The same in an empty directory. */
static void
run(struct sandbox *sandbox, const char *words, struct ledger *ledger, struct bytes *failures)
{
	*ledger = (struct ledger){.connections = 0};
	harness_empty(&sandbox->directory);
	run_again(sandbox, words, ledger, failures);
}

/* Count the calls of a run in which nothing else happens. */
static void
count_calls(struct sandbox *sandbox, void *context)
{
	static struct ledger ledger;
	struct calls *calls = context;
	unsigned option;

	while ((option = sandbox_take(sandbox)) < ARRAY_LENGTH(options)) {
		struct bytes failures = {0};

		control_map_clear(sandbox->control_map);
		/* No call is selected, but writev() is shortened as in the other runs. */
		sandbox->control_map->failure_mode = ACT_BEFORE_CALL;
		run(sandbox, options[option], &ledger, &failures);
		check(sandbox, &ledger, ACTIONS, &failures);
		for (enum function function = 0; function < FUNCTIONS; function++) {
			atomic_store(&calls->calls[option][function],
			    atomic_load(&sandbox->control_map->calls[function]));
		}
		sandbox_report(sandbox, options[option], &failures);
	}
}

/* Change the mailbox before one call. */
static void
change_at(struct sandbox *sandbox, size_t option, enum function function, unsigned call,
    enum action action)
{
	static struct ledger ledger;
	struct bytes failures = {0};
	char description[DESCRIPTION_SIZE];

	control_map_plan(sandbox->control_map, function, ACT_BEFORE_CALL, call);
	sandbox->control_map->action = action;
	run(sandbox, options[option], &ledger, &failures);
	check(sandbox, &ledger,
	    atomic_load(&sandbox->control_map->injections) > 0 ? action : ACTIONS, &failures);
	snprintf(description, sizeof description, "%s: %s before call %u of %s", options[option],
	    actions[action], call, control_map_function_name(function));
	sandbox_report(sandbox, description, &failures);
}

/* Return whether the change is tried before calls of the function. */
static bool
is_tried(enum function function, enum action action)
{
	/* Known to lose the other bytes: see BUGS. */
	if (function == FUNCTION_FTRUNCATE && action == ACTION_APPEND) {
		return false;
	}
	/*
	 * The other program copies, then truncates: before these calls another thread could store
	 * messages in between.
	 */
	return action != ACTION_TRUNCATE ||
	       (function != FUNCTION_SEND && function != FUNCTION_CLOSE);
}

/*
 * Make each change before each call. All workers count the cases in the same order and take turns.
 * Calls from before the server is ready are counted, too, but nothing is changed at these: a few
 * runs are without a change.
 */
static void
change_in_order(struct sandbox *sandbox, void *context)
{
	const struct calls *calls = context;
	struct prng prng = prng_init(sandbox->settings->seed, 0);
	unsigned next = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(options) * ARRAY_LENGTH(functions); i++) {
		size_t option = i / ARRAY_LENGTH(functions);
		enum function function = functions[i % ARRAY_LENGTH(functions)];
		unsigned count = atomic_load(&calls->calls[option][function]) * ACTIONS;

		for (unsigned j = 0; j < count && sandbox_continue(sandbox); j++) {
			if (!is_tried(function, (enum action)(j % ACTIONS)) ||
			    (sandbox->settings->brief && prng_below(&prng, SHORT_EVERY) != 0)) {
				continue;
			}
			if (next++ % sandbox->settings->workers == sandbox->number) {
				change_at(sandbox, option, function, 1 + j / ACTIONS,
				    (enum action)(j % ACTIONS));
			}
		}
	}
}

/* ---- during a start ---- */

/* The files of the earlier server: with mailbox.commit, or as if it had run without --keep. */
enum earlier {
	EARLIER_WITH_COMMIT,
	EARLIER_WITHOUT_COMMIT,
	EARLIER_KINDS
};

/* Change the mailbox before one call of a start. Returns false if there are fewer calls. */
static bool
change_start_at(struct sandbox *sandbox, enum earlier earlier, enum function function,
    unsigned call, enum action action)
{
	static struct ledger ledger;
	struct path commit = files_path(sandbox->directory.name, "mailbox.commit");
	struct bytes failures = {0};
	char description[DESCRIPTION_SIZE];
	bool happened;

	control_map_clear(sandbox->control_map);
	run(sandbox, "--keep", &ledger, &failures);
	if (earlier == EARLIER_WITHOUT_COMMIT) {
		remove(commit.name);
	}
	control_map_plan(sandbox->control_map, function, ACT_BEFORE_CALL, call);
	sandbox->control_map->action = action;
	sandbox->control_map->at_start = true;
	run_again(sandbox, "--keep --sync", &ledger, &failures);
	happened = atomic_load(&sandbox->control_map->injections) > 0;
	check(sandbox, &ledger, happened ? action : ACTIONS, &failures);
	snprintf(description, sizeof description, "start %s: %s before call %u of %s",
	    earlier == EARLIER_WITH_COMMIT ? "with mailbox.commit" : "without mailbox.commit",
	    actions[action], call, control_map_function_name(function));
	sandbox_report(sandbox, description, &failures);
	return happened;
}

static void
change_starts(struct sandbox *sandbox, void *context)
{
	const unsigned function_count = ARRAY_LENGTH(start_functions);
	unsigned number;

	(void)context;
	while ((number = sandbox_take(sandbox)) < EARLIER_KINDS * ACTIONS * function_count) {
		enum function function = start_functions[number % function_count];
		enum action action = (enum action)(number / function_count % ACTIONS);
		enum earlier earlier = (enum earlier)(number / function_count / ACTIONS);
		unsigned call = 1;

		while (sandbox_continue(sandbox) &&
		       change_start_at(sandbox, earlier, function, call, action) &&
		       !sandbox->settings->brief) {
			call++;
		}
	}
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("other_programs", argc, argv);
	struct calls *calls = harness_share(sizeof *calls);

	server_require();
	harness_run(&harness, "no change", count_calls, calls);
	harness_run(&harness, "changed before each call", change_in_order, calls);
	harness_run(&harness, "changed before each call of a start", change_starts, NULL);
	return harness_finish(&harness);
}
