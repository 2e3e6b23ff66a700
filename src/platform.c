/*
 * NAME
 *	platform - what only some systems have
 *
 * DIAGNOSTICS
 *	None: nothing here is needed, and what cannot be had is done without.
 */

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): for SCHED_BATCH. */
#define _GNU_SOURCE

#include "platform.h"

#include <sched.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void
platform_save_memory(int kept)
{
#ifdef __GLIBC__
	/* NOLINTBEGIN(concurrency-mt-unsafe): no other thread is running yet. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, kept + 1);
	/* NOLINTEND(concurrency-mt-unsafe) */
#else
	(void)kept;
#endif
}

void
platform_prefer_throughput(void)
{
#ifdef SCHED_BATCH
	const struct sched_param parameters = {.sched_priority = 0};

	(void)sched_setscheduler(0, SCHED_BATCH, &parameters);
#endif
}
