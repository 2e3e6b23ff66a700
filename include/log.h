/*
 * log.h - the server's messages to its operator, on standard error
 *
 * A line, or all lines of a struct log_deferred together, is one write(2), so that lines of
 * different threads do not mix. A line of more than LOG_LINE_MAX bytes is cut. No call waits for a
 * reader: a line that standard error does not take at once is dropped, and the next line that it
 * takes is preceded by the number of the dropped ones. If standard error is the journal, each line
 * begins with its priority: "<3>", "<4>" or "<6>".
 *
 * Bytes of a client may be passed only if they are printable ASCII. Any thread may call every
 * function except log_init(). Those that write a line leave errno as it was.
 */

#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* For the priorities: LOG_ERR, LOG_WARNING, LOG_INFO. */
#include <syslog.h>

#include "monotonic.h"

#define LOG_LINE_MAX 1024

/*
 * Prepare standard error so that no line waits for a reader of it. Without this call, or if
 * standard error is a pipe or terminal that cannot be opened again, lines may wait in rare cases.
 * The main thread, before it starts any other and before it drops privileges.
 */
void log_init(void);

/* Write "smtpd: ", the formatted text and a line feed. `priority` is one of syslog(3). */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write a line of priority LOG_ERR: "smtpd: ", the text, ": " and the meaning of `error`. */
void log_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write a line of priority LOG_INFO without "smtpd: ". */
void log_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- lines of a thread that holds a mutex ---- */

/* Bytes of deferred lines: a line that does not fit is dropped, and counted as such. */
#define LOG_DEFERRED_SIZE 2048

/*
 * Lines that were formatted while a mutex was held, to be written after it is released. Initialized
 * with zeros; the mutex guards it.
 */
struct log_deferred {
	size_t length;
	char text[LOG_DEFERRED_SIZE];
};

/* Append a line as log_line() and log_error() have it. */
void log_defer(struct log_deferred *deferred, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_defer_error(struct log_deferred *deferred, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Write the lines and discard them. Not with a mutex held: move them to a copy first. */
void log_write_deferred(struct log_deferred *deferred);

/* Move the lines to `copy`, if there are any. Returns whether there were. */
bool log_take_deferred(struct log_deferred *deferred, struct log_deferred *copy);

/* ---- faults that repeat ---- */

/* Words, of 64 bits, of a set of error numbers. */
#define LOG_FAULT_WORDS 4

/*
 * A fault that may repeat often. It is logged when it begins, once for each error number, and once
 * more, with the count of failures, when it is over. A fault that comes and goes is logged at most
 * once in LOG_FAULT_INTERVAL. Initialized with zeros; the caller guards it.
 */
struct log_fault {
	uint64_t count;                   /* failures since it began; 0 if there is none */
	uint64_t logged[LOG_FAULT_WORDS]; /* bits of the error numbers that were logged */
	bool was_over;                    /* `over_at` is valid */
	nanoseconds over_at;              /* when the end was last logged */
};

/* Count `count` failures with `error`. Returns whether to log them: `error` is new in the fault. */
bool log_fault_failed(struct log_fault *fault, int error, uint64_t count);

/*
 * End the fault after a success, unless an end was logged less than LOG_FAULT_INTERVAL before
 * `now`: then the fault goes on. Returns the count of failures if the end is to be logged,
 * otherwise 0.
 */
uint64_t log_fault_worked(struct log_fault *fault, nanoseconds now);

#endif
