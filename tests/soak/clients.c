/*
 * NAME
 *	clients - all clients, each in its own thread
 */

#include "clients.h"

#include <pthread.h>
#include <stdio.h>

#include "abuse.h"
#include "clock.h"
#include "normal_client.h"
#include "wire.h"

/* Normal clients; limit of all clients. */
#define NORMAL_CLIENTS 4
#define CLIENTS_MAX    64

struct client {
	const struct clients_rules *rules;
	const atomic_bool *stopping;
	unsigned stream;       /* number of this client, another one in each round; see message.h */
	abuse_function *abuse; /* NULL for a normal client */
	pthread_t thread;
};

static void *
run_client(void *argument)
{
	const struct client *client = argument;
	struct abuser abuser = {
	    .rules = client->rules,
	    .stopping = client->stopping,
	    .prng = prng_init(client->stream, CLIENTS_MAX),
	};

	if (client->abuse == NULL) {
		normal_client_run(client->rules, client->stream, client->stopping);
		return NULL;
	}
	while (!atomic_load(client->stopping)) {
		client->abuse(&abuser);
	}
	return NULL;
}

/* Assign a kind to each client. Returns the number of clients. */
static unsigned
assign_kinds(struct client clients[static CLIENTS_MAX])
{
	unsigned count = NORMAL_CLIENTS;

	for (unsigned i = 0; i < NORMAL_CLIENTS; i++) {
		clients[i].abuse = NULL;
	}
	for (const struct abuse *abuse = abuses; abuse->run != NULL; abuse++) {
		for (unsigned i = 0; i < abuse->threads && count < CLIENTS_MAX; i++) {
			clients[count++].abuse = abuse->run;
		}
	}
	return count;
}

bool
clients_run(const struct clients_rules *rules, unsigned round, double seconds)
{
	struct client clients[CLIENTS_MAX];
	atomic_bool stopping = false;
	unsigned count = assign_kinds(clients), started = 0;
	int error = 0;

	while (started < count && error == 0) {
		struct client *client = &clients[started];

		client->rules = rules;
		client->stopping = &stopping;
		client->stream = round * CLIENTS_MAX + started;
		error = pthread_create(&client->thread, NULL, run_client, client);
		started += error == 0;
	}
	if (error == 0) {
		clock_sleep(seconds);
	} else {
		fprintf(stderr, "only %u threads of clients were created\n", started);
	}
	atomic_store(&stopping, true);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(clients[i].thread, NULL);
	}
	return error == 0;
}
