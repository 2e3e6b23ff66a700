/*
 * NAME
 *	fuzz_session - the session against a second implementation of the protocol
 *
 * DESCRIPTION
 *	The input is a script (see input_script.h). The reference gets the bytes that the session
 *	consumes of each chunk. The session may complete several messages before it asks for their
 *	delivery; the reference asks after each. Compared are replies and state when replies are
 *	sent, each record when it is delivered, and progress after each chunk. Every chunk is in
 *	memory of its own size, so that a sanitizer detects a read after it.
 *
 *	The numbers of messages grow quickly, so that each number of digits occurs.
 */

#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "fail.h"
#include "input_script.h"
#include "reference.h"
#include "session.h"

/* Numbers grow by this factor from one message to the next, and finally overflow. */
#define NUMBER_FACTOR 7

const char target_name[] = "session";

/* Both implementations, and their common state. */
struct pair {
	struct session session;
	struct reference reference;
	uint64_t number; /* of the last message, also of one that was not stored */
};

/* Return the state of the reference as a state of the session. */
static enum state
reference_state(const struct reference *reference)
{
	if (!reference->greeted) {
		return STATE_HELO;
	}
	if (reference->in_data) {
		return STATE_DATA;
	}
	if (!reference->mail_open) {
		return STATE_MAIL;
	}
	return reference->recipients == 0 ? STATE_RCPT : STATE_RCPT_OR_DATA;
}

/* Compare replies and state, and send the replies. */
static void
compare(struct pair *pair)
{
	struct session *session = &pair->session;
	struct reference *reference = &pair->reference;

	if (session->output.length > sizeof session->output.bytes) {
		test_fail("%zu bytes of replies", session->output.length);
	}
	bytes_compare("replies", session->output.bytes, session->output.length,
	    reference->replies.at, reference->replies.length);
	/* In two parts, as if the socket did not take all at once. */
	output_sent(&session->output, session->output.length / 2);
	output_sent(&session->output, session->output.length);
	bytes_clear(&reference->replies);
	if (!reference->closing && session->state != reference_state(reference)) {
		test_fail("state %d where %d was expected", (int)session->state,
		    (int)reference_state(reference));
	}
	if (session_in_data(session) != reference->in_data) {
		test_fail("session_in_data() is wrong");
	}
}

/* Store or refuse a message as the script says, and pass the result to the reference. */
static struct delivery_result
deliver(struct pair *pair, size_t index, struct script *script)
{
	struct record record = session_record(&pair->session, index);
	int error = session_message_error(&pair->session, index);

	if (error != (pair->reference.too_big ? EMSGSIZE : 0)) {
		test_fail("session_message_error() is wrong");
	}
	if (error == 0) {
		bytes_compare("Received line", record.received, record.received_length,
		    pair->reference.received.at, pair->reference.received.length);
		bytes_compare("record", record.rest, record.rest_length, pair->reference.rest.at,
		    pair->reference.rest.length);
		error = script_result(script);
	}
	pair->number = pair->number * NUMBER_FACTOR + 1;
	reference_delivered(&pair->reference, error, pair->number);
	return (struct delivery_result){.error = error, .number = pair->number};
}

/*
 * Feed these bytes to the session, and those it consumes to the reference; deliver the messages
 * that they complete. Returns how many bytes were consumed.
 */
static size_t
feed_once(struct pair *pair, const char *bytes, size_t length, struct script *script,
    enum session_want *want)
{
	size_t consumed = session_feed(&pair->session, bytes, length, want);
	size_t messages = session_messages(&pair->session), delivered = 0;
	struct delivery_result deliveries[COMPLETED_MAX];

	if (consumed > length || (*want == SESSION_INPUT && consumed < length)) {
		test_fail("%zu of %zu bytes consumed, wanted %d", consumed, length, (int)*want);
	}
	for (size_t i = 0; i < consumed; i++) {
		if (pair->reference.closing) {
			test_fail("the reference ended the session %zu bytes before", consumed - i);
		}
		reference_feed(&pair->reference, bytes[i]);
		if (pair->reference.complete) {
			if (delivered == messages) {
				test_fail("a message is complete for the reference alone");
			}
			deliveries[delivered] = deliver(pair, delivered, script);
			delivered++;
		}
	}
	if (delivered != messages || (*want == SESSION_DELIVERY) != (messages > 0)) {
		test_fail(
		    "%zu messages instead of %zu, wanted %d", messages, delivered, (int)*want);
	}
	if (messages > 0) {
		session_delivered(&pair->session, deliveries);
	} else if ((*want == SESSION_CLOSE) != pair->reference.closing) {
		test_fail("only one of the two has ended the session");
	}
	if (*want == SESSION_FLUSH && pair->session.output.length <= OUTPUT_SIZE - REPLY_SIZE) {
		test_fail("there was still space for a reply");
	}
	return consumed;
}

/* Feed a chunk to its end, and do what the session asks for. */
static void
feed(struct pair *pair, const char *chunk, size_t length, struct script *script)
{
	char *copy = malloc(length);
	size_t done = 0;
	enum session_want want;
	bool progressed;

	if (copy == NULL) {
		test_fail("no memory for a chunk");
	}
	memcpy(copy, chunk, length);
	do {
		done += feed_once(pair, copy + done, length - done, script, &want);
		if (want == SESSION_FLUSH) {
			compare(pair);
		}
	} while (want != SESSION_INPUT && want != SESSION_CLOSE);
	free(copy);
	compare(pair);
	progressed = session_progressed(&pair->session);
	if (progressed != (pair->reference.accepted > 0) || session_progressed(&pair->session)) {
		test_fail("session_progressed() is wrong");
	}
	pair->reference.accepted = 0;
}

/* Run one client: the greeting, its chunks, and each reply with which a server ends a session. */
static void
run_client(struct pair *pair, struct script *script)
{
	const char *chunk;
	size_t length;

	session_reset(&pair->session);
	reference_init(
	    &pair->reference, script->netid, script->max_size, script->extended, script->any_login);
	session_greet(&pair->session);
	reference_greet(&pair->reference);
	compare(pair);
	while ((chunk = script_chunk(script, &length)) != NULL) {
		if (!pair->reference.closing) {
			feed(pair, chunk, length, script);
		}
	}
	session_abort(&pair->session, REPLY_TIMEOUT);
	session_abort(&pair->session, REPLY_SHUTTING_DOWN);
	if (!pair->reference.closing) {
		reference_reply_timeout(&pair->reference);
		reference_reply_shutdown(&pair->reference);
	}
	compare(pair);
}

static enum protocol
script_protocol(const struct script *script)
{
	if (!script->extended) {
		return PROTOCOL_SMTP;
	}
	return script->any_login ? PROTOCOL_ESMTP_LOGIN : PROTOCOL_ESMTP;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct pair pair;
	struct script script;

	script_init(&script, input, size);
	pair.number = 0;
	session_init(&pair.session, script.netid, script.max_size, script_protocol(&script));
	while (script_has_client(&script)) {
		run_client(&pair, &script);
	}
	session_destroy(&pair.session);
	reference_destroy(&pair.reference);
	pair.reference = (struct reference){.netid = NULL};
	script_destroy(&script);
	return 0;
}
