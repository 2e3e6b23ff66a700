/*
 * NAME
 *	slow_flush - a disk on which a flush costs something
 *
 * SYNOPSIS
 *	LD_PRELOAD=.../slow_flush.so smtpd --sync
 *
 * DESCRIPTION
 *	fdatasync() and fsync() take FLUSH_DELAY longer than they do. On a disk that takes a flush for
 *	granted, or answers from its cache, this shows what is gained by sharing one.
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
