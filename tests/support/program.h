/*
 * program.h - start a program, and collect its output
 *
 * The program stays in the process group of the test and is killed when the test process ends.
 */

#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
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

	/* Called in the child before execvp(), if not NULL; the child exits if it returns false. */
	bool (*prepare)(const void *context);
	const void *context;
};

/*
 * A program whose output program_finish() collects. Before that it may print 64 KiB to each pipe
 * without being blocked.
 */
struct program {
	pid_t process;
	int output; /* pipes from its standard output and standard error */
	int errors;
};

/* The end of a program. */
struct outcome {
	int status; /* of waitpid() */
	struct bytes output;
	struct bytes errors;
};

/* Begin with the program that the environment variable names, without arguments. */
void arguments_begin(struct arguments *arguments, const char *variable);

/* Begin with SMTPD and these words, which are separated by spaces and copied. */
void arguments_set(struct arguments *arguments, const char *words);

/* Add one argument; add those of a list that ends with NULL. They are not copied. */
void arguments_add(struct arguments *arguments, const char *argument);
void arguments_add_list(struct arguments *arguments, const char *const list[]);

/*
 * Start the program in `directory`, with standard input from /dev/null and these descriptors as
 * standard output and error; -1 leaves one closed.
 */
pid_t program_start(
    const char *directory, const struct arguments *arguments, int output, int errors);

/* The same with standard error in a pipe; stores its end for reading in `*log_source`. */
pid_t program_start_logged(
    const char *directory, const struct arguments *arguments, int output, int *log_source);

/*
 * Append the next bytes from a pipe, if any come within `seconds`. Returns false at the end of
 * file, and otherwise true.
 */
bool program_read(int source, struct bytes *text, double seconds);

/*
 * Append to `log` until its end of file, and wait for the end of the program. Stores the status of
 * waitpid(). Returns false if it took longer than `seconds` and the program was killed.
 */
bool program_await_end(
    pid_t process, int log_source, struct bytes *log, double seconds, int *status);

/*
 * Start the program in `directory`; collect its output and wait for its end. The test fails if it
 * has not ended after `seconds`.
 */
struct program program_begin(const char *directory, const struct arguments *arguments);
struct outcome program_finish(struct program *program, double seconds);

/*
 * Start the program, or SMTPD with these words, collect its output and wait for its end, at most
 * for PATIENCE. The caller frees the outcome.
 */
struct outcome program_run(const char *directory, const struct arguments *arguments);
struct outcome program_run_words(const char *directory, const char *words);

/* Return the exit status, -1 if a signal ended the program. */
int outcome_status(const struct outcome *outcome);

/* Return the last line of its standard output with its LF. */
const char *outcome_last_line(const struct outcome *outcome);

/* Free the memory of an outcome. */
void outcome_free(struct outcome *outcome);

/* Make a pipe that programs do not inherit; [0] is for reading. */
void program_pipe(int pipe_ends[static 2]);

#endif
