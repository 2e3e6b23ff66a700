/*
 * NAME
 *	fail_abort - the end of a test in a program without Check
 *
 * DIAGNOSTICS
 *	Prints the message on standard error and calls abort(), so that a fuzzer saves its input.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fail.h"

void
test_fail_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAILED: %s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}
