/*
 * NAME
 *	program - start a program, and collect its output
 *
 * DESCRIPTION
 *	prctl(2) with PR_SET_PDEATHSIG kills the program when the test process ends.
 */

#define _GNU_SOURCE

#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "environment.h"
#include "fail.h"
#include "files.h"

/* Exit status of a child that could not execute the program. */
#define CANNOT_EXECUTE 127

/* Bytes of a pipe: the most that an unprivileged process may set. */
#define PIPE_SIZE (1024 * 1024)

#define BLOCK_SIZE 4096

void
arguments_add(struct arguments *arguments, const char *argument)
{
	REQUIRE(arguments->count < ARGUMENTS_MAX - 1, "too many arguments");
	arguments->list[arguments->count++] = argument;
	arguments->list[arguments->count] = NULL;
}

void
arguments_add_list(struct arguments *arguments, const char *const list[])
{
	for (size_t i = 0; list[i] != NULL; i++) {
		arguments_add(arguments, list[i]);
	}
}

void
arguments_begin(struct arguments *arguments, const char *variable)
{
	const char *slash;

	arguments->prepare = NULL;
	arguments->program = environment_require(variable);
	slash = strrchr(arguments->program, '/');
	arguments->count = 0;
	arguments_add(arguments, slash == NULL ? arguments->program : slash + 1);
}

void
arguments_set(struct arguments *arguments, const char *words)
{
	size_t size = strlen(words) + 1;
	char *rest;

	arguments_begin(arguments, "SMTPD");
	REQUIRE(size <= sizeof arguments->words, "too many bytes: %s", words);
	memcpy(arguments->words, words, size);
	for (char *word = strtok_r(arguments->words, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		arguments_add(arguments, word);
	}
}

void
program_pipe(int pipe_ends[static 2])
{
	REQUIRE_CALL(pipe2(pipe_ends, O_CLOEXEC));
	/* If this fails the pipe has 64 KiB, which is enough for most tests. */
	fcntl(pipe_ends[1], F_SETPIPE_SZ, PIPE_SIZE);
}

/* In the child: make `descriptor` the standard stream `stream`. */
static void
redirect(int descriptor, int stream)
{
	if (descriptor == -1) {
		close(stream);
	} else if (dup2(descriptor, stream) == -1) {
		_exit(CANNOT_EXECUTE);
	}
}

/* In the child: execute the program. */
static _Noreturn void
execute(const char *directory, const struct arguments *arguments, int output, int errors)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	redirect(nothing, STDIN_FILENO);
	redirect(output, STDOUT_FILENO);
	redirect(errors, STDERR_FILENO);
	/* If nohup(1) runs the tests, SIGHUP is ignored; the program must not inherit that. */
	signal(SIGHUP, SIG_DFL);
	if (chdir(directory) == 0 &&
	    (arguments->prepare == NULL || arguments->prepare(arguments->context))) {
		/* The cast is safe: execvp() does not change the arguments. */
		execvp(arguments->program, (char *const *)arguments->list);
	}
	_exit(CANNOT_EXECUTE);
}

pid_t
program_start(const char *directory, const struct arguments *arguments, int output, int errors)
{
	pid_t process = fork();

	REQUIRE_CALL(process);
	if (process == 0) {
		execute(directory, arguments, output, errors);
	}
	return process;
}

pid_t
program_start_logged(
    const char *directory, const struct arguments *arguments, int output, int *log_source)
{
	int ends[2];
	pid_t process;

	program_pipe(ends);
	process = program_start(directory, arguments, output, ends[1]);
	close(ends[1]);
	*log_source = ends[0];
	return process;
}

bool
program_read(int source, struct bytes *text, double seconds)
{
	struct pollfd wait = {.fd = source, .events = POLLIN};
	char block[BLOCK_SIZE];
	ssize_t length;

	if (poll(&wait, 1, (int)(seconds * MILLISECONDS)) != 1) {
		return true;
	}
	length = read(source, block, sizeof block);
	if (length > 0) {
		bytes_add(text, block, (size_t)length);
	}
	return length > 0;
}

bool
program_await_end(pid_t process, int log_source, struct bytes *log, double seconds, int *status)
{
	double deadline = clock_now() + seconds;
	bool stuck = false;

	while (!stuck && program_read(log_source, log, 1)) {
		stuck = clock_now() > deadline;
	}
	if (stuck) {
		kill(process, SIGKILL);
	}
	REQUIRE_CALL(waitpid(process, status, 0));
	return !stuck;
}

/* Read both streams until the end of file. */
static void
collect_all(const struct program *program, double deadline, struct outcome *outcome)
{
	struct pollfd sources[] = {
	    {.fd = program->output, .events = POLLIN}, {.fd = program->errors, .events = POLLIN}};
	struct bytes *texts[] = {&outcome->output, &outcome->errors};

	while (sources[0].fd != -1 || sources[1].fd != -1) {
		int left = clock_left(deadline);

		if (left == 0 || poll(sources, 2, left) == -1) {
			kill(program->process, SIGKILL);
			test_fail("the program has not ended by itself; it printed %s",
			    bytes_visible(bytes_string(&outcome->errors), outcome->errors.length));
		}
		for (unsigned i = 0; i < 2; i++) {
			if (sources[i].revents != 0 && !program_read(sources[i].fd, texts[i], 0)) {
				sources[i].fd = -1;
			}
		}
	}
}

struct program
program_begin(const char *directory, const struct arguments *arguments)
{
	struct program program;
	int output[2];

	program_pipe(output);
	program.process = program_start_logged(directory, arguments, output[1], &program.errors);
	program.output = output[0];
	close(output[1]);
	return program;
}

struct outcome
program_finish(struct program *program, double seconds)
{
	struct outcome outcome = {0};

	collect_all(program, clock_now() + seconds, &outcome);
	close(program->output);
	close(program->errors);
	REQUIRE_CALL(waitpid(program->process, &outcome.status, 0));
	return outcome;
}

struct outcome
program_run(const char *directory, const struct arguments *arguments)
{
	struct program program = program_begin(directory, arguments);

	return program_finish(&program, PATIENCE);
}

struct outcome
program_run_words(const char *directory, const char *words)
{
	struct arguments arguments;

	arguments_set(&arguments, words);
	return program_run(directory, &arguments);
}

int
outcome_status(const struct outcome *outcome)
{
	return WIFEXITED(outcome->status) ? WEXITSTATUS(outcome->status) : -1;
}

const char *
outcome_last_line(const struct outcome *outcome)
{
	const char *output = bytes_string(&outcome->output);
	size_t start = outcome->output.length > 0 ? outcome->output.length - 1 : 0;

	while (start > 0 && output[start - 1] != '\n') {
		start--;
	}
	return output + start;
}

void
outcome_free(struct outcome *outcome)
{
	bytes_free(&outcome->output);
	bytes_free(&outcome->errors);
}
