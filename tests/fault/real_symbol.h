/*
 * real_symbol.h - the functions that the shim stands in front of
 */

#ifndef REAL_SYMBOL_H
#define REAL_SYMBOL_H

/*
 * Find the C library's function of this name, and store its address in the pointer to a function at
 * which `pointer` points. There must be one.
 */
void real_symbol_find(const char *name, void *pointer);

#endif
