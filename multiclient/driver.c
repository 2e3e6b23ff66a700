/*
 * NAME
 *	driver - plays the script of one connection to the server
 *
 * DESCRIPTION
 *	One exchange after the other is sent, and its replies are compared byte by byte. At the first
 *	that is wrong, the session is over, for its state is no longer known: what the script still
 *	has for it is not sent, and the next session begins afresh.
 *
 *	Time. The server counts T from the moment when its reply to the last accepted command is
 *	sent. We know two moments that surely enclose that one, `low` and `high`: what comes before
 *	low + T is early, what has not come by high + T + LATENESS is late. A reply cannot have been
 *	sent before the command was, nor while a receive found nothing, and has been sent when it is
 *	here. A busy machine widens the bounds and never makes them wrong.
 *
 *	If it was us who let T pass, for the machine gave us no time, then a 421 is the right answer.
 *	It ends the session, and is counted apart.
 *
 * DIAGNOSTICS
 *	Everything wrong goes to complaint.h, once.
 */

#include "driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "constants.h"
#include "moment.h"

#define WHAT_SIZE 160

/* How long to wait for the rest of a wrong reply, only to show it. */
#define REST_WAIT (50 * MILLISECOND)

/*
 * What is done while waiting for a 421: after `pause` the bytes are sent, whole or one at a time,
 * and again after each `interval`; both are parts of T, and 0 means never again. `extends`: the
 * server must then count T from there.
 */
struct vigil_row {
	double pause;
	double interval;
	bool bytewise;
	bool extends;
};

static const struct vigil_row vigil_rows[KINDS] = {
    [KIND_DORMANT_LATER] = {0.5, 0, false, true},
    [KIND_DORMANT_HALF_LINE] = {0.5, 0, false, false},
    [KIND_DRIP_LINE] = {0.02, 0.02, true, false},
    [KIND_INVALID_FOREVER] = {0.01, 0.01, false, false},
    [KIND_DORMANT_MID_DATA] = {0.5, 0, false, true},
};

struct vigil {
	const struct vigil_row *row;
	struct operation *operation;
	struct span bytes;  /* all that may be sent */
	size_t sent_length; /* how much of it was */
	int64_t next;       /* when to send again; INT64_MAX: never */
	int64_t sent;       /* before it was sent last */
	bool owed;          /* a reply to it is still to come */
	struct reply timeout;
};

void
driver_begin(struct driver *driver, struct context *context, size_t connection)
{
	*driver = (struct driver){.context = context, .connection = connection};
	script_begin(&driver->script, &context->terms, connection);
	wire_begin(&driver->wire, &context->stop);
}

void
driver_release(struct driver *driver)
{
	script_release(&driver->script);
	exchange_release(&driver->exchange);
}

static struct span
reply_span(const struct reply *reply)
{
	return (struct span){reply->bytes, reply->length};
}

static bool
stopping(const struct driver *driver)
{
	return atomic_load_explicit(&driver->context->stop, memory_order_relaxed);
}

static void
count(struct driver *driver, const struct operation *operation, bool matched)
{
	tally_operation(&driver->tally, operation, matched);
	atomic_fetch_add_explicit(&driver->done, 1, memory_order_relaxed);
	if (!matched) {
		atomic_fetch_add_explicit(&driver->wrong, 1, memory_order_relaxed);
	}
}

static void
note_unnumbered(struct driver *driver, const struct operation *operation, bool certain)
{
	const struct ledger_entry entry = {.digest = operation->digest,
	    .connection = driver->connection,
	    .ordinal = operation->ordinal,
	    .after = driver->number,
	    .certain = certain};

	if (!ledger_add_unnumbered(&driver->context->ledger, &entry)) {
		driver->tally.faults++;
	}
}

/* Leave the session. Messages from operation `index` on may or may not have been delivered. */
static void
abandon(struct driver *driver, size_t index)
{
	const struct exchange *exchange = &driver->exchange;

	for (; index < exchange->count; index++) {
		if (exchange->operations[index].message) {
			note_unnumbered(driver, &exchange->operations[index], false);
		}
	}
	wire_close(&driver->wire);
}

