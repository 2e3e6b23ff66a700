/*
 * NAME
 *	log_stub - the log module of the fuzz targets, which writes nothing
 *
 * DESCRIPTION
 *	Each line is formatted, so that a sanitizer detects invalid arguments, and then discarded.
 */

#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static void take(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void
take(const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX];

	vsnprintf(line, sizeof line, format, arguments);
}

void
log_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	take(format, arguments);
	va_end(arguments);
}

void
log_error(int error, const char *format, ...)
{
	va_list arguments;

	(void)error;
	va_start(arguments, format);
	take(format, arguments);
	va_end(arguments);
}

void
log_plain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	take(format, arguments);
	va_end(arguments);
}
