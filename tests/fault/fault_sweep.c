/*
 * NAME
 *	fault_sweep - make every call of the server fail once with each of its errors
 *
 * SYNOPSIS
 *	fault_sweep [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	A scenario is an initial directory, options, and a script of messages. A first run counts
 *	the calls of each function. Then there is one run for each call and each error of the
 *	function. Functions that transfer bytes are also made to transfer fewer; and to transfer
 *	fewer at one call and fail at the next. Functions whose failure may persist, for lack of
 *	memory or because of the disk, are also made to fail until the script has ended.
 *
 *	After each fault the server has either refused to start, with one line and status 1; or it
 *	is alive, delivers the next message and stops with status 0, and the directory agrees with
 *	the ledger. A server that refused must start without the fault; one with --keep must
 *	continue its mailbox after a restart.
 *
 *	--short: one fault of each function in each scenario, and a sample of all others.
 *
 * DIAGNOSTICS
 *	A function that no scenario calls is a failure.
 */

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_directory.h"
#include "control_map.h"
#include "harness.h"
#include "mail.h"
#include "proc.h"
#include "sandbox.h"
#include "server.h"

/* ---- functions and their errors ---- */

#define ERRORS_MAX 24

/* A function, and the errors that its manual page allows for the server's calls. */
static const struct row {
	enum function function;
	bool transfers;         /* it transfers bytes, and may transfer fewer than requested */
	bool may_persist;       /* its failure may persist */
	bool is_resumed;        /* EINTR or a short transfer must not affect any client */
	int errors[ERRORS_MAX]; /* the first one also persists, or follows a short transfer */
} rows[] = {
    {.function = FUNCTION_ACCEPT,
	.is_resumed = true,
	.errors = {EAGAIN, ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, EMFILE, ENETDOWN,
	    ENETUNREACH, ENFILE, ENOBUFS, ENOMEM, ENONET, ENOPROTOOPT, ENOSR, EOPNOTSUPP, EPERM,
	    EPROTO, EPROTONOSUPPORT, ESOCKTNOSUPPORT, ETIMEDOUT}},
    {.function = FUNCTION_BIND, .errors = {EACCES, EADDRINUSE, EADDRNOTAVAIL, ENOMEM}},
    {.function = FUNCTION_CALLOC, .may_persist = true, .errors = {ENOMEM}},
    {.function = FUNCTION_CLOSE, .errors = {EDQUOT, EINTR, EIO, ENOSPC}},
    {.function = FUNCTION_DUP, .errors = {EMFILE}},
    {.function = FUNCTION_COPY_FILE_RANGE,
	.transfers = true,
	.may_persist = true,
	.is_resumed = true,
	.errors = {EXDEV, EINTR, EINVAL, EIO, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM}},
    {.function = FUNCTION_FCHMOD, .errors = {EIO, EPERM, EROFS}},
    {.function = FUNCTION_FCNTL, .errors = {EPERM}},
    {.function = FUNCTION_FDATASYNC,
	.may_persist = true,
	.is_resumed = true,
	.errors = {EIO, EDQUOT, EINTR, EINVAL, ENOSPC, EROFS}},
    {.function = FUNCTION_FDOPEN, .errors = {EMFILE, ENOMEM}},
    {.function = FUNCTION_FLOCK, .errors = {EINTR, ENOLCK, EWOULDBLOCK}},
    {.function = FUNCTION_FSTAT, .errors = {EIO, ENOMEM, EOVERFLOW}},
    {.function = FUNCTION_FSYNC,
	.may_persist = true,
	.is_resumed = true,
	.errors = {EIO, EDQUOT, EINTR, EINVAL, ENOSPC, EROFS}},
    {.function = FUNCTION_FTRUNCATE,
	.may_persist = true,
	.is_resumed = true,
	.errors = {EIO, EFBIG, EINTR, EPERM, EROFS}},
    {.function = FUNCTION_GETADDRINFO,
	.errors = {EAI_AGAIN, EAI_FAIL, EAI_MEMORY, EAI_NONAME, EAI_SYSTEM}},
    {.function = FUNCTION_GETLINE, .errors = {EIO, ENOMEM}},
    {.function = FUNCTION_GETNAMEINFO, .errors = {EAI_FAIL, EAI_MEMORY, EAI_SYSTEM}},
    {.function = FUNCTION_GETPEERNAME, .errors = {ENOBUFS, ENOTCONN}},
    {.function = FUNCTION_GETSOCKNAME, .errors = {ENOBUFS}},
    {.function = FUNCTION_GETSOCKOPT, .errors = {ENOBUFS, ENOMEM}},
    {.function = FUNCTION_LISTEN, .errors = {EADDRINUSE}},
    {.function = FUNCTION_LSTAT, .may_persist = true, .errors = {EIO, EACCES, ENOMEM}},
    {.function = FUNCTION_MALLOC, .may_persist = true, .errors = {ENOMEM}},
    {.function = FUNCTION_OPEN,
	.may_persist = true,
	.errors = {EMFILE, EACCES, EDQUOT, EINTR, EIO, ENFILE, ENOMEM, ENOSPC, EPERM, EROFS}},
    {.function = FUNCTION_OPENDIR, .errors = {EACCES, EMFILE, ENFILE, ENOMEM}},
    {.function = FUNCTION_PIPE, .errors = {EMFILE, ENFILE}},
    {.function = FUNCTION_POLL, .is_resumed = true, .errors = {EINTR, ENOMEM}},
    {.function = FUNCTION_PREAD,
	.transfers = true,
	.may_persist = true,
	.is_resumed = true,
	.errors = {EIO, EINTR, ENOBUFS, ENOMEM}},
    {.function = FUNCTION_PTHREAD_COND_INIT, .errors = {EAGAIN, ENOMEM}},
    {.function = FUNCTION_PTHREAD_CREATE, .errors = {EAGAIN, EPERM}},
    {.function = FUNCTION_PTHREAD_MUTEX_INIT, .errors = {EAGAIN, ENOMEM, EPERM}},
    {.function = FUNCTION_PWRITE,
	.transfers = true,
	.may_persist = true,
	.is_resumed = true,
	.errors = {ENOSPC, EAGAIN, EDQUOT, EFBIG, EINTR, EIO, EPERM}},
    {.function = FUNCTION_READDIR, .errors = {EIO}},
    {.function = FUNCTION_REALLOC, .may_persist = true, .errors = {ENOMEM}},
    {.function = FUNCTION_RECV,
	.transfers = true,
	.is_resumed = true,
	.errors = {EAGAIN, ECONNREFUSED, ECONNRESET, EINTR, ENOMEM, ENOTCONN, ETIMEDOUT}},
    {.function = FUNCTION_RENAME,
	.may_persist = true,
	.errors = {ENOSPC, EACCES, EBUSY, EDQUOT, EIO, ENOMEM, EPERM, EROFS}},
    {.function = FUNCTION_SEND,
	.transfers = true,
	.is_resumed = true,
	.errors = {EACCES, EAGAIN, ECONNRESET, EINTR, ENOBUFS, ENOMEM, ENOTCONN, EPIPE}},
    {.function = FUNCTION_SENDTO,
	.errors = {EACCES, EAGAIN, ECONNREFUSED, EINTR, ENOBUFS, ENOENT, ENOMEM}},
    {.function = FUNCTION_SETSOCKOPT, .errors = {ENOBUFS, ENOMEM}},
    {.function = FUNCTION_SHUTDOWN, .errors = {ENOBUFS, ENOTCONN}},
    {.function = FUNCTION_SOCKET,
	.errors = {EACCES, EAFNOSUPPORT, EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {.function = FUNCTION_UNLINK,
	.may_persist = true,
	.errors = {EIO, EACCES, EBUSY, ENOMEM, EPERM, EROFS}},
    {.function = FUNCTION_WRITE, .is_resumed = true, .errors = {EAGAIN, EINTR, EIO, ENOSPC, EPIPE}},
    {.function = FUNCTION_WRITEV,
	.transfers = true,
	.may_persist = true,
	.is_resumed = true,
	.errors = {ENOSPC, EAGAIN, EDQUOT, EFBIG, EINTR, EIO, EPERM}},
};

/* ---- scenarios ---- */

/* Messages in a backup. */
#define BACKUP_EVERY 32

/* The script: clients, and messages of each. One does not fit into a worker's first buffer. */
#define SCRIPT_CONNECTIONS 5
#define SCRIPT_MAILS       14

/* Body lines of each message. */
static const unsigned script_lines[SCRIPT_MAILS] = {1, 0, 3, 12, 1, 2, 400, 1, 5, 1, 2, 40, 1, 2};

/* Duration of a flush in nanoseconds: long enough for other threads to append. */
#define SYNC_NANOSECONDS 30000

static const char old_mailbox[] = "What an earlier run has left is to be erased.\n";
static const char old_backup[] = "What an earlier run has saved is to be kept.\n";
static const char torn_tail[] = "Received: from torn by netid (CS4410MP3)\nNumb";

/* The initial directory: `mails` messages in the mailbox, in a backup, or in both. */
struct beginning {
	unsigned mails;
	bool in_mailbox;
	bool in_backup;
	bool commit; /* there is a mailbox.commit for them */
	bool torn;   /* the beginning of one more record follows */
	bool old;    /* instead: files of an earlier run, without --keep */
};

static const struct scenario {
	const char *name;
	const char *options;
	struct beginning beginning;
	bool keep;
	bool at_once;       /* all clients concurrently, otherwise one after the other */
	bool idles;         /* one more client stays idle until the server stops */
	bool managed;       /* started by a service manager */
	size_t connections; /* used of the script */
	size_t mails;       /* on each */
} scenarios[] = {
    {.name = "new",
	.options = "",
	.beginning = {.old = true},
	.connections = SCRIPT_CONNECTIONS,
	.mails = SCRIPT_MAILS},
    {.name = "keep",
	.options = "--keep",
	.beginning = {.mails = 5, .in_mailbox = true, .commit = true, .torn = true},
	.keep = true,
	.at_once = true,
	.connections = SCRIPT_CONNECTIONS,
	.mails = SCRIPT_MAILS},
    {.name = "sync",
	.options = "--sync",
	.beginning = {.old = true},
	.connections = SCRIPT_CONNECTIONS,
	.mails = SCRIPT_MAILS},
    {.name = "keep and sync, new",
	.options = "--keep --sync",
	.keep = true,
	.connections = SCRIPT_CONNECTIONS,
	.mails = SCRIPT_MAILS},
    {.name = "keep and sync, backup due",
	.options = "--keep --sync",
	.beginning = {.mails = BACKUP_EVERY, .in_mailbox = true, .commit = true},
	.keep = true,
	.at_once = true,
	.connections = SCRIPT_CONNECTIONS,
	.mails = SCRIPT_MAILS},
    {.name = "keep, no commit file",
	.options = "--keep",
	.beginning = {.mails = 5, .in_mailbox = true},
	.keep = true,
	.connections = 1,
	.mails = 3},
    {.name = "keep, backup alone",
	.options = "--keep",
	.beginning = {.mails = BACKUP_EVERY, .in_backup = true},
	.keep = true,
	.connections = 1,
	.mails = 3},
    {.name = "keep, backup made",
	.options = "--keep",
	.beginning = {.mails = BACKUP_EVERY, .in_mailbox = true, .in_backup = true, .commit = true},
	.keep = true,
	.connections = 1,
	.mails = 3},
    {.name = "keep, truncated",
	.options = "--keep",
	.beginning = {.mails = BACKUP_EVERY, .in_backup = true, .commit = true},
	.keep = true,
	.connections = 1,
	.mails = 3},
    {.name = "stop, verbose", .options = "--verbose", .idles = true, .connections = 1, .mails = 3},
    {.name = "managed", .options = "", .managed = true, .connections = 1, .mails = 3},
};

/* One fault to inject. */
struct fault {
	const struct scenario *scenario;
	enum function function; /* FUNCTION_NONE: only count the calls */
	enum failure_mode failure_mode;
	bool is_invisible; /* every message must be delivered in spite of it */
	int error;
	bool persists;  /* it goes on until the script has ended */
	unsigned first; /* number of the first call that fails */
	unsigned count; /* of the calls that fail or transfer fewer bytes */
};

/* A run with a fault. */
struct attempt {
	struct sandbox *sandbox;
	const struct fault *fault;
	bool injected; /* the fault was injected, into the first server */
	struct server server;
	struct ledger ledger;
	struct bytes failures;
};

/* ---- the initial directory ---- */

/* Add the initial messages to the ledger, and their records to `records`. */
static void
add_initial_mails(struct ledger *ledger, unsigned mails, struct bytes *records)
{
	ledger->connections = (mails + MAILS_A_CONNECTION - 1) / MAILS_A_CONNECTION;
	for (unsigned i = 0; i < mails; i++) {
		ledger->mails[i] = (struct mail){
		    .outcome = OUTCOME_DELIVERED, .number = i + 1, .lines = 1 + i % 2};
		mail_add_record(records, ledger, i, i + 1);
	}
}

/* Set up the initial directory of the scenario. */
static void
set_up_directory(struct attempt *attempt)
{
	const struct beginning *beginning = &attempt->fault->scenario->beginning;
	const struct path *directory = &attempt->sandbox->directory;
	struct bytes records = {0};
	struct bytes commit = {0};

	memset(&attempt->ledger, 0, sizeof attempt->ledger);
	harness_empty(directory);
	if (beginning->old) {
		files_write_in(directory->name, "mailbox", old_mailbox, sizeof old_mailbox - 1);
		files_write_in(directory->name, "mailbox.1-32", old_backup, sizeof old_backup - 1);
		return;
	}
	add_initial_mails(&attempt->ledger, beginning->mails, &records);
	if (beginning->in_backup) {
		files_write_in(directory->name, "mailbox.1-32", records.at, records.length);
	}
	if (beginning->commit) {
		bytes_add_format(&commit, "%020zu %020u\n", records.length, beginning->mails);
		files_write_in(directory->name, "mailbox.commit", commit.at, commit.length);
	}
	if (beginning->torn) {
		bytes_add(&records, torn_tail, sizeof torn_tail - 1);
	}
	if (beginning->in_mailbox) {
		files_write_in(directory->name, "mailbox", records.at, records.length);
	}
	bytes_free(&records);
	bytes_free(&commit);
}

/* Set the plan of the shim; FUNCTION_NONE is no fault. */
static void
plan(struct control *control_map, const struct fault *fault, enum function function)
{
	control_map_clear(control_map);
	control_map->function = function;
	control_map->failure_mode = fault->failure_mode;
	control_map->error = fault->error;
	control_map->first = fault->first;
	control_map->count = fault->count;
	control_map->sync_nanoseconds = fault->scenario->at_once ? SYNC_NANOSECONDS : 0;
}

static unsigned
injections(const struct attempt *attempt)
{
	return atomic_load(&attempt->sandbox->control_map->injections);
}

/* ---- the run ---- */

/* Send the script, and enter the outcomes. */
static void
run_script(struct attempt *attempt)
{
	const struct scenario *scenario = attempt->fault->scenario;
	size_t together = scenario->at_once ? scenario->connections : 1;

	for (size_t done = 0; done < scenario->connections; done += together) {
		mail_send_all(&attempt->ledger, attempt->server.port, together, scenario->mails,
		    script_lines, NULL, &attempt->failures);
	}
}

/* If the fault must be invisible, check that every message was delivered. */
static void
check_invisible(struct attempt *attempt)
{
	const struct ledger *ledger = &attempt->ledger;

	for (size_t i = 0; attempt->fault->is_invisible && i < ledger->connections; i++) {
		const struct mail *mails = &ledger->mails[i * MAILS_A_CONNECTION];

		for (size_t j = 0; j < ledger->mails_on[i]; j++) {
			if (mails[j].outcome != OUTCOME_DELIVERED) {
				bytes_add_format(&attempt->failures,
				    "message %zu is not delivered; ", i * MAILS_A_CONNECTION + j);
			}
		}
	}
}

/* Deliver the next message; if the fault is injected only now, the one after that. */
static void
deliver_next(struct attempt *attempt)
{
	struct bytes failures = {0};
	unsigned before = injections(attempt);

	mail_deliver_one(&attempt->ledger, attempt->server.port, &failures);
	if (failures.length > 0 && injections(attempt) > before) {
		mail_deliver_one(&attempt->ledger, attempt->server.port, &attempt->failures);
	} else if (failures.length > 0) {
		bytes_add_string(&attempt->failures, failures.at);
	}
	bytes_free(&failures);
}

/* Check the exit status of the server. */
static void
expect_status(struct attempt *attempt, int status, int expected)
{
	sandbox_check_end(&attempt->server, status, expected, &attempt->failures);
}

/*
 * Stop the server. Unless `idle` is NULL, check that this client is disconnected and, if no fault
 * was injected, gets a 421.
 */
static void
stop(struct attempt *attempt, struct conversation *idle)
{
	if (idle == NULL) {
		expect_status(attempt, server_stop(&attempt->server), 0);
		return;
	}
	kill(attempt->server.process, SIGTERM);
	if (!conversations_run(idle, 1, NULL)) {
		bytes_add_string(&attempt->failures, "the idle client is not disconnected; ");
	} else if (injections(attempt) == 0 &&
		   strstr(bytes_string(&idle->in),
		       "\r\n421 4.3.2 netid Error: shutting down\r\n") == NULL) {
		bytes_add_string(&attempt->failures, "the idle client gets no 421; ");
	}
	conversation_free(idle);
	expect_status(attempt, server_end(&attempt->server), 0);
}

/* Check the directory after a stop. */
static void
check(struct attempt *attempt)
{
	const struct scenario *scenario = attempt->fault->scenario;
	const struct expectations expectations = {
	    .keep = scenario->keep,
	    .old_backup = scenario->beginning.old ? old_backup : NULL,
	};

	check_directory(
	    attempt->sandbox->directory.name, &attempt->ledger, &expectations, &attempt->failures);
}

static enum server_state
start(struct attempt *attempt)
{
	const struct scenario *scenario = attempt->fault->scenario;

	attempt->server = (struct server){.managed = scenario->managed};
	return sandbox_start(attempt->sandbox, &attempt->server, scenario->options);
}

/* Check a server that refused to start: its status, that a fault was injected, and its one line. */
static void
check_refusal(struct attempt *attempt)
{
	static const char prefix[] = "smtpd: ";
	const struct bytes *log = &attempt->server.log;

	expect_status(attempt, server_end(&attempt->server), EXIT_FAILURE);
	if (injections(attempt) == 0 || attempt->fault->is_invisible) {
		bytes_add_string(&attempt->failures, "it ended although nothing had failed; ");
	}
	/* If write() to standard error failed, there is no line. */
	if (attempt->fault->function != FUNCTION_WRITE &&
	    (bytes_count(log, '\n') != 1 ||
		strncmp(bytes_string(log), prefix, sizeof prefix - 1) != 0)) {
		bytes_add_string(
		    &attempt->failures, "it does not log the reason in one line, but ");
		bytes_add_visible(&attempt->failures, bytes_string(log), log->length);
		bytes_add_string(&attempt->failures, "; ");
	}
}

/* Run the script on a started server, and check everything after it. */
static void
run(struct attempt *attempt)
{
	struct conversation idle;
	bool idles = attempt->fault->scenario->idles;

	if (idles) {
		conversation_open(&idle, &attempt->ledger, attempt->server.port, 0, NULL);
		idle.stays = true;
	}
	run_script(attempt);
	check_invisible(attempt);
	if (attempt->fault->persists) {
		atomic_store(&attempt->sandbox->control_map->disabled, true);
	}
	if (!proc_is_running(attempt->server.process)) {
		bytes_add_string(&attempt->failures, "the server has died; ");
	} else {
		deliver_next(attempt);
	}
	stop(attempt, idles ? &idle : NULL);
	check(attempt);
}

/* Start again without the fault, and deliver one more message. */
static void
run_again(struct attempt *attempt)
{
	enum server_state state;

	plan(attempt->sandbox->control_map, attempt->fault, FUNCTION_NONE);
	server_destroy(&attempt->server);
	state = start(attempt);
	if (state != SERVER_READY) {
		bytes_add_string(&attempt->failures, "the server does not start again; ");
	} else {
		mail_deliver_one(&attempt->ledger, attempt->server.port, &attempt->failures);
	}
	expect_status(attempt, server_stop(&attempt->server), 0);
	check(attempt);
}

/*
 * Make a run and, after a fault, another one where that is required. Without a fault the control
 * map then has the number of calls.
 */
static void
make_attempt(struct attempt *attempt)
{
	set_up_directory(attempt);
	plan(attempt->sandbox->control_map, attempt->fault, attempt->fault->function);
	switch (start(attempt)) {
	case SERVER_READY:
		run(attempt);
		attempt->injected = injections(attempt) > 0;
		if (attempt->failures.length == 0 && attempt->fault->scenario->keep &&
		    attempt->fault->function != FUNCTION_NONE) {
			run_again(attempt);
		}
		break;
	case SERVER_ENDED:
		check_refusal(attempt);
		attempt->injected = injections(attempt) > 0;
		if (attempt->failures.length == 0) {
			run_again(attempt);
		}
		break;
	case SERVER_STUCK:
		bytes_add_string(&attempt->failures, "the server is not ready in time; ");
		expect_status(attempt, server_stop(&attempt->server), 0);
		break;
	}
	server_destroy(&attempt->server);
}

/* ---- all runs ---- */

/* About so many further runs of --short, besides one for each function in each scenario. */
#define SHORT_SAMPLE 250

#define DESCRIPTION_SIZE 256

/* Results of the workers. */
struct findings {
	atomic_uint calls[ARRAY_LENGTH(scenarios)][FUNCTIONS]; /* without a fault */
	atomic_uint missed;                                    /* faults that were not injected */
};

/* All faults to inject. */
struct sweep {
	struct fault *faults;
	size_t length;
	size_t capacity;
	struct findings *findings; /* shared */
};

static void
add_fault(struct sweep *sweep, const struct fault *fault)
{
	if (sweep->length == sweep->capacity) {
		sweep->capacity = sweep->capacity == 0 ? 1024 : 2 * sweep->capacity;
		sweep->faults = realloc(sweep->faults, sweep->capacity * sizeof *sweep->faults);
		if (sweep->faults == NULL) {
			abort();
		}
	}
	sweep->faults[sweep->length++] = *fault;
}

/* Add all faults of one call. */
static void
add_call(struct sweep *sweep, const struct scenario *scenario, const struct row *row, unsigned call)
{
	struct fault fault = {
	    .scenario = scenario, .function = row->function, .first = call, .count = 1};

	for (const int *error = row->errors; *error != 0; error++) {
		fault.error = *error;
		fault.is_invisible = row->is_resumed && *error == EINTR;
		add_fault(sweep, &fault);
	}
	fault.error = row->errors[0];
	fault.is_invisible = false;
	if (row->may_persist) {
		fault.persists = true;
		fault.count = UINT_MAX;
		add_fault(sweep, &fault);
		fault.persists = false;
	}
	if (row->transfers) {
		fault.failure_mode = FAIL_SHORT;
		fault.count = 1;
		fault.is_invisible = row->is_resumed;
		add_fault(sweep, &fault);
		fault.is_invisible = false;
		fault.failure_mode = FAIL_SHORT_THEN_ERROR;
		fault.count = 2;
		add_fault(sweep, &fault);
	}
}

/* Keep the first fault of each function in each scenario, and a sample of the others. */
static void
take_sample(struct sweep *sweep, uint64_t seed)
{
	struct prng prng = prng_init(seed, 0);
	size_t kept = 0;

	for (size_t i = 0; i < sweep->length; i++) {
		const struct fault *fault = &sweep->faults[i];
		bool is_first = i == 0 || fault->function != sweep->faults[i - 1].function ||
				fault->scenario != sweep->faults[i - 1].scenario;

		if (is_first || prng_below(&prng, sweep->length) < SHORT_SAMPLE) {
			sweep->faults[kept++] = *fault;
		}
	}
	sweep->length = kept;
}

/* Add all faults of a scenario. */
static void
list_faults(struct sweep *sweep, size_t scenario)
{
	const atomic_uint *calls = sweep->findings->calls[scenario];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		for (unsigned call = 1; call <= calls[rows[i].function]; call++) {
			add_call(sweep, &scenarios[scenario], &rows[i], call);
		}
	}
}

/* Describe a fault. */
static void
describe(const struct fault *fault, char *text, size_t size)
{
	static const char *const modes[] = {
	    [FAIL_ERROR] = "fails",
	    [FAIL_SHORT] = "is cut short",
	    [FAIL_SHORT_THEN_ERROR] = "is cut short and then fails",
	};

	if (fault->function == FUNCTION_NONE) {
		snprintf(text, size, "%s: nothing fails", fault->scenario->name);
	} else {
		snprintf(text, size, "%s: call %u of %s %s%s with error %d (%s)",
		    fault->scenario->name, fault->first, control_map_function_name(fault->function),
		    modes[fault->failure_mode],
		    fault->persists ? " and all others for a while" : "", fault->error,
		    strerror(fault->error)); /* NOLINT(concurrency-mt-unsafe): one thread */
	}
}

/* Make one run and report it. Returns whether the fault was injected. */
static bool
try_fault(struct sandbox *sandbox, const struct fault *fault)
{
	static struct attempt attempt;
	char text[DESCRIPTION_SIZE];

	attempt = (struct attempt){.sandbox = sandbox, .fault = fault};
	make_attempt(&attempt);
	describe(fault, text, sizeof text);
	sandbox_report(sandbox, text, &attempt.failures);
	return attempt.injected;
}

/* Run each scenario without a fault, and store the number of calls in the findings. */
static void
count_calls(struct sandbox *sandbox, void *context)
{
	struct sweep *sweep = context;

	for (size_t i = sandbox->number; i < ARRAY_LENGTH(scenarios);
	     i += sandbox->settings->workers) {
		/* With EINTR the shim counts write() to a pipe, too. */
		const struct fault none = {
		    .scenario = &scenarios[i], .function = FUNCTION_NONE, .error = EINTR};

		try_fault(sandbox, &none);
		for (enum function function = 0; function < FUNCTIONS; function++) {
			unsigned calls = atomic_load(&sandbox->control_map->calls[function]);

			atomic_store(&sweep->findings->calls[i][function], calls);
		}
	}
}

static void
try_all(struct sandbox *sandbox, void *context)
{
	struct sweep *sweep = context;
	size_t next;

	while (sandbox_continue(sandbox) && (next = sandbox_take(sandbox)) < sweep->length) {
		if (!try_fault(sandbox, &sweep->faults[next])) {
			atomic_fetch_add(&sweep->findings->missed, 1);
		}
	}
}

/* Check that some scenario calls each function. */
static void
check_all_are_called(const struct harness *harness, const struct findings *findings)
{
	for (enum function function = 0; function < FUNCTIONS; function++) {
		unsigned calls = 0;

		for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
			calls += findings->calls[i][function];
		}
		if (calls == 0) {
			char why[DESCRIPTION_SIZE];

			snprintf(
			    why, sizeof why, "no call of %s", control_map_function_name(function));
			harness_fail(harness, why);
		}
	}
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("fault_sweep", argc, argv);
	struct sweep sweep = {.findings = harness_share(sizeof *sweep.findings)};

	server_require();
	if (harness_run(&harness, "fault_sweep, nothing fails", count_calls, &sweep)) {
		check_all_are_called(&harness, sweep.findings);
		for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
			list_faults(&sweep, i);
		}
		if (harness.settings.brief) {
			take_sample(&sweep, harness.settings.seed);
		}
		harness_run(&harness, "fault_sweep, something fails", try_all, &sweep);
		printf("%u of these faults were not injected: the order of calls differs between "
		       "runs\n",
		    atomic_load(&sweep.findings->missed));
		free(sweep.faults);
	}
	return harness_finish(&harness);
}
