/*
 * NAME
 *	fail_check - the end of a test in a program of Check
 */

#include <check.h>
#include <stdarg.h>
#include <stdio.h>

#include "fail.h"

/* Bytes of the longest message; the rest is cut off. */
#define MESSAGE_SIZE 8192

void
test_fail_at(const char *file, int line, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	ck_abort_msg("%s:%d: %s", file, line, message);
}
