/*
 * client.h - one simulated client: runs its script against the server
 */

#ifndef MULTICLIENT_CLIENT_H
#define MULTICLIENT_CLIENT_H

#include "session.h"

/* Initialize client number `connection`, from 0. `context` must outlive it. */
void client_init(struct client *client, struct context *context, size_t connection);

/*
 * The thread of `client`, a struct client: run its script to the end, or until `context->stop` is
 * true, `lost_replies` is LOST_REPLIES_MAX, or memory runs out. Mismatches are reported and
 * counted. Returns NULL.
 */
void *client_main(void *client);

/*
 * Count `count` more clients as ended. When none is running, SIGUSR1 is sent to the process, in
 * which it must be blocked. Any thread.
 */
void context_count_ended(struct context *context, size_t count);

/* Free the memory of a client, after its thread has ended or if it was never started. */
void client_destroy(struct client *client);

#endif
