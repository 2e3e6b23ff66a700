/*
 * program.h - start a program, and collect its output
 *
 * The program stays in the process group of the test and is killed when the test process ends.
 */

#ifndef PROGRAM_H
#define PROGRAM_H

#include <sys/types.h>

#include "bytes.h"

/* Arguments of a program with its name and the closing NULL. */
#define ARGUMENTS_MAX 40

/* Bytes of arguments given as words. */
#define WORDS_MAX 512

/* A program and its argv[]. `list` may point into `words`: the struct must not be moved. */
struct arguments {
	const char *program; /* its path */
	const char *list[ARGUMENTS_MAX];
	unsigned count;
	char words[WORDS_MAX];
};

/* The end of a program. */
struct outcome {
	int status; /* of waitpid() */
	struct bytes output;
	struct bytes errors;
};

/* Begin with the program that the environment variable names, without arguments. */
void arguments_begin(struct arguments *arguments, const char *variable);

/* Begin with SMTPD and these words, separated by single spaces. */
void arguments_set(struct arguments *arguments, const char *words);

/* Add one argument. It is not copied. */
void arguments_add(struct arguments *arguments, const char *argument);

/*
 * Start the program in `directory`, with standard input from /dev/null and these descriptors as
 * standard output and error; -1 leaves one closed.
 */
pid_t program_start(
    const char *directory, const struct arguments *arguments, int output, int errors);

/*
 * Start the program, or SMTPD with these words, collect its output and wait for its end, at most for
 * PATIENCE. The caller frees the outcome.
 */
struct outcome program_run(const char *directory, const struct arguments *arguments);
struct outcome program_run_words(const char *directory, const char *words);
void outcome_free(struct outcome *outcome);

/* Make a pipe that programs do not inherit; [0] is for reading. */
void program_pipe(int pipe_ends[static 2]);

#endif
