/*
 * NAME
 *	grade_state - what the demands have in common
 */

#include "grade_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prng.h"

void
grade_init(struct grade *grade, const struct grade_options *options)
{
	*grade = (struct grade){.options = options, .directory = -1, .run_id = prng_random_seed()};
	pthread_mutex_init(&grade->lock, NULL);
	ledger_init(&grade->ledger);
	if (options->netid != NULL) {
		snprintf(grade->netid, sizeof grade->netid, "%s", options->netid);
	}
}

static void
clear(struct result *result)
{
	free(result->dialogue);
	free(result->expected);
	free(result->received);
	*result = (struct result){0};
}

void
grade_destroy(struct grade *grade)
{
	for (unsigned i = 0; i <= DEMANDS_COUNT; i++) {
		clear(&grade->results[i]);
	}
	ledger_destroy(&grade->ledger);
	pthread_mutex_destroy(&grade->lock);
}

/* Return the dialogue of a transcript as lines; NULL if there is no memory. */
static char *
format_dialogue(const struct transcript *transcript)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (stream == NULL) {
		return NULL;
	}
	transcript_print(transcript, "    ", stream);
	fclose(stream);
	return text;
}

char *
grade_visible(struct span bytes, size_t max)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (stream == NULL) {
		return NULL;
	}
	transcript_print_bytes(bytes, bytes.length, max, stream);
	fclose(stream);
	return text;
}

void
grade_fail(struct grade *grade, unsigned demand, const struct transcript *transcript,
    const char *expected, const char *received)
{
	struct result *result = &grade->results[demand];

	pthread_mutex_lock(&grade->lock);
	if (result->verdict != VERDICT_FAILED) {
		clear(result);
		result->verdict = VERDICT_FAILED;
		result->dialogue = transcript != NULL ? format_dialogue(transcript) : NULL;
		result->expected = strdup(expected);
		result->received = strdup(received);
	}
	pthread_mutex_unlock(&grade->lock);
}

void
grade_not_seen(struct grade *grade, unsigned demand, const char *reason)
{
	struct result *result = &grade->results[demand];

	pthread_mutex_lock(&grade->lock);
	if (result->verdict == VERDICT_PASSED) {
		result->verdict = VERDICT_NOT_SEEN;
		result->received = strdup(reason);
	}
	pthread_mutex_unlock(&grade->lock);
}

enum verdict
grade_verdict(struct grade *grade, unsigned demand)
{
	enum verdict verdict;

	pthread_mutex_lock(&grade->lock);
	verdict = grade->results[demand].verdict;
	pthread_mutex_unlock(&grade->lock);
	return verdict;
}

void
grade_set_greeted(struct grade *grade)
{
	pthread_mutex_lock(&grade->lock);
	grade->greeted = true;
	pthread_mutex_unlock(&grade->lock);
}

void
grade_get_netid(struct grade *grade, char netid[NETID_MAX + 1])
{
	pthread_mutex_lock(&grade->lock);
	memcpy(netid, grade->netid, NETID_MAX + 1);
	pthread_mutex_unlock(&grade->lock);
}

void
grade_set_netid(struct grade *grade, struct span netid)
{
	pthread_mutex_lock(&grade->lock);
	if (*grade->netid == '\0' && netid.length <= NETID_MAX) {
		memcpy(grade->netid, netid.bytes, netid.length);
		grade->netid[netid.length] = '\0';
	}
	pthread_mutex_unlock(&grade->lock);
}
