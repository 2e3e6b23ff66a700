/*
 * control_map.h - the page of memory that governs the shim, from the test program's side
 */

#ifndef CONTROL_MAP_H
#define CONTROL_MAP_H

#include "control.h"

/* Make a page as the file `path` and map it. Ends the program if that cannot be done. */
struct control *control_map_create(const char *path);

/* Unmap it; for others it stays. */
void control_map_destroy(struct control *control_map);

/* Forget the plan and what happened: nothing is struck or recorded, flushes take no time. */
void control_map_clear(struct control *control_map);

/* The name of a function as C has it. */
const char *control_map_function_name(enum function function);

#endif
