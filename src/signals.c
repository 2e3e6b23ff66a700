/*
 * NAME
 *	signals - signals as messages to one thread
 *
 * DIAGNOSTICS
 *	None: sigwait() with a valid set has no way to fail.
 */

#include "signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "thread.h"

/* A shell reports a process that was ended by signal N as this plus N. */
#define SIGNAL_EXIT_STATUS 128

/* Return whether SIGHUP is ignored, as under nohup. */
static bool
hangup_is_ignored(void)
{
	struct sigaction action;

	return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Return the signals that the thread handles. */
static sigset_t
handled_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (!hangup_is_ignored()) {
		sigaddset(&set, SIGHUP);
	}
	sigaddset(&set, SIGUSR1);
	return set;
}

void
signals_block(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set = handled_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

/*
 * End the process with the signal's default action. The kernel ignores that action for process 1 of
 * a container: then exit with the status that a shell would report.
 */
static void
raise_default(int signal_number)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigaction(signal_number, &by_default, NULL);
	raise(signal_number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(SIGNAL_EXIT_STATUS + signal_number);
}

static void *
signal_main(void *argument)
{
	struct signals *signals = argument;
	sigset_t set = handled_signals();
	bool stop_requested = false;
	int signal_number;

	while (sigwait(&set, &signal_number) == 0 && !atomic_load(&signals->ending)) {
		if (signal_number == SIGUSR1) {
			signals->on_report(signals->context);
		} else if (stop_requested) {
			raise_default(signal_number);
		} else {
			stop_requested = true;
			signals->on_stop(signals->context);
		}
	}
	return NULL;
}

int
signals_start(struct signals *signals)
{
	return thread_start(&signals->thread, signal_main, signals);
}

void
signals_join(struct signals *signals)
{
	/*
	 * SIGUSR1 ends sigwait(). pthread_cancel() would allocate memory, and abort if there is
	 * none.
	 */
	atomic_store(&signals->ending, true);
	pthread_kill(signals->thread, SIGUSR1);
	pthread_join(signals->thread, NULL);
}
