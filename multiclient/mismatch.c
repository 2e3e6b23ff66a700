/*
 * NAME
 *	mismatch - the log of mismatches
 *
 * DIAGNOSTICS
 *	A failure to write is not reported: standard error is where it would be.
 */

#include "mismatch.h"

#include "params.h"

/* How much of a reply or a record is shown, in bytes. */
#define SHOWN_MAX 200

void
mismatch_log_init(struct mismatch_log *mismatch_log, const struct options *options, FILE *file)
{
	*mismatch_log = (struct mismatch_log){.options = options, .file = file};
	pthread_mutex_init(&mismatch_log->lock, NULL);
}

void
mismatch_log_destroy(struct mismatch_log *mismatch_log)
{
	pthread_mutex_destroy(&mismatch_log->lock);
}

/* Remove the line of progress. The lock is held. */
static void
remove_progress(struct mismatch_log *mismatch_log)
{
	if (mismatch_log->progress_shown) {
		fputs("\r\033[K", stderr);
	}
	mismatch_log->progress_shown = false;
}

/* Print a line: its name, bytes so that each is visible, and the text `rest`. */
static void
print_bytes(const char *name, struct span bytes, const char *rest, FILE *file)
{
	fprintf(file, "    %s", name);
	transcript_print_bytes(bytes, bytes.length, SHOWN_MAX, file);
	fprintf(file, "%s\n", rest);
}

static void
write_mismatch(const struct mismatch_log *mismatch_log, const struct mismatch *mismatch)
{
	const struct operation *operation = mismatch->operation;
	FILE *file = mismatch_log->file;

	fprintf(file, "mismatch: connection %zu, operation %zu, \"%s\" in state %s: %s\n",
	    mismatch->connection + 1, mismatch->number, operation_table[operation->type].name,
	    state_name(operation->state), mismatch->what);
	transcript_print(mismatch->transcript, "    ", file);
	/* The reply to a message is kept without its number and line end (reply.h). */
	print_bytes("expected: ", mismatch->expected,
	    operation->reply.reply_type == REPLY_DELIVERED &&
		    mismatch->expected.bytes == operation->reply.bytes
		? "NUMBER\\r\\n"
		: "",
	    file);
	print_bytes("received: ", mismatch->received, "", file);
	fputs("    repeat:   ", file);
	options_print_command(mismatch_log->options, file);
	fputc('\n', file);
	fflush(file);
}

void
mismatch_report(struct mismatch_log *mismatch_log, const struct mismatch *mismatch)
{
	pthread_mutex_lock(&mismatch_log->lock);
	if (mismatch_log->file != NULL) {
		remove_progress(mismatch_log);
		if (mismatch_log->type_counts[mismatch->operation->type]++ < REPORTS_PER_TYPE_MAX) {
			write_mismatch(mismatch_log, mismatch);
		} else {
			mismatch_log->suppressed_count++;
		}
	}
	pthread_mutex_unlock(&mismatch_log->lock);
}

/* Count a mismatch of no operation. Returns whether it is to be reported. The lock is held. */
static bool
may_report_other(struct mismatch_log *mismatch_log)
{
	if (mismatch_log->file == NULL) {
		return false;
	}
	remove_progress(mismatch_log);
	if (mismatch_log->other_count++ < OTHER_REPORTS_MAX) {
		return true;
	}
	mismatch_log->suppressed_count++;
	return false;
}

void
mismatch_report_text(struct mismatch_log *mismatch_log, const char *text)
{
	pthread_mutex_lock(&mismatch_log->lock);
	if (may_report_other(mismatch_log)) {
		fprintf(mismatch_log->file, "mismatch: %s\n", text);
	}
	pthread_mutex_unlock(&mismatch_log->lock);
}

void
mismatch_report_diff(
    struct mismatch_log *mismatch_log, const char *text, struct span expected, struct span received)
{
	pthread_mutex_lock(&mismatch_log->lock);
	if (may_report_other(mismatch_log)) {
		fprintf(mismatch_log->file, "mismatch: %s\n", text);
		print_bytes("expected: ", expected, "", mismatch_log->file);
		print_bytes("found:    ", received, "", mismatch_log->file);
	}
	pthread_mutex_unlock(&mismatch_log->lock);
}

void
progress_show(struct mismatch_log *mismatch_log, const char *line)
{
	pthread_mutex_lock(&mismatch_log->lock);
	remove_progress(mismatch_log);
	if (*line != '\0') {
		fputs(line, stderr);
		mismatch_log->progress_shown = true;
	}
	fflush(stderr);
	pthread_mutex_unlock(&mismatch_log->lock);
}
