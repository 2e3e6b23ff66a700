/*
 * NAME
 *	real_symbol - the C library's functions that the shim interposes
 *
 * DESCRIPTION
 *	A file of its own, because _GNU_SOURCE (for RTLD_NEXT) changes the prototypes of interposed
 *	functions.
 *
 * DIAGNOSTICS
 *	Calls abort() if there is no such function.
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
	/* memcpy() because ISO C has no conversion from void * to a function pointer. */
	memcpy(pointer, &address, sizeof address);
}
