/*
 * page.h - the page of memory that governs the shim, from the test program's side
 */

#ifndef PAGE_H
#define PAGE_H

#include "control.h"

/* Make a page as the file `path` and map it. Ends the program if that cannot be done. */
struct control *page_make(const char *path);

/* Unmap it; for others it stays. */
void page_free(struct control *page);

/* Forget the plan and what happened: nothing is struck or recorded, flushes take no time. */
void page_clear(struct control *page);

/* The name of a function as C has it. */
const char *page_function_name(enum function function);

#endif
