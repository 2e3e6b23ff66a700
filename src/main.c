/*
 * NAME
 *	main - the order in which the server starts and stops
 *
 * DESCRIPTION
 *	The main thread accepts a connection only when a worker is idle and hands it over through a
 *	monitor; the worker speaks SMTP on it and delivers each message through the mailbox monitor,
 *	whose every 32nd message wakes the backup thread.
 *
 *	At the start no existing file is changed until everything else has succeeded: the port is
 *	bound and listening, the mailbox is locked, every thread is running. Only then is the
 *	mailbox emptied or, with --keep, resumed.
 *
 *	A stop follows the flow of mail: no more connections are accepted, then every worker ends
 *	its connection, then the backup thread finishes a pending backup.
 *
 * EXIT STATUS
 *	0	stopped by a signal, and no backup is due; or --help or --version was printed
 *	1	the start or the listening socket has failed, or a backup is still due
 *	2	wrong usage
 *	A second signal ends the process: see signals.h.
 *
 * DIAGNOSTICS
 *	/dev/null: cannot open: why
 *	cannot start threads (see ulimit -u and -v): why
 *	Server coming up on HOST:PORT
 *	mailbox: emptied of the N bytes of an earlier run
 *	mailbox: continuing after message N
 *	shutting down
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "connection.h"
#include "counters.h"
#include "handoff.h"
#include "listener.h"
#include "log.h"
#include "mailbox.h"
#include "monotonic.h"
#include "options.h"
#include "platform.h"
#include "pool.h"
#include "privileges.h"
#include "recovery.h"
#include "rlimit.h"
#include "service.h"
#include "signals.h"

enum {
	EXIT_USAGE = 2
};

struct server {
	struct listener listener;
	struct handoff handoff;
	struct pool pool;
	struct mailbox mailbox;
	struct signals signals;
	pthread_t backup_thread;
	atomic_bool stopping;
	nanoseconds started;
	struct connection_config config;
	struct connection connections[WORKERS];
};

static struct server server;

/*
 * Open /dev/null for each of the descriptors 0 to 2 that is closed: otherwise the mailbox could
 * become standard error. Returns false, having logged why, on failure.
 */
static bool
open_standard_descriptors(void)
{
	for (int descriptor = 0; descriptor <= STDERR_FILENO; descriptor++) {
		/* open() returns the lowest free descriptor: this one. */
		if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", O_RDWR) == -1) {
			log_error(errno, "/dev/null: cannot open");
			return false;
		}
	}
	return true;
}

/*
 * Stop the server: the callback of the signal thread. listener_stop() wakes the main thread if it
 * waits for a client; handoff_close() wakes it if it waits for a worker, and the idle workers. A
 * worker that waits for its client sees `stopping` within STOP_CHECK_TIME.
 */
static void
on_stop(void *context)
{
	struct server *target = context;

	atomic_store(&target->stopping, true);
	listener_stop(&target->listener);
	handoff_close(&target->handoff);
}

/*
 * Adopt the sockets that a service manager has passed, or bind some. Returns false, having logged
 * why, on failure.
 */
static bool
open_listener(const struct options *options)
{
	int first;
	unsigned count;

	if (!service_sockets(&first, &count)) {
		return false;
	}
	return count > 0 ? listener_adopt(&server.listener, first, count)
			 : listener_bind(&server.listener, options->hosts, options->host_count,
			       options->port);
}

/*
 * Acquire all that may fail without changing any file: port, user, lock. Two servers that start at
 * the same time may both bind the port, and only one listen() succeeds: so listen() also comes
 * before the mailbox is emptied. Returns false, having logged why, on failure.
 */
static bool
acquire_resources(const struct options *options)
{
	return rlimit_set() && open_listener(options) &&
	       (options->user == NULL || privileges_drop(options->user)) &&
	       mailbox_open(&server.mailbox, options->keep, options->sync) &&
	       listener_listen(&server.listener);
}

/* Log the counters: the callback of the signal thread for SIGUSR1. */
static void
on_report(void *context)
{
	const struct server *source = context;

	counters_log(source->started, listener_backlog(&source->listener));
}

/* Claim the request for a worker: the callback of the connections. */
static bool
claim_wanted(void *context)
{
	struct server *target = context;

	return handoff_claim_wanted(&target->handoff);
}

static enum protocol
choose_protocol(const struct options *options)
{
	if (!options->extended) {
		return PROTOCOL_SMTP;
	}
	return options->any_login ? PROTOCOL_ESMTP_LOGIN : PROTOCOL_ESMTP;
}

/* Start the workers, each with its own struct connection. Returns as pool_start(). */
static int
start_pool(const struct options *options)
{
	void *contexts[WORKERS];

	server.config = (struct connection_config){
	    .netid = options->netid,
	    .protocol = choose_protocol(options),
	    .max_size = options->max_size,
	    .timeout = options->timeout,
	    .idle_time = options->extended ? IDLE_TIME : 0,
	    .message_time = options->extended ? MESSAGE_TIME : 0,
	    .claim_wanted = options->extended ? claim_wanted : NULL,
	    .context = &server,
	    .verbose = options->verbose,
	    .mailbox = &server.mailbox,
	    .stopping = &server.stopping,
	};
	for (unsigned i = 0; i < WORKERS; i++) {
		connection_init(&server.connections[i], &server.config);
		contexts[i] = &server.connections[i];
	}
	return pool_start(&server.pool, &server.handoff, connection_serve, contexts);
}

