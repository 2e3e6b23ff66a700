/*
 * NAME
 *	replay - show a fuzz target the inputs that are kept for it
 *
 * SYNOPSIS
 *	replay_NAME [FILE | DIRECTORY ...]
 *
 * DESCRIPTION
 *	Without arguments the target's corpus is replayed, which is found from the top directory of
 *	the project. Each input is tried in a process of its own, so that one that breaks a promise
 *	does not hide the next.
 *
 * DIAGNOSTICS
 *	A line for each input that fails, behind what the target said about it; and at the end how
 *	many passed and failed. The exit status is 0 if there were any and all of them passed.
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

/* Bytes read at once; seconds after which an input has failed. */
#define BLOCK_SIZE    4096
#define INPUT_SECONDS 60

static struct {
	unsigned passed;
	unsigned failed;
} count;

/* Read a whole file. Returns whether it worked. */
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

/* Try an input in another process. Returns whether that ended well. */
static bool
survives(const struct bytes *input)
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

	if (read_file(path, &input) && survives(&input)) {
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

		bytes_add_text(&name, path);
		bytes_add_text(&name, "/");
		bytes_add_text(&name, entries[i]->d_name);
		bytes_add(&name, "", 1);
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

	bytes_add_text(&corpus, CORPUS);
	bytes_add_text(&corpus, target_name);
	bytes_add(&corpus, "", 1);
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
