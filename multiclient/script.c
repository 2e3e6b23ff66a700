/*
 * NAME
 *	script - what one connection sends and must be answered
 *
 * DESCRIPTION
 *	A walk over the states of the oracle. First the connection sees to its mandates: it goes to
 *	the nearest state in which one of them is due, on the straight way while operations are
 *	scarce and with detours if there are plenty. Then it wanders: mostly on through the protocol,
 *	now and then off it.
 *
 *	The order in which random numbers are taken is the script: to change it is to change what
 *	every seed stands for.
 */

#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "spell.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Operations that one mandate may cost on the straight way: a session to DATA and a message. */
#define MANDATE_COST 10

/* Operations of a session: a few, so that a short run has several, more when there are many. */
#define SESSION_LEAST 4
#define SESSION_SHORT 24
#define SESSION_LONG  250
#define MANY          1000

/* One operation in so many: off the protocol, an odd spelling, a full line, a flood. */
#define DEVIATION_IN 4 /* twice as rare in a long script, which is more of a load */
#define SPELLING_IN  8
#define FULL_LINE_IN 100
#define FLOOD_IN     20000

/*
 * One exchange in so many is a batch, is sent byte by byte, is sent in pieces. In a long script the
 * last two are rarer: a send for each byte is a test of the server, and no load for it.
 */
#define BATCH_IN    6
#define BYTES_IN    100
#define PIECES_IN   40
#define RARER_TIMES 20

/* One message in so many is not finished. */
#define UNFINISHED_IN 60

/* Longest exchange to be sent byte by byte, and length of a line that never ends. */
#define BYTES_MOST  400
#define DRIP_LENGTH 200

/* What the walk sends next to get on. */
static const enum kind forward[STATE_DATA] = {
    [STATE_START] = KIND_HELO,
    [STATE_GREETED] = KIND_MAIL,
    [STATE_SENDER] = KIND_RCPT,
    [STATE_RECIPIENT] = KIND_DATA,
};

/* Bodies by how often they come, in parts of their sum. */
static const struct {
	enum kind kind;
	unsigned weight;
} bodies[] = {
    {KIND_BODY_TEXT, 600},
    {KIND_BODY_EMPTY, 60},
    {KIND_BODY_DOTS, 100},
    {KIND_BODY_BYTES, 100},
    {KIND_BODY_LINE_ENDS, 100},
    {KIND_BODY_FORGED, 100},
    {KIND_BODY_LONG_LINES, 15},
    {KIND_BODY_LARGE, 2},
};

static bool
is_ending(enum kind kind)
{
	return kind_rows[kind].family == FAMILY_ENDING || kind_rows[kind].family == FAMILY_TIMEOUT;
}

/* Whether a choice must be the first, or the only one, in its exchange. */
static bool
is_alone(struct choice choice)
{
	return (is_ending(choice.kind) && choice.kind != KIND_HALF_CLOSE) ||
	       kind_rows[choice.kind].family == FAMILY_FLOOD ||
	       (choice.how & (HOW_BYTES | HOW_PIECES)) != 0;
}

static bool
is_first(struct choice choice)
{
	return is_alone(choice) || choice.then != KINDS;
}

/* The kinds that can be sent in a state and get no further: what a deviation picks from. */
static void
list_deviations(struct script *script)
{
	unsigned state, kind;

	for (state = STATE_START; state < STATE_DATA; state++) {
		for (kind = 0; kind < KINDS; kind++) {
			if (kind_rows[kind].family == FAMILY_COMMAND &&
			    kind_fits((enum kind)kind, (enum state)state) &&
			    kind != (unsigned)forward[state] && kind != KIND_RCPT) {
				script->deviations[state][script->deviation_count[state]++] =
				    (unsigned char)kind;
			}
		}
	}
}

void
script_begin(struct script *script, const struct terms *terms, size_t connection)
{
	size_t share = terms->operations / terms->connections;

	*script = (struct script){0};
	script->terms = terms;
	script->watched = SIZE_MAX;
	script->left = share + (connection < terms->operations % terms->connections);
	script->session_most = share < MANY ? SESSION_SHORT : SESSION_LONG;
	script->rarer = share < MANY ? 1 : RARER_TIMES;
	script->deviation_in = share < MANY ? DEVIATION_IN : 2 * (size_t)DEVIATION_IN;
	script->pending = plan_deal(
	    connection, terms->connections, terms->seed, terms->timeouts, script->mandates);
	chance_begin(&script->chance, terms->seed, connection);
	list_deviations(script);
}

