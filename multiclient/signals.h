/*
 * signals.h - the signals that the main thread takes
 */

#ifndef MULTICLIENT_SIGNALS_H
#define MULTICLIENT_SIGNALS_H

#include <signal.h>

enum first_signal {
	FIRST_SIGNAL_ENDS,   /* ends the process */
	FIRST_SIGNAL_IGNORED /* only asks for the report, which follows anyway */
};

/* Return the set: SIGINT, SIGTERM, and SIGUSR1, which the client that ends last sends. */
sigset_t signals_handled(void);

/*
 * Unblock SIGINT and SIGTERM. `first_signal` says what the first of each does from now on; later
 * ones end the process.
 */
void signals_unblock(enum first_signal first_signal);

#endif
