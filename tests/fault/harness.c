/*
 * NAME
 *	harness - worker processes that run test cases, each in its own directory
 *
 * DESCRIPTION
 *	The parent makes a directory under TMPDIR or /tmp, forks the workers, waits for them and
 *	removes it. The workers count in shared memory.
 *
 * DIAGNOSTICS
 *	A failed system call ends the program with a message.
 */

#define _GNU_SOURCE

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_map.h"

#define DIRECTORY_MODE S_IRWXU
#define FILE_MODE      (S_IRUSR | S_IWUSR)

#define BLOCK_SIZE 65536
#define DECIMAL    10

/* Limits: workers; failures printed, the others are only counted. */
#define WORKERS_MAX  64
#define FAILURES_MAX 20

/* Failures after which no further cases are run. */
#define FAILURES_ENOUGH 100

/* Descriptors that nftw() may use. */
#define WALK_DESCRIPTORS 8

struct tally {
	atomic_uint taken;
	atomic_uint passed;
	atomic_uint failed;
};

static _Noreturn void
give_up(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* ---- options ---- */

static struct settings
read_settings(int count, char *arguments[])
{
	struct settings settings = {.workers = WORKERS_USUAL, .seed = 1};

	for (int i = 1; i < count; i++) {
		const char *value = i + 1 < count ? arguments[i + 1] : "";

		if (strcmp(arguments[i], "--short") == 0) {
			settings.brief = true;
			continue;
		}
		if (strcmp(arguments[i], "--workers") == 0) {
			settings.workers = (unsigned)strtoul(value, NULL, DECIMAL);
		} else if (strcmp(arguments[i], "--seed") == 0) {
			settings.seed = strtoull(value, NULL, DECIMAL);
		} else {
			settings.workers = 0;
		}
		i++;
	}
	if (settings.workers == 0 || settings.workers > WORKERS_MAX) {
		fprintf(stderr, "usage: %s [--short] [--workers N] [--seed N]\n", arguments[0]);
		exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
	return settings;
}

/* ---- files ---- */

struct path
path_in(const struct path *directory, const char *name)
{
	struct path path;
	int length = snprintf(path.path, sizeof path.path, "%s/%s", directory->path, name);

	if (length < 0 || (size_t)length >= sizeof path.path) {
		errno = ENAMETOOLONG;
		give_up(name);
	}
	return path;
}

void
path_make_directory(const struct path *directory)
{
	if (mkdir(directory->path, DIRECTORY_MODE) == -1) {
		give_up(directory->path);
	}
}

void
path_empty(const struct path *directory)
{
	DIR *entries = opendir(directory->path);
	const struct dirent *entry;

	if (entries == NULL) {
		give_up(directory->path);
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while ((entry = readdir(entries)) != NULL) {
		struct path file = path_in(directory, entry->d_name);

		if (entry->d_name[0] != '.' && unlink(file.path) == -1) {
			give_up(file.path);
		}
	}
	closedir(entries);
}

static int
remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void
path_remove(const struct path *directory)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
	if (nftw(directory->path, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0) {
		give_up(directory->path);
	}
}

void
path_write(const struct path *directory, const char *name, const void *bytes, size_t length)
{
	struct path file = path_in(directory, name);
	int target = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);

	if (target == -1 || (length > 0 && write(target, bytes, length) != (ssize_t)length) ||
	    close(target) == -1) {
		give_up(file.path);
	}
}

/* ---- workers ---- */

static struct path
make_home(void)
{
	const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
	struct path path;

	snprintf(path.path, sizeof path.path, "%s/smtpd-fault.XXXXXX",
	    parent != NULL && parent[0] != '\0' ? parent : "/tmp");
	if (mkdtemp(path.path) == NULL) {
		give_up(path.path);
	}
	return path;
}

struct sandbox
harness_sandbox(struct harness *harness)
{
	struct sandbox sandbox = {.settings = &harness->settings, .tally = harness->tally};
	char name[sizeof "4294967295"];

	snprintf(name, sizeof name, "%u", harness->sandboxes++);
	sandbox.home = path_in(&harness->home, name);
	path_make_directory(&sandbox.home);
	sandbox.directory = path_in(&sandbox.home, "d");
	path_make_directory(&sandbox.directory);
	sandbox.control_path = path_in(&sandbox.home, "control");
	sandbox.control_map = control_map_create(sandbox.control_path.path);
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
			give_up("wait");
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
		give_up("mmap");
	}
	return memory;
}

struct harness
harness_start(const char *name, int count, char *arguments[])
{
	return (struct harness){
	    .name = name,
	    .settings = read_settings(count, arguments),
	    .home = make_home(),
	    .tally = harness_share(sizeof(struct tally)),
	};
}

/* Print the numbers of cases passed and failed, less these. */
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

		if (process == -1) {
			give_up("fork");
		}
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
	path_remove(&harness->home);
	print_result(harness, harness->name, 0, 0);
	return atomic_load(&harness->tally->failed) == 0 && atomic_load(&harness->tally->passed) > 0
		   ? EXIT_SUCCESS
		   : EXIT_FAILURE;
}

bool
sandbox_continue(const struct sandbox *sandbox)
{
	return atomic_load(&sandbox->tally->failed) < FAILURES_ENOUGH;
}

unsigned
sandbox_take(struct sandbox *sandbox)
{
	return atomic_fetch_add(&sandbox->tally->taken, 1);
}

void
sandbox_report(struct sandbox *sandbox, const char *name, struct text *complaint)
{
	if (complaint->length == 0) {
		atomic_fetch_add(&sandbox->tally->passed, 1);
		return;
	}
	if (atomic_fetch_add(&sandbox->tally->failed, 1) < FAILURES_MAX) {
		fprintf(stderr, "FAILED: %s: %s\n", name, complaint->bytes);
	}
	text_free(complaint);
}

/* ---- pseudo-random numbers ---- */

uint64_t
prng_below(uint64_t *state, uint64_t limit)
{
	/* Marsaglia's xorshift: with these three shifts the period covers all values but 0. */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 11) % limit;
}

uint64_t
prng_init(uint64_t seed, uint64_t part)
{
	/* Odd factors with well spread bits; the sum is 0 for few seeds only. */
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15U + part * 0xd1b54a32d192ed03U;

	state = state == 0 ? 1 : state;
	for (int i = 0; i < 8; i++) {
		prng_below(&state, 2);
	}
	return state;
}
