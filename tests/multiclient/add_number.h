/*
 * add_number.h - append a number to a buffer
 */

#ifndef MULTICLIENT_ADD_NUMBER_H
#define MULTICLIENT_ADD_NUMBER_H

#include <stdint.h>

#include "buffer.h"

/* Append a number in decimal. */
void buffer_add_number(struct buffer *buffer, uint64_t number);

#endif
