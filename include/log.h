/*
 * log.h - what the server says to its operator, on standard error
 *
 * One call is one line and one write(2), so lines of different threads do not mix. A line of more
 * than LOG_LINE_MAX bytes is cut. A line that standard error does not take at once is dropped.
 * Bytes that came from a client may be passed only if they are known to be printable ASCII.
 */

#ifndef LOG_H
#define LOG_H

#define LOG_LINE_MAX 1024

/* Write "smtpd: ", the formatted text and a line feed. Any thread; errno is left as it was. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The same, with ": " and the description of error number `error` after the text. The meaning is
 * spelt out here so that no other module needs strerror(), which POSIX does not make safe for
 * threads.
 */
void log_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* log_line() without "smtpd: ". */
void log_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
