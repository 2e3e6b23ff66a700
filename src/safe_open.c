/*
 * DIAGNOSTICS
 *	NAME: not a regular file
 *	NAME: has another hard link
 *	NAME: belongs to another user
 *	NAME: is a symbolic link
 *	NAME: in use by another server: what follows from that
 *	NAME: cannot open: why
 *
 * BUGS
 *	The lock is that of flock(), which programs that use fcntl() locks do not see. But unlike a
 *	lock of fcntl() it is not lost when the process closes another descriptor of the file.
 */

#include "safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_MODE (S_IRUSR | S_IWUSR)

/* Check that a file is as safe_open.h requires. Returns a refusal as safe_open_check(). */
static struct open_refusal
check_status(const struct stat *status)
{
	if (!S_ISREG(status->st_mode)) {
		return (struct open_refusal){EINVAL, "not a regular file"};
	}
	if (status->st_nlink > 1) {
		return (struct open_refusal){EMLINK, "has another hard link"};
	}
	if (status->st_uid != geteuid()) {
		return (struct open_refusal){EPERM, "belongs to another user"};
	}
	return (struct open_refusal){0, NULL};
}

/* Check the open file and lock it. Returns a refusal as safe_open(). */
static struct open_refusal
check_and_lock(int descriptor, struct stat *status)
{
	struct open_refusal refusal;

	if (fstat(descriptor, status) == -1) {
		return (struct open_refusal){errno, NULL};
	}
	refusal = check_status(status);
	if (refusal.error == 0 && flock(descriptor, LOCK_EX | LOCK_NB) == -1) {
		refusal.error = errno;
		refusal.text = errno == EWOULDBLOCK ? "in use by another server" : NULL;
	}
	return refusal;
}

struct open_refusal
safe_open(const char *name, int *descriptor, struct stat *status)
{
	struct open_refusal refusal;

	/* O_NONBLOCK: open() of a FIFO without a reader must not wait. */
	*descriptor = open(
	    name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	if (*descriptor == -1) {
		return (struct open_refusal){errno, errno == ELOOP ? "is a symbolic link" : NULL};
	}
	refusal = check_and_lock(*descriptor, status);
	if (refusal.error != 0) {
		close(*descriptor);
		*descriptor = -1;
	}
	return refusal;
}

void
safe_open_log(struct log_deferred *log, const char *name, const struct open_refusal *refusal,
    const char *if_locked)
{
	if (refusal->error == EWOULDBLOCK && refusal->text != NULL) {
		log_defer(log, LOG_ERR, "%s: %s: %s", name, refusal->text, if_locked);
	} else if (refusal->text != NULL) {
		log_defer(log, LOG_ERR, "%s: %s", name, refusal->text);
	} else {
		log_defer_error(log, refusal->error, "%s: cannot open", name);
	}
}

struct open_refusal
safe_open_check(const char *name)
{
	struct stat status;

	if (lstat(name, &status) == -1) {
		return (struct open_refusal){errno == ENOENT ? 0 : errno, NULL};
	}
	return check_status(&status);
}
