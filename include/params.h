/*
 * params.h - the limits of smtpd that may have to be changed, with unit and source
 *
 * "The assignment" is CS4410 MP3. A limit without a source is a decision of this project;
 * README.txt and smtpd(8) have those that a user can notice.
 */

#ifndef PARAMS_H
#define PARAMS_H

#include <stdint.h>

/* Nanoseconds in a second and in a millisecond. */
#define SECOND      1000000000LL
#define MILLISECOND 1000000LL

/* Threads in the pool, which is also the maximum of served connections (the assignment). */
#define WORKERS 32

/* Listening sockets: -h options with all their addresses, or sockets of a service manager. */
#define SOCKETS_MAX 8

/* Bytes of a host name, as a string, or of an address with its zone (RFC 1035 2.3.4: 255). */
#define HOST_NAME_SIZE 256

/*
 * Descriptors that the process may need at once: one for each worker and listening socket; 3 of the
 * standard streams; about 10 for the log, the mailbox, its commit point, a backup and more; and as
 * many in reserve.
 */
#define DESCRIPTORS_NEEDED (WORKERS + SOCKETS_MAX + 24)

/* Bytes of the stack of each thread. */
#define THREAD_STACK_SIZE 524288

/* The largest message number: 2^63 - 1. */
#define NUMBER_MAX INT64_MAX

/* Messages in a backup (the assignment). */
#define BACKUP_EVERY 32

/*
 * Bytes of a command line, its line ending not counted. RFC 5321 4.5.3.1.4 asks for 512 at least.
 */
#define COMMAND_LINE_MAX 2048

/* Bytes kept of the end of a longer line: with ESMTP an HTTP request is recognized by them. */
#define COMMAND_LINE_TAIL 64

/* Recipients of a message. RFC 5321 4.5.3.1.8 asks for 100 at least. */
#define RECIPIENTS_MAX 1000

/*
 * Junk commands between messages: NOOP, RSET, VRFY, HELP, AUTH PLAIN, AUTH LOGIN, and a repeated
 * HELO or EHLO; ESMTP only.
 */
#define JUNK_COMMANDS_MAX 100

/* Bytes of a reply line: without, and with, its CRLF (RFC 5321 4.5.3.1.5). */
#define REPLY_TEXT_MAX 510
#define REPLY_SIZE     (REPLY_TEXT_MAX + 2)

/* Bytes of a reply line to a message, with its CRLF, at most. */
#define DELIVERY_REPLY_SIZE 64

/* Characters of the server name. */
#define NETID_MAX 64

/*
 * Bytes of the input and output buffers of a connection. These two, ENVELOPE_ALLOWANCE,
 * COMPLETED_BYTES and the used part of the thread's stack together stay below 224 KiB, as
 * README.txt says.
 */
#define INPUT_SIZE  65536
#define OUTPUT_SIZE 16384

/*
 * Bytes of input that count as a full buffer. A large text over loopback, whose MTU is 65536,
 * arrives in segments of 65320 to 65483 bytes of data, of which the buffer holds one.
 */
#define INPUT_FULL (INPUT_SIZE - 256)

/* Bytes by which the record of a message may exceed the body limit: its envelope. */
#define ENVELOPE_ALLOWANCE 65536

/* Bytes of the first message buffer of a worker, and the most that it keeps between connections. */
#define MESSAGE_BUFFER_INITIAL 16384

/* Completed messages of one client are delivered when there are so many, or so many bytes. */
#define COMPLETED_MAX   BACKUP_EVERY
#define COMPLETED_BYTES 32768

/*
 * Bytes of records, without their first two lines, that make a batch full: no other record is
 * added. So it exceeds this by less than one record, and the time until its first record is written
 * is bounded.
 */
#define BATCH_FULL 262144

/* Bytes of a stored message body: default and maximum of --max-size. */
#define MAX_SIZE_DEFAULT 10485760
#define MAX_SIZE_MAX     1073741824

/* Nanoseconds of --timeout: the default (the assignment: 10 s), and the maximum, one week. */
#define TIMEOUT_DEFAULT (10 * SECOND)
#define TIMEOUT_MAX     (604800 * SECOND)

/* The time limit of a whole message, as a multiple of the timeout. */
#define MESSAGE_TIMEOUTS 60

/*
 * Nanoseconds, with ESMTP, until a client without progress gets a 421 though no other client waits
 * for a worker; --timeout counts if it is longer (RFC 5321 4.5.3.2 asks for 5 minutes).
 */
#define IDLE_TIME (300 * SECOND)

/*
 * Nanoseconds, with ESMTP: the time limit of a whole message; MESSAGE_TIMEOUTS counts if it gives
 * more (RFC 5321 4.5.3.2 asks for 10 minutes).
 */
#define MESSAGE_TIME (600 * SECOND)

/* Nanoseconds, at the end of a connection, to send the last replies; again to drain the input. */
#define LINGER_TIME (500 * MILLISECOND)

/*
 * Nanoseconds: the longest wait of a worker on a socket before it checks for a stop. A stop takes
 * at most this, LINGER_TIME twice, and the time of the storage.
 */
#define STOP_CHECK_TIME (250 * MILLISECOND)

/* Nanoseconds, at least, between two log lines that say that a fault is over. */
#define LOG_FAULT_INTERVAL SECOND

/* Nanoseconds for which a notification waits for the service manager, at most. */
#define NOTIFY_TIMEOUT SECOND

/* Milliseconds before accept() is tried again after an error that may pass, such as EMFILE. */
#define ACCEPT_RETRY_MILLISECONDS 100

#endif
