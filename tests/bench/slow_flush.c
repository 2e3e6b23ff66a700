/*
 * NAME
 *	slow_flush - make fdatasync() and fsync() slower
 *
 * SYNOPSIS
 *	LD_PRELOAD=.../slow_flush.so smtpd --sync
 *
 * DESCRIPTION
 *	fdatasync() and fsync() take FLUSH_DELAY longer. This shows the gain by group commit on a
 *	disk that ignores a flush or completes it in its cache.
 */

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Nanoseconds: 1 ms. */
#define FLUSH_DELAY 1000000

static void
delay(void)
{
	struct timespec left = {.tv_nsec = FLUSH_DELAY};

	while (nanosleep(&left, &left) == -1 && errno == EINTR) {
	}
}

int
fdatasync(int descriptor)
{
	delay();
	return (int)syscall(SYS_fdatasync, descriptor);
}

int
fsync(int descriptor)
{
	delay();
	return (int)syscall(SYS_fsync, descriptor);
}
