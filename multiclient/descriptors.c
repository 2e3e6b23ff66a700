/*
 * NAME
 *	descriptors - the standard descriptors of this process, and how many it may have
 */

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "error_text.h"

/* Descriptors that are not connections. */
#define OTHER_DESCRIPTORS 16

bool
descriptors_open_standard(void)
{
	char reason[ERROR_TEXT_SIZE];

	for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
		/* The wrong way round, so that read() and write() still fail. */
		int mode = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		/* open() returns the lowest free descriptor: this one. */
		if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", mode) == -1) {
			fprintf(stderr, "multiclient: /dev/null: %s\n", error_text(errno, reason));
			return false;
		}
	}
	return true;
}

bool
descriptors_raise_limit(const char *option, size_t connections)
{
	struct rlimit limit;
	rlim_t needed = connections + OTHER_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) {
		return true;
	}
	limit.rlim_cur = needed;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
		limit.rlim_cur = limit.rlim_max;
	}
	if (limit.rlim_cur >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
		return true;
	}
	fprintf(stderr, "multiclient: %s: only %ju descriptors are allowed (ulimit -n)\n", option,
	    (uintmax_t)limit.rlim_cur);
	return false;
}
