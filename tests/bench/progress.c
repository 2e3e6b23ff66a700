/*
 * NAME
 *	progress - when the messages of a load were delivered, and how long each took
 */

#include "progress.h"

#include <stdio.h>
#include <stdlib.h>

#include "params.h"

/* Messages timed separately at the beginning and at the end. */
#define WINDOW 10000

bool
progress_init(struct progress *progress, unsigned long messages)
{
	*progress = (struct progress){.messages = messages};
	progress->latencies = calloc(messages, sizeof progress->latencies[0]);
	return progress->latencies != NULL;
}

void
progress_start(struct progress *progress)
{
	progress->began = monotonic_now();
}

/* Return whether `messages` are delivered now, and were not when `before` were. */
static bool
has_passed(const struct progress *progress, unsigned long before, unsigned long messages)
{
	return before < messages && progress->delivered >= messages;
}

void
progress_add(struct progress *progress, unsigned long messages, nanoseconds began)
{
	nanoseconds now = monotonic_now();
	unsigned long before = progress->delivered;

	progress->latencies[progress->samples++] = now - began;
	progress->delivered += messages;
	if (has_passed(progress, before, WINDOW)) {
		progress->first_window_ended = now;
	}
	if (progress->messages > WINDOW &&
	    has_passed(progress, before, progress->messages - WINDOW)) {
		progress->last_window_began = now;
	}
	for (unsigned i = 0; i < PROGRESS_POWERS; i++) {
		if (has_passed(progress, before, 1UL << i)) {
			progress->reached[i] = now;
		}
	}
	progress->ended = now;
}

/* ---- results ---- */

static int
compare(const void *one, const void *other)
{
	nanoseconds a = *(const nanoseconds *)one, b = *(const nanoseconds *)other;

	return (a > b) - (a < b);
}

/* Return the `percent`th percentile of the sorted latencies in microseconds. */
static double
percentile(const struct progress *progress, unsigned long percent)
{
	unsigned long rank = (progress->samples - 1) * percent / 100;

	return (double)progress->latencies[rank] / 1000.0;
}

static double
seconds(nanoseconds duration)
{
	return (double)duration / (double)SECOND;
}

void
progress_print(struct progress *progress)
{
	const nanoseconds *reached = progress->reached;

	qsort(progress->latencies, progress->samples, sizeof progress->latencies[0], compare);
	printf("seconds %.6f\n", seconds(progress->ended - progress->began));
	printf("rate %.1f\n",
	    (double)progress->delivered / seconds(progress->ended - progress->began));
	printf("p50_us %.1f\np99_us %.1f\nmax_us %.1f\n", percentile(progress, 50),
	    percentile(progress, 99), percentile(progress, 100));
	if (progress->delivered >= 2UL * WINDOW) {
		printf("first_s %.6f\n", seconds(progress->first_window_ended - progress->began));
		printf("last_s %.6f\n", seconds(progress->ended - progress->last_window_began));
	}
	for (unsigned i = 0; i + 1 < PROGRESS_POWERS && reached[i + 1] != 0; i++) {
		/* Messages pipelined together may pass several powers of two at once. */
		if (reached[i + 1] > reached[i]) {
			printf("at_%lu %.1f\n", 1UL << i,
			    (double)(1UL << i) / seconds(reached[i + 1] - reached[i]));
		}
	}
}

/* ---- end ---- */

void
progress_destroy(struct progress *progress)
{
	free(progress->latencies);
}