void
script_release(struct script *script)
{
	oracle_release(&script->oracle);
	buffer_release(&script->record);
	buffer_release(&script->kept);
}

void
exchange_release(struct exchange *exchange)
{
	buffer_release(&exchange->out);
}

static enum kind
choose_body(struct chance *chance)
{
	size_t sum = 0, at, i;

	for (i = 0; i < COUNT(bodies); i++) {
		sum += bodies[i].weight;
	}
	at = chance_below(chance, sum);
	for (i = 0; at >= bodies[i].weight; i++) {
		at -= bodies[i].weight;
	}
	return bodies[i].kind;
}

static enum kind
choose_deviation(struct script *script, enum state state)
{
	return (enum kind)script
	    ->deviations[state][chance_below(&script->chance, script->deviation_count[state])];
}

static enum kind
choose_ending(struct script *script)
{
	static const enum kind endings[] = {KIND_HALF_CLOSE, KIND_HALF_CLOSE, KIND_HALF_CLOSE,
	    KIND_HALF_CLOSE, KIND_HALF_CLOSE, KIND_HALF_CLOSE, KIND_HALF_LINE, KIND_CLOSE,
	    KIND_CLOSE, KIND_RESET};

	return endings[chance_below(&script->chance, COUNT(endings))];
}

/* The way to vanish with a message is open only after one of ours was delivered: see ledger.h. */
static enum kind
choose_in_data(struct script *script)
{
	static const enum kind unfinished[] = {KIND_HALF_DATA, KIND_CLOSE_IN_DATA, KIND_VANISH};

	if (script->messages > 0 && chance_one_in(&script->chance, UNFINISHED_IN)) {
		return unfinished[chance_below(&script->chance, COUNT(unfinished))];
	}
	return choose_body(&script->chance);
}

/* Get on with the protocol. */
static enum kind
choose_forward(struct script *script)
{
	enum state state = script->oracle.state;

	if (state == STATE_DATA) {
		return choose_body(&script->chance);
	}
	return forward[state];
}

static enum kind
choose_any(struct script *script)
{
	enum state state = script->oracle.state;

	if (state == STATE_DATA) {
		return choose_in_data(script);
	}
	if (script->session_left == 0) {
		return choose_ending(script);
	}
	if (chance_one_in(&script->chance, script->deviation_in)) {
		return choose_deviation(script, state);
	}
	if (state == STATE_RECIPIENT && script->oracle.recipients < RECIPIENTS_MOST) {
		if (chance_one_in(&script->chance, FLOOD_IN)) {
			return KIND_RCPT_TOO_MANY;
		}
		if (chance_one_in(&script->chance, 2)) {
			return KIND_RCPT;
		}
	}
	return choose_forward(script);
}

/* How many steps of choose_forward() lead from one state to another; SIZE_MAX if none do. */
static size_t
distance(enum state from, enum state to)
{
	if (from == STATE_START || to == from) {
		return (size_t)(to - from);
	}
	if (to == STATE_START) {
		return SIZE_MAX;
	}
	return to > from ? (size_t)(to - from) : (size_t)(STATE_DATA - from + to);
}

/* The mandate to see to next: what ends the session comes last. `pending` if none is in reach. */
static size_t
nearest_mandate(const struct script *script, size_t *least)
{
	size_t nearest = script->pending;
	bool nearest_ends = true;
	size_t i;

	*least = SIZE_MAX;
	for (i = 0; i < script->pending; i++) {
		const struct mandate *mandate = &script->mandates[i];
		size_t steps = distance(script->oracle.state, mandate->state);
		bool ends = is_ending(mandate->kind) || mandate->then == KIND_HALF_CLOSE;

		if (steps != SIZE_MAX &&
		    (ends < nearest_ends || (ends == nearest_ends && steps < *least))) {
			nearest = i;
			nearest_ends = ends;
			*least = steps;
		}
	}
	return nearest;
}

