/*
 * DESCRIPTION
 *	Mail must never wait for the log. O_NONBLOCK belongs to the open file, which standard error
 *	shares with the shell and other programs, so it cannot be set there. Instead log_init()
 *	looks at what standard error is:
 *
 *	regular file		it is written to: that waits for no reader, only for the disk
 *	socket			send() with MSG_DONTWAIT
 *	pipe, terminal, device	opened again through /proc with O_NONBLOCK: that is another open
 *				file
 *
 *	A line that would have to wait is dropped and counted. A terminal, a socket or a full disk
 *	may take a part of a line: this line counts as dropped, and the next one begins with a line
 *	feed.
 *
 * DIAGNOSTICS
 *	N lines dropped		standard error did not take them; or, seldom, more than
 *				LOG_DEFERRED_SIZE bytes were deferred
 *
 * BUGS
 *	A pipe or terminal that cannot be opened again (no /proc, or of another user) is polled
 *	before it is written to. If another process takes the space in between, the line waits.
 */

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "params.h"

#define LOG_PREFIX "smtpd: "

/* Bytes for the meaning of an error number: more than any has. */
#define ERROR_TEXT_SIZE 128

/* How a line is written. */
enum log_method {
	POLL_AND_WRITE,
	WRITE,
	SEND
};

/* Where lines go: set by log_init(), before there is a second thread. */
static int log_descriptor = STDERR_FILENO;
static enum log_method log_method = POLL_AND_WRITE;
static bool log_priorities; /* each line begins with its priority */

/* Lines that were dropped, and not yet reported in a line. */
static atomic_ulong dropped_count;

/* The last line was written in part. */
static atomic_bool line_is_open;

/* ---- start ---- */

/* Return whether standard error, with this status, is the journal: see systemd.exec(5). */
static bool
is_journal(const struct stat *status)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	const char *stream = getenv("JOURNAL_STREAM");
	char expected[64];

	snprintf(expected, sizeof expected, "%ju:%ju", (uintmax_t)status->st_dev,
	    (uintmax_t)status->st_ino);
	return stream != NULL && strcmp(stream, expected) == 0;
}

void
log_init(void)
{
	struct stat status;
	int descriptor;

	if (fstat(STDERR_FILENO, &status) == -1) {
		return;
	}
	log_priorities = is_journal(&status);
	if (S_ISREG(status.st_mode)) {
		log_method = WRITE;
	} else if (S_ISSOCK(status.st_mode)) {
		log_method = SEND;
	} else {
		descriptor = open(
		    "/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (descriptor != -1) {
			log_descriptor = descriptor;
			log_method = WRITE;
		}
	}
}

/* ---- a line ---- */

/* A line being put together; `length` leaves space for the line feed. */
struct line {
	char text[LOG_LINE_MAX];
	size_t length;
};

