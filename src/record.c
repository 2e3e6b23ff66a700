/*
 * DESCRIPTION
 *	Only record.[ch] spell the lines of a record. The message module composes them,
 *	mailbox_append.c adds the number line, recovery recognizes the first line and the number
 *	line, and maillog parses the To lines.
 */

/* For memmem(). */
#define _GNU_SOURCE

#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The end of the first line of a record, after the netid; and what comes between host and netid. */
#define RECORD_END     " (CS4410MP3)"
#define RECORD_BETWEEN " by "

void
record_trace_init(struct record_trace *trace, const char *netid)
{
	trace->length = (size_t)snprintf(
	    trace->text, sizeof trace->text, RECORD_BETWEEN "%.*s" RECORD_END, NETID_MAX, netid);
}

bool
record_is_start(const char *line, size_t length)
{
	const size_t start = sizeof RECORD_START - 1, end = sizeof RECORD_END - 1;
	const size_t between = sizeof RECORD_BETWEEN - 1;

	if (length < start + between + end || memcmp(line, RECORD_START, start) != 0 ||
	    memcmp(line + length - end, RECORD_END, end) != 0) {
		return false;
	}
	return memmem(line + start, length - start - end, RECORD_BETWEEN, between) != NULL;
}

size_t
record_format_number(uint64_t number, char line[static RECORD_NUMBER_SIZE])
{
	return (size_t)snprintf(line, RECORD_NUMBER_SIZE, RECORD_NUMBER "%" PRIu64 "\n", number);
}

bool
record_parse_digits(const char **text, uint64_t *number)
{
	char *end;

	/* strtoumax() also accepts white space and signs. */
	if (**text < '1' || **text > '9') {
		return false;
	}
	errno = 0;
	*number = strtoumax(*text, &end, 10);
	*text = end;
	return errno == 0 && *number <= NUMBER_MAX;
}

bool
record_parse_number(const char *line, uint64_t *number)
{
	const char *digits = line + sizeof RECORD_NUMBER - 1;
	uint64_t parsed;

	if (strncmp(line, RECORD_NUMBER, sizeof RECORD_NUMBER - 1) != 0 ||
	    !record_parse_digits(&digits, &parsed) || strcmp(digits, "\n") != 0) {
		return false;
	}
	*number = parsed;
	return true;
}

/*
 * Return whether `length` bytes begin with a number line whose number is from `first` to `last`, or
 * are the beginning of a number line.
 */
static bool
begins_number_line(const char *bytes, size_t length, uint64_t first, uint64_t last)
{
	char line[RECORD_NUMBER_SIZE];
	const char *end = memchr(bytes, '\n', length);
	size_t compared = sizeof RECORD_NUMBER - 1;
	uint64_t number;

	if (end == NULL) {
		for (size_t i = compared; i < length; i++) {
			if (bytes[i] < '0' || bytes[i] > '9') {
				return false;
			}
		}
		compared = length < compared ? length : compared;
		return memcmp(bytes, RECORD_NUMBER, compared) == 0;
	}
	length = (size_t)(end + 1 - bytes);
	if (length >= sizeof line) {
		return false;
	}
	memcpy(line, bytes, length);
	line[length] = '\0';
	return record_parse_number(line, &number) && number >= first && number <= last;
}

bool
record_begins(const char *bytes, size_t length, uint64_t first, uint64_t last)
{
	const char *end = memchr(bytes, '\n', length);

	if (end == NULL) {
		size_t compared =
		    length < sizeof RECORD_START - 1 ? length : sizeof RECORD_START - 1;

		return length > 0 && length < RECORD_HEAD_MAX &&
		       memcmp(bytes, RECORD_START, compared) == 0;
	}
	return record_is_start(bytes, (size_t)(end - bytes)) &&
	       begins_number_line(end + 1, length - (size_t)(end + 1 - bytes), first, last);
}
