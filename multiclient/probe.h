/*
 * probe.h - find the server and its netid, before the clients start
 */

#ifndef MULTICLIENT_PROBE_H
#define MULTICLIENT_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conn.h"
#include "error_text.h"
#include "mismatch.h"
#include "params.h"

enum probe_result {
	PROBE_FOUND,
	PROBE_NO_SERVER,   /* no server answers: the reason is reported */
	PROBE_BAD_GREETING /* what answers sends another greeting: reported */
};

/* The server to find. */
struct probe {
	const char *host, *port;
	const char *netid;         /* what the netid must be; NULL: any that is valid */
	int64_t patience;          /* how long a connect may take, in nanoseconds */
	int64_t greeting_patience; /* how long the greeting may take, in nanoseconds */
	const atomic_bool *stop;   /* when it becomes true, the probe ends */
};

/*
 * Connect to the first address of `host` and `port` that accepts, within `patience` nanoseconds
 * each. Returns true, with `conn` open, which must be closed before, and `address` set; false, with
 * the `reason` set.
 */
bool probe_connect(const char *host, const char *port, int64_t patience, struct conn *conn,
    struct address *address, char reason[ERROR_TEXT_SIZE]);

/*
 * Find the address at which a server answers, and its netid. The connection made for it is closed
 * again. If no server answers, the reason is reported on standard error; a wrong greeting is
 * reported in `mismatch_log`.
 */
enum probe_result probe_server(const struct probe *probe, struct mismatch_log *mismatch_log,
    struct address *address, char netid[NETID_MAX + 1]);

#endif