static struct choice
take_mandate(struct script *script, size_t index)
{
	struct mandate mandate = script->mandates[index];

	script->pending--;
	memmove(&script->mandates[index], &script->mandates[index + 1],
	    (script->pending - index) * sizeof mandate);
	return (struct choice){mandate.kind, mandate.how, mandate.then};
}

/* Go on towards the nearest mandate, or meet it. */
static struct choice
pursue(struct script *script)
{
	struct choice choice = {KINDS, 0, KINDS};
	size_t steps;
	size_t index = nearest_mandate(script, &steps);

	if (index == script->pending) {
		choice.kind =
		    script->oracle.state == STATE_DATA ? choose_forward(script) : KIND_HALF_CLOSE;
	} else if (steps == 0 &&
		   (script->mandates[index].kind != KIND_VANISH || script->messages > 0)) {
		return take_mandate(script, index);
	} else {
		choice.kind = choose_forward(script);
	}
	return choice;
}

static unsigned
choose_spelling(struct chance *chance)
{
	unsigned how = 0;

	how |= chance_one_in(chance, SPELLING_IN) ? HOW_SPACES : 0;
	how |= chance_one_in(chance, SPELLING_IN) ? HOW_CASE : 0;
	how |= chance_one_in(chance, SPELLING_IN) ? HOW_BARE_LF : 0;
	how |= chance_one_in(chance, FULL_LINE_IN) ? HOW_FULL_LINE : 0;
	return how;
}

static struct choice
choose(struct script *script)
{
	bool plenty = script->left > MANDATE_COST * (script->pending + 1);
	struct choice choice;

	if (script->holds) {
		script->holds = false;
		return script->held;
	}
	if (script->pending > 0 && (!plenty || chance_one_in(&script->chance, 2))) {
		choice = pursue(script);
	} else {
		choice = (struct choice){choose_any(script), 0, KINDS};
	}
	if (kind_rows[choice.kind].family == FAMILY_COMMAND) {
		choice.how |= choose_spelling(&script->chance) & spell_hows(choice.kind);
	}
	return choice;
}

static struct span
written_since(const struct exchange *exchange, size_t begin)
{
	return (struct span){exchange->out.bytes + begin, exchange->out.length - begin};
}

static void
write_command(struct script *script, struct choice choice, struct exchange *exchange,
    struct operation *operation)
{
	size_t begin = exchange->out.length;

	spell_line(choice.kind, choice.how, &script->chance, &exchange->out);
	if (!exchange->out.failed) {
		operation->accepted =
		    oracle_line(&script->oracle, written_since(exchange, begin), &operation->reply);
	}
}

/* Fill the message with recipients, and one more. */
static void
write_flood(struct script *script, struct exchange *exchange, struct operation *operation)
{
	size_t lines = RECIPIENTS_MOST - script->oracle.recipients + 1;

	operation->ok_before = lines - 1;
	while (lines-- > 0 && !exchange->out.failed) {
		size_t begin = exchange->out.length;

		spell_short_rcpt(&script->chance, &exchange->out);
		if (!exchange->out.failed) {
			oracle_line(
			    &script->oracle, written_since(exchange, begin), &operation->reply);
		}
	}
	operation->accepted = true;
}

/* The digest of the record just made, and the record itself if somebody asked for it. */
static void
note_message(struct script *script, struct exchange *exchange, struct operation *operation)
{
	const struct buffer *record = &script->record;
	size_t head = script->record_head;

	operation->message = true;
	operation->ordinal = script->messages++;
	if (operation->ordinal == script->watched) {
		buffer_add(&script->kept, record->bytes, record->length);
		script->kept_head = head;
	}
	if (!script->terms->digests) {
		return;
	}
	if (record->failed) {
		exchange->out.failed = true;
		return;
	}
	stored_digest((struct span){record->bytes, head},
	    (struct span){record->bytes + head, record->length - head}, &operation->digest);
}

static void
write_body(
    struct script *script, enum kind kind, struct exchange *exchange, struct operation *operation)
{
	size_t begin = exchange->out.length;

