/*
 * config.h - what all clients of a run have in common
 */

#ifndef MULTICLIENT_CONFIG_H
#define MULTICLIENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config {
	uint64_t seed;
	size_t connections; /* clients; each has one TCP connection at a time */
	size_t operations;  /* of all clients together */
	bool with_timeouts; /* perform operations that wait for the server's 421 */
	bool with_digests;  /* compute the digest of the record of each message */
	const char *netid;  /* of the server */
};

#endif
