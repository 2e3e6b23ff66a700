/*
 * next.h - the functions that the shim stands in front of
 */

#ifndef NEXT_H
#define NEXT_H

/*
 * Find the C library's function of this name, and store its address in the pointer to a function at
 * which `pointer` points. There must be one.
 */
void next_find(const char *name, void *pointer);

#endif
