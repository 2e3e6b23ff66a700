/*
 * record.h - the format of a record in the mailbox: its lines, and how to recognize them
 *
 *	Received: from host by netid (CS4410MP3)
 *	Number: 1
 *	From: address
 *	To: address			(a line for each recipient)
 *					(an empty line)
 *	body				(any number of lines)
 *					(an empty line)
 *
 * A body line that matches ^>*Received: from .* by .* \(CS4410MP3\)$, whatever the netid, has one
 * more '>' in the mailbox. So a line of the server that record_is_start() accepts is always the
 * first of a record, also after a start under another netid. No state; any thread. Source: the
 * assignment; mboxrd for the quoting.
 */

#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "params.h"

/* How the lines before the body begin. */
#define RECORD_START     "Received: from "
#define RECORD_NUMBER    "Number: "
#define RECORD_SENDER    "From: "
#define RECORD_RECIPIENT "To: "

/* Bytes of the first line and the number line of a record together, at most. */
#define RECORD_HEAD_MAX (COMMAND_LINE_MAX + 256)

/* Bytes of the number line, as a string with its line feed. */
#define RECORD_NUMBER_SIZE sizeof(RECORD_NUMBER "18446744073709551615\n")

/* A finished record in two parts, between which the number line belongs. */
struct record {
	const char *received; /* the Received line */
	size_t received_length;
	const char *rest; /* from the From line to the empty line after the body */
	size_t rest_length;
};

/* " by netid (CS4410MP3)": how the first line of every record of a server ends. */
struct record_trace {
	char text[NETID_MAX + sizeof " by  (CS4410MP3)"];
	size_t length;
};

/* Initialize the trace of a server. `netid` is at most NETID_MAX characters, and is copied. */
void record_trace_init(struct record_trace *trace, const char *netid);

/*
 * Return whether a line, `length` bytes without its line feed, is the first of a record of any
 * netid.
 */
bool record_is_start(const char *line, size_t length);

/*
 * Return whether `length` bytes, at most RECORD_HEAD_MAX, are the first bytes of a record with a
 * number from `first` to `last`. They may end inside its first two lines: then only what is there
 * counts, and a number whose line does not end is not compared with `first` and `last`.
 */
bool record_begins(const char *bytes, size_t length, uint64_t first, uint64_t last);

/* Format the number line, with its line feed. Returns its length in bytes. */
size_t record_format_number(uint64_t number, char line[static RECORD_NUMBER_SIZE]);

/*
 * Parse the decimal digits of a message number, without leading zero, and move `*text` after them.
 * Returns false if there are none, or if the number is above NUMBER_MAX; `*text` and `*number` are
 * then undefined.
 */
bool record_parse_digits(const char **text, uint64_t *number);

/*
 * Parse a number line, a string with its line feed, and set `number`. Returns false, and leaves
 * `number` as it is, if this is no number line.
 */
bool record_parse_number(const char *line, uint64_t *number);

#endif
