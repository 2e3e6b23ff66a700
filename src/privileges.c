/*
 * NAME
 *	privileges - dropping root privileges
 *
 * DIAGNOSTICS
 *	running as root: --user switches to another user	a warning
 *	--user USER: requires root	the server was not started by root
 *	--user USER: no such user
 *	--user USER: root privileges could be regained
 *	--user USER: why getpwnam() or a change of the IDs failed
 */

#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

void
privileges_warn(void)
{
	if (geteuid() == 0) {
		log_line(LOG_WARNING, "running as root: --user switches to another user");
	}
}

bool
privileges_drop(const char *user)
{
	const struct passwd *entry;

	if (geteuid() != 0) {
		log_line(LOG_ERR, "--user %s: requires root", user);
		return false;
	}
	errno = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is running yet. */
	entry = getpwnam(user);
	if (entry == NULL && errno != 0) {
		log_error(errno, "--user %s", user);
		return false;
	}
	if (entry == NULL) {
		log_line(LOG_ERR, "--user %s: no such user", user);
		return false;
	}
	if (initgroups(user, entry->pw_gid) == -1 || setgid(entry->pw_gid) == -1 ||
	    setuid(entry->pw_uid) == -1) {
		log_error(errno, "--user %s", user);
		return false;
	}
	if (entry->pw_uid != 0 && setuid(0) == 0) {
		log_line(LOG_ERR, "--user %s: root privileges could be regained", user);
		return false;
	}
	return true;
}
