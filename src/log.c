/*
 * NAME
 *	log - what the server says to its operator, on standard error
 *
 * DESCRIPTION
 *	A line for which there is no space, because standard error is a pipe that is not read any
 *	more or a terminal that was stopped, is dropped: mail must not wait for it.
 *
 * DIAGNOSTICS
 *	None: a failed write to standard error cannot be reported.
 *
 * BUGS
 *	If the space that was seen is taken by another process before the line is written, it waits.
 */

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_PREFIX "smtpd: "

/* Bytes for the meaning of an error number: more than any has. */
#define ERROR_TEXT_SIZE 128

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

/* Whether a line can be written without waiting, for all that can be known. */
static bool
is_writable(void)
{
	struct pollfd event = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&event, 1, 0) != 0;
}

static void
write_line(struct line *line)
{
	if (!is_writable()) {
		return;
	}
	line->text[line->length++] = '\n';
	while (write(STDERR_FILENO, line->text, line->length) == -1 && errno == EINTR) {
	}
}

void
log_line(const char *format, ...)
{
	struct line line = {.length = 0};
	int saved_errno = errno;
	va_list arguments;

	append_text(&line, LOG_PREFIX);
	va_start(arguments, format);
	append_format(&line, format, arguments);
	va_end(arguments);
	write_line(&line);
	errno = saved_errno;
}

void
log_error(int error, const char *format, ...)
{
	struct line line = {.length = 0};
	int saved_errno = errno;
	char meaning[ERROR_TEXT_SIZE];
	va_list arguments;

	append_text(&line, LOG_PREFIX);
	va_start(arguments, format);
	append_format(&line, format, arguments);
	va_end(arguments);
	append_text(&line, ": ");
	if (strerror_r(error, meaning, sizeof meaning) == 0) {
		append_text(&line, meaning);
	} else {
		append_text(&line, "unknown error");
	}
	write_line(&line);
	errno = saved_errno;
}

void
log_plain(const char *format, ...)
{
	struct line line = {.length = 0};
	int saved_errno = errno;
	va_list arguments;

	va_start(arguments, format);
	append_format(&line, format, arguments);
	va_end(arguments);
	write_line(&line);
	errno = saved_errno;
}