/* Something of what came, for showing: the rest of its line too, if that is quick. */
static struct span
what_came(struct driver *driver)
{
	struct wire *wire = &driver->wire;
	struct span came;

	if (wire->descriptor < 0) {
		return (struct span){"", 0};
	}
	came = wire_unread(wire);
	if (came.length > 0 && memchr(came.bytes, '\n', came.length) == NULL &&
	    came.length < REPLY_MOST) {
		wire_wait(wire, moment_now() + REST_WAIT);
	}
	return wire_unread(wire);
}

static void
complain(struct driver *driver, size_t index, const char *what, struct span expected)
{
	const struct exchange *exchange = &driver->exchange;
	const struct complaint complaint = {
	    .connection = driver->connection,
	    .number = exchange->number + index,
	    .operation = &exchange->operations[index],
	    .journal = &driver->journal,
	    .what = what,
	    .expected = expected,
	    .came = what_came(driver),
	};

	complaint_operation(&driver->context->complaints, &complaint);
}

/* Operation `index` of the exchange was not answered as it must be: tell, count, leave. */
static void
mismatch(struct driver *driver, size_t index, const char *what, struct span expected)
{
	complain(driver, index, what, expected);
	count(driver, &driver->exchange.operations[index], false);
	abandon(driver, index);
}

/* Whether the server timed us out, and was right to, for we sent the last exchange too late. */
static bool
were_slow(struct driver *driver)
{
	struct reply timeout;
	uint64_t number;
	size_t used;

	if (driver->sent < driver->low + driver->context->timeout / 2) {
		return false;
	}
	reply_write(&timeout, ANSWER_TIMEOUT, driver->context->terms.netid, (struct span){NULL, 0});
	return reply_match(&timeout, wire_unread(&driver->wire), &used, &number) == MATCH_FULL &&
	       moment_now() >= driver->low + driver->context->timeout;
}

/* A receive brought nothing: put it in words. */
static void
describe(enum wire_event event, struct span came, double seconds, char what[WHAT_SIZE])
{
	char reason[80] = "";

	if (event == WIRE_ERROR) {
		strerror_r(errno, reason, sizeof reason);
	}
	if (event == WIRE_LATE) {
		snprintf(what, WHAT_SIZE, "%s within %g s",
		    came.length == 0 ? "no reply" : "no whole reply", seconds);
	} else if (event == WIRE_END) {
		snprintf(what, WHAT_SIZE, "end of file %s a reply",
		    came.length == 0 ? "instead of" : "within");
	} else {
		snprintf(what, WHAT_SIZE, "connection lost: %s", reason);
	}
}

/*
 * How long to wait on. The banner may be late while all of the server's threads serve others of
 * us: as long as anybody gets replies it is no fault, and for T after, as all may be dormant.
 */
static int64_t
reply_deadline(const struct driver *driver, bool banner)
{
	const struct context *context = driver->context;
	int64_t progress;

	if (!banner) {
		return driver->sent + context->patience;
	}
	progress = atomic_load_explicit(&context->progress, memory_order_relaxed);
	return (progress > driver->sent ? progress : driver->sent) + context->timeout +
	       context->patience;
}

/* Wait until there is more to read. False: there will not be, and that is dealt with. */
static bool
await(struct driver *driver, size_t index, const struct reply *reply)
{
	bool banner = reply->answer == ANSWER_BANNER;
	char what[WHAT_SIZE];
	enum wire_event event;

	do {
		event = wire_receive(&driver->wire, reply_deadline(driver, banner));
	} while (event == WIRE_LATE && moment_now() < reply_deadline(driver, banner));
	if (event == WIRE_ARRIVED) {
		return true;
	}
	if (event == WIRE_STOPPED) {
		abandon(driver, index);
		return false;
	}
	describe(event, wire_unread(&driver->wire),
	    (double)(moment_now() - driver->sent) / (double)SECOND, what);
	mismatch(driver, index, what, reply_span(reply));
	driver->strikes += event == WIRE_LATE;
	return false;
}

