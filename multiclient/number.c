/*
 * NAME
 *	number - parse numbers
 */

#include "number.h"

#include <stddef.h>

bool
number_parse(const char *text, uint64_t *number)
{
	*number = 0;
	if (*text == '\0') {
		return false;
	}
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || *number > (UINT64_MAX - digit) / 10) {
			return false;
		}
		*number = *number * 10 + digit;
	}
	return true;
}

bool
number_parse_seconds(const char *text, double *seconds)
{
	double unit = 1.0;
	bool point = false;
	size_t digits = 0;

	for (*seconds = 0.0; *text != '\0'; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9') {
			return false;
		}
		digits++;
		*seconds = *seconds * 10.0 + (*text - '0');
		unit *= point ? 10.0 : 1.0;
	}
	*seconds /= unit;
	return digits > 0;
}
