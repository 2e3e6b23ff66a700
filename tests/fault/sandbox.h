/*
 * sandbox.h - a server at a worker's bench
 */

#ifndef SANDBOX_H
#define SANDBOX_H

#include "harness.h"
#include "mail.h"
#include "server.h"
#include "text.h"

/*
 * Start a server in the bench's directory, with what the bench's page says; only its counts are
 * begun again. The caller has set `managed` in `subject`.
 */
enum server_state sandbox_start(
    const struct sandbox *sandbox, struct server *server, const char *options);

/*
 * See whether a server has ended with exit status `expected`; `status` is what server_end() has
 * returned. If not, or if there are complaints already, what it has said goes to `complaint`, too.
 */
void sandbox_check_end(
    const struct server *server, int status, int expected, struct text *complaint);

/* Stop a server, which must end with exit status 0, and release its log. */
void sandbox_stop(struct server *server, struct text *complaint);

/*
 * Start a server, which nothing disturbs, with these options, --keep among them, on what an earlier
 * one has left in the bench's directory. It must start, deliver one message more, stop, and leave
 * the directory as the ledger has it.
 */
void sandbox_restart(const struct sandbox *sandbox, const char *options, struct ledger *ledger,
    struct text *complaint);

#endif
