/*
 * config.h - what all connections of a run have in common
 */

#ifndef MULTICLIENT_CONFIG_H
#define MULTICLIENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config {
	uint64_t seed;
	size_t connections;
	size_t operations; /* of all connections together */
	bool timeouts;     /* perform operations that wait for the server's 421 */
	bool digests;      /* compute the digest of each message as stored */
	const char *netid; /* of the server */
};

#endif
