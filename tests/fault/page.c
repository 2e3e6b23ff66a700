/*
 * NAME
 *	page - the page of memory that governs the shim, from the test program's side
 */

#include "page.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_MODE (S_IRUSR | S_IWUSR)

/* Initializes the name of one function. */
#define PAGE_NAME(capitals, name) [FUNCTION_##capitals] = #name,

struct control *
page_make(const char *path)
{
	int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, PAGE_MODE);
	struct control *page = MAP_FAILED;

	if (descriptor != -1 && ftruncate(descriptor, sizeof *page) == 0) {
		page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	}
	if (page == MAP_FAILED) {
		perror(path);
		exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
	close(descriptor);
	page_clear(page);
	return page;
}

void
page_free(struct control *page)
{
	munmap(page, sizeof *page);
}

void
page_clear(struct control *page)
{
	memset(page, 0, sizeof *page);
	page->function = FUNCTIONS;
}

const char *
page_function_name(enum function function)
{
	static const char *const names[FUNCTIONS] = {CONTROL_FUNCTIONS(PAGE_NAME)};

	return names[function];
}
