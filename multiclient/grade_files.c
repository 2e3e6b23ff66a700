/*
 * NAME
 *	grade_files - demands about numbers and files
 *
 * DESCRIPTION
 *	See grade_stored.h for how a message is found.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grade_demands.h"
#include "grade_message.h"
#include "grade_stored.h"
#include "grade_talk.h"
#include "monotonic.h"

/* ---- records ---- */

/* Return whether a record is in the files exactly once, as a record of its own. */
static bool
has_record(const struct buffer *files, const struct buffer *record)
{
	static const char next[] = "Received: from ";
	struct span wanted = {record->bytes, record->length};
	size_t at = stored_find(files, 0, wanted);
	size_t end = at + record->length;

	return at != SIZE_MAX && (at == 0 || files->bytes[at - 1] == '\n') &&
	       (end == files->length ||
		   (files->length - end >= sizeof next - 1 &&
		       memcmp(files->bytes + end, next, sizeof next - 1) == 0)) &&
	       stored_find(files, end, wanted) == SIZE_MAX;
}

/*
 * Find the first message that is not in the files as it must be: of the crowd for DEMAND_CROWD, of
 * all other demands otherwise; with one recipient and no dots.
 */
static void
check_records(struct grade *grade, unsigned demand, struct finding *finding)
{
	struct buffer files = {0}, record = {0};
	bool complete = stored_read_files(grade, &files, finding);

	for (size_t i = 0; i < grade->message_count && complete && !finding->wrong; i++) {
		const struct message *message = &grade->messages[i];
		bool crowd = message->demand == DEMAND_CROWD;

		if (message->number == 0 || message->recipients != 1 || message->has_dots ||
		    crowd != (demand == DEMAND_CROWD)) {
			continue;
		}
		message_record(message, grade->netid, ADDED_DOTS_REMOVED, &record);
		if (!has_record(&files, &record) ||
		    stored_find_sender(
			&files, stored_find_sender(&files, 0, message) + 1, message) != SIZE_MAX) {
			finding->wrong = true;
			stored_show(finding->expected, (struct span){record.bytes, record.length});
			stored_show_found(finding->received, &files, message);
		}
	}
	buffer_destroy(&record);
	buffer_destroy(&files);
}

/* Check that the message with leading dots is there: with the added dots removed, or kept. */
static void
check_dots(struct grade *grade, unsigned demand, struct finding *finding)
{
	struct buffer files = {0}, removed = {0}, kept = {0};
	bool complete = stored_read_files(grade, &files, finding);

	(void)demand;
	for (size_t i = 0; i < grade->message_count && complete && !finding->wrong; i++) {
		const struct message *message = &grade->messages[i];

		if (message->number == 0 || !message->has_dots) {
			continue;
		}
		message_record(message, grade->netid, ADDED_DOTS_REMOVED, &removed);
		message_record(message, grade->netid, ADDED_DOTS_KEPT, &kept);
		if (!has_record(&files, &removed) && !has_record(&files, &kept)) {
			finding->wrong = true;
			stored_show(
			    finding->expected, (struct span){removed.bytes, removed.length});
			stored_show_found(finding->received, &files, message);
		}
	}
	buffer_destroy(&kept);
	buffer_destroy(&removed);
	buffer_destroy(&files);
}

/* Check that after the sender of each message of the demand is a line for each recipient. */
static void
check_recipients(struct grade *grade, unsigned demand, struct finding *finding)
{
	struct buffer files = {0};
	bool complete = stored_read_files(grade, &files, finding);

	for (size_t i = 0; i < grade->message_count && complete && !finding->wrong; i++) {
		const struct message *message = &grade->messages[i];
		size_t from = stored_find_sender(&files, 0, message);
		size_t end;

		if (message->number == 0 || message->demand != demand) {
			continue;
		}
		end = from != SIZE_MAX ? stored_find(&files, from, (struct span){"\n\n", 2}) : 0;
		finding->wrong = from == SIZE_MAX || end == SIZE_MAX;
		for (unsigned j = 0; j < message->recipients && !finding->wrong; j++) {
			char address[NAME_SIZE], line[NAME_SIZE + 8];

			message_recipient(message, j, address);
			snprintf(line, sizeof line, "\nTo: %s\n", address);
			finding->wrong =
			    stored_find(&files, from, (struct span){line, strlen(line)}) >= end;
		}
		if (finding->wrong) {
			snprintf(finding->expected, FINDING_SIZE,
			    "one record with %u lines \"To: \"", message->recipients);
			stored_show_found(finding->received, &files, message);
		}
	}
	buffer_destroy(&files);
}

