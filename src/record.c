/*
 * DESCRIPTION
 *	The only place that spells the lines of a record. The message module composes them, the
 *	mailbox adds the number line, recovery recognizes both, and the log takes them apart.
 */

#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
record_trace_init(struct record_trace *trace, const char *netid)
{
	trace->length = (size_t)snprintf(
	    trace->text, sizeof trace->text, " by %.*s (CS4410MP3)", NETID_MAX, netid);
}

bool
record_is_start(const char *line, size_t length, const struct record_trace *trace)
{
	return length >= sizeof RECORD_START - 1 + trace->length &&
	       memcmp(line, RECORD_START, sizeof RECORD_START - 1) == 0 &&
	       memcmp(line + length - trace->length, trace->text, trace->length) == 0;
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
	return errno == 0 && *number < UINT64_MAX;
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