	body_write(kind, script->terms->netid, &script->chance, &exchange->out);
	if (exchange->out.failed) {
		return;
	}
	oracle_message(&script->oracle, written_since(exchange, begin), &operation->reply,
	    script->terms->digests ? &script->record : NULL, &script->record_head);
	note_message(script, exchange, operation);
	operation->accepted = true;
}

static void
write_ending(
    struct script *script, enum kind kind, struct exchange *exchange, struct operation *operation)
{
	if (kind == KIND_HALF_LINE) {
		spell_half_line(&script->chance, &exchange->out);
	} else if (kind == KIND_HALF_DATA || kind == KIND_CLOSE_IN_DATA) {
		body_write_half(script->terms->netid, &script->chance, &exchange->out);
	} else if (kind == KIND_VANISH) {
		write_body(script, choose_body(&script->chance), exchange, operation);
	}
	reply_write(&operation->reply, kind_rows[kind].answer, script->terms->netid,
	    (struct span){NULL, 0});
	script->open = false;
}

/* What is sent while waiting for the 421; the reply is the one to that. */
static void
write_timeout(
    struct script *script, enum kind kind, struct exchange *exchange, struct operation *operation)
{
	struct choice line = {KINDS, 0, KINDS};

	operation->reply.answer = ANSWER_NONE;
	operation->reply.length = 0;
	if (kind == KIND_DORMANT_LATER) {
		line.kind = KIND_RCPT;
	} else if (kind == KIND_INVALID_FOREVER) {
		line.kind = choose_deviation(script, script->oracle.state);
	}
	if (line.kind != KINDS) {
		write_command(script, line, exchange, operation);
	} else if (kind == KIND_DORMANT_HALF_LINE) {
		spell_half_line(&script->chance, &exchange->out);
	} else if (kind == KIND_DRIP_LINE) {
		spell_printable(&script->chance, DRIP_LENGTH, &exchange->out);
	} else if (kind == KIND_DORMANT_MID_DATA) {
		body_write_half(script->terms->netid, &script->chance, &exchange->out);
	}
	operation->accepted = false;
	script->open = false;
}

static void
write_operation(struct script *script, struct choice choice, struct exchange *exchange)
{
	struct operation *operation = &exchange->operations[exchange->count++];

	operation->kind = choice.kind;
	operation->state = script->oracle.state;
	operation->how = choice.how;
	operation->ok_before = 0;
	operation->accepted = false;
	operation->message = false;
	if (kind_rows[choice.kind].family == FAMILY_COMMAND) {
		write_command(script, choice, exchange, operation);
	} else if (kind_rows[choice.kind].family == FAMILY_FLOOD) {
		write_flood(script, exchange, operation);
	} else if (kind_rows[choice.kind].family == FAMILY_BODY) {
		write_body(script, choice.kind, exchange, operation);
	} else if (kind_rows[choice.kind].family == FAMILY_ENDING) {
		write_ending(script, choice.kind, exchange, operation);
	} else {
		write_timeout(script, choice.kind, exchange, operation);
	}
	operation->end = exchange->out.length;
	script->left--;
	script->done++;
	script->session_left -= script->session_left > 0;
}

static void
write_connect(struct script *script, struct exchange *exchange)
{
	struct operation *operation = &exchange->operations[exchange->count++];

	oracle_begin(&script->oracle, script->terms->netid);
	script->session_left = chance_between(&script->chance, SESSION_LEAST, script->session_most);
	script->open = true;
	operation->kind = KIND_CONNECT;
	operation->state = STATE_START;
	operation->how = 0;
	operation->end = 0;
	operation->ok_before = 0;
	operation->accepted = true;
	operation->message = false;
	reply_write(&operation->reply, ANSWER_BANNER, script->terms->netid, (struct span){NULL, 0});
	script->left--;
	script->done++;
}

