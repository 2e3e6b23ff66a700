/*
 * NAME
 *	log - what the server says to its operator, on standard error
 *
 * DIAGNOSTICS
 *	None. Whoever closed standard error does not want to be told; there is nobody else to tell.
 */

#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_line(const char *prefix, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Write `prefix`, the formatted text and a line feed at once. */
static void
write_line(const char *prefix, const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX];
	int saved_errno = errno;
	size_t length = strlen(prefix);
	size_t room = sizeof line - length - 1;
	int wanted;

	memcpy(line, prefix, length);
	wanted = vsnprintf(line + length, room, format, arguments);
	if (wanted > 0) {
		length += (size_t)wanted < room ? (size_t)wanted : room - 1;
	}
	line[length++] = '\n';
	while (write(STDERR_FILENO, line, length) == -1 && errno == EINTR) {
	}
	errno = saved_errno;
}

void
log_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line("smtpd: ", format, arguments);
	va_end(arguments);
}

void
log_plain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line("", format, arguments);
	va_end(arguments);
}
