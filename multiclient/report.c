/*
 * NAME
 *	report - what is printed at the end
 *
 * DESCRIPTION
 *	A table with one row for each kind of operation and for each way of sending, so that it can
 *	be seen that none was left out; then numbers and times; then one line that a script can read.
 */

#include "report.h"

#include <inttypes.h>

#include "moment.h"

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* Widest bar of the histogram, in characters. */
#define BAR_MOST 40

static const char *
paint(const struct report *report, const char *colour)
{
	return report->colour ? colour : "";
}

/* The letters of the states in which a kind was sent; a dot for each that is still to be seen. */
static void
print_states(const struct report *report, unsigned possible, unsigned seen, FILE *file)
{
	unsigned state;

	for (state = 0; state < STATES; state++) {
		if ((possible >> state & 1U) == 0) {
			fputc(' ', file);
		} else if ((seen >> state & 1U) != 0) {
			fputc(kind_state_letter((enum state)state), file);
		} else {
			fprintf(file, "%s.%s", paint(report, YELLOW), paint(report, PLAIN));
		}
	}
}

static void
print_counts(const struct report *report, const struct tally_row *row, FILE *file)
{
	const char *colour = row->mismatched > 0 ? RED : row->sent == 0 ? YELLOW : "";

	fprintf(file, "%s%10" PRIu64 " %10" PRIu64 " %10" PRIu64 "%s\n", paint(report, colour),
	    row->sent, row->matched, row->mismatched, paint(report, *colour != '\0' ? PLAIN : ""));
}

static void
print_table(const struct report *report, FILE *file)
{
	const struct tally *tally = report->tally;
	unsigned kind, how;

	fprintf(file, "%-27s %-5s %-6s %10s %10s %10s\n", "operation", "reply", "states", "sent",
	    "matched", "mismatched");
	for (kind = 0; kind < KINDS; kind++) {
		const struct kind_row *row = &kind_rows[kind];

		if (row->family == FAMILY_TIMEOUT && !report->terms->timeouts) {
			continue;
		}
		fprintf(file, "%-27s %-5s ", row->name, reply_code(row->answer));
		print_states(report, row->states, tally->kinds[kind].states, file);
		fputs("  ", file);
		print_counts(report, &tally->kinds[kind], file);
	}
	fputs("of these:\n", file);
	for (how = 0; how < HOWS; how++) {
		fprintf(file, "%-27s %-5s ", how_names[how], "");
		print_states(report, tally->hows[how].states, tally->hows[how].states, file);
		fputs("  ", file);
		print_counts(report, &tally->hows[how], file);
	}
	fputs("states: C connected, H after HELO, M after MAIL FROM, R after RCPT TO, D in DATA\n",
	    file);
}

/* Cases, a kind in a state each, that never occurred. */
static unsigned
count_missing(const struct report *report)
{
	unsigned missing = 0;
	unsigned kind, state;

	for (kind = 0; kind < KINDS; kind++) {
		unsigned left = kind_rows[kind].states & ~report->tally->kinds[kind].states;

		if (kind_rows[kind].family == FAMILY_TIMEOUT && !report->terms->timeouts) {
			continue;
		}
		for (state = 0; state < STATES; state++) {
			missing += left >> state & 1U;
		}
	}
	return missing;
}

static double
milliseconds(int64_t nanoseconds)
{
	return (double)nanoseconds / (double)MILLISECOND;
}

static void
print_bar(uint64_t count, uint64_t most, FILE *file)
{
	uint64_t length = (count * BAR_MOST + most - 1) / most;

	while (length-- > 0) {
		fputc('#', file);
	}
	fputc('\n', file);
}

static void
print_histogram(const struct tally *tally, FILE *file)
{
	unsigned first = 0, last = TALLY_DOUBLINGS - 1, i;
	uint64_t most = 1;

	while (first < last && tally_doubling(tally, first) == 0) {
		first++;
	}
	while (last > first && tally_doubling(tally, last) == 0) {
		last--;
	}
	for (i = first; i <= last; i++) {
		if (tally_doubling(tally, i) > most) {
			most = tally_doubling(tally, i);
		}
	}
	for (i = first; i <= last; i++) {
		uint64_t count = tally_doubling(tally, i);

		fprintf(
		    file, "  below %10.3f ms %10" PRIu64 " ", milliseconds((int64_t)2 << i), count);
		print_bar(count, most, file);
	}
}

static void
print_latencies(const struct tally *tally, FILE *file)
{
	if (tally->latencies == 0) {
		return;
	}
	fprintf(file,
	    "latency of %" PRIu64
	    " exchanges: p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, max %.3f ms\n",
	    tally->latencies, milliseconds(tally_quantile(tally, 500)),
	    milliseconds(tally_quantile(tally, 900)), milliseconds(tally_quantile(tally, 990)),
	    milliseconds(tally->longest));
	print_histogram(tally, file);
}

static void
print_messages(const struct report *report, FILE *file)
{
	fprintf(file, "messages: %" PRIu64 " delivered", report->tally->delivered);
	if (report->highest > 0) {
		fprintf(file, ", numbers %" PRIu64 " to %" PRIu64, report->lowest, report->highest);
	}
	if (report->compared) {
		fprintf(file, "; %" PRIu64 " compared with the files", report->records);
	}
	fputc('\n', file);
}

/* What the reader should know before believing the table. */
static void
print_remarks(const struct report *report, FILE *file)
{
	const struct tally *tally = report->tally;
	uint64_t checked = tally->matched + tally->mismatched;
	unsigned missing = count_missing(report);

	if (report->interrupted) {
		fputs("interrupted: this is what was done so far\n", file);
	}
	if (checked < report->terms->operations) {
		fprintf(file, "%" PRIu64 " operations were not done\n",
		    report->terms->operations - checked);
	}
	if (tally->slow > 0) {
		fprintf(file,
		    "%" PRIu64 " sessions were rightly timed out, for this machine was too slow\n",
		    tally->slow);
	}
	if (report->untold > 0) {
		fprintf(
		    file, "%" PRIu64 " more mismatches were not told one by one\n", report->untold);
	}
	if (missing > 0) {
		fprintf(file, "%u cases did not occur\n", missing);
	} else {
		fputs("every kind of operation occurred in every state where it can\n", file);
	}
}

void
report_print(const struct report *report, FILE *file)
{
	const struct terms *terms = report->terms;
	const struct tally *tally = report->tally;
	double seconds = (double)report->elapsed / (double)SECOND;
	uint64_t checked = tally->matched + tally->mismatched;

	fprintf(file, "multiclient: %s port %s, netid %s, seed %" PRIu64 ", %zu connections\n\n",
	    report->host, report->port, terms->netid, terms->seed, terms->connections);
	print_table(report, file);
	fputc('\n', file);
	print_latencies(tally, file);
	print_messages(report, file);
	fprintf(file, "%" PRIu64 " of %zu operations in %.2f s, %.0f operations/s\n", checked,
	    terms->operations, seconds, seconds > 0 ? (double)checked / seconds : 0.0);
	print_remarks(report, file);
}

uint64_t
report_last_line(const struct tally *tally, bool colour, FILE *file)
{
	uint64_t failed = tally->mismatched + tally->faults;

	fprintf(file, "%s%" PRIu64 " passed, %" PRIu64 " failed%s\n",
	    !colour      ? ""
	    : failed > 0 ? RED
			 : GREEN,
	    tally->matched, failed, colour ? PLAIN : "");
	return failed;
}
