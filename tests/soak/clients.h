/*
 * clients.h - all clients, each in its own thread
 */

#ifndef CLIENTS_H
#define CLIENTS_H

#include <stdbool.h>

/* Parameters of all clients, constant while any of them runs. */
struct clients_rules {
	double timeout;  /* timeout of the server, in seconds */
	double patience; /* time limit of any step on a busy machine, in seconds */
};

/*
 * Run all clients for `seconds`, and wait until the last one has ended. Each call has another
 * `round`, so that it has other streams. Returns false if not all threads could be created.
 */
bool clients_run(const struct clients_rules *rules, unsigned round, double seconds);

#endif
