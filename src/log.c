/*
 * NAME
 *	log - what the server says to its operator, on standard error
 *
 * DESCRIPTION
 *	A line for which there is no room, because standard error is a pipe that nobody reads any
 *	more or a terminal that was stopped, is dropped: mail must not wait for it.
 *
 * DIAGNOSTICS
 *	None. Whoever closed standard error does not want to be told; there is nobody else to tell.
 *
 * BUGS
 *	If the room that was seen is taken by another process before the line is written, it waits.
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

/* A line being put together; `length` leaves room for the line feed. */
struct line {
	char text[LOG_LINE_MAX];
	size_t length;
};

static void add(struct line *line, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Add formatted text, as much of it as there is room for. */
static void
add(struct line *line, const char *format, va_list arguments)
{
	/* The line feed will take the place of the NUL. */
	size_t room = sizeof line->text - line->length;
	int wanted = vsnprintf(line->text + line->length, room, format, arguments);

	if (wanted > 0) {
		line->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
	}
}

static void
add_text(struct line *line, const char *text)
{
	size_t length = strlen(text);
	size_t room = sizeof line->text - line->length - 1;

	if (length > room) {
		length = room;
	}
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

/* Whether a line can be written without waiting, for all that can be known. */
static bool
has_room(void)
{
	struct pollfd event = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&event, 1, 0) != 0;
}

static void
write_line(struct line *line)
{
	if (!has_room()) {
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

	add_text(&line, LOG_PREFIX);
	va_start(arguments, format);
	add(&line, format, arguments);
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

	add_text(&line, LOG_PREFIX);
	va_start(arguments, format);
	add(&line, format, arguments);
	va_end(arguments);
	add_text(&line, ": ");
	if (strerror_r(error, meaning, sizeof meaning) == 0) {
		add_text(&line, meaning);
	} else {
		add_text(&line, "unknown error");
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
	add(&line, format, arguments);
	va_end(arguments);
	write_line(&line);
	errno = saved_errno;
}
