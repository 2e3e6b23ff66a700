/*
 * NAME
 *	usage - processor time and memory of all processes of a session, from /proc
 */

#include "usage.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

/* Most processes of a session; others are not counted. */
#define PROCESSES_MAX 256

/* A process of a session, and the processor time in ticks of it and of its ended children. */
struct process {
	pid_t process;
	long own, children;
};

/* Fields of /proc/PID/stat after the name of the program; field 0 is a letter. */
enum {
	FIELD_SESSION = 3,
	FIELD_USER = 11,
	FIELD_SYSTEM,
	FIELD_CHILDREN_USER,
	FIELD_CHILDREN_SYSTEM
};

/* Bytes from the ')' after the name to the space before field 1. */
#define FIELD_1_OFFSET (sizeof ") S" - 1)

/* Read /proc/PID/stat. Returns false if there is no such process in the session. */
static bool
read_process(struct process *process, const char *name, pid_t session)
{
	char path[64], line[1024] = "", *at;
	long fields[FIELD_CHILDREN_SYSTEM + 1] = {0};
	FILE *status;

	snprintf(path, sizeof path, "/proc/%.20s/stat", name);
	status = fopen(path, "re");
	if (status == NULL) {
		return false;
	}
	/* The name of the program, in parentheses, may have any character. */
	at = fgets(line, sizeof line, status) != NULL ? strrchr(line, ')') : NULL;
	fclose(status);
	if (at == NULL || strlen(at) < FIELD_1_OFFSET) {
		return false;
	}
	at += FIELD_1_OFFSET;
	for (size_t i = 1; i < ARRAY_LENGTH(fields); i++) {
		fields[i] = strtol(at, &at, 10);
	}
	process->process = (pid_t)strtol(name, NULL, 10);
	process->own = fields[FIELD_USER] + fields[FIELD_SYSTEM];
	process->children = fields[FIELD_CHILDREN_USER] + fields[FIELD_CHILDREN_SYSTEM];
	return fields[FIELD_SESSION] == session;
}

/* Find the processes of a session. Returns how many there are. */
static size_t
find_processes(pid_t session, struct process processes[static PROCESSES_MAX])
{
	DIR *entries = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while (entries != NULL && count < PROCESSES_MAX && (entry = readdir(entries)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    read_process(&processes[count], entry->d_name, session)) {
			count++;
		}
	}
	if (entries != NULL) {
		closedir(entries);
	}
	return count;
}

/* Return the processor time of a process in seconds, not rounded to ticks, or 0 if it has ended. */
static double
exact_time(pid_t process)
{
	clockid_t clock;
	struct timespec time;

	if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) == -1) {
		return 0;
	}
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double
usage_time(pid_t session)
{
	struct process processes[PROCESSES_MAX];
	size_t count = find_processes(session, processes);
	long ticks = 0;

	for (size_t i = 0; i < count; i++) {
		ticks += processes[i].children;
		ticks += processes[i].process != session ? processes[i].own : 0;
	}
	return exact_time(session) + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Read the number after `name` from a file of /proc/PID. Returns 0 if it is not there. */
static unsigned long
memory_kib(pid_t process, const char *file, const char *name)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)process, file);
	status = fopen(path, "re");
	while (status != NULL && fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0) {
			kib = strtoul(line + strlen(name), NULL, 10);
		}
	}
	if (status != NULL) {
		fclose(status);
	}
	return kib;
}

unsigned long
usage_kib(pid_t session, const char *file, const char *name)
{
	struct process processes[PROCESSES_MAX];
	size_t count = find_processes(session, processes);
	unsigned long kib = 0;

	for (size_t i = 0; i < count; i++) {
		kib += memory_kib(processes[i].process, file, name);
	}
	return kib;
}
