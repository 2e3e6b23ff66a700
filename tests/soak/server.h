/*
 * server.h - the server under test, in its own directory
 *
 * The main thread only. `timeout` and `patience` are in seconds.
 */

#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>

/* Resources of a process. */
struct resource_usage {
	unsigned long memory; /* bytes resident */
	unsigned threads;
	unsigned descriptors;
};

/*
 * Start the command with `-p 0 -t TIMEOUT` appended, in a new directory that becomes the current
 * one, and wait until it is ready. Returns its port; 0 on failure, with a message.
 */
unsigned server_start(char *command[], double timeout, double patience);

/* Measure its resources. Returns false if it has ended. */
bool server_measure(struct resource_usage *usage);

/*
 * Request its counters by SIGUSR1. Returns whether they were logged, with no connection in service
 * and `delivered` messages.
 */
bool server_counts(unsigned long delivered, double patience);

/*
 * Send SIGTERM. Returns whether the server ended with status 0 and has logged its shutdown and
 * nothing else; otherwise prints status and log.
 */
bool server_stop(double patience);

/* Remove its directory with all files. */
void server_clean(void);

#endif
