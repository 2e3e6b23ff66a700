/*
 * NAME
 *	real_symbol - the functions that the shim stands in front of
 *
 * DESCRIPTION
 *	Apart from the shim because what makes RTLD_NEXT visible changes the types of the functions.
 *
 * DIAGNOSTICS
 *	abort() if there is no such function.
 */

#define _GNU_SOURCE

#include "real_symbol.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void
real_symbol_find(const char *name, void *pointer)
{
	void *address = dlsym(RTLD_NEXT, name);

	if (address == NULL) {
		abort();
	}
	/* As POSIX has it: ISO C has no conversion to the address of a function. */
	memcpy(pointer, &address, sizeof address);
}
