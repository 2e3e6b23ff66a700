/*
 * control_map.h - the shared memory of control.h, on the side of the test program
 */

#ifndef CONTROL_MAP_H
#define CONTROL_MAP_H

#include "control.h"

/* Create the file `path` and map it. Exits on failure. */
struct control *control_map_create(const char *path);

/* Unmap it. The file, and other mappings of it, stay. */
void control_map_destroy(struct control *control_map);

/* Reset the plan and the results: no fault, no trace, flushes take no time. */
void control_map_clear(struct control *control_map);

/* Do the same, and plan one fault: at call number `call` of `function`, from 1. */
void control_map_plan(struct control *control_map, enum function function,
    enum failure_mode failure_mode, unsigned call);

/* Return the name of a function in C. */
const char *control_map_function_name(enum function function);

#endif
