/*
 * probe.h - finds the server, and learns what it calls itself, before the drivers begin.
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
 * Tells on standard error why it did not find one; `context->complaints` tells of a wrong banner.
 */
enum probe_result probe(struct context *context, const char *host, const char *port,
    const char *required, char netid[NETID_MAX + 1]);

#endif
