/*
 * NAME
 *	replay - run a fuzz target on its corpus
 *
 * SYNOPSIS
 *	replay_NAME [FILE | DIRECTORY ...]
 *
 * DESCRIPTION
 *	Without arguments the corpus of the target is replayed; the working directory must then be
 *	the top of the project. Each input runs in its own process, so that a failure does not hide
 *	the next one.
 *
 * DIAGNOSTICS
 *	A line for each input that fails, after the messages of the target; at the end the numbers
 *	of inputs passed and failed. Exit status 0 if at least one passed and none failed, and
 *	otherwise 1.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "target.h"

#define CORPUS "tests/fuzz/corpus/"

/* Bytes of one read; time limit of an input in seconds. */
#define BLOCK_SIZE    4096
#define INPUT_SECONDS 60

static struct {
	unsigned passed;
	unsigned failed;
} count;

/* Read a whole file. Returns false on failure. */
static bool
read_file(const char *path, struct bytes *content)
{
	FILE *file = fopen(path, "re");
	char block[BLOCK_SIZE];
	size_t length;
	bool read;

	if (file == NULL) {
		return false;
	}
	while ((length = fread(block, 1, sizeof block, file)) > 0) {
		bytes_add(content, block, length);
	}
	read = ferror(file) == 0;
	fclose(file);
	return read;
}

/* Run an input in a child process. Returns whether that exited with 0. */
static bool
run_input(const struct bytes *input)
{
	pid_t process = fork();
	int status;

	if (process == -1) {
		return false;
	}
	if (process == 0) {
		alarm(INPUT_SECONDS);
		LLVMFuzzerTestOneInput((const uint8_t *)input->at, input->length);
		exit(EXIT_SUCCESS); /* NOLINT(concurrency-mt-unsafe): no other thread is left */
	}
	return waitpid(process, &status, 0) == process && status == 0;
}

static void
replay_file(const char *path)
{
	struct bytes input = {.at = NULL};

	if (read_file(path, &input) && run_input(&input)) {
		count.passed++;
	} else {
		count.failed++;
		fprintf(stderr, "%s: failed\n", path);
	}
	bytes_free(&input);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Replay a file, or all files of a directory in the order of their names. */
static void
replay(const char *path)
{
	struct dirent **entries;
	struct stat status;
	int number;

	if (stat(path, &status) == -1 || !S_ISDIR(status.st_mode)) {
		replay_file(path);
		return;
	}
	number = scandir(path, &entries, is_visible, alphasort);
	for (int i = 0; i < number; i++) {
		struct bytes name = {.at = NULL};

		bytes_add_string(&name, path);
		bytes_add_string(&name, "/");
		bytes_add_string(&name, entries[i]->d_name);
		replay_file(name.at);
		bytes_free(&name);
		free(entries[i]);
	}
	if (number >= 0) {
		free(entries);
	}
}

int
main(int argc, char *argv[])
{
	struct bytes corpus = {.at = NULL};

	bytes_add_string(&corpus, CORPUS);
	bytes_add_string(&corpus, target_name);
	for (int i = 1; i < argc; i++) {
		replay(argv[i]);
	}
	if (argc == 1) {
		replay(corpus.at);
	}
	bytes_free(&corpus);
	printf("fuzz %s: %u passed, %u failed\n", target_name, count.passed, count.failed);
	return count.passed > 0 && count.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
