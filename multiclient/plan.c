/*
 * NAME
 *	plan - what must occur, and who sees to it
 *
 * DESCRIPTION
 *	The timeouts are dealt first, so that with eight connections or more none has two of them to
 *	wait for.
 */

#include "plan.h"

#include <stdbool.h>

#include "chance.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The ways of sending, each with an operation that shows it. */
static const struct mandate manners[] = {
    {KIND_HELO, STATE_START, HOW_SPACES, KINDS},
    {KIND_MAIL, STATE_GREETED, HOW_SPACES, KINDS},
    {KIND_RCPT, STATE_SENDER, HOW_SPACES, KINDS},
    {KIND_DATA, STATE_RECIPIENT, HOW_SPACES, KINDS},
    {KIND_MAIL, STATE_GREETED, HOW_CASE, KINDS},
    {KIND_HELO, STATE_START, HOW_BARE_LF, KINDS},
    {KIND_DATA, STATE_RECIPIENT, HOW_BARE_LF, KINDS},
    {KIND_RCPT, STATE_SENDER, HOW_FULL_LINE, KINDS},
    {KIND_HELO, STATE_START, HOW_BYTES, KINDS},
    {KIND_BODY_DOTS, STATE_DATA, HOW_BYTES, KINDS},
    {KIND_BODY_TEXT, STATE_DATA, HOW_PIECES, KINDS},
    {KIND_MAIL, STATE_GREETED, HOW_BATCH, KIND_RCPT},
    {KIND_DATA, STATE_RECIPIENT, HOW_BODY_WITH_DATA, KIND_BODY_TEXT},
    {KIND_MAIL, STATE_GREETED, HOW_HALF_CLOSED, KIND_HALF_CLOSE},
    {KIND_BODY_TEXT, STATE_DATA, HOW_HALF_CLOSED, KIND_HALF_CLOSE},
};

struct deal {
	struct mandate *mandates;
	size_t count;
	size_t turn; /* how many mandates pass until the next one is ours */
	size_t connections;
};

static void
offer(struct deal *deal, struct mandate mandate)
{
	if (deal->turn == 0) {
		deal->mandates[deal->count++] = mandate;
		deal->turn = deal->connections;
	}
	deal->turn--;
}

static void
offer_kinds(struct deal *deal, bool timeouts)
{
	unsigned kind, state;

	for (kind = KIND_HELO; kind < KINDS; kind++) {
		if ((kind_rows[kind].family == FAMILY_TIMEOUT) != timeouts) {
			continue;
		}
		for (state = 0; state < STATES; state++) {
			if (kind_fits((enum kind)kind, (enum state)state)) {
				offer(deal,
				    (struct mandate){(enum kind)kind, (enum state)state, 0, KINDS});
			}
		}
	}
}

size_t
plan_deal(size_t connection, size_t connections, uint64_t seed, int timeouts,
    struct mandate mandates[MANDATES_MOST])
{
	size_t first = (size_t)(chance_scramble(seed) % connections);
	struct deal deal = {
	    mandates, 0, (connection + connections - first) % connections, connections};
	size_t i;

	if (timeouts) {
		offer_kinds(&deal, true);
	}
	offer_kinds(&deal, false);
	for (i = 0; i < COUNT(manners); i++) {
		offer(&deal, manners[i]);
	}
	return deal.count;
}
