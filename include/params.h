/*
 * params.h - every limit of smtpd, with its unit and where it comes from
 *
 * "The assignment" is CS4410 MP3. Where it is silent the number is our decision, and
 * README.txt says so.
 */

#ifndef PARAMS_H
#define PARAMS_H

/* Nanoseconds in a second and in a millisecond. */
#define SECOND      1000000000LL
#define MILLISECOND 1000000LL

/* Threads in the pool, and so connections in service at once (the assignment). */
#define WORKERS 32

/* Messages in a backup (the assignment). */
#define BACKUP_EVERY 32

/*
 * Bytes of a command line, its line ending not counted. RFC 5321 4.5.3.1.4 asks for 512 at least.
 */
#define COMMAND_LINE_MAX 2048

/* Recipients of a message. RFC 5321 4.5.3.1.8 asks for 100 at least. */
#define RECIPIENTS_MAX 1000

/* Commands between good messages that move nothing forward; ESMTP only. */
#define JUNK_COMMANDS_MAX 100

/* Bytes of a reply line: without, and with, its CRLF (RFC 5321 4.5.3.1.5). */
#define REPLY_TEXT_MAX 510
#define REPLY_SIZE     (REPLY_TEXT_MAX + 2)

/* Bytes that the reply to a message takes at most. */
#define DELIVERY_REPLY_SIZE 64

/* Characters in the name that the server gives itself. */
#define NETID_MAX 64

/*
 * Bytes of memory for a connection: what one recv() may bring, and what may wait for one send().
 * With ENVELOPE_ALLOWANCE, MESSAGE_BATCH_BYTES and the thread's stack they stay below 192 KiB.
 */
#define INPUT_SIZE  32768
#define OUTPUT_SIZE 16384

/* Bytes by which the record of a message may exceed the body limit: its envelope. */
#define ENVELOPE_ALLOWANCE 65536

/* Bytes of the message buffer that a worker has at first, and that it keeps between connections. */
#define MESSAGE_BUFFER_INITIAL 16384

/*
 * Messages of one client that may have ended before they are stored, if they came at once; they are
 * stored as soon as there are so many, or so many bytes of them.
 */
#define MESSAGE_BATCH_MAX   BACKUP_EVERY
#define MESSAGE_BATCH_BYTES INPUT_SIZE

/* Bytes after which no more records join a write: or all would wait until the last is written. */
#define WRITE_BYTES_MAX 262144

/* Bytes of a message body as stored: default, and the largest that may be asked for. */
#define MAX_SIZE_DEFAULT 10485760
#define MAX_SIZE_MAX     1073741824

/* Nanoseconds until a silent client is told 421 (the assignment: 10 s); the longest, one week. */
#define TIMEOUT_DEFAULT (10 * SECOND)
#define TIMEOUT_MAX     (604800 * SECOND)

/* A whole message may take this many times the timeout. */
#define MESSAGE_TIMEOUTS 60

/* Nanoseconds for which the input of a client that has been told 421 is still drained. */
#define LINGER_TIME (500 * MILLISECOND)

/*
 * Nanoseconds: the longest that a worker sleeps on a socket before it looks whether the server is
 * stopping. A stop takes at most this, LINGER_TIME twice and the storage's own time.
 */
#define STOP_CHECK_TIME (250 * MILLISECOND)

/* Milliseconds until accept() is tried again when the machine is out of descriptors or memory. */
#define ACCEPT_RETRY_MILLISECONDS 100

#endif
