/*
 * NAME
 *	error_text - the text of an error number
 */

#include "error_text.h"

#include <stdio.h>
#include <string.h>

const char *
error_text(int error, char text[ERROR_TEXT_SIZE])
{
	/* The version of POSIX, which returns an error number. */
	if (strerror_r(error, text, ERROR_TEXT_SIZE) != 0) {
		snprintf(text, ERROR_TEXT_SIZE, "error %d", error);
	}
	return text;
}