void
demand_records(struct grade *grade, unsigned demand)
{
	bool sent = false;

	for (size_t i = 0; i < grade->message_count; i++) {
		sent = sent || grade->messages[i].number != 0;
	}
	if (!sent) {
		grade_not_seen(grade, demand, "no message was acknowledged");
	} else if (*grade->netid == '\0') {
		grade_not_seen(grade, demand, "the netid is not known");
	} else {
		stored_judge(grade, demand, check_records);
		stored_judge(grade, DEMAND_RECIPIENTS, check_recipients);
		if (grade_verdict(grade, demand) != VERDICT_FAILED) {
			stored_judge(grade, DEMAND_DOTS, check_dots);
		}
	}
}

void
judge_crowd(struct grade *grade, unsigned demand)
{
	size_t count = 0;

	for (size_t i = 0; i < grade->message_count; i++) {
		count += grade->messages[i].demand == demand && grade->messages[i].number != 0;
	}
	if (count < BACKUP_EVERY) {
		grade_not_seen(grade, demand, "fewer than 32 messages were acknowledged");
	} else if (grade_verdict(grade, DEMAND_RECORDS) != VERDICT_PASSED ||
		   *grade->netid == '\0') {
		grade_not_seen(grade, demand,
		    grade_verdict(grade, DEMAND_RECORDS) == VERDICT_FAILED
			? "records have another form (R28)"
			: "the form of records was not seen (R28)");
	} else {
		grade->deadline = monotonic_now() + FILES_TIME;
		stored_judge(grade, demand, check_records);
	}
}

/* ---- order ---- */

static int
compare_numbers(const void *one, const void *other)
{
	const struct message *const *a = one, *const *b = other;

	return ((*a)->number > (*b)->number) - ((*a)->number < (*b)->number);
}

