/*
 * NAME
 *	add_number - append a number to a buffer
 */

#include "add_number.h"

/* Space for 2^64 - 1 in decimal. */
#define NUMBER_SIZE 20

void
buffer_add_number(struct buffer *buffer, uint64_t number)
{
	char text[NUMBER_SIZE];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buffer_add(buffer, text + at, sizeof text - at);
}
