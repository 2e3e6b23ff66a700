/*
 * NAME
 *	complaint - tells what is wrong
 *
 * DIAGNOSTICS
 *	Errors in writing are left to the stream: whoever closes it finds them.
 */

#include "complaint.h"

#include <inttypes.h>

#include "constants.h"

/* How much of a reply or a record is shown, in bytes. */
#define SHOWN_MOST 200

/* How many complaints about the files are told. */
#define FILES_TOLD_MOST 20

void
complaint_begin(struct complaints *complaints, const struct terms *terms, FILE *file)
{
	*complaints = (struct complaints){.terms = terms, .file = file};
	pthread_mutex_init(&complaints->lock, NULL);
}

void
complaint_end(struct complaints *complaints)
{
	pthread_mutex_destroy(&complaints->lock);
}

/* The lock is held. */
static void
remove_progress(struct complaints *complaints)
{
	if (complaints->line_dirty) {
		fputs("\r\033[K", stderr);
	}
	complaints->line_dirty = false;
}

static void
print_bytes(const char *name, struct span bytes, bool numbered, FILE *file)
{
	fprintf(file, "    %s", name);
	journal_print_bytes(bytes, bytes.length, SHOWN_MOST, file);
	fputs(numbered ? "NUMBER\\r\\n\n" : "\n", file);
}

static void
tell(const struct complaints *complaints, const struct complaint *complaint)
{
	const struct terms *terms = complaints->terms;
	const struct operation *operation = complaint->operation;
	FILE *file = complaints->file;

	fprintf(file, "mismatch: connection %zu, operation %zu, \"%s\" in state %s: %s\n",
	    complaint->connection + 1, complaint->number, kind_rows[operation->kind].name,
	    kind_state_name(operation->state), complaint->what);
	journal_print(complaint->journal, "    ", file);
	print_bytes("expected: ", complaint->expected,
	    operation->reply.answer == ANSWER_DELIVERED &&
		complaint->expected.bytes == operation->reply.bytes,
	    file);
	print_bytes("came:     ", complaint->came, false, file);
	fprintf(file, "    repeat:   -s %" PRIu64 " -c %zu -n %zu%s\n", terms->seed,
	    terms->connections, terms->operations, terms->timeouts ? "" : " --no-timeouts");
	fflush(file);
}

void
complaint_operation(struct complaints *complaints, const struct complaint *complaint)
{
	pthread_mutex_lock(&complaints->lock);
	if (complaints->file != NULL) {
		remove_progress(complaints);
		if (complaints->told[complaint->operation->kind]++ < TOLD_MOST) {
			tell(complaints, complaint);
		} else {
			complaints->untold++;
		}
	}
	pthread_mutex_unlock(&complaints->lock);
}

/* Whether one more about the files is to be told. The lock is held. */
static bool
tell_of_files(struct complaints *complaints)
{
	if (complaints->file == NULL) {
		return false;
	}
	remove_progress(complaints);
	if (complaints->told_of_files++ < FILES_TOLD_MOST) {
		return true;
	}
	complaints->untold++;
	return false;
}

void
complaint_text(struct complaints *complaints, const char *text)
{
	pthread_mutex_lock(&complaints->lock);
	if (tell_of_files(complaints)) {
		fprintf(complaints->file, "mismatch: %s\n", text);
	}
	pthread_mutex_unlock(&complaints->lock);
}

void
complaint_difference(
    struct complaints *complaints, const char *text, struct span expected, struct span came)
{
	pthread_mutex_lock(&complaints->lock);
	if (tell_of_files(complaints)) {
		fprintf(complaints->file, "mismatch: %s\n", text);
		print_bytes("expected: ", expected, false, complaints->file);
		print_bytes("there is: ", came, false, complaints->file);
	}
	pthread_mutex_unlock(&complaints->lock);
}

void
complaint_progress(struct complaints *complaints, const char *line)
{
	pthread_mutex_lock(&complaints->lock);
	remove_progress(complaints);
	if (*line != '\0') {
		fputs(line, stderr);
		complaints->line_dirty = true;
	}
	fflush(stderr);
	pthread_mutex_unlock(&complaints->lock);
}
