/*
 * program.h - runs multiclient as a program, and keeps what it says
 */

#ifndef MULTICLIENT_PROGRAM_H
#define MULTICLIENT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROGRAM_ARGUMENTS_MAX 32

struct program {
	pid_t pid;
	int out, error; /* descriptors of nameless files */
	int status;     /* exit status; -1: it did not exit by itself */
	char *output;   /* standard output and standard error, once it has ended */
	char *errors;
};

/*
 * Start the program that the environment variable `variable` names, with the arguments that follow,
 * the last of which is NULL. Fails the test if that is not possible.
 */
void program_start(struct program *program, const char *variable, const char *const arguments[]);

/* Wait for its end, and read what it said. */
void program_finish(struct program *program);

/* Start and finish MULTICLIENT. */
void program_run(struct program *program, const char *const arguments[]);

/* Give the texts back. */
void program_release(struct program *program);

/* The last line of its standard output, with its LF; "" if there is none. */
const char *program_last_line(const struct program *program);

#endif
