/*
 * NAME
 *	proc - state of a process in proc(5)
 */

#define _GNU_SOURCE

#include "proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "files.h"

#define DECIMAL     10
#define HEXADECIMAL 16
#define KIBIBYTE    1024

/* Fields of /proc/PID/stat after the closing parenthesis of field 2, counted from 0. */
#define STAT_USER_TIME   11
#define STAT_SYSTEM_TIME 12

/* Milliseconds between two polls. */
#define POLL_MILLISECONDS 5

/* 127.0.0.1 and the state LISTEN, as /proc/net/tcp writes them. */
#define LOOPBACK "0100007F"
#define LISTEN   0x0A

/* Return the path of a file of a process. */
static struct path
proc_path(pid_t process, const char *name)
{
	char directory[sizeof "/proc/" + 3 * sizeof process];

	snprintf(directory, sizeof directory, "/proc/%jd", (intmax_t)process);
	return files_path(directory, name);
}

unsigned
proc_descriptors(pid_t process)
{
	struct path directory = proc_path(process, "fd");

	return files_count(directory.name);
}

unsigned
proc_descriptor_limit(pid_t process, unsigned more)
{
	char name[sizeof "fd/" + 3 * sizeof(unsigned)];
	unsigned limit = 0;

	while (more > 0) {
		struct path path;

		snprintf(name, sizeof name, "fd/%u", limit++);
		path = proc_path(process, name);
		more -= !files_exists(path.name);
	}
	return limit;
}

void
proc_limit(pid_t process, unsigned resource, rlim_t limit)
{
	struct rlimit limits;

	REQUIRE_CALL(prlimit(process, resource, NULL, &limits));
	limits.rlim_cur = limit < limits.rlim_max ? limit : limits.rlim_max;
	REQUIRE_CALL(prlimit(process, resource, &limits, NULL));
}

void
proc_unlimit(pid_t process, unsigned resource)
{
	proc_limit(process, resource, RLIM_INFINITY);
}

/* Return the number after `name` in /proc/PID/status. */
static size_t
status_number(pid_t process, const char *name)
{
	struct path path = proc_path(process, "status");
	struct bytes status = files_read(path.name);
	const char *found = strstr(bytes_string(&status), name);
	size_t number;

	REQUIRE(found != NULL, "%s has no %s", path.name, name + 1);
	number = strtoul(found + strlen(name), NULL, DECIMAL);
	bytes_free(&status);
	return number;
}

size_t
proc_memory(pid_t process)
{
	return status_number(process, "\nVmRSS:") * KIBIBYTE;
}

size_t
proc_memory_peak(pid_t process)
{
	return status_number(process, "\nVmHWM:") * KIBIBYTE;
}

unsigned
proc_threads(pid_t process)
{
	return (unsigned)status_number(process, "\nThreads:");
}

bool
proc_is_running(pid_t child)
{
	siginfo_t information = {0};

	return waitid(P_PID, (id_t)child, &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       information.si_pid == 0;
}

double
proc_processor_time(pid_t process)
{
	struct path path = proc_path(process, "stat");
	struct bytes status = files_read(path.name);
	const char *field = strrchr(bytes_string(&status), ')') + 2;
	double ticks = 0;

	for (unsigned number = 0; number <= STAT_SYSTEM_TIME; number++) {
		if (number == STAT_USER_TIME || number == STAT_SYSTEM_TIME) {
			ticks += (double)strtoul(field, NULL, DECIMAL);
		}
		field = strchr(field, ' ') + 1;
	}
	bytes_free(&status);
	return ticks / (double)sysconf(_SC_CLK_TCK);
}

/*
 * Return whether the line is that of the socket listening on `port`, and store its queue length. A
 * line is `N: ADDRESS:PORT ADDRESS:PORT STATE SENDING:WAITING ...`, in hexadecimal.
 */
static bool
is_listening(const char *line, unsigned port, unsigned *backlog)
{
	const char *local = strstr(line, LOOPBACK ":");
	char *end;

	if (local == NULL || strtoul(local + strlen(LOOPBACK ":"), &end, HEXADECIMAL) != port) {
		return false;
	}
	end = strchr(end + 1, ' '); /* after the remote address */
	if (strtoul(end, &end, HEXADECIMAL) != LISTEN) {
		return false;
	}
	*backlog = (unsigned)strtoul(strchr(end, ':') + 1, NULL, HEXADECIMAL);
	return true;
}

/* Find a listening socket in /proc/net/tcp. */
static bool
find_listening(unsigned port, unsigned *backlog)
{
	struct path path = files_path("/proc/net", "tcp");
	struct bytes table = files_read(path.name);
	char *rest;
	bool found = false;

	for (char *line = strtok_r(table.at, "\n", &rest); line != NULL && !found;
	     line = strtok_r(NULL, "\n", &rest)) {
		found = is_listening(line, port, backlog);
	}
	bytes_free(&table);
	return found;
}

unsigned
proc_backlog(unsigned port)
{
	unsigned backlog;

	REQUIRE(find_listening(port, &backlog), "no socket listens on port %u", port);
	return backlog;
}

void
proc_await_listening(unsigned port)
{
	double deadline = clock_now() + PATIENCE;
	unsigned backlog;

	while (!find_listening(port, &backlog)) {
		REQUIRE(clock_now() < deadline, "no socket listens on port %u", port);
		poll(NULL, 0, POLL_MILLISECONDS);
	}
}

/* Return how many of the numbers after `name` on its line are not `id`. */
static unsigned
count_other(const struct bytes *status, const char *name, unsigned id)
{
	const char *number = strstr(bytes_string(status), name);
	unsigned count = 0;

	REQUIRE(number != NULL, "no %s", name + 1);
	number += strlen(name);
	while (*number != '\n') {
		char *end;

		count += strtoul(number, &end, DECIMAL) != id;
		number = end + strspn(end, " \t");
	}
	return count;
}

unsigned
proc_other_ids(pid_t process, unsigned user, unsigned group)
{
	struct path path = proc_path(process, "status");
	struct bytes status = files_read(path.name);
	unsigned count = count_other(&status, "\nUid:", user) +
			 count_other(&status, "\nGid:", group) +
			 count_other(&status, "\nGroups:", group);

	bytes_free(&status);
	return count;
}

/* Return whether the thread of the directory `task` has read that many bytes. */
static bool
has_read(const char *task, size_t bytes)
{
	static const char name[] = "rchar: ";
	struct path path = files_path(task, "io");
	struct bytes counts = files_read(path.name);
	const char *found = strstr(bytes_string(&counts), name);
	bool enough;

	REQUIRE(found != NULL, "%s has no %s", path.name, name);
	enough = strtoul(found + strlen(name), NULL, DECIMAL) >= bytes;
	bytes_free(&counts);
	return enough;
}

pid_t
proc_reader(pid_t process, size_t bytes)
{
	struct path tasks = proc_path(process, "task");
	struct path counts = proc_path(process, "io");
	DIR *entries = opendir(tasks.name);
	pid_t reader = -1;

	REQUIRE(entries != NULL, "%s cannot be read", tasks.name);
	if (!files_exists(counts.name)) {
		closedir(entries);
		return -1;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
		struct path task = files_path(tasks.name, entry->d_name);

		if (entry->d_name[0] != '.' && has_read(task.name, bytes)) {
			reader = (pid_t)strtol(entry->d_name, NULL, DECIMAL);
		}
	}
	closedir(entries);
	REQUIRE(reader != -1, "no thread has read %zu bytes", bytes);
	return reader;
}
