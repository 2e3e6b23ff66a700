/*
 * bench.h - a server at a worker's bench
 */

#ifndef BENCH_H
#define BENCH_H

#include "mail.h"
#include "subject.h"
#include "text.h"
#include "workshop.h"

/*
 * Start a server in the bench's directory, with what the bench's page says; only its counts are
 * begun anew. The caller has set `managed` in `subject`.
 */
enum subject_state bench_start(
    const struct bench *bench, struct subject *subject, const char *options);

/*
 * See whether a server has ended with exit status `expected`; `status` is what subject_end() has
 * returned. If not, or if there are complaints already, what it has said goes to `complaint`, too.
 */
void bench_judge_end(
    const struct subject *subject, int status, int expected, struct text *complaint);

/* Stop a server, which must end with exit status 0, and release its log. */
void bench_stop(struct subject *subject, struct text *complaint);

/*
 * Start a server, which nothing disturbs, with these options, --keep among them, on what an earlier
 * one has left in the bench's directory. It must start, deliver one message more, stop, and leave
 * the directory as the ledger has it.
 */
void bench_revive(
    const struct bench *bench, const char *options, struct ledger *ledger, struct text *complaint);

#endif