/* Operations until the exchange is full, by choice or because something must be its last. */
static void
write_batch(struct script *script, struct exchange *exchange)
{
	size_t wanted = 1;

	if (chance_one_in(&script->chance, BATCH_IN)) {
		wanted = chance_between(
		    &script->chance, 2, chance_one_in(&script->chance, 4) ? BATCH_MOST : 4);
	}
	while (exchange->count < wanted && script->open && script->left > 0) {
		struct choice choice = choose(script);

		if (exchange->count > 0 && is_first(choice)) {
			script->held = choice;
			script->holds = true;
			return;
		}
		write_operation(script, choice, exchange);
		if (is_alone(choice)) {
			return;
		}
		if (choice.then != KINDS) {
			script->held = (struct choice){choice.then, 0, KINDS};
			script->holds = true;
			exchange->together = true;
			wanted = 2;
		}
	}
}

static int
compare_offsets(const void *one, const void *other)
{
	size_t a = *(const size_t *)one, b = *(const size_t *)other;

	return (a > b) - (a < b);
}

/* Half of the cuts fall into the last bytes, where an end mark may be. */
static void
choose_cuts(struct chance *chance, struct exchange *exchange)
{
	size_t length = exchange->out.length;
	size_t i;

	for (i = 0; i < COUNT(exchange->cuts); i++) {
		size_t least = length > 5 && chance_one_in(chance, 2) ? length - 5 : 0;

		exchange->cuts[i] = chance_between(chance, least, length);
	}
	qsort(exchange->cuts, COUNT(exchange->cuts), sizeof exchange->cuts[0], compare_offsets);
}

static void
choose_manner(struct script *script, struct exchange *exchange)
{
	struct chance *chance = &script->chance;

	exchange->manner = exchange->operations[0].how & (HOW_BYTES | HOW_PIECES);
	if (exchange->out.length == 0 || exchange->together ||
	    kind_rows[exchange->operations[0].kind].family == FAMILY_TIMEOUT) {
		return;
	}
	if (exchange->manner == 0 && exchange->out.length <= BYTES_MOST &&
	    chance_one_in(chance, BYTES_IN * script->rarer)) {
		exchange->manner = HOW_BYTES;
	}
	if (exchange->manner == 0 && chance_one_in(chance, PIECES_IN * script->rarer)) {
		exchange->manner = HOW_PIECES;
	}
	if (exchange->manner == HOW_PIECES) {
		choose_cuts(chance, exchange);
	}
}

/* Tell each operation in what company it is sent. */
static void
note_manner(struct exchange *exchange)
{
	unsigned how = exchange->manner;
	size_t i;

	if (exchange->count > 1 && exchange->manner == 0) {
		how |= HOW_BATCH;
	}
	if (exchange->count > 1 &&
	    exchange->operations[exchange->count - 1].kind == KIND_HALF_CLOSE) {
		how |= HOW_HALF_CLOSED;
	}
	for (i = 0; i < exchange->count; i++) {
		struct operation *operation = &exchange->operations[i];

		operation->how |= how;
		if (i > 0 && operation->state == STATE_DATA && exchange->manner == 0) {
			operation->how |= HOW_BODY_WITH_DATA;
		}
	}
}

bool
script_next(struct script *script, struct exchange *exchange)
{
	if (script->left == 0) {
		return false;
	}
	buffer_clear(&exchange->out);
	exchange->number = script->done + 1;
	exchange->count = 0;
	exchange->manner = 0;
	exchange->together = false;
	if (!script->open) {
		write_connect(script, exchange);
		return true;
	}
	write_batch(script, exchange);
	choose_manner(script, exchange);
	note_manner(exchange);
	return true;
}

/* Run on to the exchange that holds the message; its record is then the last one made. */
static bool
run_to_message(struct script *script, size_t ordinal, struct exchange *exchange)
{
	while (script_next(script, exchange) && !exchange->out.failed) {
		if (script->messages > ordinal) {
			return true;
		}
	}
	return false;
}

bool
script_replay(const struct terms *terms, size_t connection, size_t ordinal, struct buffer *record,
    size_t *head)
{
	struct exchange exchange = {0};
	struct script script;
	bool found;

	script_begin(&script, terms, connection);
	script.watched = ordinal;
	found = run_to_message(&script, ordinal, &exchange);
	buffer_clear(record);
	if (found) {
		buffer_add(record, script.kept.bytes, script.kept.length);
		*head = script.kept_head;
	}
	exchange_release(&exchange);
	script_release(&script);
	return found && !record->failed;
}
