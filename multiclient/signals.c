/*
 * NAME
 *	signals - the signals that the main thread takes
 */

#include "signals.h"

#include <stdbool.h>
#include <stddef.h>

sigset_t
signals_handled(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	return set;
}

static void
ignore(int number)
{
	(void)number;
}

void
signals_unblock(enum first_signal first_signal)
{
	bool ignored = first_signal == FIRST_SIGNAL_IGNORED;
	const struct sigaction action = {.sa_handler = ignored ? ignore : SIG_DFL,
	    .sa_flags = ignored ? (int)(SA_RESETHAND | SA_RESTART) : 0};
	sigset_t signals = signals_handled();

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigdelset(&signals, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