/* Read one reply of operation `index`. False: it is not as it must be, and that is dealt with. */
static bool
expect(struct driver *driver, size_t index, const struct reply *reply, uint64_t *number)
{
	for (;;) {
		size_t used;
		enum match match = reply_match(reply, wire_unread(&driver->wire), &used, number);

		if (match == MATCH_FULL) {
			wire_consume(&driver->wire, used);
			return true;
		}
		if (match == MATCH_NONE) {
			if (were_slow(driver)) {
				driver->tally.slow++;
				abandon(driver, index);
			} else {
				mismatch(driver, index, "wrong reply", reply_span(reply));
			}
			return false;
		}
		if (!await(driver, index, reply)) {
			return false;
		}
	}
}

/* Read the end of file of operation `index`, which `expected` stands for, by `deadline`. */
static bool
expect_end(struct driver *driver, size_t index, int64_t deadline, struct span expected)
{
	enum wire_event event = WIRE_ARRIVED;
	char what[WHAT_SIZE] = "extra bytes before the end of file";

	if (wire_unread(&driver->wire).length == 0) {
		event = wire_receive(&driver->wire, deadline);
	}
	if (event == WIRE_END) {
		return true;
	}
	if (event == WIRE_STOPPED) {
		abandon(driver, index);
		return false;
	}
	if (event == WIRE_LATE) {
		snprintf(what, sizeof what, "no end of file");
	} else if (event == WIRE_ERROR) {
		describe(event, expected, 0, what);
	} else if (were_slow(driver)) {
		driver->tally.slow++;
		abandon(driver, index);
		return false;
	}
	mismatch(driver, index, what, expected);
	driver->strikes += event == WIRE_LATE;
	return false;
}

/* Whether the number of a delivered message is right. If not, that is dealt with. */
static bool
check_number(struct driver *driver, size_t index, uint64_t number, uint64_t after)
{
	static const char *const verdicts[] = {
	    [LEDGER_REPEATED] = "another message has this number",
	    [LEDGER_NOT_RISING] = "the number is not above one given before this was sent",
	    [LEDGER_NO_MEMORY] = "out of memory for numbers",
	};
	const struct operation *operation = &driver->exchange.operations[index];
	const struct ledger_entry entry = {.number = number,
	    .digest = operation->digest,
	    .connection = driver->connection,
	    .ordinal = operation->ordinal,
	    .after = driver->number > after ? driver->number : after};
	enum ledger_verdict verdict = ledger_add(&driver->context->ledger, &entry);

	driver->tally.delivered++;
	if (verdict == LEDGER_GOOD) {
		driver->number = number;
		return true;
	}
	mismatch(driver, index, verdicts[verdict], reply_span(&operation->reply));
	return false;
}

/* Put the piece of the input that answered an operation into the journal. */
static void
note_reply(struct driver *driver, size_t index, const struct reply *reply, uint64_t number)
{
	size_t back = driver->exchange.count - 1 - index;
	char text[REPLY_MOST];
	int length;

	if (reply->answer != ANSWER_DELIVERED) {
		journal_came(&driver->journal, back, reply_span(reply));
		return;
	}
	length = snprintf(
	    text, sizeof text, "250 OK:  delivered message %llu\r\n", (unsigned long long)number);
	journal_came(&driver->journal, back, (struct span){text, (size_t)length});
}

/* All replies of operation `index`. False: something is wrong, and dealt with. */
static bool
check_operation(struct driver *driver, size_t index, uint64_t after)
{
	const struct operation *operation = &driver->exchange.operations[index];
	uint64_t number = 0;
	struct reply ok;
	size_t i;

	if (operation->reply.answer == ANSWER_END) {
		if (!expect_end(driver, index, driver->sent + driver->context->patience,
			(struct span){"end of file", 11})) {
			return false;
		}
		count(driver, operation, true);
		return true;
	}
	if (operation->ok_before > 0) {
		reply_write(&ok, ANSWER_OK, driver->context->terms.netid, (struct span){NULL, 0});
	}
	for (i = 0; i < operation->ok_before; i++) {
		if (!expect(driver, index, &ok, &number)) {
			return false;
		}
	}
	if (!expect(driver, index, &operation->reply, &number)) {
		return false;
	}
	note_reply(driver, index, &operation->reply, number);
	if (operation->message && !check_number(driver, index, number, after)) {
		return false;
	}
	count(driver, operation, true);
	return true;
}

