/*
 * NAME
 *	log_stub - the log module of the fuzz targets, which writes nothing
 *
 * DESCRIPTION
 *	Each line is formatted, so that a sanitizer detects invalid arguments, and then discarded. A
 *	fault logs its first failure and its end, whatever the error numbers and the times.
 */

#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static void format_line(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

static void
format_line(const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX];

	vsnprintf(line, sizeof line, format, arguments);
}

void
log_line(int priority, const char *format, ...)
{
	va_list arguments;

	(void)priority;
	va_start(arguments, format);
	format_line(format, arguments);
	va_end(arguments);
}

void
log_error(int error, const char *format, ...)
{
	va_list arguments;

	(void)error;
	va_start(arguments, format);
	format_line(format, arguments);
	va_end(arguments);
}

void
log_plain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	format_line(format, arguments);
	va_end(arguments);
}

void
log_defer(struct log_deferred *deferred, int priority, const char *format, ...)
{
	va_list arguments;

	(void)deferred;
	(void)priority;
	va_start(arguments, format);
	format_line(format, arguments);
	va_end(arguments);
}

void
log_defer_error(struct log_deferred *deferred, int error, const char *format, ...)
{
	va_list arguments;

	(void)deferred;
	(void)error;
	va_start(arguments, format);
	format_line(format, arguments);
	va_end(arguments);
}

bool
log_take_deferred(struct log_deferred *deferred, struct log_deferred *copy)
{
	(void)deferred;
	copy->length = 0;
	return false;
}

void
log_write_deferred(struct log_deferred *deferred)
{
	deferred->length = 0;
}

bool
log_fault_failed(struct log_fault *fault, int error, uint64_t count)
{
	(void)error;
	fault->count += count;
	return fault->count == count;
}

uint64_t
log_fault_worked(struct log_fault *fault, nanoseconds now)
{
	uint64_t count = fault->count;

	(void)now;
	fault->count = 0;
	return count;
}
