/*
 * DIAGNOSTICS
 *	limit of open files: N needed, M allowed: see `ulimit -Hn`
 *	limit of open files: why getrlimit() failed
 */

#include "rlimit.h"

#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>

#include "log.h"
#include "params.h"

/* Set RLIMIT_CORE to 0. A failure is harmless. */
static void
forbid_core_dumps(void)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	setrlimit(RLIMIT_CORE, &none);
}

bool
rlimit_set(void)
{
	struct rlimit limit;

	forbid_core_dumps();
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
		log_error(errno, "limit of open files");
		return false;
	}
	if (limit.rlim_cur >= DESCRIPTORS_NEEDED) {
		return true;
	}
	limit.rlim_cur = DESCRIPTORS_NEEDED;
	if (limit.rlim_max < DESCRIPTORS_NEEDED) {
		/* Only root may raise the hard limit. */
		limit.rlim_max = DESCRIPTORS_NEEDED;
	}
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
		return true;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		log_line(LOG_ERR, "limit of open files: %d needed, %ju allowed: see `ulimit -Hn`",
		    DESCRIPTORS_NEEDED, (uintmax_t)limit.rlim_max);
	}
	return false;
}
