/*
 * NAME
 *	control_map - the shared memory of control.h, on the side of the test program
 */

#include "control_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_MODE (S_IRUSR | S_IWUSR)

/* Initializes the name of one function. */
#define FUNCTION_NAME(capitals, name) [FUNCTION_##capitals] = #name,

struct control *
control_map_create(const char *path)
{
	int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, CONTROL_MODE);
	struct control *control_map = MAP_FAILED;

	if (descriptor != -1 && ftruncate(descriptor, sizeof *control_map) == 0) {
		control_map = mmap(
		    NULL, sizeof *control_map, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	}
	if (control_map == MAP_FAILED) {
		perror(path);
		exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
	close(descriptor);
	control_map_clear(control_map);
	return control_map;
}

void
control_map_destroy(struct control *control_map)
{
	munmap(control_map, sizeof *control_map);
}

void
control_map_clear(struct control *control_map)
{
	memset(control_map, 0, sizeof *control_map);
	control_map->function = FUNCTION_NONE;
}

void
control_map_plan(struct control *control_map, enum function function,
    enum failure_mode failure_mode, unsigned call)
{
	control_map_clear(control_map);
	control_map->function = function;
	control_map->failure_mode = failure_mode;
	control_map->first = call;
	control_map->count = 1;
}

const char *
control_map_function_name(enum function function)
{
	static const char *const names[FUNCTIONS] = {CONTROL_FUNCTIONS(FUNCTION_NAME)};

	return names[function];
}
