/*
 * number.h - parse numbers. Any thread.
 */

#ifndef MULTICLIENT_NUMBER_H
#define MULTICLIENT_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Parse decimal digits. Returns false if `text` is something else, or too large. */
bool number_parse(const char *text, uint64_t *number);

/*
 * Parse decimal digits, with or without a decimal point: no sign, exponent or locale. Returns false
 * if `text` is something else.
 */
bool number_parse_seconds(const char *text, double *seconds);

#endif