/* Check that the messages that are in the files are in the order of their numbers. */
static void
check_order(struct grade *grade, unsigned demand, struct finding *finding)
{
	const struct message *sorted[MESSAGES_MAX] = {NULL};
	const struct message *previous = NULL;
	struct buffer files = {0};
	size_t count = 0, last = 0;

	(void)demand;
	for (size_t i = 0; i < grade->message_count; i++) {
		if (grade->messages[i].number != 0) {
			sorted[count++] = &grade->messages[i];
		}
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the elements are pointers. */
	qsort(sorted, count, sizeof sorted[0], compare_numbers);
	if (!stored_read_files(grade, &files, finding)) {
		count = 0;
	}
	for (size_t i = 0; i < count && !finding->wrong; i++) {
		size_t at = stored_find_sender(&files, 0, sorted[i]);

		if (at == SIZE_MAX) {
			continue;
		}
		if (previous != NULL && previous->number < sorted[i]->number && at < last) {
			finding->wrong = true;
			snprintf(finding->expected, FINDING_SIZE,
			    "message %" PRIu64 " before message %" PRIu64, previous->number,
			    sorted[i]->number);
			snprintf(finding->received, FINDING_SIZE, "it is after that");
		}
		previous = sorted[i];
		last = at;
	}
	buffer_destroy(&files);
}

void
demand_record_order(struct grade *grade, unsigned demand)
{
	if (grade->ledger.count < 2) {
		grade_not_seen(grade, demand, "fewer than two messages were acknowledged");
	} else {
		stored_judge(grade, demand, check_order);
	}
}

/* ---- backups ---- */

/* Check the backup of demand 31 or 32, and that `mailbox` holds none of its messages. */
static void
check_backup(struct grade *grade, unsigned demand, struct finding *finding)
{
	uint64_t last = demand == DEMAND_FIRST_BACKUP ? BACKUP_EVERY : 2 * BACKUP_EVERY;
	uint64_t first = last - BACKUP_EVERY + 1;
	struct buffer backup = {0}, mailbox = {0}, earlier = {0};
	char name[64];
	bool complete;

	snprintf(name, sizeof name, "mailbox.%" PRIu64 "-%" PRIu64, first, last);
	/* The earlier backup must be there; its content was judged before. */
	complete = stored_read_file(grade, name, &backup, finding) &&
		   stored_read_file(grade, "mailbox", &mailbox, finding) &&
		   (demand == DEMAND_FIRST_BACKUP ||
		       stored_read_file(grade, "mailbox.1-32", &earlier, finding));
	for (size_t i = 0; i < grade->message_count && complete && !finding->wrong; i++) {
		const struct message *message = &grade->messages[i];
		bool belongs = message->number >= first && message->number <= last;
		size_t at = stored_find_sender(&backup, 0, message);

		if (message->number == 0) {
			continue;
		}
		finding->wrong = true;
		if (belongs != (at != SIZE_MAX)) {
			snprintf(finding->received, FINDING_SIZE, "message %" PRIu64 " is %s %s",
			    message->number, belongs ? "not in" : "in", name);
		} else if (belongs && stored_find_sender(&backup, at + 1, message) != SIZE_MAX) {
			snprintf(finding->received, FINDING_SIZE,
			    "message %" PRIu64 " is twice in %s", message->number, name);
		} else if (belongs && stored_find_sender(&mailbox, 0, message) != SIZE_MAX) {
			snprintf(finding->received, FINDING_SIZE,
			    "message %" PRIu64 " is in mailbox, too", message->number);
		} else {
			finding->wrong = false;
		}
		snprintf(finding->expected, FINDING_SIZE,
		    "messages %" PRIu64 " to %" PRIu64 " in %s, and only there", first, last, name);
	}
	buffer_destroy(&earlier);
	buffer_destroy(&mailbox);
	buffer_destroy(&backup);
}

void
demand_backup(struct grade *grade, unsigned demand)
{
	uint64_t last = demand == DEMAND_FIRST_BACKUP ? BACKUP_EVERY : 2 * BACKUP_EVERY;

	if (grade->ledger.count == 0) {
		grade_not_seen(grade, demand, "no message was acknowledged");
		return;
	}
	if (grade->ledger.lowest != 1 ||
	    (demand == DEMAND_FIRST_BACKUP && grade->ledger.highest >= last)) {
		grade_not_seen(grade, demand, "the server was not just started");
		return;
	}
	while (grade->ledger.highest < last) {
		struct talk talk;
		bool delivered;

		talk_init(&talk, grade, demand);
		delivered = talk_open_helo(&talk) && message_deliver(&talk, 1);
		talk_close(&talk);
		if (!delivered) {
			return;
		}
	}
	grade->deadline = monotonic_now() + FILES_TIME;
	stored_judge(grade, demand, check_backup);
}

/* ---- numbers ---- */

/*
 * That numbers rise and do not repeat is judged with each message (message_judge_reply()). Here:
 * that the first is 1, if the mailbox was empty, and that none is missing.
 */
void
demand_numbers(struct grade *grade, unsigned demand)
{
	const struct ledger *ledger = &grade->ledger;
	uint64_t missing = ledger_missing(ledger);
	char received[FINDING_SIZE];

	if (ledger->count == 0) {
		grade_not_seen(grade, demand, "no message was acknowledged");
	} else if (grade->is_new && ledger->lowest != 1) {
		snprintf(received, sizeof received, "%" PRIu64, ledger->lowest);
		grade_fail(grade, demand, NULL,
		    "1 for the first message, because the mailbox was empty", received);
	} else if (missing > 0) {
		snprintf(received, sizeof received,
		    "at least %" PRIu64 " numbers from 1 to %" PRIu64 " were not given", missing,
		    ledger->highest);
		grade_fail(grade, demand, NULL, "each number from 1 on", received);
	}
}
