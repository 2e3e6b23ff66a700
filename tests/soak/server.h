/*
 * server.h - the server under test: a process in a directory of its own
 *
 * The main thread only.
 */

#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>

/* What the kernel counts of a process. */
struct resource_usage {
	unsigned long memory; /* bytes resident */
	unsigned threads;
	unsigned descriptors;
};

/*
 * Start the command with `-p 0 -t TIMEOUT` behind it, in a fresh directory that becomes the current
 * one, and wait until it is ready. Returns its port, or 0, having said why.
 */
unsigned server_start(char *command[], double timeout, double patience);

/* Measure it. Returns false if it is gone. */
bool server_measure(struct resource_usage *usage);

/*
 * Ask for its counters. Returns whether the answer came, and was that no connection is in service
 * and so many messages were delivered.
 */
bool server_counts(unsigned long delivered, double patience);

/*
 * Ask it to stop. It must end with status 0 and must have said nothing else meanwhile; what is
 * wrong is shown. Returns whether all is well.
 */
bool server_stop(double patience);

/* Remove its directory and all that is in it. */
void server_clean(void);

#endif