static void append_format(struct line *line, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Add formatted text, as much of it as there is space for. */
static void
append_format(struct line *line, const char *format, va_list arguments)
{
	/* The line feed will take the place of the NUL. */
	size_t space = sizeof line->text - line->length;
	int wanted = vsnprintf(line->text + line->length, space, format, arguments);

	if (wanted > 0) {
		line->length += (size_t)wanted < space ? (size_t)wanted : space - 1;
	}
}

static void
append_text(struct line *line, const char *text)
{
	size_t length = strlen(text);
	size_t space = sizeof line->text - line->length - 1;

	if (length > space) {
		length = space;
	}
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

/* Begin a line with its priority and `prefix`. */
static void
begin_line(struct line *line, int priority, const char *prefix)
{
	line->length = 0;
	if (log_priorities) {
		line->length = (size_t)snprintf(line->text, sizeof line->text, "<%d>", priority);
	}
	append_text(line, prefix);
}

static void compose_line(struct line *line, int priority, int error, const char *format,
    va_list arguments) __attribute__((format(printf, 4, 0)));

/* Compose a line with LOG_PREFIX and, if `error` is not 0, with its meaning. */
static void
compose_line(struct line *line, int priority, int error, const char *format, va_list arguments)
{
	char meaning[ERROR_TEXT_SIZE];

	begin_line(line, priority, LOG_PREFIX);
	append_format(line, format, arguments);
	if (error != 0) {
		append_text(line, ": ");
		append_text(line,
		    strerror_r(error, meaning, sizeof meaning) == 0 ? meaning : "unknown error");
	}
}

/* ---- writing ---- */

/* Write bytes without waiting. Returns as write() does. */
static ssize_t
write_now(const char *bytes, size_t length)
{
	struct pollfd event = {.fd = log_descriptor, .events = POLLOUT};

	switch (log_method) {
	case SEND:
		return send(log_descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	case POLL_AND_WRITE:
		if (poll(&event, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		break;
	case WRITE:
		break;
	}
	return write(log_descriptor, bytes, length);
}

/* Return how many line feeds there are. */
static unsigned long
count_line_feeds(const char *bytes, size_t length)
{
	unsigned long count = 0;

	for (size_t i = 0; i < length; i++) {
		count += bytes[i] == '\n';
	}
	return count;
}

/* Write whole lines, or drop them. Precede them by a notice of those that were dropped before. */
static void
write_lines(const char *lines, size_t length)
{
	char bytes[LOG_LINE_MAX + LOG_DEFERRED_SIZE];
	unsigned long dropped_before = atomic_exchange(&dropped_count, 0);
	bool open = atomic_exchange(&line_is_open, false);
	struct line notice;
	size_t used = 0, notice_end;
	ssize_t written;

	if (open) {
		bytes[used++] = '\n';
	}
	if (dropped_before > 0) {
		begin_line(&notice, LOG_WARNING, LOG_PREFIX);
		used += (size_t)snprintf(bytes + used, LOG_LINE_MAX - used,
		    "%.*s%lu line%s dropped: standard error did not take them\n",
		    (int)notice.length, notice.text, dropped_before,
		    dropped_before == 1 ? "" : "s");
	}
	notice_end = used;
	memcpy(bytes + used, lines, length);
	used += length;
	do {
		written = write_now(bytes, used);
	} while (written == -1 && errno == EINTR);
	if (written <= 0 ? open : bytes[written - 1] != '\n') {
		atomic_store(&line_is_open, true);
	}
	if (written < (ssize_t)notice_end) {
		atomic_fetch_add(&dropped_count, dropped_before + count_line_feeds(lines, length));
	} else {
		atomic_fetch_add(
		    &dropped_count, count_line_feeds(bytes + written, used - (size_t)written));
	}
}

/* End a line and write it. */
static void
write_line(struct line *line)
{
	line->text[line->length++] = '\n';
	write_lines(line->text, line->length);
}

void
log_line(int priority, const char *format, ...)
{
	struct line line;
	int saved_errno = errno;
	va_list arguments;

	va_start(arguments, format);
	compose_line(&line, priority, 0, format, arguments);
	va_end(arguments);
	write_line(&line);
	errno = saved_errno;
}

void
log_error(int error, const char *format, ...)
{
	struct line line;
	int saved_errno = errno;
	va_list arguments;

	va_start(arguments, format);
	compose_line(&line, LOG_ERR, error, format, arguments);
	va_end(arguments);
	write_line(&line);
	errno = saved_errno;
}

void
log_plain(const char *format, ...)
{
	struct line line;
	int saved_errno = errno;
	va_list arguments;

	begin_line(&line, LOG_INFO, "");
	va_start(arguments, format);
	append_format(&line, format, arguments);
	va_end(arguments);
	write_line(&line);
	errno = saved_errno;
}

/* ---- deferred lines ---- */

/* End a line and append it to the others, or drop it. */
static void
defer_line(struct log_deferred *deferred, struct line *line)
{
	line->text[line->length++] = '\n';
	if (line->length > sizeof deferred->text - deferred->length) {
		atomic_fetch_add(&dropped_count, 1);
		return;
	}
	memcpy(deferred->text + deferred->length, line->text, line->length);
	deferred->length += line->length;
}

void
log_defer(struct log_deferred *deferred, int priority, const char *format, ...)
{
	struct line line;
	va_list arguments;

	va_start(arguments, format);
	compose_line(&line, priority, 0, format, arguments);
	va_end(arguments);
	defer_line(deferred, &line);
}

void
log_defer_error(struct log_deferred *deferred, int error, const char *format, ...)
{
	struct line line;
	va_list arguments;

	va_start(arguments, format);
	compose_line(&line, LOG_ERR, error, format, arguments);
	va_end(arguments);
	defer_line(deferred, &line);
}

bool
log_take_deferred(struct log_deferred *deferred, struct log_deferred *copy)
{
	copy->length = deferred->length;
	if (copy->length == 0) {
		return false;
	}
	memcpy(copy->text, deferred->text, copy->length);
	deferred->length = 0;
	return true;
}

void
log_write_deferred(struct log_deferred *deferred)
{
	int saved_errno = errno;

	if (deferred->length > 0) {
		write_lines(deferred->text, deferred->length);
	}
	deferred->length = 0;
	errno = saved_errno;
}

/* ---- faults ---- */

bool
log_fault_failed(struct log_fault *fault, int error, uint64_t count)
{
	unsigned bit = (unsigned)error % (LOG_FAULT_WORDS * 64);
	uint64_t mask = UINT64_C(1) << bit % 64, *word = &fault->logged[bit / 64];
	bool is_new = (*word & mask) == 0;

	fault->count += count;
	*word |= mask;
	return is_new;
}

uint64_t
log_fault_worked(struct log_fault *fault, nanoseconds now)
{
	uint64_t count = fault->count;

	if (count == 0 || (fault->was_over && now - fault->over_at < LOG_FAULT_INTERVAL)) {
		return 0;
	}
	*fault = (struct log_fault){.was_over = true, .over_at = now};
	return count;
}
