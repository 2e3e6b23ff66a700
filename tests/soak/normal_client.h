/*
 * normal_client.h - clients that deliver messages and check every reply
 */

#ifndef NORMAL_CLIENT_H
#define NORMAL_CLIENT_H

#include <stdatomic.h>

#include "clients.h"

/*
 * Deliver the messages of this stream (message.h), over connections of several messages each, until
 * `*stopping`.
 */
void normal_client_run(
    const struct clients_rules *rules, unsigned stream, const atomic_bool *stopping);

#endif
