/*
 * target.h - the server under test: a process in a directory of its own
 *
 * The main thread only.
 */

#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>

/* What the kernel counts of a process. */
struct target_size {
	unsigned long memory; /* bytes resident */
	unsigned threads;
	unsigned descriptors;
};

/*
 * Start the command with `-p 0 -t TIMEOUT` behind it, in a fresh directory that becomes the current
 * one, and wait until it is ready. Returns its port, or 0, having said why.
 */
unsigned target_start(char *command[], double timeout, double patience);

/* Measure it. Returns false if it is gone. */
bool target_measure(struct target_size *size);

/*
 * Ask for its counters. Returns whether the answer came, and was that no connection is in service
 * and so many messages were delivered.
 */
bool target_counts(unsigned long delivered, double patience);

/*
 * Ask it to stop. It must end with status 0 and must have said nothing else meanwhile; what is
 * wrong is shown. Returns whether all is well.
 */
bool target_stop(double patience);

/* Remove its directory and all that is in it. */
void target_clean(void);

#endif