static bool
send_bytewise(struct wire *wire, struct span bytes)
{
	for (; bytes.length > 0; bytes.bytes++, bytes.length--) {
		if (!wire_send(wire, (struct span){bytes.bytes, 1})) {
			return false;
		}
	}
	return true;
}

static bool
send_exchange(struct driver *driver)
{
	const struct exchange *exchange = &driver->exchange;
	struct span rest = {exchange->out.bytes, exchange->out.length};
	size_t i;

	if (exchange->manner == HOW_BYTES) {
		return send_bytewise(&driver->wire, rest);
	}
	for (i = 0;
	     exchange->manner == HOW_PIECES && i < sizeof exchange->cuts / sizeof exchange->cuts[0];
	     i++) {
		size_t length = exchange->cuts[i] - (exchange->out.length - rest.length);

		if (!wire_send(&driver->wire, (struct span){rest.bytes, length})) {
			return false;
		}
		rest.bytes += length;
		rest.length -= length;
	}
	return wire_send(&driver->wire, rest);
}

static void
note_exchange(struct driver *driver)
{
	const struct exchange *exchange = &driver->exchange;
	size_t begin = 0;
	size_t i;

	for (i = 0; i < exchange->count; i++) {
		size_t end = exchange->operations[i].end;

		journal_sent(&driver->journal,
		    (struct span){end > begin ? exchange->out.bytes + begin : "", end - begin});
		begin = end;
	}
}

/* Leave without listening. */
static void
leave(struct driver *driver, const struct operation *operation, bool sent)
{
	if (operation->kind == KIND_RESET) {
		wire_reset(&driver->wire);
	} else {
		wire_close(&driver->wire);
	}
	if (operation->kind == KIND_VANISH) {
		note_unnumbered(driver, operation, sent);
	}
	count(driver, operation, true);
}

/* The server counts T afresh from the last accepted operation: when that was, at the closest. */
static void
note_accepted(struct driver *driver)
{
	const struct exchange *exchange = &driver->exchange;
	size_t i;

	for (i = exchange->count; i > 0; i--) {
		if (exchange->operations[i - 1].accepted) {
			break;
		}
	}
	if (i == 0) {
		return;
	}
	driver->high = moment_now();
	driver->low = driver->begun;
	/* In the data phase it counts from the last byte, not from the reply. */
	if (exchange->count == 1 && exchange->operations[0].kind != KIND_DATA &&
	    driver->wire.silent > driver->low) {
		driver->low = driver->wire.silent;
	}
}

static void
note_progress(struct driver *driver, int64_t moment)
{
	atomic_store_explicit(&driver->context->progress, moment, memory_order_relaxed);
}

static void
finish_exchange(struct driver *driver)
{
	const struct exchange *exchange = &driver->exchange;
	const struct operation *last = &exchange->operations[exchange->count - 1];
	int64_t now = moment_now();

	note_progress(driver, now);
	if (last->reply.answer == ANSWER_END) {
		wire_close(&driver->wire);
		return;
	}
	if (last->kind != KIND_CONNECT) {
		tally_latency(&driver->tally, now - driver->begun);
	}
	note_accepted(driver);
	if (wire_unread(&driver->wire).length > 0) {
		complain(driver, exchange->count - 1, "extra bytes after the reply",
		    reply_span(&last->reply));
		driver->tally.faults++;
		abandon(driver, exchange->count);
	}
}

static void
perform(struct driver *driver)
{
	struct exchange *exchange = &driver->exchange;
	const struct operation *last = &exchange->operations[exchange->count - 1];
	uint64_t after = 0;
	bool sent;
	size_t i;

	for (i = 0; i < exchange->count && after == 0; i++) {
		if (exchange->operations[i].message) {
			after = ledger_highest(&driver->context->ledger);
		}
	}
	note_exchange(driver);
	driver->begun = moment_now();
	sent = send_exchange(driver);
	driver->sent = moment_now();
	if (last->reply.answer == ANSWER_NONE) {
		leave(driver, last, sent);
		return;
	}
	/* Should sending have failed, what there is to read says why. */
	if (last->reply.answer == ANSWER_END) {
		wire_half_close(&driver->wire);
	}
	for (i = 0; i < exchange->count; i++) {
		if (!check_operation(driver, i, after)) {
			return;
		}
	}
	finish_exchange(driver);
}

