/*
 * NAME
 *	report - what is printed at the end of a stress test
 *
 * DESCRIPTION
 *	A table with one row for each type of operation and for each way of sending, so that it
 *	shows if one was left out; then numbers and times; then one line that a program can read.
 */

#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "monotonic.h"

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* Widest bar of the histogram, in characters. */
#define BAR_MAX 40

bool
report_use_colour(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment. */
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0');
}

static const char *
colour_code(const struct report *report, const char *colour)
{
	return report->colour ? colour : "";
}

/*
 * Print the letter of each possible state that was seen, a dot for each other possible state, and a
 * space for the rest.
 */
static void
print_states(const struct report *report, unsigned possible, unsigned seen, FILE *file)
{
	for (unsigned state = 0; state < STATES; state++) {
		if ((possible >> state & 1U) == 0) {
			fputc(' ', file);
		} else if ((seen >> state & 1U) != 0) {
			fputc(state_letter((enum state)state), file);
		} else {
			fprintf(
			    file, "%s.%s", colour_code(report, YELLOW), colour_code(report, PLAIN));
		}
	}
}

static void
print_counts(const struct report *report, const struct stats_row *row, FILE *file)
{
	const char *colour = row->mismatched > 0 ? RED : row->sent == 0 ? YELLOW : "";

	fprintf(file, "%s%10" PRIu64 " %10" PRIu64 " %10" PRIu64 "%s\n",
	    colour_code(report, colour), row->sent, row->matched, row->mismatched,
	    colour_code(report, *colour != '\0' ? PLAIN : ""));
}

static void
print_table(const struct report *report, FILE *file)
{
	const struct stats *stats = report->stats;

	fprintf(file, "%-27s %-5s %-6s %10s %10s %10s\n", "operation", "reply", "states", "sent",
	    "matched", "mismatched");
	for (unsigned type = 0; type < OP_COUNT; type++) {
		const struct operation_info *row = &operation_table[type];

		if (row->op_class == OP_CLASS_TIMEOUT && !report->config->with_timeouts) {
			continue;
		}
		fprintf(file, "%-27s %-5s ", row->name, reply_code(row->reply_type));
		print_states(report, row->states, stats->types[type].states, file);
		fputs("  ", file);
		print_counts(report, &stats->types[type], file);
	}
	fputs("of these:\n", file);
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		fprintf(file, "%-27s %-5s ", variant_names[variant], "");
		print_states(
		    report, stats->variants[variant].states, stats->variants[variant].states, file);
		fputs("  ", file);
		print_counts(report, &stats->variants[variant], file);
	}
	fputs("states: C connected, H after HELO, M after MAIL FROM, R after RCPT TO, D in DATA\n",
	    file);
}

/* Count the cases (a type in a state) that never occurred. */
static unsigned
count_missing(const struct report *report)
{
	unsigned missing = 0;

	for (unsigned type = 0; type < OP_COUNT; type++) {
		unsigned left = operation_table[type].states & ~report->stats->types[type].states;

		if (operation_table[type].op_class == OP_CLASS_TIMEOUT &&
		    !report->config->with_timeouts) {
			continue;
		}
		for (unsigned state = 0; state < STATES; state++) {
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
print_bar(uint64_t count, uint64_t max, FILE *file)
{
	uint64_t length = (count * BAR_MAX + max - 1) / max;

	while (length-- > 0) {
		fputc('#', file);
	}
	fputc('\n', file);
}

static void
print_histogram(const struct stats *stats, FILE *file)
{
	unsigned first = 0, last = STATS_DOUBLINGS - 1, i;
	uint64_t max = 1;

	while (first < last && stats_doubling(stats, first) == 0) {
		first++;
	}
	while (last > first && stats_doubling(stats, last) == 0) {
		last--;
	}
	for (i = first; i <= last; i++) {
		if (stats_doubling(stats, i) > max) {
			max = stats_doubling(stats, i);
		}
	}
	for (i = first; i <= last; i++) {
		uint64_t count = stats_doubling(stats, i);

		fprintf(
		    file, "  below %10.3f ms %10" PRIu64 " ", milliseconds((int64_t)2 << i), count);
		print_bar(count, max, file);
	}
}

static void
print_latencies(const struct stats *stats, FILE *file)
{
	if (stats->latency_count == 0) {
		return;
	}
	fprintf(file,
	    "latency of %" PRIu64
	    " exchanges: p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, max %.3f ms\n",
	    stats->latency_count, milliseconds(stats_quantile(stats, 500)),
	    milliseconds(stats_quantile(stats, 900)), milliseconds(stats_quantile(stats, 990)),
	    milliseconds(stats->longest));
	print_histogram(stats, file);
}

static void
print_messages(const struct report *report, FILE *file)
{
	fprintf(file, "messages: %" PRIu64 " delivered", report->stats->messages_delivered);
	if (report->highest > 0) {
		fprintf(file, ", numbers %" PRIu64 " to %" PRIu64, report->lowest, report->highest);
	}
	if (report->has_files) {
		fprintf(file, "; %" PRIu64 " compared with the files", report->record_count);
	}
	fputc('\n', file);
}

/* Print what limits the meaning of the table. */
static void
print_notes(const struct report *report, FILE *file)
{
	const struct stats *stats = report->stats;
	uint64_t checked = stats->matched + stats->mismatched;
	unsigned missing = count_missing(report);

	if (report->interrupted) {
		fputs("interrupted: this is what was done so far\n", file);
	}
	if (checked < report->config->operations) {
		fprintf(file, "%" PRIu64 " operations were not done\n",
		    report->config->operations - checked);
	}
	if (stats->delayed_sessions > 0) {
		fprintf(file, "%" PRIu64 " sessions timed out because this machine was too slow\n",
		    stats->delayed_sessions);
	}
	if (report->suppressed_count > 0) {
		fprintf(
		    file, "%" PRIu64 " more mismatches were not shown\n", report->suppressed_count);
	}
	if (missing > 0) {
		fprintf(file, "%u cases were not tested\n", missing);
	} else {
		fputs("every kind of operation occurred in every state where it can\n", file);
	}
}

void
report_print(const struct report *report, FILE *file)
{
	const struct config *config = report->config;
	const struct stats *stats = report->stats;
	double seconds = (double)report->elapsed / (double)SECOND;
	uint64_t checked = stats->matched + stats->mismatched;

	fprintf(file, "multiclient: %s port %s, netid %s, seed %" PRIu64 ", %zu connections\n\n",
	    report->host, report->port, config->netid, config->seed, config->connections);
	print_table(report, file);
	fputc('\n', file);
	print_latencies(stats, file);
	print_messages(report, file);
	fprintf(file, "%" PRIu64 " of %zu operations in %.2f s, %.0f operations/s\n", checked,
	    config->operations, seconds, seconds > 0 ? (double)checked / seconds : 0.0);
	print_notes(report, file);
}

uint64_t
report_last_line(const struct stats *stats, bool colour, FILE *file)
{
	uint64_t failed = stats->mismatched + stats->failures;

	fprintf(file, "%s%" PRIu64 " passed, %" PRIu64 " failed%s\n",
	    !colour      ? ""
	    : failed > 0 ? RED
			 : GREEN,
	    stats->matched, failed, colour ? PLAIN : "");
	return failed;
}
