/*
 * NAME
 *	harness - worker processes that run test cases, each in its own directory
 *
 * DESCRIPTION
 *	The parent makes a temporary directory, forks the workers, waits for them and removes it.
 *	The workers count in shared memory.
 *
 * DIAGNOSTICS
 *	A failed system call ends the program with a message.
 */

#define _GNU_SOURCE

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_map.h"
#include "fail.h"

#define DECIMAL 10

/* Limits: workers; failures that are printed (the others are only counted). */
#define WORKERS_MAX 64
#define PRINTED_MAX 20

/* Failures after which no further cases are run. */
#define FAILURES_MAX 100

struct tally {
	atomic_uint taken; /* numbers, by sandbox_take() */
	atomic_uint passed;
	atomic_uint failed;
};

/* ---- options ---- */

static struct settings
read_settings(int argc, char *argv[])
{
	struct settings settings = {.workers = WORKERS_DEFAULT, .seed = 1};

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--short") == 0) {
			settings.brief = true;
			continue;
		}
		if (strcmp(argv[i], "--workers") == 0) {
			settings.workers = (unsigned)strtoul(value, NULL, DECIMAL);
		} else if (strcmp(argv[i], "--seed") == 0) {
			settings.seed = strtoull(value, NULL, DECIMAL);
		} else {
			settings.workers = 0;
		}
		i++;
	}
	if (settings.workers == 0 || settings.workers > WORKERS_MAX) {
		fprintf(stderr, "usage: %s [--short] [--workers N] [--seed N]\n", argv[0]);
		exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
	return settings;
}

/* ---- workers ---- */

void
harness_empty(const struct path *directory)
{
	DIR *entries = opendir(directory->name);
	const struct dirent *entry;

	if (entries == NULL) {
		test_fail_errno(directory->name);
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while ((entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] != '.') {
			REQUIRE_CALL(unlinkat(dirfd(entries), entry->d_name, 0));
		}
	}
	closedir(entries);
}

struct sandbox
harness_sandbox(struct harness *harness)
{
	struct sandbox sandbox = {.settings = &harness->settings, .tally = harness->tally};
	char name[sizeof "4294967295"];

	snprintf(name, sizeof name, "%u", harness->sandboxes++);
	sandbox.home = files_path(files_base(), name);
	REQUIRE_CALL(mkdir(sandbox.home.name, S_IRWXU));
	sandbox.directory = files_path(sandbox.home.name, "d");
	REQUIRE_CALL(mkdir(sandbox.directory.name, S_IRWXU));
	sandbox.control_path = files_path(sandbox.home.name, "control");
	sandbox.control_map = control_map_create(sandbox.control_path.name);
	return sandbox;
}

/* Wait until all workers have ended. */
static void
await_workers(unsigned workers, struct tally *tally)
{
	int status;

	while (workers > 0) {
		if (wait(&status) == -1) {
			if (errno == EINTR) {
				continue;
			}
			test_fail_errno("wait");
		}
		workers--;
		if (status != 0) {
			fprintf(stderr, "a worker ended with wait status %#x\n", (unsigned)status);
			atomic_fetch_add(&tally->failed, 1);
		}
	}
}

void *
harness_share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		test_fail_errno("mmap");
	}
	return memory;
}

struct harness
harness_start(const char *name, int argc, char *argv[])
{
	struct settings settings = read_settings(argc, argv);

	if (!files_open("smtpd-fault")) {
		exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
	return (struct harness){
	    .name = name,
	    .settings = settings,
	    .tally = harness_share(sizeof(struct tally)),
	};
}

/* Print how many cases have passed and failed since these were the numbers of the tally. */
static void
print_result(const struct harness *harness, const char *what, unsigned passed, unsigned failed)
{
	printf("%s: %u passed, %u failed\n", what, atomic_load(&harness->tally->passed) - passed,
	    atomic_load(&harness->tally->failed) - failed);
	fflush(stdout);
}

bool
harness_run(struct harness *harness, const char *what,
    void (*work)(struct sandbox *sandbox, void *context), void *context)
{
	unsigned passed = atomic_load(&harness->tally->passed);
	unsigned failed = atomic_load(&harness->tally->failed);

	atomic_store(&harness->tally->taken, 0);
	fflush(stdout);
	for (unsigned i = 0; i < harness->settings.workers; i++) {
		struct sandbox sandbox = harness_sandbox(harness);
		pid_t process = fork();

		REQUIRE_CALL(process);
		if (process == 0) {
			sandbox.number = i;
			work(&sandbox, context);
			fflush(stdout);
			_exit(EXIT_SUCCESS);
		}
		control_map_destroy(sandbox.control_map);
	}
	await_workers(harness->settings.workers, harness->tally);
	print_result(harness, what, passed, failed);
	return atomic_load(&harness->tally->failed) == 0;
}

void
harness_fail(const struct harness *harness, const char *why)
{
	atomic_fetch_add(&harness->tally->failed, 1);
	fprintf(stderr, "FAILED: %s: %s\n", harness->name, why);
}

int
harness_finish(const struct harness *harness)
{
	files_close();
	print_result(harness, harness->name, 0, 0);
	return atomic_load(&harness->tally->failed) == 0 && atomic_load(&harness->tally->passed) > 0
		   ? EXIT_SUCCESS
		   : EXIT_FAILURE;
}

bool
sandbox_continue(const struct sandbox *sandbox)
{
	return atomic_load(&sandbox->tally->failed) < FAILURES_MAX;
}

unsigned
sandbox_take(struct sandbox *sandbox)
{
	return atomic_fetch_add(&sandbox->tally->taken, 1);
}

void
sandbox_report(struct sandbox *sandbox, const char *name, struct bytes *failures)
{
	if (failures->length == 0) {
		atomic_fetch_add(&sandbox->tally->passed, 1);
		return;
	}
	if (atomic_fetch_add(&sandbox->tally->failed, 1) < PRINTED_MAX) {
		fprintf(stderr, "FAILED: %s: %s\n", name, failures->at);
	}
	bytes_free(failures);
}
