/*
 * program.h - starting the server's program, whatever may come of it
 */

#ifndef PROGRAM_H
#define PROGRAM_H

#include <sys/types.h>

#include "text.h"

/* Arguments that a program may be given here, its name and the closing NULL included. */
#define ARGUMENTS_MAX 24

/* Bytes that arguments given as words may have. */
#define WORDS_MAX 512

/* argv[] of the server, and what the words in it point into. Must stay where it is. */
struct arguments {
	const char *list[ARGUMENTS_MAX];
	unsigned count;
	char words[WORDS_MAX];
};

/* What became of a program that has ended. */
struct outcome {
	int status; /* as waitpid() has it */
	struct text output;
	struct text errors;
};

/* Begin with the program's name and these words, which are separated by single spaces. */
void arguments_set(struct arguments *arguments, const char *words);

/* Add one argument, whatever is in it. */
void arguments_add(struct arguments *arguments, const char *argument);

/*
 * Start the server in `directory`, with its standard input from /dev/null and these descriptors as
 * its standard output and error; -1 leaves one closed. It does not outlive this process.
 */
pid_t program_start(
    const char *directory, const struct arguments *arguments, int output, int errors);

/*
 * Start the server with these arguments, or with these words as arguments, read what it says, and
 * wait for its end, which must come within PATIENCE. The caller releases the outcome.
 */
struct outcome program_run(const char *directory, const struct arguments *arguments);
struct outcome program_run_words(const char *directory, const char *words);
void outcome_free(struct outcome *outcome);

/* Make a pipe that programs do not inherit; [0] is for reading. */
void program_pipe(int pipe_ends[static 2]);

#endif
