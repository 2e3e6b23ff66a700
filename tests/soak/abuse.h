/*
 * abuse.h - abusive clients
 */

#ifndef ABUSE_H
#define ABUSE_H

#include <stdatomic.h>

#include "clients.h"
#include "prng.h"

/* State of an abusive client. */
struct abuser {
	const struct clients_rules *rules;
	const atomic_bool *stopping;
	struct prng prng;
};

/* Abuse the server over one connection or several. */
typedef void abuse_function(struct abuser *abuser);

/* A kind of abuse and its number of threads. The table ends with a row of NULL. */
struct abuse {
	abuse_function *run;
	unsigned threads;
};

extern const struct abuse abuses[];

#endif