/*
 * Start every thread. Returns false, having logged why, on failure: then the process must exit, and
 * the threads already started, which are all waiting, end with it.
 */
static bool
start_threads(const struct options *options)
{
	int error;

	server.started = monotonic_now();
	signals_block();
	server.signals.on_stop = on_stop;
	server.signals.on_report = on_report;
	server.signals.context = &server;
	error = handoff_init(&server.handoff);
	if (error == 0) {
		error = backup_start(&server.backup_thread, &server.mailbox);
	}
	if (error == 0) {
		error = start_pool(options);
	}
	if (error == 0) {
		error = signals_start(&server.signals);
	}
	if (error != 0) {
		log_error(error, "cannot start threads (see ulimit -u and -v)");
	}
	return error == 0;
}

/*
 * Empty the mailbox, and log that if it was not empty. Returns false, having logged why, on
 * failure.
 */
static bool
empty_mailbox(void)
{
	struct stat status;
	off_t size = fstat(server.mailbox.file.descriptor, &status) == 0 ? status.st_size : 0;

	if (!mailbox_resume(&server.mailbox, NULL)) {
		return false;
	}
	if (size > 0) {
		log_line(LOG_INFO, MAILBOX_NAME ": emptied of the %jd bytes of an earlier run",
		    (intmax_t)size);
	}
	return true;
}

/* Empty the mailbox or, with --keep, resume it. Returns as empty_mailbox(). */
static bool
recover_mailbox(const struct options *options)
{
	struct resume_point start;

	if (!options->keep) {
		return empty_mailbox();
	}
	if (!recovery_inspect(&start, &server.mailbox) ||
	    !mailbox_resume(&server.mailbox, &start)) {
		return false;
	}
	if (start.number > 0) {
		log_line(
		    LOG_INFO, MAILBOX_NAME ": continuing after message %" PRIu64, start.number);
	}
	return true;
}

/*
 * Accept connections until the server stops or the listener fails, each one only when a worker is
 * idle. If none is, wait for a client first, because handoff_wait_idle() requests a worker for it.
 */
static void
accept_connections(void)
{
	for (;;) {
		int descriptor;

		if (!handoff_has_idle(&server.handoff)) {
			listener_wait(&server.listener);
		}
		if (!handoff_wait_idle(&server.handoff)) {
			break;
		}
		descriptor = listener_accept(&server.listener);
		if (descriptor == -1) {
			break;
		}
		if (!handoff_put(&server.handoff, descriptor)) {
			close(descriptor);
		}
	}
}

/*
 * End every thread, in the direction in which mail flows, and free all. The signal thread is the
 * last, so that a second signal can end the process during each wait before. Returns false if a
 * backup is still due.
 */
static bool
shut_down(void)
{
	bool backed_up;

	listener_close(&server.listener);
	handoff_close(&server.handoff);
	pool_join(&server.pool);
	mailbox_close(&server.mailbox);
	pthread_join(server.backup_thread, NULL);
	backed_up = mailbox_check_backed_up(&server.mailbox);
	signals_join(&server.signals);
	for (unsigned i = 0; i < WORKERS; i++) {
		connection_destroy(&server.connections[i]);
	}
	mailbox_destroy(&server.mailbox);
	handoff_destroy(&server.handoff);
	listener_destroy(&server.listener);
	return backed_up;
}

int
main(int argc, char *argv[])
{
	struct options options;
	bool stop_requested, backed_up;

	if (!open_standard_descriptors()) {
		return EXIT_FAILURE;
	}
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_EXIT:
		return EXIT_SUCCESS;
	case OPTIONS_ERROR:
		return EXIT_USAGE;
	case OPTIONS_OK:
		break;
	}
	log_init();
	umask(S_IRWXG | S_IRWXO);
	platform_tune_malloc(MESSAGE_BUFFER_INITIAL);
	platform_use_batch_scheduling();
	platform_forbid_new_privileges();
	if (!acquire_resources(&options) || !start_threads(&options) ||
	    !recover_mailbox(&options)) {
		return EXIT_FAILURE;
	}
	privileges_warn();
	for (unsigned i = 0; i < server.listener.count; i++) {
		log_plain("Server coming up on %s", server.listener.sockets[i].name);
	}
	service_notify("READY=1");
	accept_connections();
	log_line(LOG_INFO, "shutting down");
	service_notify("STOPPING=1");
	/* If no stop was requested, the listener has failed. */
	stop_requested = atomic_exchange(&server.stopping, true);
	backed_up = shut_down();
	return stop_requested && backed_up ? EXIT_SUCCESS : EXIT_FAILURE;
}
