/*
 * params.h - every limit and default of multiclient, with its source
 *
 * The limits of the protocol are not taken from the server's params.h, so that a mistake in one of
 * them is found.
 */

#ifndef MULTICLIENT_PARAMS_H
#define MULTICLIENT_PARAMS_H

/* Bytes of a command line before its line ending at most (README.txt, 10). */
#define LINE_MAX 2048

/* Bytes of a reply before its CRLF at most (RFC 5321, 4.5.3.1.5: 512 with it). */
#define REPLY_MAX 510

/* Recipients of one message (README.txt, 10; RFC 5321, 4.5.3.1.8, asks for 100 at least). */
#define RECIPIENTS_MAX 1000

/* Messages of one backup file (assignment, Mailbox Backup). */
#define BACKUP_EVERY 32

/* Bytes of a netid at most (smtpd(8), --netid). */
#define NETID_MAX 64

/* Defaults and ranges of the command line. */
#define DEFAULT_HOST        "127.0.0.1"
#define DEFAULT_PORT        "8765"
#define DEFAULT_CONNECTIONS 32
#define DEFAULT_OPERATIONS  1000
#define DEFAULT_TIMEOUT     10.0
#define DEFAULT_PATIENCE    5.0
#define CONNECTIONS_MAX     4096
#define OPERATIONS_MAX      1000000000
#define SECONDS_MAX         3600.0

/* How late a 421 may be, in nanoseconds: one second. */
#define TIMEOUT_SLACK 1000000000

/* How long one recv() or poll() blocks before the stop flag is checked, in milliseconds. */
#define POLL_INTERVAL_MS 50

/* Failed connects, and replies and ends of connections not in time, after which a client ends. */
#define LOST_REPLIES_MAX 2

/* Operations of one exchange at most. */
#define EXCHANGE_MAX 16

/* Mismatches of one type of operation that are reported in full; the others are only counted. */
#define REPORTS_PER_TYPE_MAX 2

/* Mismatches that belong to no operation, likewise. */
#define OTHER_REPORTS_MAX 20

/* The number of elements of an array. */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
