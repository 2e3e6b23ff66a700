/*
 * real_symbol.h - the C library's functions that the shim interposes
 */

#ifndef REAL_SYMBOL_H
#define REAL_SYMBOL_H

/*
 * Look up `name` in the C library, and store its address in the function pointer at `pointer`.
 * Calls abort() if there is none.
 */
void real_symbol_find(const char *name, void *pointer);

#endif
