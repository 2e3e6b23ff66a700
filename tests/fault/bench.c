/*
 * NAME
 *	bench - a server at a worker's bench
 */

#include "bench.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "page.h"
#include "verdict.h"

enum subject_state
bench_start(const struct bench *bench, struct subject *subject, const char *options)
{
	subject->directory = bench->directory.path;
	subject->options = options;
	subject->page_path = bench->page_path.path;
	subject->page = bench->page;
	for (enum function function = 0; function < FUNCTIONS; function++) {
		atomic_store(&bench->page->calls[function], 0);
	}
	atomic_store(&bench->page->strikes, 0);
	atomic_store(&bench->page->port, 0);
	return subject_start(subject);
}

void
bench_judge_end(const struct subject *subject, int status, int expected, struct text *complaint)
{
	if (status == -1) {
		text_add_string(complaint, "the server does not end; ");
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != expected) {
		text_add_format(
		    complaint, "the server ends with wait status %#x; ", (unsigned)status);
	}
	if (complaint->length > 0) {
		text_add_string(complaint, "it says ");
		text_add_visible(complaint, text_string(&subject->log), subject->log.length);
		text_add_string(complaint, "; ");
	}
}

void
bench_stop(struct subject *subject, struct text *complaint)
{
	bench_judge_end(subject, subject_stop(subject), 0, complaint);
	subject_free(subject);
}

void
bench_revive(
    const struct bench *bench, const char *options, struct ledger *ledger, struct text *complaint)
{
	static const struct circumstances circumstances = {.keep = true, .unfinished = true};
	struct subject subject = {.managed = false};

	page_clear(bench->page);
	if (bench_start(bench, &subject, options) == SUBJECT_READY) {
		mail_deliver_one(ledger, subject.port, complaint);
	} else {
		text_add_string(complaint, "the server does not start; ");
	}
	bench_stop(&subject, complaint);
	verdict(bench->directory.path, ledger, &circumstances, NULL, complaint);
}
