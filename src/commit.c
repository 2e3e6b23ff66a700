/*
 * NAME
 *	commit - the file `mailbox.commit`
 *
 * DIAGNOSTICS
 *	mailbox.commit: cannot read: why
 *	mailbox.commit: not a regular file
 *	mailbox.commit: invalid contents: see smtpd(8), DIAGNOSTICS
 *		commit_write() never writes such a line
 */

#include "commit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "params.h"

#define COMMIT_MODE (S_IRUSR | S_IWUSR)

/* Decimal digits of the length and of the number, enough for 64 bits; and bytes of the line. */
#define DIGITS    20
#define LINE_SIZE (DIGITS + 1 + DIGITS + 1)

/* Parse DIGITS bytes. Returns false if one is no digit, or the number is above `largest`. */
static bool
parse_number(const char *digits, uint64_t largest, uint64_t *number)
{
	*number = 0;
	for (int i = 0; i < DIGITS; i++) {
		unsigned digit = (unsigned)(digits[i] - '0');

		if (digit > 9 || *number > (largest - digit) / 10) {
			return false;
		}
		*number = *number * 10 + digit;
	}
	return true;
}

/* Parse the line, LINE_SIZE bytes. Returns false if commit_write() never writes such a line. */
static bool
parse(const char *line, struct commit *commit)
{
	uint64_t length;

	if (!parse_number(line, INT64_MAX, &length) || line[DIGITS] != ' ' ||
	    !parse_number(line + DIGITS + 1, NUMBER_MAX, &commit->number) ||
	    line[LINE_SIZE - 1] != '\n') {
		return false;
	}
	commit->length = (off_t)length;
	return true;
}

/* Read the open file. Returns as commit_read() does. */
static enum commit_status
read_open_file(int descriptor, struct commit *commit)
{
	char line[LINE_SIZE + 1];
	struct stat status;
	size_t length;
	int error;

	if (fstat(descriptor, &status) == -1) {
		log_error(errno, COMMIT_NAME ": cannot read");
		return COMMIT_INVALID;
	}
	if (!S_ISREG(status.st_mode)) {
		log_line(LOG_ERR, COMMIT_NAME ": not a regular file");
		return COMMIT_INVALID;
	}
	error = file_read_at(descriptor, line, sizeof line, 0, &length);
	if (error != 0) {
		log_error(error, COMMIT_NAME ": cannot read");
		return COMMIT_INVALID;
	}
	if (length != LINE_SIZE || !parse(line, commit)) {
		log_line(LOG_ERR, COMMIT_NAME ": invalid contents: see smtpd(8), DIAGNOSTICS");
		return COMMIT_INVALID;
	}
	return COMMIT_FOUND;
}

enum commit_status
commit_read(struct commit *commit)
{
	enum commit_status found;
	int descriptor = open(COMMIT_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (descriptor == -1) {
		if (errno == ENOENT) {
			return COMMIT_MISSING;
		}
		log_error(errno, COMMIT_NAME ": cannot read");
		return COMMIT_INVALID;
	}
	found = read_open_file(descriptor, commit);
	close(descriptor);
	return found;
}

/* Create COMMIT_NEW_NAME with `commit` in it. Returns 0 or the error number. */
static int
create_new(const struct commit *commit, bool sync)
{
	int descriptor =
	    open(COMMIT_NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, COMMIT_MODE);
	int error;

	if (descriptor == -1) {
		return errno;
	}
	error = commit_write(descriptor, commit);
	if (error == 0 && sync) {
		error = file_sync(descriptor);
	}
	close(descriptor);
	return error;
}

int
commit_create(const struct commit *commit, bool sync)
{
	struct stat status;
	int error;

	if (lstat(COMMIT_NAME, &status) == 0) {
		return 0;
	}
	if (errno != ENOENT || (unlink(COMMIT_NEW_NAME) == -1 && errno != ENOENT)) {
		return errno;
	}
	error = create_new(commit, sync);
	if (error == 0 && rename(COMMIT_NEW_NAME, COMMIT_NAME) == -1) {
		error = errno;
	}
	if (error != 0) {
		unlink(COMMIT_NEW_NAME);
	}
	return error;
}

int
commit_open(void)
{
	return open(COMMIT_NAME, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int
commit_write(int descriptor, const struct commit *commit)
{
	char line[LINE_SIZE + 1];

	snprintf(line, sizeof line, "%0*" PRIu64 " %0*" PRIu64 "\n", DIGITS,
	    (uint64_t)commit->length, DIGITS, commit->number);
	return file_write_at(descriptor, line, LINE_SIZE, 0);
}

int
commit_remove(void)
{
	return unlink(COMMIT_NAME) == -1 && errno != ENOENT ? errno : 0;
}
