/*
 * DESCRIPTION
 *	The part of the mailbox monitor that the backup thread calls. See mailbox.h for the design,
 *	the invariants and their proof. All static functions are called with the mutex held.
 *
 * DIAGNOSTICS
 *	mailbox: messages A to B were not backed up and remain in it
 *	mailbox: messages A to B were backed up but remain in it	it cannot be truncated
 *	mailbox: messages A to B were backed up; mailbox.commit cannot be written
 */

#include "mailbox.h"

#include <inttypes.h>

#include "commit.h"
#include "params.h"

uint64_t
backup_first_number(uint64_t number)
{
	return number - (number - 1) % BACKUP_EVERY;
}

/* Return whether an attempt is to start: the predicate of `backup_needed`, but for `closing`. */
static bool
backup_is_needed(const struct mailbox *mailbox)
{
	return mailbox->backup_due && mailbox->backup_requested;
}

/* End the pending backup: none is due any more. */
static void
end_backup(struct mailbox *mailbox)
{
	mailbox->backup_due = false;
	mailbox->backup_requested = false;
	mailbox->backup_exists = false;
	mailbox->copied_length = 0;
}

/*
 * Check whether another program has changed or replaced the file, as mailbox_file_check() does. If
 * another file has been adopted, sets `*replaced`: the backup has nothing of that; and the pending
 * backup ends if it has all of the former file. No bytes are appended and not committed, because a
 * backup is due (I3). Returns 0 or the error number.
 */
static int
check_file(struct mailbox *mailbox, bool *replaced)
{
	int descriptor = mailbox->file.descriptor;
	off_t length = mailbox->file.length;
	int error = mailbox_file_check(&mailbox->file);

	/* The new file is opened before the former one is closed. */
	*replaced = mailbox->file.descriptor != descriptor;
	if (*replaced) {
		if (mailbox->backup_exists && mailbox->copied_length == length) {
			end_backup(mailbox);
		}
		mailbox->backup_exists = false;
		mailbox->copied_length = 0;
	}
	return error;
}

/* Set in `job` what is to be copied, and how much of it the backup has already. */
static void
set_source(const struct mailbox *mailbox, struct backup_job *job)
{
	job->descriptor = mailbox->file.descriptor;
	job->length = mailbox->file.length;
	job->exists = mailbox->backup_exists;
	job->copied_length = mailbox->copied_length;
}

/*
 * Start an attempt. If another file was adopted, and the backup has all of the former one, no
 * backup is due any more, and `job` has nothing to copy.
 */
static void
start_attempt(struct mailbox *mailbox, struct backup_job *job)
{
	bool replaced;
	int error;

	mailbox->backup_requested = false;
	mailbox->attempts_started++;
	*job = (struct backup_job){
	    .first = backup_first_number(mailbox->file.last_number),
	    .last = mailbox->file.last_number,
	    .sync = mailbox->file.sync,
	    .exists = mailbox->backup_exists,
	};
	error = check_file(mailbox, &replaced);
	if (mailbox->backup_due) {
		job->error = error;
		set_source(mailbox, job);
	}
}

bool
mailbox_wait_for_job(struct mailbox *mailbox, struct backup_job *job)
{
	bool needed;

	pthread_mutex_lock(&mailbox->mutex);
	while (!backup_is_needed(mailbox) && !mailbox->closing) {
		pthread_cond_wait(&mailbox->backup_needed, &mailbox->mutex);
	}
	needed = backup_is_needed(mailbox);
	if (needed) {
		start_attempt(mailbox, job);
	}
	mailbox_unlock(mailbox);
	return needed;
}

/* Empty the file after its backup. Returns 0 or the error number. */
static int
truncate_after_backup(struct mailbox *mailbox)
{
	int error = mailbox_file_empty(&mailbox->file);

	if (error == 0) {
		end_backup(mailbox);
	}
	return error;
}

/*
 * Empty the file if the backup has all of it. If another program has replaced the file, the new one
 * stays as it is, for the next backup. If another program has changed the file, sets `job->extend`,
 * even if the backup has all of it: check_file() may have waited for the disk then, and another
 * check must come immediately before the truncation. Returns 0 or the error number.
 */
static int
complete_backup(struct mailbox *mailbox, struct backup_job *job)
{
	off_t length = mailbox->file.length;
	bool replaced = false;
	int error = mailbox->backup_due ? check_file(mailbox, &replaced) : 0;

	if (!mailbox->backup_due || replaced) {
		end_backup(mailbox);
		return 0;
	}
	if (error != 0) {
		return error;
	}
	if (mailbox->file.length != length || length != mailbox->copied_length) {
		set_source(mailbox, job);
		job->extend = true;
		return 0;
	}
	return truncate_after_backup(mailbox);
}

int
mailbox_finish_attempt(struct mailbox *mailbox, struct backup_job *job, int error)
{
	pthread_mutex_lock(&mailbox->mutex);
	job->extend = false;
	mailbox->backup_exists = job->exists;
	mailbox->copied_length = job->copied_length;
	if (error == 0) {
		error = complete_backup(mailbox, job);
	}
	if (!job->extend) {
		mailbox->backup_error = error;
		mailbox->attempts_finished++;
		pthread_cond_signal(&mailbox->backup_done);
	}
	mailbox_unlock(mailbox);
	return error;
}

/* Return what has become of the messages of the pending backup. */
static const char *
backup_state(const struct mailbox *mailbox)
{
	if (mailbox->backup_exists && mailbox->file.length == 0) {
		return "were backed up; " COMMIT_NAME " cannot be written";
	}
	if (mailbox->backup_exists && mailbox->copied_length == mailbox->file.length) {
		return "were backed up but remain in it";
	}
	return "were not backed up and remain in it";
}

bool
mailbox_check_backed_up(const struct mailbox *mailbox)
{
	if (mailbox->backup_due) {
		log_line(LOG_ERR, MAILBOX_NAME ": messages %" PRIu64 " to %" PRIu64 " %s",
		    backup_first_number(mailbox->file.last_number), mailbox->file.last_number,
		    backup_state(mailbox));
	}
	return !mailbox->backup_due;
}
