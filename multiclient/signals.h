/*
 * signals.h - the signals that the main thread takes
 */

#ifndef MULTICLIENT_SIGNALS_H
#define MULTICLIENT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* Return the set: SIGINT, SIGTERM, and SIGUSR1, which the last client sends. */
sigset_t signals_handled(void);

/*
 * Unblock SIGINT and SIGTERM, which then end the process. If the run was not interrupted,
 * `ignore_first` is true: the first of each is ignored, because the report follows anyway.
 */
void signals_unblock(bool ignore_first);

#endif
