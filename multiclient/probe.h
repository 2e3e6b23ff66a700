/*
 * probe.h - find the server and learn its name, before the clients start
 */

#ifndef MULTICLIENT_PROBE_H
#define MULTICLIENT_PROBE_H

#include "client.h"
#include "params.h"

enum probe_result {
	PROBE_FOUND,
	PROBE_NO_SERVER, /* no server answers: the reason is reported */
	PROBE_BAD_BANNER /* what answers sends another banner: reported */
};

/*
 * Find the address of `host` and `port` at which a server answers, into `context->address`, and its
 * netid into `netid`. If `required` is not NULL the netid must be that. The connection made for it
 * is closed again. Waits for the banner as long as context->timeout and context->patience together.
 * Reports on standard error why it found none, and a wrong banner in `context->mismatch_log`.
 */
enum probe_result probe(struct context *context, const char *host, const char *port,
    const char *required, char netid[NETID_MAX + 1]);

#endif
