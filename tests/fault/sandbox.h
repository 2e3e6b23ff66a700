/*
 * sandbox.h - a server in the directory of a worker
 */

#ifndef SANDBOX_H
#define SANDBOX_H

#include "bytes.h"
#include "harness.h"
#include "mail.h"
#include "server.h"

/*
 * Start a server in the directory of the sandbox with the plan in its control map, whose results
 * are reset. The caller has set `server->managed`.
 */
enum server_state sandbox_start(
    const struct sandbox *sandbox, struct server *server, const char *options);

/*
 * Check that a server has ended with exit status `expected`; `status` is the result of
 * server_end(). If not, or if `failures` is not empty, append the log of the server to it.
 */
void sandbox_check_end(
    const struct server *server, int status, int expected, struct bytes *failures);

/* Stop a server, check that its exit status is 0, and free its log. */
void sandbox_stop(struct server *server, struct bytes *failures);

/*
 * Start a server without faults, with options that include --keep, on the files of an earlier one.
 * Check that it starts, delivers one more message and stops, and that the directory agrees with the
 * ledger.
 */
void sandbox_restart(const struct sandbox *sandbox, const char *options, struct ledger *ledger,
    struct bytes *failures);

#endif
