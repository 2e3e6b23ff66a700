/*
 * progress.h - when the messages of a load were delivered, and how long each took
 */

#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>

#include "monotonic.h"

/* Most messages, and how many powers of two there are up to it. */
#define PROGRESS_MAX    100000000
#define PROGRESS_POWERS 27

struct progress {
	unsigned long messages; /* to be delivered */
	unsigned long delivered;
	nanoseconds *latencies;   /* owned; of each message, or of those pipelined together */
	unsigned long samples;    /* how many those are */
	nanoseconds began, ended; /* all times are of monotonic_now() */
	nanoseconds first_window_ended, last_window_began;
	nanoseconds reached[PROGRESS_POWERS]; /* when 1, 2, 4, ... messages were delivered; or 0 */
};

/*
 * Prepare for `messages`, at most PROGRESS_MAX. Returns false, with errno, if there is no memory.
 */
bool progress_init(struct progress *progress, unsigned long messages);

/* Start the time of the load. */
void progress_start(struct progress *progress);

/* Count `messages` as delivered now; `began` is when the first command of them was sent. */
void progress_add(struct progress *progress, unsigned long messages, nanoseconds began);

/* Print the lines that load.c describes, but `segments`. Only if a message was delivered. */
void progress_print(struct progress *progress);

void progress_destroy(struct progress *progress);

#endif
