/*
 * NAME
 *	platform - what only some systems have
 *
 * DIAGNOSTICS
 *	None: the server also works where these functions do nothing or fail.
 */

/* For SCHED_BATCH and copy_file_range(). */
#define _GNU_SOURCE

#include "platform.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/socket.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

void
platform_tune_malloc(int mmap_threshold)
{
#ifdef __GLIBC__
	/* NOLINTBEGIN(concurrency-mt-unsafe): no other thread is running yet. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, mmap_threshold + 1);
	/* NOLINTEND(concurrency-mt-unsafe) */
#else
	(void)mmap_threshold;
#endif
}

void
platform_use_batch_scheduling(void)
{
#if defined SCHED_BATCH && defined SYS_sched_setscheduler
	const struct sched_param parameters = {.sched_priority = 0};

	/* System calls, because musl's functions fail: in POSIX they are for a process. */
	if (syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER) {
		syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &parameters);
	}
#endif
}

void
platform_forbid_new_privileges(void)
{
#ifdef PR_SET_NO_NEW_PRIVS
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
}

int
platform_accept_queue_length(int listening_socket)
{
#ifdef TCP_INFO
	struct tcp_info info;
	socklen_t length = sizeof info;

	/* Of a listening socket this field is the length of its accept queue. */
	if (getsockopt(listening_socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
	    length >= offsetof(struct tcp_info, tcpi_unacked) + sizeof info.tcpi_unacked) {
		return (int)info.tcpi_unacked;
	}
#else
	(void)listening_socket;
#endif
	return -1;
}

void
platform_acknowledge(int socket)
{
#ifdef TCP_QUICKACK
	const int on = 1;

	setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
	(void)socket;
#endif
}

ssize_t
platform_copy_range(int from, off_t from_offset, int to, off_t to_offset, size_t length)
{
#ifdef __linux__
	return copy_file_range(from, &from_offset, to, &to_offset, length, 0);
#else
	(void)from;
	(void)from_offset;
	(void)to;
	(void)to_offset;
	(void)length;
	return -1;
#endif
}
