/*
 * normal_client.h - clients that mean well, and note what they are told
 */

#ifndef NORMAL_CLIENT_H
#define NORMAL_CLIENT_H

#include <stdatomic.h>

#include "clients.h"

/*
 * Deliver messages of this stream, over connections of many messages each, until told to stop.
 */
void normal_client_run(
    const struct clients_rules *rules, unsigned stream, const atomic_bool *stopping);

#endif
