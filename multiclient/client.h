/*
 * client.h - one simulated client: runs its script against the server
 */

#ifndef MULTICLIENT_CLIENT_H
#define MULTICLIENT_CLIENT_H

#include "session.h"

/* Initialize the client of connection `connection`, from 0. `context` must outlive it. */
void client_init(struct client *client, struct context *context, size_t connection);

/*
 * The thread of a client, which is a struct client: run its whole script, or until `context->stop`
 * is true or LOST_REPLIES_MAX replies have not arrived. Mismatches are reported and counted.
 * Returns NULL.
 */
void *client_main(void *client);

/*
 * Count `ended` more clients as ended. When none is running, SIGUSR1 is sent to the process, in
 * which it must be blocked. Any thread.
 */
void context_count_ended(struct context *context, size_t ended);

/* Free the memory of a client, after its thread has ended or if it was never started. */
void client_destroy(struct client *client);

#endif
