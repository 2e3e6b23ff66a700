/*
 * NAME
 *	isolation - a changed environment for one test
 *
 * DESCRIPTION
 *	Namespaces (unshare(2)), entered as root or, where users may, as the root of a new user
 *	namespace. A thread is stopped by ptrace(2).
 */

#define _GNU_SOURCE

#include "isolation.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "environment.h"
#include "files.h"
#include "suite.h"

/* Write a line to a file of /proc/self. */
static void
write_proc(const char *name, const char *line)
{
	struct path path = files_path("/proc/self", name);

	files_write_string(path.name, line);
}

/* Map this user and group to root's in the user namespace just entered. */
static void
become_root(uid_t user, gid_t group)
{
	struct bytes line = {0};

	bytes_add_format(&line, "0 %ju 1", (uintmax_t)user);
	write_proc("uid_map", bytes_string(&line));
	bytes_free(&line);
	/* Without this, only root may map groups (user_namespaces(7)). */
	write_proc("setgroups", "deny");
	bytes_add_format(&line, "0 %ju 1", (uintmax_t)group);
	write_proc("gid_map", bytes_string(&line));
	bytes_free(&line);
}

/* Enter new namespaces of these kinds. Returns whether that is allowed. */
static bool
enter(int kinds)
{
	uid_t user = geteuid();
	gid_t group = getegid();

	if (user == 0 && unshare(kinds) == 0) {
		return true;
	}
	if (user != 0 && unshare(kinds | CLONE_NEWUSER) == 0) {
		become_root(user, group);
		return true;
	}
	suite_skip("needs root or unprivileged user namespaces");
	return false;
}

bool
isolation_small_disk(const char *directory, size_t bytes)
{
	struct bytes size = {0};
	bool mounted;

	if (!enter(CLONE_NEWNS)) {
		return false;
	}
	bytes_add_format(&size, "size=%zu", bytes);
	mounted = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mount("none", directory, "tmpfs", 0, bytes_string(&size)) == 0;
	bytes_free(&size);
	if (!mounted) {
		suite_skip("no file system may be mounted");
	}
	return mounted;
}

void
isolation_enlarge_disk(const char *directory, size_t bytes)
{
	struct bytes size = {0};

	bytes_add_format(&size, "size=%zu", bytes);
	ck_assert_int_eq(mount("none", directory, "tmpfs", MS_REMOUNT, bytes_string(&size)), 0);
	bytes_free(&size);
}

bool
isolation_processes(void)
{
	/* LeakSanitizer clones this process at its end, when process 1 of the namespace is gone. */
	if (strcmp(environment_get("VARIANT", "plain"), "address") == 0) {
		suite_skip("process 1 of a namespace: not with LeakSanitizer");
		return false;
	}
	return enter(CLONE_NEWPID);
}

bool
isolation_network(void)
{
	struct ifreq interface = {.ifr_name = "lo"};
	int control;
	bool up;

	if (!enter(CLONE_NEWNET)) {
		return false;
	}
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	interface.ifr_flags = IFF_UP;
	up = ioctl(control, SIOCSIFFLAGS, &interface) == 0;
	close(control);
	if (!up) {
		suite_skip("no network may be configured");
	}
	return up;
}

bool
isolation_freeze(pid_t thread)
{
	int status;

	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) {
		suite_skip("no process may be traced");
		return false;
	}
	ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(thread, &status, __WALL), thread);
	ck_assert(WIFSTOPPED(status));
	return true;
}

void
isolation_thaw(pid_t thread)
{
	ck_assert_int_eq(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
}

void
isolation_reap(pid_t thread)
{
	int status;

	ck_assert_int_eq(waitpid(thread, &status, __WALL), thread);
	ck_assert(WIFEXITED(status) || WIFSIGNALED(status));
}
