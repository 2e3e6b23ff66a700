/*
 * clients.h - the normal clients and the others
 */

#ifndef CLIENTS_H
#define CLIENTS_H

#include <stdbool.h>

/* What all clients know; not changed while any is running. */
struct clients_rules {
	double timeout;  /* seconds: T of the server */
	double patience; /* seconds that anything may take on a busy machine */
};

/*
 * Run all clients at once for so many seconds, and wait until the last of them has come to its end.
 * `round` is a number that no other run had. Returns false if the threads cannot be had.
 */
bool clients_run(const struct clients_rules *rules, unsigned round, double seconds);

#endif
