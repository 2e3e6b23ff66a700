/*
 * abuse.h - clients that do not mean well
 */

#ifndef ABUSE_H
#define ABUSE_H

#include <stdatomic.h>

#include "clients.h"
#include "prng.h"

/* What an abuser needs. */
struct abuser {
	const struct clients_rules *rules;
	const atomic_bool *stopping;
	struct prng prng;
};

/* One act of abuse, from connecting to leaving. */
typedef void abuse_function(struct abuser *abuser);

/* How many threads commit it at once; the table ends with a row of none. */
struct abuse {
	abuse_function *commit;
	unsigned threads;
};

extern const struct abuse abuses[];

#endif