static void
open_session(struct driver *driver)
{
	struct context *context = driver->context;
	char what[WHAT_SIZE];
	char reason[80];

	journal_begin(&driver->journal);
	driver->begun = moment_now();
	driver->sent = driver->begun;
	if (!wire_open(&driver->wire, &context->address, context->patience)) {
		strerror_r(errno, reason, sizeof reason);
		snprintf(what, sizeof what, "cannot connect: %s", reason);
		mismatch(driver, 0, what, reply_span(&driver->exchange.operations[0].reply));
		driver->strikes++;
		return;
	}
	journal_sent(&driver->journal, (struct span){"", 0});
	/* Nobody has waited for us yet: no 421 can be right. */
	driver->sent = moment_now();
	driver->low = driver->sent;
	if (check_operation(driver, 0, 0)) {
		finish_exchange(driver);
	}
}

/* Send what is due, and work out when to do so again. */
static void
vigil_send(struct driver *driver, struct vigil *vigil)
{
	struct span bytes = vigil->bytes;
	int64_t interval = (int64_t)(vigil->row->interval * (double)driver->context->timeout);

	if (vigil->row->bytewise) {
		bytes = (struct span){vigil->bytes.bytes + vigil->sent_length++, 1};
	}
	vigil->sent = moment_now();
	/* If the server is gone, the next receive tells. */
	wire_send(&driver->wire, bytes);
	vigil->owed = vigil->operation->reply.answer != ANSWER_NONE;
	if (vigil->row->extends && !vigil->owed) {
		driver->low = vigil->sent;
		driver->high = moment_now();
	}
	vigil->next = INT64_MAX;
	if (interval > 0 && (!vigil->row->bytewise || vigil->sent_length < vigil->bytes.length)) {
		vigil->next = moment_now() + interval;
	}
}

/* The 421 is here: not before its time, and followed by the end. */
static void
vigil_end(struct driver *driver, struct vigil *vigil, int64_t arrived, size_t used)
{
	int64_t early = driver->low + driver->context->timeout - arrived;
	struct span expected = reply_span(&vigil->timeout);
	char what[WHAT_SIZE];

	if (early > 0) {
		snprintf(what, sizeof what, "the 421 is too early, by %.3f ms at least",
		    (double)early / (double)MILLISECOND);
		mismatch(driver, 0, what, expected);
		return;
	}
	wire_consume(&driver->wire, used);
	journal_came(&driver->journal, 0, expected);
	if (!expect_end(driver, 0, arrived + LATENESS, (struct span){"end of file", 11})) {
		return;
	}
	note_progress(driver, moment_now());
	count(driver, vigil->operation, true);
	wire_close(&driver->wire);
}

/* Something arrived. False: the vigil is over. */
static bool
vigil_read(struct driver *driver, struct vigil *vigil)
{
	int64_t arrived = moment_now();
	struct span unread = wire_unread(&driver->wire);
	enum match match = MATCH_NONE;
	uint64_t number;
	size_t used;

	while (
	    vigil->owed && unread.length > 0 &&
	    (match = reply_match(&vigil->operation->reply, unread, &used, &number)) == MATCH_FULL) {
		wire_consume(&driver->wire, used);
		unread = wire_unread(&driver->wire);
		vigil->owed = false;
		if (vigil->row->extends) {
			driver->low = vigil->sent;
			driver->high = arrived;
		}
	}
	if (unread.length == 0 || match == MATCH_PART) {
		return true;
	}
	match = reply_match(&vigil->timeout, unread, &used, &number);
	if (match == MATCH_PART) {
		return true;
	}
	if (match == MATCH_FULL) {
		vigil_end(driver, vigil, arrived, used);
	} else {
		mismatch(driver, 0, "wrong reply",
		    reply_span(vigil->owed ? &vigil->operation->reply : &vigil->timeout));
	}
	return false;
}

/* Nothing, or the end, or an error, where a 421 was due. */
static void
vigil_fail(struct driver *driver, struct vigil *vigil, enum wire_event event)
{
	char what[WHAT_SIZE];

	if (event == WIRE_LATE) {
		snprintf(what, sizeof what, "no 421 within T + 1 s, T being %g s",
		    (double)driver->context->timeout / (double)SECOND);
	} else {
		describe(event, wire_unread(&driver->wire), 0, what);
	}
	mismatch(driver, 0, what, reply_span(&vigil->timeout));
}

static void
vigil_begin(struct driver *driver, struct vigil *vigil)
{
	struct exchange *exchange = &driver->exchange;
	const struct context *context = driver->context;
	struct operation *operation = &exchange->operations[0];

	*vigil = (struct vigil){
	    .row = &vigil_rows[operation->kind],
	    .operation = operation,
	    .bytes = {exchange->out.bytes, exchange->out.length},
	    .next = INT64_MAX,
	};
	if (vigil->bytes.length > 0) {
		vigil->next =
		    driver->high + (int64_t)(vigil->row->pause * (double)context->timeout);
	}
	reply_write(&vigil->timeout, ANSWER_TIMEOUT, context->terms.netid, (struct span){NULL, 0});
	note_exchange(driver);
	atomic_store_explicit(&driver->waits_until,
	    driver->high + (vigil->row->extends ? 2 : 1) * context->timeout, memory_order_relaxed);
}

/* Wait for the server to lose its patience. */
static void
keep_vigil(struct driver *driver)
{
	struct vigil vigil;
	enum wire_event event;

	vigil_begin(driver, &vigil);
	for (;;) {
		int64_t deadline = driver->high + driver->context->timeout + LATENESS;
		bool sends = !vigil.owed && vigil.next < deadline;

		event = wire_wait(&driver->wire, sends ? vigil.next : deadline);
		if (event == WIRE_ARRIVED && vigil_read(driver, &vigil)) {
			continue;
		}
		if (event != WIRE_LATE || !sends) {
			break;
		}
		vigil_send(driver, &vigil);
	}
	if (event == WIRE_STOPPED) {
		abandon(driver, 0);
	} else if (event != WIRE_ARRIVED) {
		vigil_fail(driver, &vigil, event);
	}
	atomic_store_explicit(&driver->waits_until, 0, memory_order_relaxed);
}

/* The operations are used up: see that nothing more comes. */
static void
finish(struct driver *driver)
{
	static const char what[] = "after the last operation the server must say nothing and close";
	enum wire_event event;

	if (driver->wire.descriptor < 0 || stopping(driver)) {
		return;
	}
	wire_half_close(&driver->wire);
	driver->sent = moment_now();
	event = wire_receive(&driver->wire, driver->sent + driver->context->patience);
	if (event != WIRE_END && event != WIRE_STOPPED && !were_slow(driver)) {
		complain(
		    driver, driver->exchange.count - 1, what, (struct span){"end of file", 11});
		driver->tally.faults++;
	}
}

static void
play(struct driver *driver)
{
	const struct exchange *exchange = &driver->exchange;

	if (exchange->operations[0].kind == KIND_CONNECT) {
		open_session(driver);
	} else if (driver->wire.descriptor < 0) {
		return; /* this session went wrong before */
	} else if (kind_rows[exchange->operations[0].kind].family == FAMILY_TIMEOUT) {
		keep_vigil(driver);
	} else {
		perform(driver);
	}
}

void *
driver_run(void *argument)
{
	struct driver *driver = argument;

	while (!stopping(driver) && driver->strikes < STRIKES &&
	       script_next(&driver->script, &driver->exchange)) {
		if (driver->exchange.out.failed) {
			complaint_text(&driver->context->complaints, "out of memory");
			driver->tally.faults++;
			break;
		}
		play(driver);
	}
	finish(driver);
	wire_close(&driver->wire);
	return NULL;
}
